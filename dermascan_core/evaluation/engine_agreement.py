"""How far two engines agree about the same photos: probabilities, class shown first, sets, next step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .results import PhotoResult


def measure_agreement(reference: Sequence[PhotoResult], other: Sequence[PhotoResult]) -> dict[str, Any]:
    """Count what differs between two answers to the same photos; photos without an answer in both are left out.

    Args:
        reference: Of the engine that the figures of the model were measured with.
        other: Of the engine that may answer in its place, in the same order.

    Returns:
        ``n_photos``; ``max_probability_difference`` and ``mean_probability_difference`` over the seven classes and
        ``p_malignant``, in [0, 1]; ``n_first_class_differing``, ``n_sets_differing`` (of 90 and 95 %),
        ``n_above_threshold_differing`` and ``n_next_steps_differing``.

    Raises:
        ValueError: If the photos differ, or none was answered.
    """
    if [one.photo.image_id for one in reference] != [one.photo.image_id for one in other]:
        raise ValueError("Expected the same photos in the same order from both engines. Received other ones.")
    pairs = [(a, b) for a, b in zip(reference, other, strict=True) if a.prediction and b.prediction]
    if not pairs:
        raise ValueError("Expected at least one photo that both engines answered. Received none.")
    predictions = [(a.prediction, b.prediction) for a, b in pairs if a.prediction and b.prediction]
    differences = np.array(
        [
            [*np.abs(a.ham_probabilities - b.ham_probabilities), abs(a.p_malignant - b.p_malignant)]
            for a, b in predictions
        ]
    )
    return {
        "n_photos": len(pairs),
        "max_probability_difference": float(differences.max()),
        "mean_probability_difference": float(differences.mean()),
        "n_first_class_differing": sum(a.predicted != b.predicted for a, b in predictions),
        "n_sets_differing": sum((a.set_90, a.set_95) != (b.set_90, b.set_95) for a, b in predictions),
        "n_above_threshold_differing": sum(a.is_above_threshold != b.is_above_threshold for a, b in predictions),
        "n_next_steps_differing": sum(a.next_step != b.next_step for a, b in pairs),
    }
