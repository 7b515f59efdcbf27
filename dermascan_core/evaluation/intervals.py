"""Intervals: whole lesions (or patients) are drawn, because two photos of one lesion are no two cases.

Drawing again what was found cannot show what was not: where a share is 0 or 1, the interval is the exact one instead.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from .weighted import Measure, Share, Weights

Name = TypeVar("Name", bound=Hashable)

N_RESAMPLES = 1000
LEVEL = 0.95
SEED = 20240917
_MAX_CELLS = 2_000_000  # of one block of weights: 16 MB
_MIN_DEFINED_SHARE = 0.5  # with fewer defined resamples than this there is no interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure with its 95 % interval; NaN where undefined."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """Return plain data, with None for NaN."""
        return {name: none_if_nan(getattr(self, name)) for name in ("value", "low", "high")}


def none_if_nan(value: float) -> float | None:
    """Return a value that JSON can hold: None for NaN or infinity, else the number rounded to 6 decimals."""
    return round(float(value), 6) if math.isfinite(value) else None


def resample_weights(groups: Sequence[str], *, n_resamples: int = N_RESAMPLES, seed: int = SEED) -> Iterator[Weights]:
    """Yield blocks of weights, together (n_resamples, n_samples): how often each photo's group was drawn.

    As many groups are drawn, with replacement, as there are. The draw depends on the groups' names and the seed,
    not on the order of the photos.

    Args:
        groups: Lesion (or patient, or photo) of each sample.
        n_resamples: How many.
        seed: Of the draw.
    """
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    rng = np.random.default_rng(seed)
    # The block's height decides nothing: each resample is one multinomial draw, in sequence.
    block = max(1, min(n_resamples, _MAX_CELLS // max(1, len(groups))))
    for start in range(0, n_resamples, block):
        n_rows = min(block, n_resamples - start)
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_rows)
        yield drawn[:, member].astype(np.float64)


def bootstrap(
    measures: Mapping[Name, Measure], groups: Sequence[str], *, n_resamples: int = N_RESAMPLES, seed: int = SEED
) -> dict[Name, Estimate]:
    """Return each measure with its percentile interval, all from the same resamples.

    A share that is 0 or 1 has the exact interval of as many independent groups as it was counted among. Any other measure
    that comes out alike in every resample (an AUC of 1, or one lesion alone) has none: no width would claim certainty.

    Args:
        measures: Name -> measure of weights.
        groups: Lesion (or patient, or photo) of each sample; at least one.
        n_resamples: How many.
        seed: Of the draw.
    """
    if not len(groups):
        return {name: Estimate(math.nan, math.nan, math.nan) for name in measures}
    itself = np.ones((1, len(groups)))
    values = {name: float(measure(itself)[0]) for name, measure in measures.items()}
    parts: dict[Name, list[np.ndarray]] = {name: [] for name in measures}
    for weights in resample_weights(groups, n_resamples=n_resamples, seed=seed):
        for name, measure in measures.items():
            parts[name].append(measure(weights))
    return {
        name: _exact(measure, groups)
        if isinstance(measure, Share) and measure.is_count and values[name] in (0, 1)
        else _percentiles(values[name], np.concatenate(parts[name]))
        for name, measure in measures.items()
    }


def exact_interval(n_true: int, n: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share: the shares at which so few, or so many, would not surprise.

    Args:
        n_true: How many independent cases were counted.
        n: Of how many; at least one.

    Returns:
        (low, high), within [0, 1].

    Raises:
        ValueError: If there are no cases, or more are counted than there are.

    Reference: Clopper, Pearson (1934), Biometrika 26 (4), 404-413

    >>> [round(end, 3) for end in exact_interval(5, 5)]
    [0.478, 1.0]
    """
    from scipy.special import betaincinv  # slow to import, and the pages read measures without measuring

    if not 0 <= n_true <= n or not n:
        raise ValueError(f"Expected a count of at least one case, and at most all. Received {n_true} of {n}.")
    tail = (1 - LEVEL) / 2
    low = float(betaincinv(n_true, n - n_true + 1, tail)) if n_true else 0.0
    high = float(betaincinv(n_true + 1, n - n_true, 1 - tail)) if n_true < n else 1.0
    return low, high


def _exact(measure: Share, groups: Sequence[str]) -> Estimate:
    n = len({group for group, is_in in zip(groups, measure.base, strict=True) if is_in})
    value = float(measure(np.ones((1, len(groups))))[0])
    return Estimate(value, *exact_interval(round(value) * n, n))


def _percentiles(value: float, resampled: np.ndarray) -> Estimate:
    defined = resampled[~np.isnan(resampled)]
    if math.isnan(value) or len(defined) < _MIN_DEFINED_SHARE * len(resampled) or np.ptp(defined) == 0:
        return Estimate(value, math.nan, math.nan)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return Estimate(value, float(low), float(high))
