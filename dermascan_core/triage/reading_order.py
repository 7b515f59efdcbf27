"""In which order a clinician reads many answers, which of them are calm, and the sentences about a whole list."""

from __future__ import annotations

from ..domain import CalmRate, NextStep
from .frequencies import LOW_ANSWERS_MISS, of_100

# A photo that could not be assessed may show anything: it is looked at before whatever the model found less than urgent.
READING_ORDER = (
    NextStep.EMERGENCY,
    NextStep.URGENT_2_WEEKS,
    NextStep.NOT_ASSESSED,
    NextStep.SEE_DOCTOR,
    NextStep.ROUTINE_CHECK,
    NextStep.WATCH,
)
CALM_STEPS = (NextStep.ROUTINE_CHECK, NextStep.WATCH)
DEFAULT_SHARE_TO_READ = 0.05
ORDER_ONLY = "The list shows the order alone: note your own opinion of a case first, then its page shows what the model answered."

ONE_LOOK = (
    "A list answers each photo once. Screening also looks at small changes of the photo and with hair, ink and the like painted "
    "over, and may ask for more than the list."
)


def calm_words(n_calm: int, n_all: int, *, n_low: int, rate: CalmRate | None) -> str:
    """Return how many are ranked calm, and how many misses to expect among them.

    Args:
        n_calm: Ranked as a routine check or calmer.
        n_all: On the list.
        n_low: Of the calm ones, those for which the test measured how often such an answer is wrong.
        rate: What it measured; None where nothing was.

    >>> calm_words(0, 3, n_low=0, rate=None)
    'None of 3 is ranked calm.'
    """
    if not n_calm:
        return f"None of {n_all:,} is ranked calm."
    said = f"{n_calm:,} of {n_all:,} {'is' if n_calm == 1 else 'are'} ranked calm (routine check or self-monitoring)."
    if rate is None or not n_low:
        return f"{said} How many of them are missed cancers was not measured for such photos. {LOW_ANSWERS_MISS}"
    ends = [] if rate.low is None or rate.high is None else [_of(rate.low, n_low), _of(rate.high, n_low)]
    interval = f" ({ends[0]} to {ends[1]})" if len(set(ends)) == 2 else ""
    return (
        f"{said} In the test, {of_100(rate.share)} of 100 photos with such a low answer were cancer or pre-cancer all the "
        f"same: among {n_low:,} that would be {_of(rate.share, n_low)}{interval}, if this list is like the test. There, "
        f"{of_100(rate.prevalence)} of 100 photos were. {LOW_ANSWERS_MISS}"
    )


def to_read_words(n_flagged: int, n_calm: int) -> str:
    """Return what the flag is for.

    >>> to_read_words(2, 31)
    '2 of the 31 calm ones were drawn by lot, to be read all the same: that shows what a calm answer misses here.'
    """
    verb = "was" if n_flagged == 1 else "were"
    return (
        f"{n_flagged:,} of the {n_calm:,} calm ones {verb} drawn by lot, to be read all the same: that shows what a calm "
        "answer misses here."
    )


def _of(share: float, n: int) -> str:
    expected = share * n
    if expected < 0.1:  # never none: among two photos, too, a cancer may be missed
        return "under 0.1"
    return f"{expected:.0f}" if expected >= 10 else f"{expected:.1f}"
