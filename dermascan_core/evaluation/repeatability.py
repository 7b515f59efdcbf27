"""Whether an answer stays when the photo changes a little: the meter behind every result, and what is counted to judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..domain import CropBox, Metadata, NextStep, Prediction, Repeatability
from ..imaging.small_changes import SMALL_CHANGES, changed_squares
from ..model.predictor import ManyViewsPredictor, PhotoOutput, Predictor
from ..triage.policy import step_from_model

# Two of the eight views for each changed photo: how this was chosen stands in docs/decisions/0026-*.md.
N_VIEWS = 2
DEFAULT_LIMIT = len(SMALL_CHANGES) // 2  # where none was fitted: an answer that most small changes overturn is none


def meter_repeatability(
    predictor: Predictor,
    rgb: npt.NDArray[np.uint8],
    crop: CropBox,
    output: PhotoOutput,
    told: Metadata,
    *,
    steps: Sequence[str] = (),
    limit: int = DEFAULT_LIMIT,
    n_views: int = N_VIEWS,
) -> Repeatability:
    """Answer the photo again after each small change, and say which changes change the answer.

    Args:
        predictor: The model.
        rgb: Decoded photo (height, width, 3), uint8.
        crop: The square that was answered.
        output: The answer that is shown.
        told: What the model was told of the person.
        steps: Optional imaging steps after the model's own, as for the answer.
        limit: More changed answers than this make the photo unsure.
        n_views: How many views are averaged for a changed photo, where the predictor can be told.
    """
    config = predictor.manifest.preprocess
    squares = changed_squares(rgb, crop, replace(config, steps=(*config.steps, *steps)))
    answers = with_few_views(predictor, n_views).predict(squares, [told] * len(squares))
    other_class, other_advice = compare_answers(output, answers)
    words = [change.words for change in SMALL_CHANGES]
    return Repeatability(
        changes=tuple(words),
        other_class=tuple(word for word, is_other in zip(words, other_class, strict=True) if is_other),
        other_advice=tuple(word for word, is_other in zip(words, other_advice, strict=True) if is_other),
        limit=limit,
    )


def with_few_views(predictor: Predictor, n_views: int = N_VIEWS) -> Predictor:
    """Return the model averaging fewer views where it can be told to; else as it is."""
    if not isinstance(predictor, ManyViewsPredictor) or predictor.manifest.n_views <= n_views:
        return predictor
    return predictor.with_views(n_views)


def compare_answers(output: PhotoOutput, others: Sequence[PhotoOutput]) -> tuple[list[bool], list[bool]]:
    """Return which of the other answers show another class first, and which ask for a doctor where this one does not.

    The second counts both ways, and only the model's part of the next step. Its finer degrees are left out (a step from
    "watch" to "routine check" comes and goes with every photo and says nothing of whether the answer is right), and so is
    whether views disagree: few views disagree more often than eight do.
    """
    asks = _asks_for_doctor(output)
    return (
        [other.prediction.predicted != output.prediction.predicted for other in others],
        [_asks_for_doctor(other) is not asks for other in others],
    )


def _asks_for_doctor(output: PhotoOutput) -> bool:
    step = step_from_model(_as_agreed(output.prediction), _as_agreed(output.prediction_without_metadata))
    return step.urgency >= NextStep.SEE_DOCTOR.urgency


def _as_agreed(prediction: Prediction) -> Prediction:
    return replace(prediction, views_agreeing=prediction.n_views)
