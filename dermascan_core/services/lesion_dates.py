"""A lesion's photos by the day on which each was first screened, with every answer that looked at it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from ..domain import NextStep, most_urgent
from ..storage.kept import KeptPhoto
from .history import KeptCase, LesionHistory
from .reviewing import standing


@dataclass(frozen=True, slots=True)
class DatedPhoto:
    """A kept photo and when this program first saw it.

    Attributes:
        photo: What is kept of it.
        seen_at: When it was first screened. Not when it was taken: no tag of a photo is kept that would say so.
        cases: The screenings that looked at it, the first kept first: an answer with another square is another one.
        number, n_of_day: Its place among the photos of its day, from 1, and how many there are.
    """

    photo: KeptPhoto
    seen_at: datetime
    cases: tuple[KeptCase, ...]
    number: int
    n_of_day: int

    @property
    def day(self) -> date:
        """The day of ``seen_at``, in UTC as every page writes it."""
        return self.seen_at.date()


def dated_photos(history: LesionHistory) -> tuple[DatedPhoto, ...]:
    """Return a lesion's photos, the first seen first. The same file kept again later stays at its first day."""
    seen = []
    for photo in history.photos:
        cases = tuple(case for case in history.cases if _position(case, photo) is not None)
        first = min((case.screening.screened_at for case in cases), default=photo.added_at)
        position = _position(cases[0], photo) if cases else None
        seen.append((first, position or 0, photo.id, photo, cases))
    seen.sort(key=lambda one: one[:3])
    days = [one[0].date() for one in seen]
    return tuple(
        DatedPhoto(photo, at, cases, number=days[:place].count(at.date()) + 1, n_of_day=days.count(at.date()))
        for place, (at, _, _, photo, cases) in enumerate(seen)
    )


def n_days(photos: tuple[DatedPhoto, ...]) -> int:
    """Return on how many days photos were first seen."""
    return len({one.day for one in photos})


def is_read(case: KeptCase, reviewer: str) -> bool:
    """Return whether a clinician has confirmed a reading of a screening, so that its answer may be shown to them."""
    return any(one.reviewer == reviewer for one in standing(case.reviews))


def read_cases(history: LesionHistory, reviewer: str) -> tuple[KeptCase, ...]:
    """Return the screenings whose answers may be shown to a clinician, the first kept first."""
    return tuple(case for case in history.cases if is_read(case, reviewer))


def standing_step(cases: tuple[KeptCase, ...]) -> NextStep | None:
    """Return the most urgent next step that was ever answered, which no later and calmer answer lowers; None without one."""
    steps = [NextStep(case.screening.next_step) for case in cases]
    return most_urgent(*steps) if steps else None


def comparable_answers(
    photos: tuple[DatedPhoto, ...], cases: tuple[KeptCase, ...]
) -> tuple[tuple[datetime, KeptCase], ...]:
    """Return the answers that may stand on one scale: with a share, by the weights and for the kind of photo of the newest.

    Another model, or a phone beside a dermatoscope, is another scale. An answer that was given anew, with another square or
    other answers, stands in the place of the one before.

    Args:
        photos: Of the lesion.
        cases: Those that may be shown.

    Returns:
        When the newest photo of each was first seen, and the answer; the oldest first.
    """
    replaced = {case.screening.replaces_id for case in cases}
    shown = sorted(
        (
            (max(one.seen_at for one in photos if case in one.cases), case.screening.audit_number, case)
            for case in cases
            if case.screening.p_malignant is not None and case.screening.id not in replaced
        ),
        key=lambda one: one[:2],
    )
    kinds = [(case.screening.model_sha256, case.screening.image_type) for _, _, case in shown]
    return tuple((at, case) for (at, _, case), kind in zip(shown, kinds, strict=True) if kind == kinds[-1])


def _position(case: KeptCase, photo: KeptPhoto) -> int | None:
    return next((one.position for one in case.screening.photos if one.photo_id == photo.id), None)
