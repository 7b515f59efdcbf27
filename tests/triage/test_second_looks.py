"""What the answer with artefacts painted over may do to the next step: raise its urgency, and nothing else."""

import pytest

from dermascan_core.domain import ImageType, NextStep, Status
from dermascan_core.triage.policy import decide_next_step
from dermascan_core.triage.rules import ARTEFACTS_CHANGE_STEP, RULES
from tests.triage.test_policy import ADULT, ALL_NO, CALM, URGENT, make_prediction


def _decide(shown, painted, *, status=Status.ANSWERED):
    return decide_next_step(
        answers=ALL_NO,
        metadata=ADULT,
        image_type=ImageType.DERMOSCOPIC,
        status=status,
        prediction=shown,
        prediction_without_metadata=shown,
        prediction_without_artefacts=painted,
    )


@pytest.mark.parametrize(
    ("shown", "painted", "expected"),
    [(CALM, URGENT, NextStep.URGENT_2_WEEKS), (URGENT, CALM, NextStep.URGENT_2_WEEKS), (CALM, CALM, NextStep.WATCH)],
)
def test_answer_with_artefacts_painted_over_can_only_raise_the_urgency(shown, painted, expected):
    step, reasons = _decide(shown, painted)

    assert step is expected
    assert (ARTEFACTS_CHANGE_STEP in reasons) is (shown is not painted)
    # Bars are those of the photo as it is: a reason that they do not show says where it comes from.
    linked = RULES["model_melanoma"].sentence
    hidden = f"With what lies over the skin painted over: this{linked[4:]}"
    assert (linked in reasons, hidden in reasons) == (shown is URGENT, shown is CALM and painted is URGENT)


def test_cancer_whose_bar_is_the_longest_is_not_passed_over_for_melanoma():
    both = make_prediction(predicted="bcc", set_95=("bcc", "mel"), is_above_threshold=True)

    _, reasons = _decide(both, None)

    assert reasons[:2] == (RULES["model_melanoma"].sentence, RULES["model_threshold"].sentence)


def test_doubt_about_the_photo_as_it_is_is_not_laid_on_the_painted_over_one():
    _, reasons = _decide(CALM, make_prediction(views_agreeing=2), status=Status.UNSURE)
    _, elsewhere = _decide(CALM, make_prediction(views_agreeing=2))

    assert RULES["model_unsure"].sentence in reasons
    assert any(
        reason.startswith("With what lies over the skin painted over: the model is unsure") for reason in elsewhere
    )
