"""Selective prediction: what remains wrong when the least certain photos are left to a doctor.

Each way of measuring doubt orders the photos; the curve says how many of those still answered are wrong, and how many
cancers are among the calm answers. A useful doubt makes both fall.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import Status
from .intervals import none_if_nan
from .results import ResultTable

COVERAGES = tuple(np.round(np.linspace(1.0, 0.05, 20), 2).tolist())
Array = npt.NDArray[np.floating]


def doubts(table: ResultTable) -> dict[str, Array]:
    """Return each photo's doubt, (n_samples,), higher for less certain, by name.

    ``top`` is one minus the largest probability, ``entropy`` that of the seven classes (nats), ``set_size`` how many
    classes the 90 % set names (ties broken by ``top``), ``disagreement`` how far views and members differ (mutual
    information, nats).
    """
    y_prob = table.y_prob
    top = 1 - y_prob.max(axis=1)
    entropy = -(y_prob * np.log(np.maximum(y_prob, 1e-12))).sum(axis=1)
    disagreement = [r.prediction.disagreement for r in table.results if r.prediction is not None]
    return {
        "top": top,
        "entropy": entropy,
        "set_size": table.in_set["90"].sum(axis=1) + top,
        "disagreement": np.array(disagreement, np.float64),
    }


def risk_coverage(is_wrong: npt.NDArray[np.bool_], doubt: Array) -> Array:
    """Return the share of wrong answers among the k most certain photos, for k = 1 to n_samples.

    Args:
        is_wrong: Booleans (n_samples,).
        doubt: (n_samples,); photos of equal doubt are taken in one step, each a mean photo of them.

    Reference: Geifman and El-Yaniv (2017), https://arxiv.org/abs/1705.08500

    >>> risk_coverage(np.array([False, True]), np.array([0.1, 0.9])).tolist()
    [0.0, 0.5]
    """
    values, place = np.unique(doubt, return_inverse=True)
    share = np.bincount(place, weights=is_wrong) / np.bincount(place)
    expected = share[np.sort(place)]  # ties: the mean of their errors, whatever their order
    return np.asarray(np.cumsum(expected) / np.arange(1, len(values[place]) + 1))


def area_under_risk(is_wrong: npt.NDArray[np.bool_], doubt: Array) -> float:
    """Return the mean of ``risk_coverage``: 0 where every answer is right. Lower is better; NaN without photos."""
    return float(risk_coverage(is_wrong, doubt).mean()) if len(is_wrong) else float("nan")


def describe_selective(table: ResultTable) -> dict[str, Any]:
    """Return the curves for ``metrics.json``: for each doubt its area and, at each coverage, what remains wrong.

    Args:
        table: With classes.
    """
    is_wrong = table.y_pred != table.y_true
    n = len(is_wrong)
    curves = {}
    for name, doubt in doubts(table).items():
        order = np.argsort(doubt, kind="stable")
        points = [_point(table, is_wrong, order[: max(1, round(c * n))]) for c in COVERAGES] if n else []
        curves[name] = {"area": none_if_nan(area_under_risk(is_wrong, doubt)), "points": points}
    kept = np.array([r.status is Status.ANSWERED for r in table.results], bool)
    return {"doubts": curves, "as_served": _point(table, is_wrong, np.flatnonzero(kept)) if kept.any() else None}


def _point(
    table: ResultTable, is_wrong: npt.NDArray[np.bool_], kept: npt.NDArray[np.integer]
) -> dict[str, float | int | None]:
    malignant, is_above = table.is_malignant[kept], table.is_above[kept]
    return {
        "coverage": none_if_nan(len(kept) / len(is_wrong)),
        "n": len(kept),
        "error": none_if_nan(float(is_wrong[kept].mean())),
        "n_malignant": int(malignant.sum()),
        "n_missed": int((malignant & ~is_above).sum()),
    }
