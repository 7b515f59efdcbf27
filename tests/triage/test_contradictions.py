"""Answers that contradict each other are pointed out, and only those."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dermascan_core.domain import ANSWER_FIELDS, Answers, Metadata, NextStep
from dermascan_core.taxonomy import SITES, UNTESTED_SITES
from dermascan_core.triage.checklist import seven_point_score
from dermascan_core.triage.contradictions import CAREFUL_READING, contradictions
from dermascan_core.triage.policy import step_from_answers


@pytest.mark.parametrize(
    ("answers", "metadata", "said"),
    [
        (
            Answers(changing=False, evolving=True),
            Metadata(),
            "You said that it has not changed, and also that it is changing lately.",
        ),
        (
            Answers(bleeding=False, unstoppable_bleeding=True),
            Metadata(),
            "You said that it does not bleed, and also that the bleeding does not stop.",
        ),
        (
            Answers(large_diameter=True),
            Metadata(clin_size_long_diam_mm=3),
            "You gave a width of 3 mm, and also said that it is 7 mm wide or more.",
        ),
        (
            Answers(large_diameter=False),
            Metadata(clin_size_long_diam_mm=7.5),
            "You gave a width of 7.5 mm, and also said that it is less than 7 mm wide.",
        ),
        (
            Answers(under_nail=False),
            Metadata(anatom_site="nail"),
            "You said that it is not at a nail, and also chose a nail as its place.",
        ),
        (
            Answers(on_mucosa=False),
            Metadata(anatom_site="mucosa"),
            "You said that it is not inside the mouth, nose, eyelid or genitals, and also chose that as its place.",
        ),
        (
            Answers(under_nail=True),
            Metadata(anatom_site="back"),
            "You said that it is at a nail, and also chose a place that has none.",
        ),
        (
            Answers(on_mucosa=True),
            Metadata(anatom_site="foot"),
            "You said that it is inside the mouth, nose, eyelid or genitals, and also chose another place.",
        ),
    ],
)
def test_two_answers_that_cannot_both_be_so_are_pointed_out(answers, metadata, said):
    assert contradictions(answers, metadata) == (f"{said} {CAREFUL_READING}",)


@pytest.mark.parametrize(
    ("answers", "metadata"),
    [
        (Answers(), Metadata()),
        (Answers(changing=True, evolving=False), Metadata()),  # it changed, but not lately
        (Answers(large_diameter=True), Metadata(clin_size_long_diam_mm=7)),
        (Answers(under_nail=True), Metadata(anatom_site="foot")),
        (Answers(on_mucosa=True), Metadata(anatom_site="face")),
        (Answers(on_mucosa=True), Metadata(anatom_site="genital")),
    ],
)
def test_what_can_both_be_so_is_left_alone(answers, metadata):
    assert contradictions(answers, metadata) == ()


any_answers = st.builds(Answers, **dict.fromkeys(ANSWER_FIELDS, st.sampled_from([True, False, None])))
any_metadata = st.builds(
    Metadata,
    anatom_site=st.sampled_from([None, *SITES, *UNTESTED_SITES]),
    clin_size_long_diam_mm=st.none() | st.floats(0.1, 500),
)


@given(any_answers, any_metadata)
def test_the_more_careful_of_two_contradicting_answers_is_the_one_that_counts(answers, metadata):
    if not contradictions(answers, metadata):
        return
    # With every no of the form taken back, nothing may have been lost: no "no" lowers a "yes".
    only_yes = Answers(**{name: getattr(answers, name) or None for name in ANSWER_FIELDS})

    assert seven_point_score(answers, metadata) == seven_point_score(only_yes, metadata)
    assert step_from_answers(answers, metadata)[0] is step_from_answers(only_yes, metadata)[0]
    assert step_from_answers(answers, metadata)[0] in list(NextStep)
