"""Two readers of the same cases: how often they say the same, and how much more than chance that is (Cohen's kappa)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import weighted
from .intervals import N_RESAMPLES, SEED, Estimate, bootstrap
from .weighted import Measure, Values, Weights

MIN_CASES = 10  # fewer say nothing: a share of 9 moves by 11 points with one case


@dataclass(frozen=True, slots=True)
class ReaderAgreement:
    """How far two readers agree on the cases that both have read.

    Attributes:
        n: Cases that both have read.
        n_same: Of these, those of which they said the same.
        share: ``n_same`` of ``n`` with its 95 % interval; NaN where there are none.
        kappa: Cohen's kappa in [-1, 1] with its interval; NaN where one answer alone was ever given.
    """

    n: int
    n_same: int
    share: Estimate
    kappa: Estimate

    @property
    def is_enough(self) -> bool:
        """Whether there are enough cases for shares to be shown at all."""
        return self.n >= MIN_CASES


def compare_readers(
    first: Sequence[str],
    second: Sequence[str],
    groups: Sequence[str],
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> ReaderAgreement:
    """Compare what two readers said of the same cases.

    Args:
        first, second: Their answers, one a case, in the same order.
        groups: Whose lesion each case is: people are drawn as a whole, since two lesions of one person are alike.
        n_resamples, seed: Of the bootstrap.

    Raises:
        ValueError: If the three differ in length.

    >>> compare_readers(["mel", "nv"], ["mel", "bcc"], ["a", "b"]).share.value
    0.5
    """
    if not len(first) == len(second) == len(groups):
        msg = f"Expected as many answers of both as cases. Received {len(first)}, {len(second)} and {len(groups)}."
        raise ValueError(msg)
    is_same = np.array([a == b for a, b in zip(first, second, strict=True)], bool)
    measures = {"share": weighted.share(is_same), "kappa": kappa(first, second)}
    found = bootstrap(measures, groups, n_resamples=n_resamples, seed=seed)
    return ReaderAgreement(len(first), int(is_same.sum()), found["share"], found["kappa"])


def kappa(first: Sequence[str], second: Sequence[str]) -> Measure:
    """Measure: Cohen's kappa, (observed - expected) / (1 - expected); NaN where nothing but one answer was ever given.

    Args:
        first, second: Answers of shape (n_samples,).

    Reference: Cohen (1960), Educational and Psychological Measurement 20 (1), 37-46
    """
    a, b = np.asarray(first, str), np.asarray(second, str)
    answers = np.unique(np.concatenate([a, b]))
    of_a, of_b = (np.asarray(x[:, np.newaxis] == answers, np.float64) for x in (a, b))  # (n_samples, n_answers)
    same = np.asarray(a == b, np.float64)

    def measure(weights: Weights) -> Values:
        total = weights.sum(axis=1)
        observed = weighted.ratio(weights @ same, total)
        by_chance = weighted.ratio(((weights @ of_a) * (weights @ of_b)).sum(axis=1), total**2)
        return weighted.ratio(observed - by_chance, 1 - by_chance)

    return measure
