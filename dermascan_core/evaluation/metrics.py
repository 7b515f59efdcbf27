"""Measures of a classifier, each undefined (NaN) rather than flattering where the data cannot say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from . import weighted

N_CALIBRATION_BINS = 15


def roc_auc(y_true: npt.ArrayLike, y_score: npt.ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, ties counting half.

    Args:
        y_true: Booleans of shape (n_samples,).
        y_score: Scores of shape (n_samples,); higher means positive.

    Returns:
        A float in [0, 1]; NaN when one class is absent.

    >>> roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    from scipy.stats import rankdata  # slow to import, and the pages read measures without measuring

    positive = np.asarray(y_true, bool)
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return float("nan")
    ranks = rankdata(np.asarray(y_score, np.float64))
    return float((ranks[positive].sum() - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def macro_auc(y_true: npt.ArrayLike, y_prob: npt.ArrayLike) -> float:
    """Mean one-against-rest AUC over the classes that occur.

    Args:
        y_true: Integer labels of shape (n_samples,).
        y_prob: Array (n_samples, n_classes).
    """
    labels, prob = np.asarray(y_true), np.asarray(y_prob)
    aucs = [roc_auc(labels == k, prob[:, k]) for k in range(prob.shape[1])]
    return float(np.nanmean(aucs)) if not np.all(np.isnan(aucs)) else float("nan")


def balanced_accuracy(y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> float:
    """Mean sensitivity over the classes that occur.

    >>> balanced_accuracy([0, 0, 1], [0, 1, 1])
    0.75
    """
    labels, predicted = np.asarray(y_true), np.asarray(y_pred)
    if not labels.size:
        return float("nan")
    return float(np.mean([(predicted[labels == k] == k).mean() for k in np.unique(labels)]))


def confusion_matrix(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, *, n_classes: int) -> npt.NDArray[np.int64]:
    """Count photos by true class (rows) and predicted class (columns).

    >>> confusion_matrix([0, 0, 1], [0, 1, 1], n_classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    counts = np.zeros((n_classes, n_classes), np.int64)
    np.add.at(counts, (np.asarray(y_true, np.intp), np.asarray(y_pred, np.intp)), 1)
    return counts


def normalise_rows(counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Divide each row of a confusion matrix by its sum; NaN for a class without photos.

    >>> normalise_rows([[1, 3], [0, 0]]).tolist()
    [[0.25, 0.75], [nan, nan]]
    """
    table = np.asarray(counts, np.float64)
    return weighted.ratio(table, table.sum(axis=1, keepdims=True))


def one_against_rest(y_true: npt.ArrayLike, y_pred: npt.ArrayLike, label: int) -> dict[str, weighted.Measure]:
    """Return precision, sensitivity, specificity and f1 of one class, ready for resampling."""
    is_class, is_said = np.asarray(y_true) == label, np.asarray(y_pred) == label
    return {
        "precision": weighted.share(is_class, is_said),
        "sensitivity": weighted.share(is_said, is_class),
        "specificity": weighted.share(~is_said, ~is_class),
        "f1": weighted.f1(is_class, is_said),
    }


def average_precision(y_true: npt.ArrayLike, y_score: npt.ArrayLike) -> float:
    """Precision averaged over recall, by steps.

    Returns:
        A float in [0, 1]; NaN without positives.

    >>> round(average_precision([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
    0.833
    """
    return of_sample(weighted.average_precision(y_true, y_score), len(np.asarray(y_true)))


def specificity_at_sensitivity(y_true: npt.ArrayLike, y_score: npt.ArrayLike, *, sensitivity: float = 0.95) -> float:
    """Best specificity among the ROC's own points whose sensitivity is at least the one asked for.

    Returns:
        A float in [0, 1]; NaN when one class is absent.

    >>> specificity_at_sensitivity([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], sensitivity=0.95)
    0.5
    """
    return of_sample(weighted.specificity_at_sensitivity(y_true, y_score, sensitivity), len(np.asarray(y_true)))


def expected_calibration_error(
    y_true: npt.ArrayLike, y_prob: npt.ArrayLike, *, n_bins: int = N_CALIBRATION_BINS
) -> float:
    """Mean gap between confidence and accuracy, weighted by bin size. Lower is better.

    Args:
        y_true: Integer labels of shape (n_samples,).
        y_prob: Probabilities of shape (n_samples, n_classes); each row sums to 1.
        n_bins: Number of equal-width confidence bins on [0, 1].

    Returns:
        A float in [0, 1]; NaN without samples.

    Reference: Guo et al. (2017), https://arxiv.org/abs/1706.04599

    >>> round(expected_calibration_error([0, 1], [[0.8, 0.2], [0.4, 0.6]]), 2)
    0.3
    """
    is_correct, confidence = _top(y_true, y_prob)
    return of_sample(weighted.expected_calibration_error(is_correct, confidence, n_bins=n_bins), len(is_correct))


def squared_distance(y_true: npt.ArrayLike, y_prob: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return each photo's part of the Brier score, shape (n_samples,), each from 0 (best) to 2.

    Reference: Brier (1950), Monthly Weather Review 78 (1), 1-3: the original definition, summed over all classes.
    """
    prob = np.asarray(y_prob, np.float64)
    return np.asarray(((prob - np.eye(prob.shape[1])[np.asarray(y_true, np.intp)]) ** 2).sum(axis=1))


def cross_entropy(y_true: npt.ArrayLike, y_prob: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return each photo's part of the log loss, shape (n_samples,): minus the logarithm of its true class's probability.

    0 is best; a true class that was given no chance at all counts as the smallest one (2.2e-16), as in scikit-learn.

    Args:
        y_true: Integer labels of shape (n_samples,).
        y_prob: Probabilities of shape (n_samples, n_classes); each row sums to 1.

    >>> cross_entropy([0, 1], [[1.0, 0.0], [0.5, 0.5]]).round(3).tolist()
    [0.0, 0.693]
    """
    prob = np.asarray(y_prob, np.float64)
    given = prob[np.arange(len(prob)), np.asarray(y_true, np.intp)]
    return np.abs(np.log(np.clip(given, np.finfo(np.float64).eps, 1.0)))


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Photos whose score lies in (low, high]: how many, their mean score, and the share for which it came true."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


def reliability_bins(
    is_true: npt.ArrayLike, score: npt.ArrayLike, *, n_bins: int = N_CALIBRATION_BINS
) -> tuple[ReliabilityBin, ...]:
    """Compare scores with what came true, bin by bin; NaN means an empty bin.

    Args:
        is_true: Booleans of shape (n_samples,).
        score: Probabilities of shape (n_samples,).
        n_bins: Number of equal-width bins on [0, 1].
    """
    happened, scores = np.asarray(is_true, np.float64), np.asarray(score, np.float64)
    members = [weighted.confidence_bin(scores, n_bins) == i for i in range(n_bins)]
    return tuple(
        ReliabilityBin(
            i / n_bins,
            (i + 1) / n_bins,
            int(inside.sum()),
            float(scores[inside].mean()) if inside.any() else float("nan"),
            float(happened[inside].mean()) if inside.any() else float("nan"),
        )
        for i, inside in enumerate(members)
    )


def of_sample(measure: weighted.Measure, n_samples: int) -> float:
    """Return a resampling measure's value for the sample itself."""
    return float(measure(np.ones((1, n_samples)))[0])


def _top(y_true: npt.ArrayLike, y_prob: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return (whether the most probable class is the true one, its probability)."""
    prob = np.asarray(y_prob, np.float64)
    return prob.argmax(axis=1) == np.asarray(y_true), prob.max(axis=1)
