"""The whole history of a person or of one lesion, opened and put together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from sqlalchemy.orm import Session

from ..domain import NextStep
from ..storage import lesions, people, reviews, screenings
from ..storage.kept import (
    Draft,
    KeptComment,
    KeptConsent,
    KeptLesion,
    KeptOutcome,
    KeptPerson,
    KeptPhoto,
    KeptReview,
    KeptScreening,
)
from ..storage.screenings import ScreeningsPage
from .records import Records, note, require_lesion, require_person

# The one to be read first first. What could not be assessed comes right below what is urgent: nobody knows what it is.
READING_ORDER = (
    *(NextStep.EMERGENCY, NextStep.URGENT_2_WEEKS, NextStep.NOT_ASSESSED),
    *(NextStep.SEE_DOCTOR, NextStep.ROUTINE_CHECK, NextStep.WATCH),
)


@dataclass(frozen=True, slots=True)
class KeptCase:
    """A screening and what clinicians made of it.

    Attributes:
        screening: What the model answered.
        reviews: Every version of every reviewer, the first confirmed first.
        drafts: What reviewers have not confirmed yet.
    """

    screening: KeptScreening
    reviews: tuple[KeptReview, ...]
    drafts: tuple[Draft, ...]

    @property
    def newest_reviews(self) -> tuple[KeptReview, ...]:
        """Each reviewer's newest version, the last confirmed last."""
        newest = {review.reviewer: review for review in self.reviews}
        return tuple(sorted(newest.values(), key=lambda review: review.audit_number))


@dataclass(frozen=True, slots=True)
class LesionHistory:
    """All that is kept of a lesion, each list in the order in which it was kept."""

    lesion: KeptLesion
    photos: tuple[KeptPhoto, ...]
    cases: tuple[KeptCase, ...]
    comments: tuple[KeptComment, ...]
    outcomes: tuple[KeptOutcome, ...]

    @property
    def outcome(self) -> KeptOutcome | None:
        """What it turned out to be, by the last word on it; None as long as nobody knows."""
        return self.outcomes[-1] if self.outcomes else None


@dataclass(frozen=True, slots=True)
class PersonHistory:
    """All that is kept of a person."""

    person: KeptPerson
    consents: tuple[KeptConsent, ...]
    lesions: tuple[LesionHistory, ...]


def person_history(records: Records, person: str) -> PersonHistory:
    """Return all that is kept of somebody, by id or pseudonym.

    Raises:
        RecordError: There is nobody.
        SealError: The key is another one, or a sealed value was altered.
    """
    with records.database.reading() as session:
        found = require_person(session, records.vault, person)
        kept = lesions.lesions_of(session, records.vault, found.id)
        consents = people.consents_of(session, found.id)
        return PersonHistory(found, consents, tuple(_histories(session, records, kept)))


def lesion_history(records: Records, lesion_id: str) -> LesionHistory:
    """Return all that is kept of a lesion.

    Raises:
        RecordError: There is no such lesion.
        SealError: As ``person_history``.
    """
    with records.database.reading() as session:
        [history] = _histories(session, records, [require_lesion(session, records.vault, lesion_id)])
        return history


def list_screenings(
    records: Records,
    *,
    steps: Iterable[NextStep] = (),
    not_read_by: str | None = None,
    search: str = "",
    is_demo: bool | None = None,
    after: KeptScreening | None = None,
    offset: int = 0,
    limit: int = 50,
) -> ScreeningsPage:
    """Return screenings in ``READING_ORDER``, all or those ``after`` one's place; see ``storage.screenings.list_screenings``."""
    with records.database.reading() as session:
        return screenings.list_screenings(
            session,
            step_order=[step.value for step in READING_ORDER],
            steps=[step.value for step in steps],
            not_read_by=not_read_by,
            search=search,
            is_demo=is_demo,
            after=None if after is None else (after.next_step, after.audit_number),
            offset=offset,
            limit=limit,
        )


def next_unread(records: Records, screening: KeptScreening, *, reviewer: str, is_demo: bool) -> str | None:
    """Return the id of the screening to read after another one: the next in ``READING_ORDER``, then again from the first.

    Args:
        records: To read in.
        screening: The one at hand, read or not; it is never its own next one.
        reviewer: Who has not confirmed a reading of the next one.
        is_demo: Whether to stay among made-up people, or among others.
    """
    later = list_screenings(records, not_read_by=reviewer, is_demo=is_demo, after=screening, limit=1)
    first = later.screenings or list_screenings(records, not_read_by=reviewer, is_demo=is_demo, limit=1).screenings
    return next((one.screening_id for one in first if one.screening_id != screening.id), None)


def note_view(records: Records, person_id: str, *, actor: str, now: datetime) -> None:
    """Put in the audit trail that somebody looked at a person's records; a page calls it once a visit.

    Raises:
        RecordError: There is no such person.
    """
    with records.database.transaction() as session:
        require_person(session, records.vault, person_id)
        note(session, actor, "records seen", f"person {person_id}", now=now)


class _OfLesion(Protocol):
    @property
    def lesion_id(self) -> str: ...


class _OfScreening(Protocol):
    @property
    def screening_id(self) -> str: ...


_L = TypeVar("_L", bound=_OfLesion)
_S = TypeVar("_S", bound=_OfScreening)


def _histories(session: Session, records: Records, kept: Iterable[KeptLesion]) -> Iterator[LesionHistory]:
    """A fixed number of questions to the database, however many lesions there are."""
    found, vault = list(kept), records.vault
    ids = [lesion.id for lesion in found]
    photos = lesions.photos_of(session, vault, ids)
    answered = screenings.screenings_of(session, vault, ids)
    screening_ids = [screening.id for screening in answered]
    readings = reviews.reviews_of(session, vault, screening_ids)
    drafts = reviews.drafts_of(session, vault, screening_ids)
    comments = reviews.comments_of(session, vault, ids)
    outcomes = reviews.outcomes_of(session, vault, ids)
    for lesion in found:
        cases = tuple(
            KeptCase(one, _of_screening(readings, one.id), _of_screening(drafts, one.id))
            for one in _of_lesion(answered, lesion.id)
        )
        yield LesionHistory(
            lesion,
            _of_lesion(photos, lesion.id),
            cases,
            _of_lesion(comments, lesion.id),
            _of_lesion(outcomes, lesion.id),
        )


def _of_lesion(rows: Iterable[_L], lesion_id: str) -> tuple[_L, ...]:
    return tuple(row for row in rows if row.lesion_id == lesion_id)


def _of_screening(rows: Iterable[_S], screening_id: str) -> tuple[_S, ...]:
    return tuple(row for row in rows if row.screening_id == screening_id)
