"""Which of one person's moles is the odd one out: robust z-scores of features, and the local outlier factor.

Everything is relative to the same person's other moles; nothing is learnt, and nothing is compared between people.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MIN_MOLES = 3
MAX_NEIGHBOURS = 10  # the smallest that Breunig et al. advise; with few moles, half of them
Z_LIMIT = 5.0  # beyond, a trait counts no more: one wild value must not decide alone
_SD_OF_MAD = 1.4826  # standard deviation of a normal distribution whose median absolute deviation is 1


@dataclass(frozen=True, slots=True)
class OddOneOut:
    """How far each mole lies from its owner's others.

    Attributes:
        z_scores: Array (n_moles, n_features): robust standard deviations above the person's median; NaN where a
            feature is unknown.
        outlier_factor: Shape (n_moles,); about 1 lies among the others, higher is odder.
        ranks: Shape (n_moles,), 1 for the oddest; equal factors go by how far the traits lie out, then by order.
    """

    z_scores: Array
    outlier_factor: Array
    ranks: npt.NDArray[np.intp]


def find_odd_one_out(
    embeddings: npt.ArrayLike, features: npt.ArrayLike, *, floors: npt.ArrayLike, families: Sequence[str]
) -> OddOneOut:
    """Rank one person's moles by how much each differs from the others.

    Two moles are as far apart as their pictures look to the network (embeddings brought to length 1) and as the traits
    that can be named differ (z-scores). Both are scaled by their median over the person's pairs and count the same;
    where no trait of a pair is known, the pictures alone count. The local outlier factor is taken of these distances.

    Args:
        embeddings: Array (n_moles, n_channels).
        features: Array (n_moles, n_features); NaN where unknown.
        floors: Shape (n_features,): the least spread that each feature is taken to have, see ``robust_z_scores``.
        families: Family of each feature (``colour``, ``shape`` ...): families count the same, however many features
            each has.

    Raises:
        ValueError: If there are fewer than three moles.
    """
    looks, traits = np.asarray(embeddings, np.float64), np.asarray(features, np.float64)
    if len(looks) < MIN_MOLES or len(looks) != len(traits):
        raise ValueError(
            f"Invalid value received for argument `embeddings`. Expected {MIN_MOLES} moles or more, each with its "
            f"features. Received: {len(looks)} embeddings and {len(traits)} rows of features"
        )
    z_scores = robust_z_scores(traits, floors=floors)
    distances = joint_distances(looks, z_scores, families=families)
    factor = local_outlier_factor(distances, n_neighbours=default_neighbours(len(looks)))
    far_out = np.nansum(np.abs(np.clip(z_scores, -Z_LIMIT, Z_LIMIT)), axis=1)
    order = np.lexsort((-far_out, -np.round(factor, 9)))
    ranks = np.empty(len(looks), np.intp)
    ranks[order] = np.arange(1, len(looks) + 1)
    return OddOneOut(z_scores, factor, ranks)


def default_neighbours(n_moles: int) -> int:
    """Return with how many neighbours each mole is compared: half of the moles, 1 to 10.

    Of three moles one, not two: where all the others are neighbours, every mole has a factor of 1.

    >>> default_neighbours(3), default_neighbours(12), default_neighbours(30)
    (1, 6, 10)
    """
    return min(MAX_NEIGHBOURS, max(1, n_moles // 2))


def robust_z_scores(features: npt.ArrayLike, *, floors: npt.ArrayLike = 0.0) -> Array:
    """Return how many robust standard deviations each value lies above its column's median.

    The spread is 1.4826 times the median absolute deviation, so that the odd one does not widen its own yardstick.

    Args:
        features: Array (n_samples, n_features); NaN where unknown.
        floors: Shape (n_features,) or one number: a smaller spread counts as this one. Three moles may agree by chance
            better than two photos of one mole do.

    Returns:
        Array (n_samples, n_features); NaN where unknown, 0 where a column has neither spread nor floor.

    >>> robust_z_scores([[1.0], [2.0], [3.0], [4.0], [10.0]]).round(2).ravel().tolist()
    [-1.35, -0.67, 0.0, 0.67, 4.72]
    """
    values = np.asarray(features, np.float64)
    is_known = ~np.isnan(values)
    middle = _column_medians(values, is_known)
    away = values - middle
    spread = np.maximum(_SD_OF_MAD * _column_medians(np.abs(away), is_known), np.asarray(floors, np.float64))
    scores = np.divide(away, spread, out=np.zeros_like(away), where=np.broadcast_to(spread > 0, away.shape))
    return np.where(is_known, scores, np.nan)


def _column_medians(values: Array, is_known: npt.NDArray[np.bool_]) -> Array:
    columns = [column[known] for column, known in zip(values.T, is_known.T, strict=True)]
    return np.array([np.median(column) if len(column) else 0.0 for column in columns])


def joint_distances(embeddings: Array, z_scores: Array, *, families: Sequence[str]) -> Array:
    """Return the distance of each pair of moles, (n_moles, n_moles); see ``find_odd_one_out``."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    unit = embeddings / np.where(lengths > 0, lengths, 1)
    looks = _scaled(_squared_distances(unit))
    traits = _scaled(_trait_distances(np.clip(z_scores, -Z_LIMIT, Z_LIMIT), families))
    joint = np.where(np.isnan(traits), looks, (looks + traits) / 2)
    return np.asarray(np.sqrt(joint), np.float64)


