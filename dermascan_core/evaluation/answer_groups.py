"""Of a hundred photos with such an answer, how many were cancer or pre-cancer: in the test, and at another prevalence.

Answers are grouped as the next step reads them: by the side of the line, and by where a malignant class stands among the
prediction sets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ..taxonomy import HAM_MALIGNANT
from .intervals import N_RESAMPLES, SEED, Estimate
from .referrals import Draws, Referrals, estimate, malignant_share, rates_of

SIDES = ("above", "below")
SETS = ("in_90", "in_95_only", "in_neither")
MIN_PHOTOS = 30  # a smaller group would say more about chance than about such answers


@dataclass(frozen=True, slots=True)
class AnswerGroup:
    """The test photos with one kind of answer.

    Attributes:
        code: A side of the line, a place among the sets, or both as in ``below/in_neither``.
        n, n_malignant: Its photos, and those of them with cancer or pre-cancer.
        among_malignant, among_others: How often such an answer is given to cancers and to all other photos, the test
            itself first and then what chance makes of it, (1 + n_resamples,).
        test_prevalence: Share of cancer or pre-cancer in the whole test.
    """

    code: str
    n: int
    n_malignant: int
    among_malignant: Draws
    among_others: Draws
    test_prevalence: float

    def malignant_share(self, prevalence: float | None = None) -> Estimate:
        """Return the share of cancer or pre-cancer among such answers; without a prevalence, the test's own holds.

        Raises:
            ValueError: If the prevalence is not above 0 and below 1.
        """
        at = self.test_prevalence if prevalence is None else prevalence
        if not 0 < at < 1:
            raise ValueError(f"Expected a prevalence above 0 and below 1. Received {at:g}.")
        return estimate(malignant_share(self.among_malignant, self.among_others, at))


def side_of(*, is_above: bool) -> str:
    """Return the side of the line of an answer."""
    return "above" if is_above else "below"


def set_of(set_90: Collection[str], set_95: Collection[str]) -> str:
    """Return where a malignant class stands: in the 90 % set, in the 95 % set only, or in neither.

    >>> set_of(["nv"], ["nv", "mel"])
    'in_95_only'
    """
    if HAM_MALIGNANT & set(set_90):
        return "in_90"
    return "in_95_only" if HAM_MALIGNANT & set(set_95) else "in_neither"


def group_answers(
    referrals: Referrals, threshold: float, *, n_resamples: int = N_RESAMPLES, seed: int = SEED
) -> dict[str, AnswerGroup]:
    """Return the groups of answers that occur: both sides, the three places among the sets, and the two together.

    Args:
        referrals: The measured answers.
        threshold: The model's line.
        n_resamples, seed: Of the intervals.
    """
    sides = [side_of(is_above=bool(p >= threshold)) for p in referrals.p_malignant]
    sets = [set_of(*pair) for pair in zip(referrals.set_90, referrals.set_95, strict=True)]
    both = [f"{side}/{place}" for side, place in zip(sides, sets, strict=True)]
    members: Mapping[str, np.ndarray] = {
        code: np.array([name == code for name in names])
        for names in (sides, sets, both)
        for code in dict.fromkeys(sorted(names))
    }
    chosen = np.stack(list(members.values()), axis=1)  # (n_photos, n_groups)
    malignant, others = rates_of(referrals, chosen, n_resamples=n_resamples, seed=seed)
    return {
        code: AnswerGroup(
            code=code,
            n=int(is_in.sum()),
            n_malignant=int((is_in & referrals.is_malignant).sum()),
            among_malignant=malignant[:, k],
            among_others=others[:, k],
            test_prevalence=referrals.prevalence,
        )
        for k, (code, is_in) in enumerate(members.items())
    }


def own_group(groups: Mapping[str, AnswerGroup], *, side: str, place: str) -> AnswerGroup | None:
    """Return the narrowest group of an answer that the test saw often enough; None where even its side is too small."""
    for code in (f"{side}/{place}", side):
        if code in groups and groups[code].n >= MIN_PHOTOS:
            return groups[code]
    return None
