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


@dataclass(frozen=True, slots=True)
class LeftOut:
    """How many answers with a share stand on another scale than the newest one.

    Attributes:
        image_type: The other kind of photo.
        n_of_other_kind: Answers to photos of that kind.
        n_by_other_model: Answers to photos of the same kind by other weights.
    """

    image_type: str
    n_of_other_kind: int
    n_by_other_model: int


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
    shares = _shares(photos, cases)
    return tuple((at, case) for at, case in shares if _scale(case) == _scale(shares[-1][1]))


def left_out_answers(photos: tuple[DatedPhoto, ...], cases: tuple[KeptCase, ...]) -> LeftOut:
    """Return how many answers ``comparable_answers`` leaves out because their shares do not compare.

    Args:
        photos: Of the lesion.
        cases: Those that may be shown.
    """
    shares = [case for _, case in _shares(photos, cases)]
    others = [case for case in shares if _scale(case) != _scale(shares[-1])]
    of_kind = [case for case in others if case.screening.image_type != shares[-1].screening.image_type]
    return LeftOut(of_kind[0].screening.image_type if of_kind else "", len(of_kind), len(others) - len(of_kind))


def _shares(photos: tuple[DatedPhoto, ...], cases: tuple[KeptCase, ...]) -> list[tuple[datetime, KeptCase]]:
    """Answers with a share that none replaces, with the day of their newest photo; the oldest first."""
    replaced = {case.screening.replaces_id for case in cases}
    shown = sorted(
        (
            (max(one.seen_at for one in photos if case in one.cases), case.screening.audit_number, case)
            for case in cases
            if case.screening.p_malignant is not None and case.screening.id not in replaced
        ),
        key=lambda one: one[:2],
    )
    return [(at, case) for at, _, case in shown]


def _scale(case: KeptCase) -> tuple[str, str]:
    return case.screening.model_sha256, case.screening.image_type


def _position(case: KeptCase, photo: KeptPhoto) -> int | None:
    return next((one.position for one in case.screening.photos if one.photo_id == photo.id), None)
