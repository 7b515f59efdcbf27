"""ROC and precision-recall curves, thinned to what a chart can show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MAX_POINTS = 200


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, from the strictest threshold to the loosest.

    Attributes:
        x, y: False-positive rate and sensitivity (ROC), or recall and precision.
        thresholds: Score at or above which a photo counts as positive; inf for "none".
    """

    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    thresholds: npt.NDArray[np.float64]


def roc_curve(y_true: npt.ArrayLike, y_score: npt.ArrayLike, *, max_points: int = MAX_POINTS) -> Curve:
    """Return (false-positive rate, sensitivity) at every distinct score, starting at (0, 0).

    Args:
        y_true: Booleans of shape (n_samples,).
        y_score: Scores of shape (n_samples,).
        max_points: Points kept; the two ends always are.

    Returns:
        A curve without points when one class is absent.

    >>> roc_curve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).y.tolist()
    [0.0, 0.5, 0.5, 1.0, 1.0]
    """
    positives, negatives, thresholds = _counts(y_true, y_score)
    if not len(thresholds) or not positives[-1] or not negatives[-1]:
        return Curve(np.empty(0), np.empty(0), np.empty(0))
    x = np.append(0, negatives / negatives[-1])
    y = np.append(0, positives / positives[-1])
    return _thin(Curve(x, y, np.append(np.inf, thresholds)), max_points)


def precision_recall_curve(y_true: npt.ArrayLike, y_score: npt.ArrayLike, *, max_points: int = MAX_POINTS) -> Curve:
    """Return (recall, precision) at every distinct score, highest score first.

    Returns:
        A curve without points when no photo is positive.
    """
    positives, negatives, thresholds = _counts(y_true, y_score)
    if not len(thresholds) or not positives[-1]:
        return Curve(np.empty(0), np.empty(0), np.empty(0))
    return _thin(Curve(positives / positives[-1], positives / (positives + negatives), thresholds), max_points)


def _counts(
    y_true: npt.ArrayLike, y_score: npt.ArrayLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    positive, score = np.asarray(y_true, bool), np.asarray(y_score, np.float64)
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)])
    positives = np.cumsum(positive[order])[ends]
    return positives, ends + 1 - positives, ordered[ends]


def _thin(curve: Curve, max_points: int) -> Curve:
    """Keep the points that are spread most evenly along the curve's own length."""
    n = len(curve.x)
    if n <= max_points:
        return curve
    length = np.append(0, np.cumsum(np.hypot(np.diff(curve.x), np.diff(curve.y))))
    kept = np.unique(np.searchsorted(length, np.linspace(0, length[-1], max_points - 1), side="left").clip(0, n - 1))
    kept = np.unique(np.append(kept, [0, n - 1]))
    return Curve(curve.x[kept], curve.y[kept], curve.thresholds[kept])
