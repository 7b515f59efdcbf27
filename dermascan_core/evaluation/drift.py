"""Whether photos, or outcomes, are still those that a model was measured on: shares beside their usual ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..domain import PhotoScreening, Status
from .outcomes import Proportion, proportion

MIN_PHOTOS = 30  # fewer say nothing about what is usual
RATIO = 2.0  # so many times the usual share, or fewer, is worth a word; less is a clinic's own mix
DECAY = 0.05  # a sensitivity or specificity lower by so much is a model that got worse
TOO_FEW, AS_USUAL, MORE, FEWER = "too few", "as usual", "more", "fewer"
# Signal -> what is counted. The last follows the mix of lesions, so alone it is no drift.
SIGNALS = {
    "refused": "were refused",
    "unsure": "got no sure answer, of those not refused",
    "unlike": "look hardly alike any photo that the model learnt from, of those not refused",
    "above": "reach the threshold, of those not refused",
}
_OF_DRIFT = ("refused", "unsure", "unlike")


@dataclass(frozen=True, slots=True)
class Signal:
    """One share among new photos, beside what is usual.

    Attributes:
        name: A key of ``SIGNALS``.
        share: Among the new photos, with its exact 95 % interval.
        usual: Among the photos that the model was measured on; None where nobody knows.
    """

    name: str
    share: Proportion
    usual: Proportion | None

    @property
    def verdict(self) -> str:
        """``more`` or ``fewer`` where the two intervals do not touch and one share is ``RATIO`` times the other."""
        new, old = self.share, self.usual
        if old is None or min(new.n, old.n) < MIN_PHOTOS or new.value is None or old.value is None:
            return TOO_FEW
        if _is_below(old, new) and new.value >= RATIO * old.value:
            return MORE
        if _is_below(new, old) and old.value >= RATIO * new.value:
            return FEWER
        return AS_USUAL

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "name": self.name,
            "n_true": self.share.n_true,
            "n": self.share.n,
            "low": self.share.low,
            "high": self.share.high,
            "usual": None if self.usual is None else self.usual.value,
            "verdict": self.verdict,
        }


def _is_below(one: Proportion, other: Proportion) -> bool:
    return one.high is not None and other.low is not None and one.high < other.low


def measure_drift(
    photos: Sequence[PhotoScreening], usual: Mapping[str, Proportion], *, alike_limit: float | None
) -> tuple[Signal, ...]:
    """Count each signal among new photos.

    Args:
        photos: Screened with their similar photos.
        usual: Signal -> its share among the photos that the model was measured on.
        alike_limit: Similarity of the nearest labelled photo below which a photo is hardly alike any; None where unknown:
            that signal is then left out.
    """
    judged = [photo for photo in photos if photo.status is not Status.REFUSED]
    counts: dict[str, tuple[Sequence[PhotoScreening], Callable[[PhotoScreening], bool]]] = {
        "refused": (photos, lambda photo: photo.status is Status.REFUSED),
        "unsure": (judged, lambda photo: photo.status is Status.UNSURE),
        "above": (judged, lambda photo: photo.prediction is not None and photo.prediction.is_above_threshold),
    }
    if alike_limit is not None:
        compared = [photo for photo in judged if photo.similar]
        counts["unlike"] = (compared, lambda photo: photo.similar[0].similarity < alike_limit)
    return tuple(
        Signal(name, proportion(sum(is_one(photo) for photo in among), len(among)), usual.get(name))
        for name in SIGNALS
        if name in counts
        for among, is_one in [counts[name]]
    )


def has_drifted(signals: Sequence[Signal]) -> bool:
    """Whether the photos are of another kind than those that the model was measured on."""
    return any(signal.name in _OF_DRIFT and signal.verdict == MORE for signal in signals)


def decay(observed: Proportion, tested: float) -> str:
    """Say how a sensitivity or specificity among outcomes stands to the one in the test.

    Returns:
        ``too few`` cases; ``worse`` where even the upper end of the interval lies 5 points below the test; ``lower`` where the
        share does, and may by chance; else ``as usual``.

    >>> decay(proportion(30, 60), 0.95), decay(proportion(52, 60), 0.95), decay(proportion(57, 60), 0.95)
    ('worse', 'lower', 'as usual')
    """
    if not observed.is_enough or observed.value is None or observed.high is None:
        return TOO_FEW
    if observed.high < tested - DECAY:
        return "worse"
    return "lower" if observed.value < tested - DECAY else AS_USUAL