def _squared_distances(points: Array) -> Array:
    return np.asarray(((points[:, None] - points[None]) ** 2).sum(axis=2), np.float64)


def _trait_distances(z_scores: Array, families: Sequence[str]) -> Array:
    """Mean squared difference within each family, then over the families; NaN where a pair shares no known feature."""
    squared = (z_scores[:, None] - z_scores[None]) ** 2  # (n, n, n_features)
    names = np.array(families)
    by_family = [_mean_of_known(squared[:, :, names == name]) for name in dict.fromkeys(families)]
    return _mean_of_known(np.stack(by_family, axis=2))


def _mean_of_known(values: Array) -> Array:
    is_known = ~np.isnan(values)
    n_known = is_known.sum(axis=2)
    total = np.where(is_known, values, 0).sum(axis=2)
    means = np.divide(total, n_known, out=np.full(total.shape, np.nan), where=n_known > 0)
    return np.asarray(means, np.float64)


def _scaled(squared: Array) -> Array:
    """Bring squared distances to a median of 1 over the pairs; as they are where all pairs are alike."""
    pairs = squared[np.triu_indices(len(squared), 1)]
    middle = np.median(pairs[~np.isnan(pairs)]) if (~np.isnan(pairs)).any() else 0.0
    return np.asarray(squared / middle, np.float64) if middle > 0 else squared


def local_outlier_factor(distances: npt.ArrayLike, *, n_neighbours: int) -> Array:
    """Return how much thinner the neighbourhood of each sample is than those of its neighbours.

    Args:
        distances: Array (n_samples, n_samples), symmetric, zeros on the diagonal.
        n_neighbours: With how many others each is compared, 1 to n_samples - 1.

    Returns:
        Shape (n_samples,): about 1 inside a group, higher outside.

    Raises:
        ValueError: If there are too few samples.

    Reference: Breunig et al. (2000), https://doi.org/10.1145/335191.335388

    >>> points = np.array([0.0, 1.0, 2.0, 10.0])
    >>> local_outlier_factor(np.abs(points[:, None] - points), n_neighbours=2).round(2).tolist()
    [0.88, 1.33, 0.88, 4.96]
    """
    between = np.asarray(distances, np.float64)
    if not 1 <= n_neighbours < len(between):
        raise ValueError(
            f"Invalid value received for argument `n_neighbours`. Expected 1 to {len(between) - 1}. "
            f"Received: {n_neighbours}"
        )
    others = between.copy()
    np.fill_diagonal(others, np.inf)  # nobody is their own neighbour
    neighbours = np.argsort(others, axis=1, kind="stable")[:, :n_neighbours]  # (n, k)
    own = np.take_along_axis(between, neighbours, axis=1)
    reach = np.maximum(own, own[neighbours, -1])  # at least as far as the neighbour's own k-th neighbour
    density = 1 / (reach.mean(axis=1) + 1e-10)  # without the term, photos of one picture would be infinitely dense
    return np.asarray(density[neighbours].mean(axis=1) / density, np.float64)
