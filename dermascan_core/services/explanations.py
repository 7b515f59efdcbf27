"""Explanations made when a person asks: Guided Grad-CAM, the occlusion check, and the answer with a place covered."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from ..domain import Prediction, Screening
from ..evaluation.repeatability import with_few_views
from ..model.occlusion import cover_round, occlusion_map
from ..model.predictor import EnginePredictor, Predictor
from ..taxonomy import HAM_CODES
from . import keras_worker
from .screening import told_metadata
from .withholding import refuse_when_stopped


@dataclass(frozen=True, slots=True)
class Explanation:
    """What else shows where the network looked for one class of one photo.

    Attributes:
        code: The class.
        guided: Guided Grad-CAM, (side, side) in [0, 1]; None where the engine or the network cannot.
        occlusion: How much of the class's probability is lost when a place is covered: (n, n) in [-1, 1].
        probability: Of the class, uncovered, with one view.
    """

    code: str
    guided: npt.NDArray[np.float32] | None
    occlusion: npt.NDArray[np.float32]
    probability: float


def explain_further(screening: Screening, index: int, code: str, *, predictor: Predictor) -> Explanation:
    """Explain one class of an answered photo by the pixels and by covering places.

    Args:
        screening: Of the lesion.
        index: Of the photo; it must have been answered with heat maps.
        code: A HAM10000 code that has a heat map.
        predictor: The model that answered.

    Raises:
        ValueError: If the photo has no answer or no heat map of the class.
        AnswersWithheldError: If answers are stopped here.
    """
    refuse_when_stopped()
    photo = screening.photos[index]
    if photo.prediction is None or photo.square is None or code not in photo.heat_maps:
        raise ValueError(f"Expected a photo with a heat map of '{code}'. Received one with: {list(photo.heat_maps)}.")
    told = told_metadata(screening.metadata, screening.answers, screening.type_of(photo))
    one_view, place = with_few_views(predictor, 1), HAM_CODES.index(code)
    answers: list[float] = []

    def probability(squares: npt.NDArray[np.uint8]) -> npt.NDArray[np.floating]:
        outputs = one_view.predict(squares, [told] * len(squares))
        answers[:] = [float(output.prediction.ham_probabilities[place]) for output in outputs]
        return np.array(answers)

    occlusion = occlusion_map(photo.square, probability)
    guided = None
    if isinstance(predictor, EnginePredictor):
        guided = predictor.guided_grad_cam(
            photo.square,
            told,
            code,
            prediction=photo.prediction,
            heat_map=photo.heat_maps[code],
            gradients=partial(keras_worker.guided_gradients, predictor.manifest),
        )
    return Explanation(code, guided, occlusion, answers[0])


@dataclass(frozen=True, slots=True)
class CoveredAnswer:
    """What the model says of a square with a place covered.

    Attributes:
        square: With the place covered, (side, side, 3), uint8.
        before, after: The answers to one view, uncovered and covered.
    """

    square: npt.NDArray[np.uint8]
    before: Prediction
    after: Prediction


def answer_covered(
    screening: Screening, index: int, *, across: float, down: float, width: float, predictor: Predictor
) -> CoveredAnswer:
    """Ask the model again about one photo of a lesion, a round place of its square covered; the screening stays as it is.

    Args:
        screening: Of the lesion.
        index: Of the photo.
        across, down, width: See ``model.occlusion.cover_round``.
        predictor: The model that answered.

    Raises:
        ValueError: If the photo has no square.
        AnswersWithheldError: If answers are stopped here.
    """
    refuse_when_stopped()
    photo = screening.photos[index]
    square = photo.square
    if square is None:
        raise ValueError("Expected a photo with its square. Received one without.")
    covered = cover_round(square, across=across, down=down, width=width)
    told = told_metadata(screening.metadata, screening.answers, screening.type_of(photo))
    before, after = with_few_views(predictor, 1).predict(np.stack([square, covered]), [told, told])
    return CoveredAnswer(covered, before.prediction, after.prediction)
