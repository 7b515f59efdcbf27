"""Calls against what lesions turned out to be: sensitivity, specificity, what was missed, and what a second look changed.

Only lesions with an outcome are counted, and mostly the suspicious ones get one. So both figures are those of the lesions
that somebody had examined, not of all that were looked at (verification bias); whoever shows them says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from .intervals import exact_interval

MIN_CASES = 10  # fewer malignant (or other) outcomes than this, and no share is shown: only what was counted


@dataclass(frozen=True, slots=True)
class Call:
    """What somebody, or the model, called one lesion whose outcome is known.

    Attributes:
        case_id: The lesion; each counts once.
        is_malignant: What it turned out to be: cancer or pre-cancer, or not.
        is_called: Whether it was called so; None where no answer was given.
    """

    case_id: str
    is_malignant: bool
    is_called: bool | None


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of independent cases with its exact 95 % interval (Clopper, Pearson 1934); NaN-free: no cases, no share.

    Attributes:
        n_true, n: How many of how many.
        low, high: Ends of the interval; None where there are no cases.
    """

    n_true: int
    n: int
    low: float | None
    high: float | None

    @property
    def value(self) -> float | None:
        """The share, in [0, 1]; None without cases."""
        return self.n_true / self.n if self.n else None

    @property
    def is_enough(self) -> bool:
        """Whether it may be shown as a share."""
        return self.n >= MIN_CASES


@dataclass(frozen=True, slots=True)
class AgainstOutcomes:
    """How calls compare with outcomes.

    Attributes:
        sensitivity: Of the malignant ones that were answered, those called so.
        specificity: Of the others that were answered, those not called so.
        missed: Malignant, and not called so.
        false_alarms: Called malignant, and not.
        unanswered_malignant: Malignant, and no answer was given: neither found nor missed, and never left unsaid.
        n_unanswered: Of all, those without an answer.
    """

    sensitivity: Proportion
    specificity: Proportion
    missed: tuple[str, ...]
    false_alarms: tuple[str, ...]
    unanswered_malignant: tuple[str, ...]
    n_unanswered: int


@dataclass(frozen=True, slots=True)
class ChangeOfMind:
    """What seeing another opinion did to the first one.

    Attributes:
        n: Cases with both opinions and an outcome.
        helped: First wrong, then right.
        hurt: First right, then wrong.
        p_value: How often chance alone would part helped and hurt so unevenly (exact McNemar test); 1 where none changed.
    """

    n: int
    helped: tuple[str, ...]
    hurt: tuple[str, ...]
    p_value: float

    @property
    def n_changed(self) -> int:
        """How often the call was turned round."""
        return len(self.helped) + len(self.hurt)


def proportion(n_true: int, n: int) -> Proportion:
    """Return a share with its exact interval.

    >>> proportion(0, 0).low is None, round(proportion(5, 5).low, 3)
    (True, 0.478)
    """
    low, high = exact_interval(n_true, n) if n else (None, None)
    return Proportion(n_true, n, low, high)


def measure_calls(calls: Sequence[Call]) -> AgainstOutcomes:
    """Compare calls with outcomes.

    Raises:
        ValueError: If a case comes twice.
    """
    _refuse_twice(calls)
    answered = [call for call in calls if call.is_called is not None]
    malignant, others = ([c for c in answered if c.is_malignant is wanted] for wanted in (True, False))
    missed = tuple(c.case_id for c in malignant if not c.is_called)
    alarms = tuple(c.case_id for c in others if c.is_called)
    return AgainstOutcomes(
        sensitivity=proportion(len(malignant) - len(missed), len(malignant)),
        specificity=proportion(len(others) - len(alarms), len(others)),
        missed=missed,
        false_alarms=alarms,
        unanswered_malignant=tuple(c.case_id for c in calls if c.is_called is None and c.is_malignant),
        n_unanswered=len(calls) - len(answered),
    )


def measure_change(before: Sequence[Call], after: Sequence[Call]) -> ChangeOfMind:
    """Compare two opinions on the same cases with the outcomes; cases without an answer in either are left out.

    Args:
        before, after: The same cases in the same order.

    Raises:
        ValueError: If the cases differ, or one comes twice.

    Reference: McNemar (1947), Psychometrika 12 (2), 153-157; exact by the binomial distribution.
    """
    if [c.case_id for c in before] != [c.case_id for c in after]:
        raise ValueError("Expected the same cases in the same order before and after. Received other ones.")
    _refuse_twice(before)
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a.is_called is not None and b.is_called is not None]
    changed = [(a, b) for a, b in pairs if a.is_called is not b.is_called]
    helped = tuple(a.case_id for a, b in changed if b.is_called is b.is_malignant)
    hurt = tuple(a.case_id for a, b in changed if a.is_called is a.is_malignant)
    return ChangeOfMind(len(pairs), helped, hurt, _mcnemar(len(helped), len(hurt)))


def _mcnemar(n_one_way: int, n_other_way: int) -> float:
    n, fewer = n_one_way + n_other_way, min(n_one_way, n_other_way)
    return float(min(1.0, 2 * sum(comb(n, k) for k in range(fewer + 1)) / 2**n))


def _refuse_twice(calls: Sequence[Call]) -> None:
    names = [call.case_id for call in calls]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"Expected every case once. Received {', '.join(twice[:5])} more than once.")
