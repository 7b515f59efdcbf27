"""How hard each training photo is, so that a curriculum can begin with the easy ones."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_N_PARTS, _N_COMPONENTS, _N_STEPS = 4, 48, 150
_PENALTY = 1e-2
Array = npt.NDArray[np.float64]


def measure_difficulty(
    features: npt.NDArray[np.floating],
    targets: npt.NDArray[np.floating],
    *,
    seed: int,
    groups: npt.NDArray[np.str_] | None = None,
) -> Array:
    """Return each photo's cross entropy under a linear probe of frozen features that was not fitted on it.

    The photos are dealt into four parts, all of one group into the same; each part is judged by a softmax regression on
    the principal components of the other three.

    Args:
        features: From ``features.embed`` with a network that has not been trained on these photos, (n, width).
        targets: Array (n, n_classes), rows summing to 1.
        seed: Of the dealing.
        groups: Lesion or patient of each photo, (n,); None takes each photo by itself.

    Returns:
        Array (n,), not negative; higher is harder.

    Reference: Hacohen & Weinshall (2019), https://arxiv.org/abs/1904.03626 (difficulty by transfer scoring)
    """
    names = np.arange(len(features)).astype(str) if groups is None else np.asarray(groups)
    unique, group = np.unique(names, return_inverse=True)
    part = np.random.default_rng(seed).permutation(len(unique))[group] % _N_PARTS
    difficulty = np.zeros(len(features))
    for index in range(_N_PARTS):
        judged = part == index
        if judged.any():
            log_p = _probe(features[~judged], targets[~judged], features[judged])
            difficulty[judged] = -(targets[judged] * log_p).sum(axis=1)
    return difficulty


def _probe(
    features: npt.NDArray[np.floating], targets: npt.NDArray[np.floating], others: npt.NDArray[np.floating]
) -> Array:
    """Fit a softmax regression and return the log-probabilities of other photos."""
    if len(features) == 0:
        return np.full((len(others), targets.shape[1]), -np.log(targets.shape[1]))
    mean, deviation = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    scaled, other = ((values - mean) / np.maximum(deviation, 1e-6) for values in (features, others))
    # Eigenvectors of the covariance: cheaper than a decomposition of all photos.
    values, vectors = np.linalg.eigh(scaled.T @ scaled / len(scaled))
    # One scale for all: whitening would blow up directions in which photos hardly differ.
    top = vectors[:, -_N_COMPONENTS:] / np.sqrt(max(values[-_N_COMPONENTS:].mean(), 1e-6))
    inputs, queries = (np.hstack([v @ top, np.ones((len(v), 1))]) for v in (scaled, other))
    weights = _fit_softmax(inputs, np.asarray(targets, np.float64))
    return log_softmax(queries @ weights)


def _fit_softmax(inputs: Array, targets: Array) -> Array:
    """Accelerated gradient descent; the curvature is at most half that of the inputs, plus the penalty (Boehning 1992)."""
    weights = previous = np.zeros((inputs.shape[1], targets.shape[1]))
    step = 1 / (0.5 * np.linalg.eigvalsh(inputs.T @ inputs / len(inputs))[-1] + _PENALTY)
    for number in range(_N_STEPS):
        ahead = weights + number / (number + 3) * (weights - previous)
        error = np.exp(log_softmax(inputs @ ahead)) - targets
        previous, weights = weights, ahead - step * (inputs.T @ error / len(inputs) + _PENALTY * ahead)
    return weights


def log_softmax(logits: Array) -> Array:
    """Return log-probabilities of logits (n, n_classes)."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
