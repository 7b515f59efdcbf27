"""What the answer with artefacts painted over may do to the next step: raise its urgency, and nothing else."""

import pytest

from dermascan_core.domain import ImageType, NextStep, Status
from dermascan_core.triage.policy import decide_next_step
from dermascan_core.triage.rules import ARTEFACTS_CHANGE_STEP
from tests.triage.test_policy import ADULT, ALL_NO, CALM, URGENT


@pytest.mark.parametrize(
    ("shown", "painted", "expected"),
    [(CALM, URGENT, NextStep.URGENT_2_WEEKS), (URGENT, CALM, NextStep.URGENT_2_WEEKS), (CALM, CALM, NextStep.WATCH)],
)
def test_answer_with_artefacts_painted_over_can_only_raise_the_urgency(shown, painted, expected):
    step, reasons = decide_next_step(
        answers=ALL_NO,
        metadata=ADULT,
        image_type=ImageType.DERMOSCOPIC,
        status=Status.ANSWERED,
        prediction=shown,
        prediction_without_metadata=shown,
        prediction_without_artefacts=painted,
    )

    assert step is expected
    assert (ARTEFACTS_CHANGE_STEP in reasons) is (shown is not painted)
