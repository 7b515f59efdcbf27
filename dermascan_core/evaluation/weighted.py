"""The same measures for many resamples at once: each takes weights (how often a photo was drawn), not photos.

One row of weights is one resample; a row of ones is the sample itself. ``intervals`` draws the rows, ``metrics``
gives the plain forms. Undefined is NaN, without a warning: in a resample a class may simply be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Weights: TypeAlias = npt.NDArray[np.float64]  # (n_resamples, n_samples)
Values: TypeAlias = npt.NDArray[np.float64]  # (n_resamples,)
Measure: TypeAlias = Callable[[Weights], Values]


def ratio(numerator: npt.NDArray[np.floating], denominator: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return numerator / denominator, NaN where the denominator is 0.

    >>> ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist()
    [0.5, nan]
    """
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def defined_mean(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return the mean over the last axis of what is defined; NaN where nothing is."""
    is_defined = ~np.isnan(values)
    return ratio(np.where(is_defined, values, 0).sum(axis=-1), is_defined.sum(axis=-1).astype(np.float64))


@dataclass(frozen=True, eq=False, slots=True)
class Share:
    """Measure: the weighted mean of some values among some samples; see ``share``.

    Attributes:
        values: Shape (n_samples,); 0 outside the base.
        base: 1 for the samples that it is a share of, shape (n_samples,).
        is_count: Whether each value says yes or no, so that the share is one of cases.
    """

    values: npt.NDArray[np.float64]
    base: npt.NDArray[np.float64]
    is_count: bool

    def __call__(self, weights: Weights) -> Values:
        """Return the share of each resample."""
        return ratio(weights @ self.values, weights @ self.base)


def share(counted: npt.ArrayLike, among: npt.ArrayLike | None = None) -> Measure:
    """Measure: the weighted mean of ``counted`` (booleans or any number), among the samples marked, or all."""
    values = np.asarray(counted)
    base = np.ones(len(values)) if among is None else np.asarray(among, np.float64)
    return Share(values.astype(np.float64) * base, base, is_count=values.dtype == np.bool_)


def auc(y_true: npt.ArrayLike, y_score: npt.ArrayLike) -> Measure:
    """Measure: area under the ROC curve; ties count half."""
    positive, score = np.asarray(y_true, bool), np.asarray(y_score, np.float64)
    order = np.argsort(score, kind="stable")
    is_positive, ordered = positive[order], score[order]
    first = np.searchsorted(ordered, ordered, side="left")
    after = np.searchsorted(ordered, ordered, side="right")

    def measure(weights: Weights) -> Values:
        drawn = weights[:, order]
        drawn_positive = drawn * is_positive
        below = np.zeros((len(drawn), len(order) + 1))
        np.cumsum(drawn - drawn_positive, axis=1, out=below[:, 1:])
        wins = (drawn_positive * (below[:, first] + below[:, after])).sum(axis=1) / 2
        return ratio(wins, drawn_positive.sum(axis=1) * below[:, -1])

    return measure


def _cumulative(y_true: npt.ArrayLike, y_score: npt.ArrayLike) -> Callable[[Weights], tuple[Weights, Weights]]:
    """Return a function giving (true positives, false positives) at every distinct score, highest first."""
    positive, score = np.asarray(y_true, bool), np.asarray(y_score, np.float64)
    order = np.argsort(-score, kind="stable")
    is_positive, ordered = positive[order], score[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)])

    def at_each_score(weights: Weights) -> tuple[Weights, Weights]:
        drawn = weights[:, order]
        drawn_positive = drawn * is_positive
        return np.cumsum(drawn_positive, axis=1)[:, ends], np.cumsum(drawn - drawn_positive, axis=1)[:, ends]

    return at_each_score


def specificity_at_sensitivity(y_true: npt.ArrayLike, y_score: npt.ArrayLike, sensitivity: float) -> Measure:
    """Measure: the best specificity among the points of the ROC whose sensitivity is at least the one asked for."""
    at_each_score = _cumulative(y_true, y_score)

    def measure(weights: Weights) -> Values:
        true_positives, false_positives = at_each_score(weights)
        if not true_positives.shape[1]:
            return np.full(len(weights), np.nan)
        reached = ratio(true_positives, true_positives[:, -1:])
        first = np.argmax(reached >= sensitivity - 1e-12, axis=1)
        kept = ratio(false_positives, false_positives[:, -1:])[np.arange(len(first)), first]
        return np.where(np.isnan(reached[:, -1]), np.nan, 1 - kept)

    return measure


def sensitivity_at_specificity(y_true: npt.ArrayLike, y_score: npt.ArrayLike, specificity: float) -> Measure:
    """Measure: the best sensitivity among the points of the ROC whose specificity is at least the one asked for."""
    # The same curve seen from the other class: what is not melanoma is found by a low score.
    return specificity_at_sensitivity(~np.asarray(y_true, bool), -np.asarray(y_score, np.float64), specificity)


def within(members: npt.NDArray[np.bool_], measure: Measure) -> Measure:
    """Measure: one over some of the photos only, from the weights of all.

    Args:
        members: Booleans (n_samples,).
        measure: Of weights (n_resamples, n_members).
    """
    if isinstance(measure, Share):
        values, base = (np.zeros(len(members)) for _ in range(2))
        values[members], base[members] = measure.values, measure.base
        return replace(measure, values=values, base=base)
    return lambda weights: measure(weights[:, members])


def quotient(numerator: Measure, denominator: Measure) -> Measure:
    """Measure: one divided by another on the same resamples; NaN where the second is 0 or undefined."""
    return lambda weights: ratio(numerator(weights), denominator(weights))


def average_precision(y_true: npt.ArrayLike, y_score: npt.ArrayLike) -> Measure:
    """Measure: precision averaged over recall, by steps (not by trapezes, which flatter)."""
    at_each_score = _cumulative(y_true, y_score)

    def measure(weights: Weights) -> Values:
        true_positives, false_positives = at_each_score(weights)
        if not true_positives.shape[1]:
            return np.full(len(weights), np.nan)
        precision = np.nan_to_num(ratio(true_positives, true_positives + false_positives))
        gained = np.diff(true_positives, axis=1, prepend=0.0)
        return ratio((precision * gained).sum(axis=1), true_positives[:, -1])

    return measure


def macro_auc(y_true: npt.ArrayLike, y_prob: npt.ArrayLike) -> Measure:
    """Measure: mean one-against-rest AUC over the classes that occur."""
    labels, prob = np.asarray(y_true), np.asarray(y_prob, np.float64)
    return mean_of([auc(labels == k, prob[:, k]) for k in range(prob.shape[1])])


def mean_of(measures: Sequence[Measure]) -> Measure:
    """Measure: the plain mean of several, over those that are defined."""
    return lambda weights: defined_mean(np.stack([measure(weights) for measure in measures], axis=-1))


def balanced_accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, *, n_classes: int) -> Measure:
    """Measure: mean sensitivity over the classes that occur."""
    labels, predicted = np.asarray(y_true), np.asarray(y_pred)
    return mean_of([share(predicted == k, labels == k) for k in range(n_classes)])


def f1(is_class: npt.ArrayLike, is_predicted: npt.ArrayLike) -> Measure:
    """Measure: harmonic mean of precision and sensitivity; NaN where the class neither occurs nor is predicted."""
    truth, said = np.asarray(is_class, np.float64), np.asarray(is_predicted, np.float64)
    return lambda weights: ratio(2 * (weights @ (truth * said)), weights @ (truth + said))


def expected_calibration_error(is_correct: npt.ArrayLike, confidence: npt.ArrayLike, *, n_bins: int = 15) -> Measure:
    """Measure: gap between confidence and accuracy over equal-width bins, weighted by their size."""
    gap = np.asarray(confidence, np.float64) - np.asarray(is_correct, np.float64)
    in_bin = (confidence_bin(confidence, n_bins)[:, None] == np.arange(n_bins)) * gap[:, None]  # (n_samples, n_bins)
    return lambda weights: ratio(np.abs(weights @ in_bin).sum(axis=1), weights.sum(axis=1))


def confidence_bin(confidence: npt.ArrayLike, n_bins: int) -> npt.NDArray[np.intp]:
    """Return the bin of each confidence: bin i holds (i / n_bins, (i + 1) / n_bins], the first also 0.

    >>> confidence_bin([0.0, 0.2, 0.21, 1.0], 5).tolist()
    [0, 0, 1, 4]
    """
    edges = np.arange(1, n_bins) / n_bins
    return np.searchsorted(edges, np.asarray(confidence, np.float64), side="left")
