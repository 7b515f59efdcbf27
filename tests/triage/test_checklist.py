"""The weighted 7-point checklist: what counts two, what counts one, and what the score asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dermascan_core.domain import Answers, Metadata, NextStep
from dermascan_core.triage.checklist import SEVEN_POINT_WEIGHTS, seven_point_features, seven_point_score
from dermascan_core.triage.policy import step_from_answers
from tests.triage.test_policy import ANSWER_NAMES, any_answers, any_metadata


@given(any_answers, any_metadata, st.sampled_from(ANSWER_NAMES))
def test_seven_point_score_never_falls_with_one_more_yes_and_stays_within_its_range(answers, metadata, name):
    before = seven_point_score(answers, metadata)
    after = seven_point_score(replace(answers, **{name: True}), metadata)

    assert 0 <= before <= after <= sum(SEVEN_POINT_WEIGHTS.values()) == 10


@pytest.mark.parametrize(
    ("answers", "metadata", "score"),
    [
        (Answers(), Metadata(), 0),
        (Answers(changing=True), Metadata(), 2),
        (Answers(bleeding=True, painful=True), Metadata(), 2),
        (Answers(changing=True, painful=True), Metadata(), 3),
        (Answers(), Metadata(clin_size_long_diam_mm=6.9), 0),
        (Answers(), Metadata(clin_size_long_diam_mm=7), 1),
        (Answers(changing=True, bleeding=True, painful=True), Metadata(clin_size_long_diam_mm=12), 5),
        (Answers(new=True, worried=True, under_nail=True, on_mucosa=True), Metadata(), 0),
        (Answers(changing=False, bleeding=False, painful=False), Metadata(), 0),
        (Answers(evolving=True), Metadata(), 2),
        (Answers(changing=True, evolving=True), Metadata(), 2),
        (Answers(asymmetric=True, irregular_border=True), Metadata(), 2),
        (Answers(several_colours=True), Metadata(), 2),
        (Answers(inflamed=True), Metadata(), 1),
        (Answers(large_diameter=True), Metadata(clin_size_long_diam_mm=3), 1),
        (Answers(large_diameter=False), Metadata(clin_size_long_diam_mm=8), 1),
        (Answers(**dict.fromkeys(ANSWER_NAMES, True)), Metadata(), 10),
    ],
)
def test_seven_point_score_weighs_major_features_two_and_minor_ones_one(answers, metadata, score):
    assert seven_point_score(answers, metadata) == score


def test_all_seven_features_of_the_checklist_can_be_named():
    assert seven_point_features(Answers(**dict.fromkeys(ANSWER_NAMES, True)), Metadata()) == tuple(SEVEN_POINT_WEIGHTS)
    assert len(SEVEN_POINT_WEIGHTS) == 7


def test_seven_points_ask_for_a_doctor_within_two_weeks_and_say_the_score():
    step, reasons = step_from_answers(Answers(changing=True, bleeding=True), Metadata(clin_size_long_diam_mm=9))

    assert step is NextStep.URGENT_2_WEEKS
    assert reasons == (
        "The answers score 4 on the 7-point checklist that doctors use. "
        "With 3 or more, a doctor should see it within 2 weeks.",
        "It has changed. A doctor should see it, whatever the photo shows.",
        "It bleeds, oozes or crusts. A doctor should see it, whatever the photo shows.",
    )
