"""What storing kernels as float16 does to answers: each photo answered with them rounded, and as they were trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import Prediction
from ..model.manifest import Manifest
from ..model.predictor import make_prediction
from ..tables import LabelledPhoto

Array = npt.NDArray[np.floating]


def rounding_effect(
    rounded: Array, exact: Array, photos: Sequence[LabelledPhoto], manifest: Manifest
) -> dict[str, int | float]:
    """Count the photos that are answered otherwise because kernels were rounded.

    Args:
        rounded: Logits (n_photos, n_views, n_classes) of the network that ships.
        exact: The same before rounding.
        photos: In order; how each was taken says which line and sets are its own.
        manifest: What decides.

    Returns:
        ``n_photos``; how many of them show another class first (``class_changed``), fall on the other side of the threshold
        or of the line for calm answers (``line_crossed``), hold other classes in a prediction set (``set_changed``), any
        of the three (``answer_changed``); and the largest change of a probability (``largest_change``).
    """
    counts = np.zeros(3, int)
    n_changed, largest = 0, 0.0
    for one, other, photo in zip(rounded, exact, photos, strict=True):
        own = manifest.as_for(photo.metadata.image_type)
        shipped, trained = make_prediction(one, own), make_prediction(other, own)
        differs = [a != b for a, b in zip(_shown(shipped), _shown(trained), strict=True)]
        counts += differs
        n_changed += any(differs)
        largest = max(largest, float(np.abs(shipped.ham_probabilities - trained.ham_probabilities).max()))
    named = dict(zip(("class_changed", "line_crossed", "set_changed"), counts.tolist(), strict=True))
    return {"n_photos": len(photos), **named, "answer_changed": n_changed, "largest_change": largest}


def _shown(prediction: Prediction) -> tuple[Any, Any, Any]:
    """Return the class shown first, the sides of both lines, and the sets: what a next step is made of."""
    lines = prediction.is_above_threshold, prediction.is_above_calm_line
    return prediction.predicted, lines, (prediction.set_90, prediction.set_95)
