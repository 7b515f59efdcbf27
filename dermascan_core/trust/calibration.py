"""From logits to probabilities that mean what they say, at the archive's class mix."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def calibrate_logits(logits: Array, *, temperature: float, class_shares: Array, sampling_shares: Array) -> Array:
    """Return probabilities at the archive's mix.

    Training draws rare classes more often than they occur. By Bayes' rule the probability at the archive's mix is
    proportional to ``softmax(logits) * class_share / sampling_share``.

    Args:
        logits: Array (..., n_classes) from a network trained on the sampling mix.
        temperature: Divides the logits; above 1 softens.
        class_shares, sampling_shares: Arrays (n_classes,), each summing to 1. A class with a share of 0 in either was
            not there to be learnt: its probability is 0.

    Returns:
        Array (..., n_classes); rows sum to 1.

    Reference: Saerens et al. (2002), https://doi.org/10.1162/089976602753284446; temperature: Guo et al. (2017),
    https://arxiv.org/abs/1706.04599

    >>> calibrate_logits(np.zeros(2), temperature=1.0, class_shares=np.array([0.9, 0.1]),
    ...                  sampling_shares=np.array([0.5, 0.5])).round(2).tolist()
    [0.9, 0.1]
    """
    known = (np.asarray(class_shares) > 0) & (np.asarray(sampling_shares) > 0)
    ratio = np.divide(class_shares, sampling_shares, out=np.ones(known.shape), where=known)
    scores = np.where(known, np.asarray(logits, np.float64) / temperature + np.log(ratio), -np.inf)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=-1, keepdims=True))


def fit_temperature(
    logits: Array, y_true: npt.NDArray[np.integer], *, class_shares: Array, sampling_shares: Array
) -> float:
    """Return the temperature with the least negative log-likelihood of the averaged views.

    Args:
        logits: Array (n_samples, n_views, n_classes).
        y_true: Integer labels (n_samples,).
        class_shares, sampling_shares: See ``calibrate_logits``.

    Returns:
        A float in [0.1, 10].
    """
    from scipy.optimize import minimize_scalar  # slow to import, and only training fits

    def loss(log_temperature: float) -> float:
        probabilities = calibrate_logits(
            logits,
            temperature=float(np.exp(log_temperature)),
            class_shares=class_shares,
            sampling_shares=sampling_shares,
        ).mean(axis=1)
        return float(-np.log(probabilities[np.arange(len(y_true)), y_true] + 1e-12).mean())

    found = minimize_scalar(loss, bounds=(np.log(0.1), np.log(10.0)), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x))
