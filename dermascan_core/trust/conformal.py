"""Prediction sets with a measured promise for every class: class-conditional (Mondrian) split conformal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ..taxonomy import HAM_CODES

Array = npt.NDArray[np.floating]


def fit_set_thresholds(y_true: Sequence[str], ham_probabilities: Array, *, coverage: float) -> dict[str, float]:
    """Return, for each HAM10000 code, the least probability at which it enters the set.

    For new lesions exchangeable with these, the true class is in the set with at least the given probability,
    separately within each class.

    Args:
        y_true: HAM10000 codes (n_samples,), of data not used for training.
        ham_probabilities: Array (n_samples, 7) in ``HAM_CODES`` order.
        coverage: For example 0.90.

    Returns:
        Code -> threshold; 0 (always in the set) where a class has too few samples for the promise.

    Reference: Vovk (2012), https://arxiv.org/abs/1209.2673

    >>> p = np.tile(np.linspace(0.1, 1, 10)[:, None], 7)
    >>> fit_set_thresholds(["mel"] * 10, p, coverage=0.9)["mel"]
    0.1
    """
    labels = np.asarray(y_true)
    thresholds = {}
    for index, code in enumerate(HAM_CODES):
        own = np.sort(ham_probabilities[labels == code, index])
        # The k-th smallest, k = floor((1 - coverage)(n + 1)): at most that share of new ones lies below it.
        k = math.floor((1 - coverage) * (len(own) + 1) + 1e-9)
        thresholds[code] = float(own[k - 1]) if k >= 1 else 0.0
    return thresholds


def prediction_set(ham_probabilities: Array, thresholds: Mapping[str, float], *, always: str) -> tuple[str, ...]:
    """Return the codes whose probability reaches their threshold, most probable first; never empty.

    Args:
        ham_probabilities: Array (7,) in ``HAM_CODES`` order.
        thresholds: From ``fit_set_thresholds``.
        always: A code that is in every set (the one shown first).
    """
    inside = [
        code for code, p in zip(HAM_CODES, ham_probabilities, strict=True) if p >= thresholds[code] or code == always
    ]
    return tuple(sorted(inside, key=lambda code: -ham_probabilities[HAM_CODES.index(code)]))
