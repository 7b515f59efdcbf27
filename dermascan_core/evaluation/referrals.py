"""Measured answers as referrals: which photos a line sends to a doctor, and how surely the test knows that rate.

A rate is taken separately among cancers and among all other photos, so that it can be carried to another prevalence
by Bayes' rule. ``decision_curve`` weighs benefit against harm with it, ``answer_groups`` counts among a hundred.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import special

from ..errors import TableError
from ..tables import read_table
from ..taxonomy import HAM_MALIGNANT, ham_code
from .intervals import LEVEL, N_RESAMPLES, SEED, Estimate, resample_weights
from .weighted import ratio

Draws = npt.NDArray[np.float64]  # (1 + n_resamples, ...): the sample itself first, then what chance makes of it
FEW_LESIONS = 10


@dataclass(frozen=True, slots=True, eq=False)  # told apart by identity, so that a cache can hold what follows from it
class Referrals:
    """What ``evaluate`` wrote about the photos whose diagnosis is known.

    Attributes:
        is_malignant: Booleans (n_photos,): cancer or pre-cancer.
        p_malignant: Shape (n_photos,), in [0, 1].
        set_90, set_95: The prediction set of each photo, n_photos sets of codes.
        groups: What is resampled as one: the lesion, or the photo where none is named.
    """

    is_malignant: npt.NDArray[np.bool_]
    p_malignant: npt.NDArray[np.float64]
    set_90: tuple[frozenset[str], ...]
    set_95: tuple[frozenset[str], ...]
    groups: tuple[str, ...]

    @property
    def prevalence(self) -> float:
        """Share of cancer or pre-cancer among the photos, in (0, 1)."""
        return float(self.is_malignant.mean())


def read_referrals(path: Path) -> Referrals:
    """Read a ``predictions.csv``; photos without an answer or a diagnosis are left out, refused ones are not.

    Raises:
        TableError: If it is no such file, or it does not hold both cancers and other photos.
    """
    rows = read_table(path, what=f"'{path}'")
    if lacking := [column for column in ("image_id", "dx", "p_malignant", "set", "set_95") if column not in rows[0]]:
        raise TableError(
            f"Expected a predictions.csv that `evaluate` wrote at '{path}'. It lacks: {', '.join(lacking)}. "
            "Name another file."
        )
    rows = [row for row in rows if row["p_malignant"] and row["dx"]]
    try:
        referrals = Referrals(
            is_malignant=np.array([ham_code(row["dx"]) in HAM_MALIGNANT for row in rows], bool),
            p_malignant=np.array([_share(row["p_malignant"]) for row in rows], np.float64),
            set_90=tuple(frozenset(row["set"].split("|")) for row in rows),
            set_95=tuple(frozenset(row["set_95"].split("|")) for row in rows),
            groups=tuple(row.get("lesion_id") or row["image_id"] for row in rows),
        )
    except (KeyError, ValueError) as error:
        raise TableError(f"'{path}' holds a value that `evaluate` does not write: {error}. Evaluate again.") from error
    if len(set(referrals.is_malignant.tolist())) < 2:
        raise TableError(
            f"Expected answered photos both with and without cancer or pre-cancer in '{path}', each with its diagnosis. "
            f"There are {len(rows)}, {int(referrals.is_malignant.sum())} of them with. Evaluate a larger set."
        )
    return referrals


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError(f"p_malignant {text} is outside 0 to 1")
    return value


def line_beside(path: Path) -> float | None:
    """Return the model's own line from the ``metrics.json`` beside a ``predictions.csv``; None where there is none.

    Raises:
        TableError: If that file cannot be read as what ``evaluate`` writes.
    """
    beside = path.parent / "metrics.json"
    if not beside.is_file():
        return None
    try:
        return float(json.loads(beside.read_text(encoding="utf-8"))["malignant"]["operating_point"]["threshold"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TableError(
            f"Expected the metrics.json that `evaluate` wrote at '{beside}'. It cannot be read: {error}. "
            "Evaluate again, or name the line by --threshold."
        ) from error


def rates_of(
    referrals: Referrals,
    chosen: npt.NDArray[np.bool_],
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> tuple[Draws, Draws]:
    """Return how often photos are chosen, among cancers and among the others, with what chance makes of both.

    Lesions are drawn anew. Where fewer than ten lesions were chosen or left, drawing the same few again says too little
    (no miss in the test would mean no miss ever): there the draws come from the Jeffreys posterior of the share, counted
    in lesions.

    Args:
        referrals: n_photos photos.
        chosen: Booleans (n_photos, n_choices).
        n_resamples, seed: Of the draws.

    Returns:
        Two arrays (1 + n_resamples, n_choices): the share chosen among cancers, and among all others.

    Reference: Brown, Cai, DasGupta (2001), Interval estimation for a binomial proportion, Statistical Science 16.
    """
    blocks = [np.ones((1, len(chosen))), *resample_weights(referrals.groups, n_resamples=n_resamples, seed=seed)]
    weights = np.concatenate(blocks)
    rng = np.random.default_rng(seed)
    rates = []
    for is_kind in (referrals.is_malignant, ~referrals.is_malignant):
        drawn = ratio(
            weights[:, is_kind] @ chosen[is_kind].astype(np.float64), weights[:, is_kind].sum(axis=1)[:, None]
        )
        n_lesions = len({group for group, is_one in zip(referrals.groups, is_kind, strict=True) if is_one})
        # One even spread of chances for all choices: neighbouring lines then have neighbouring intervals.
        chances = rng.permutation((np.arange(n_resamples) + 0.5) / n_resamples)
        for k, share in enumerate(drawn[0]):
            n_chosen = share * n_lesions
            if min(n_chosen, n_lesions - n_chosen) < FEW_LESIONS:
                drawn[1:, k] = special.betaincinv(n_chosen + 0.5, n_lesions - n_chosen + 0.5, chances)
        rates.append(drawn)
    return rates[0], rates[1]


def estimate(draws: npt.NDArray[np.float64]) -> Estimate:
    """Return the first draw as the value, with the interval of the others; NaN where undefined.

    Args:
        draws: Shape (1 + n_resamples,).
    """
    value, resampled = float(draws[0]), draws[1:][~np.isnan(draws[1:])]
    if math.isnan(value) or not len(resampled):
        return Estimate(value, math.nan, math.nan)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(resampled, [tail, 1 - tail])
    # A Jeffreys posterior leaves the value itself out where nothing, or everything, was chosen.
    return Estimate(value, float(min(low, value)), float(max(high, value)))


def malignant_share(among_malignant: Draws, among_others: Draws, prevalence: float) -> Draws:
    """Return the share of cancers among the chosen at a prevalence, by Bayes' rule; NaN where nothing is chosen.

    >>> malignant_share(np.array([0.9]), np.array([0.1]), 0.1).round(3).tolist()
    [0.5]
    """
    chosen = prevalence * among_malignant
    return ratio(chosen, chosen + (1 - prevalence) * among_others)


def at_prevalence(p: npt.ArrayLike, *, measured: float, prevalence: float) -> npt.NDArray[np.float64]:
    """Return probabilities that hold at one prevalence as they are at another, by Bayes' rule.

    Args:
        p: Probabilities in [0, 1].
        measured: Prevalence that they hold at, in (0, 1).
        prevalence: Prevalence wanted, in (0, 1).

    Reference: Saerens, Latinne, Decaestecker (2002), Neural Computation 14.

    >>> at_prevalence([0.5], measured=0.5, prevalence=0.02).round(3).tolist()
    [0.02]
    """
    odds_ratio = prevalence / (1 - prevalence) * (1 - measured) / measured
    p = np.asarray(p, np.float64)
    return np.asarray(p * odds_ratio / (p * odds_ratio + 1 - p))


def above(referrals: Referrals, lines: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Return which photos reach each line, booleans (n_photos, n_lines)."""
    return np.asarray(referrals.p_malignant[:, None] >= np.asarray(lines, np.float64)[None, :])
