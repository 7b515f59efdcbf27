"""Measures of a classifier, each undefined (NaN) rather than flattering where the data cannot say."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata


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
