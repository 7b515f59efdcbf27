"""The signs that may stay open: what naming them asks for, and what leaving them open does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dermascan_core.domain import OPTIONAL_ANSWERS, NextStep, Status
from dermascan_core.triage.rules import RULES
from tests.triage.test_policy import ADULT, ALL_NO, CALM, decide


def test_optional_signs_may_stay_open_without_barring_the_calmest_step():
    step, _ = decide(replace(ALL_NO, **dict.fromkeys(OPTIONAL_ANSWERS)))

    assert step is NextStep.WATCH


@pytest.mark.parametrize(
    ("answers", "metadata"),
    [(replace(ALL_NO, large_diameter=True), ADULT), (ALL_NO, replace(ADULT, clin_size_long_diam_mm=7))],
)
def test_width_alone_is_worth_a_check_and_no_question_is_called_open(answers, metadata):
    step, reasons = decide(answers, metadata)

    assert step is NextStep.ROUTINE_CHECK
    assert reasons[0] == "It is 7 mm wide or more. That alone is common, and worth a check."
    assert RULES["questions_open"].sentence not in reasons


def test_contradiction_is_pointed_out_and_the_more_careful_answer_counts():
    answers = replace(ALL_NO, evolving=True)

    for status, prediction in ((Status.ANSWERED, CALM), (Status.REFUSED, None)):
        step, reasons = decide(answers, status=status, prediction=prediction)

        assert step is NextStep.SEE_DOCTOR
        assert reasons[-1] == (
            "You said that it has not changed, and also that it is changing lately. The more careful answer counts."
        )
