"""SMOTE on features: rare classes are filled up with points between neighbours, and the head is fitted once more."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from ..model.dual_branch import head_model
from .losses import ClassLoss

N_NEIGHBOURS = 5
_EPOCHS, _BATCH_SIZE, _LEARNING_RATE = 10, 64, 3e-4
Features = npt.NDArray[np.float32]


def fill_up(
    features: Features, targets: Features, *, seed: int, n_neighbours: int = N_NEIGHBOURS
) -> tuple[Features, Features]:
    """Return the points with new ones added until every class is as large as the largest.

    A new point lies at random on the segment between a point of the class and one of its nearest neighbours in that
    class. A class with a single point is repeated.

    Args:
        features: Array (n, width).
        targets: Array (n, n_classes), rows summing to 1; a point belongs to its largest entry, and what is new has the
            mean of its two points' targets, weighed as the points are.
        seed: Of every random choice.
        n_neighbours: Nearest neighbours to choose among.

    Returns:
        Features and targets, the given ones first.

    Reference: Chawla et al. (2002), https://doi.org/10.1613/jair.953
    """
    rng = np.random.default_rng(seed)
    classes = targets.argmax(axis=1)
    counts = np.bincount(classes, minlength=targets.shape[1])
    new_features, new_targets = [features], [targets]
    for index in np.flatnonzero((counts > 0) & (counts < counts.max())):
        own = np.flatnonzero(classes == index)
        neighbours = _neighbours(features[own], n_neighbours)
        first = rng.integers(len(own), size=counts.max() - len(own))
        second = neighbours[first, rng.integers(neighbours.shape[1], size=len(first))]
        share = rng.random((len(first), 1), np.float32)
        for values, new in ((features, new_features), (targets, new_targets)):
            start, end = values[own[first]], values[own[second]]
            new.append((start + share * (end - start)).astype(values.dtype))
    return np.concatenate(new_features), np.concatenate(new_targets)


def _neighbours(points: Features, n_neighbours: int) -> npt.NDArray[np.intp]:
    """Return each point's nearest others, (n, k); of a single point, itself."""
    if len(points) == 1:
        return np.zeros((1, 1), np.intp)
    squares = (points.astype(np.float64) ** 2).sum(axis=1)
    distance = squares[:, np.newaxis] + squares - 2 * points.astype(np.float64) @ points.T
    np.fill_diagonal(distance, np.inf)
    return np.argsort(distance, axis=1, kind="stable")[:, : min(n_neighbours, len(points) - 1)]


def refit_head(
    model: keras.Model, features: Features, targets: Features, seed: int, *, label_smoothing: float = 0.0
) -> npt.NDArray[np.float64]:
    """Fit the layers after the image branch once more, on features whose rare classes are filled up.

    Args:
        model: Whose head changes in place; its image branch stays.
        features: From ``features.embed``, of the training photos alone.
        targets: Array (n, n_classes), rows summing to 1.
        seed: Of filling, order and dropout.
        label_smoothing: As in the recipe.

    Returns:
        Each class's share of what the head has now seen, (n_classes,): what its answers are corrected back from.
    """
    filled, filled_targets = fill_up(features, targets, seed=seed)
    head = head_model(model)
    head.trainable = True
    head.compile(optimizer=keras.optimizers.AdamW(_LEARNING_RATE), loss=ClassLoss(label_smoothing=label_smoothing))
    channels = features.shape[1] - model.inputs[1].shape[1]
    rng = np.random.default_rng((seed, 1))
    _restart_dropout(head, seed)
    batch_size = min(_BATCH_SIZE, len(filled))
    for _ in range(_EPOCHS):
        order = rng.permutation(len(filled))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            head.train_on_batch([filled[chosen, :channels], filled[chosen, channels:]], filled_targets[chosen])
    shares = filled_targets.sum(axis=0, dtype=np.float64)
    return np.asarray(shares / shares.sum())


def _restart_dropout(head: keras.Model, seed: int) -> None:
    """Let dropout draw as if the model were new: its state goes on counting over a whole run, resumed or not."""
    for layer in head.layers:
        if isinstance(layer, keras.layers.Dropout):
            state = layer.seed_generator.state
            state.assign(np.array([seed, 0], dtype=keras.backend.standardize_dtype(state.dtype)))
