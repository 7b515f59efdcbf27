"""What clinicians write: confirmed readings, drafts, remarks and outcomes. Nothing confirmed is ever changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from ..domain import NextStep
from ..errors import RecordError
from ..storage import reviews, screenings
from ..storage.kept import KeptComment, KeptOutcome, KeptReview, NewReview
from ..storage.reviews import TwoReadings
from ..taxonomy import CLASS_BY_CODE, HAM_CODES
from .records import Records, note, require_consent, require_lesion, short_text

UNKNOWN = "unknown"
OTHER, OTHER_CANCER = "other", "other_cancer"  # what no class of ours holds
DIAGNOSES = (*dict.fromkeys((*HAM_CODES, *CLASS_BY_CODE)), OTHER_CANCER, OTHER)
AGREE, OVERRIDE, REFER, WITHDRAWN = "agree", "override", "refer", "withdrawn"
DECISIONS = (AGREE, OVERRIDE, REFER, WITHDRAWN)  # the last takes the version before it back
# The ISIC archive's own words for how a diagnosis was confirmed; the first is the only one that a biopsy gives.
CONFIRM_TYPES = (
    "histopathology",
    "serial imaging showing no change",
    "single image expert consensus",
    "confocal microscopy with consensus dermoscopy",
    "single contributor clinical assessment",
)
MAX_NOTE_CHARACTERS = 4_000
MAX_DRAFT_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class SavedDraft:
    """What a reviewer had so far, and when."""

    saved_at: datetime
    content: Mapping[str, Any]


def confirm_review(
    records: Records, review: NewReview, *, now: datetime, expected_version: int | None = None
) -> KeptReview:
    """Keep a reading for good, as the reviewer's next version; their draft goes. Confirmed twice alike, it is one row.

    Args:
        records: Where.
        review: ``own_dx`` and ``final_dx`` of ``DIAGNOSES`` or ``UNKNOWN``; steps of ``NextStep``; ``decision`` of
            ``DECISIONS``, and an override needs a reason.
        now: The time.
        expected_version: Of the reviewer's newest version, as it was shown to them; None looks at none.

    Raises:
        ConsentError: Nothing more may be kept of this person.
        RecordError: There is no such screening, a value is none of those, the reason lacks or is too long, or the reviewer
            has confirmed another version meanwhile.
    """
    checked = _checked(review)
    with records.database.transaction() as session:
        lesion_id = _allowed(session, records, review.screening_id, now=now)
        mine = [
            one
            for one in reviews.reviews_of(session, records.vault, [review.screening_id])
            if one.reviewer == review.reviewer
        ]
        if mine and _says_the_same(mine[-1], checked):
            return mine[-1]
        if expected_version is not None and len(mine) != expected_version:
            raise RecordError(
                "You have confirmed or taken back this case in another window meanwhile. Nothing was saved now. Open it again."
            )
        detail = {"version": len(mine) + 1, "decision": review.decision, "lesion": lesion_id}
        subject = f"screening {review.screening_id}"
        number = note(
            session,
            review.reviewer,
            "review withdrawn" if review.decision == WITHDRAWN else "review confirmed",
            subject,
            now=now,
            **detail,
        )
        return reviews.add_review(session, records.vault, checked, audit_number=number, now=now)


def save_draft(
    records: Records, screening_id: str, content: Mapping[str, Any], *, reviewer: str, now: datetime
) -> None:
    """Keep what a reviewer has so far, in place of what they had.

    Args:
        records, screening_id: Of which screening.
        content: What the page wants to find again; JSON.
        reviewer, now: Whose, and when.

    Raises:
        ConsentError: Nothing more may be kept of this person.
        RecordError: There is no such screening, or it is too much.
    """
    text = json.dumps(content)
    if len(text) > MAX_DRAFT_CHARACTERS:
        msg = f"Expected a draft of at most {MAX_DRAFT_CHARACTERS:,} characters. Received {len(text):,}. Shorten it."
        raise RecordError(msg)
    with records.database.transaction() as session:
        _allowed(session, records, screening_id, now=now)
        reviews.save_draft(session, records.vault, screening_id=screening_id, reviewer=reviewer, content=text, now=now)


def find_draft(records: Records, screening_id: str, *, reviewer: str) -> SavedDraft | None:
    """Return what a reviewer had so far; None where they have nothing."""
    with records.database.reading() as session:
        draft = reviews.find_draft(session, records.vault, screening_id=screening_id, reviewer=reviewer)
    return None if draft is None else SavedDraft(draft.saved_at, json.loads(draft.content))


def drop_draft(records: Records, screening_id: str, *, reviewer: str) -> None:
    """Remove what a reviewer had so far."""
    with records.database.transaction() as session:
        reviews.drop_draft(session, screening_id=screening_id, reviewer=reviewer)


def add_comment(records: Records, lesion_id: str, text: str, *, author: str, now: datetime) -> KeptComment:
    """Keep a remark on a lesion.

    Raises:
        ConsentError: Nothing more may be kept of this person.
        RecordError: There is no such lesion, or the remark is empty or too long.
    """
    words = short_text(text, "a remark", MAX_NOTE_CHARACTERS)
    if words is None:
        raise RecordError("Expected a remark. Received none. Write one first.")
    with records.database.transaction() as session:
        _allowed_of_lesion(session, records, lesion_id, now=now)
        number = note(session, author, "comment added", f"lesion {lesion_id}", now=now)
        return reviews.add_comment(
            session, records.vault, lesion_id=lesion_id, author=author, text=words, audit_number=number, now=now
        )


def add_outcome(
    records: Records,
    lesion_id: str,
    *,
    dx: str,
    confirmed_by: str,
    found_at: datetime,
    actor: str,
    now: datetime,
    note_text: str | None = None,
) -> KeptOutcome:
    """Keep what a lesion turned out to be; of several, the last kept counts and all stay.

    Args:
        records, lesion_id: Of which lesion.
        dx: Of ``DIAGNOSES``.
        confirmed_by: Of ``CONFIRM_TYPES``.
        found_at: When it was found, with its zone.
        actor, now: Who enters it, and when.
        note_text: Words of the report; sealed.

    Raises:
        ConsentError: Nothing more may be kept of this person.
        RecordError: There is no such lesion, a value is none of those, or the note is too long.
    """
    _check_one_of("a diagnosis", dx, DIAGNOSES)
    _check_one_of("a way of confirming it", confirmed_by, CONFIRM_TYPES)
    words = short_text(note_text, "a note", MAX_NOTE_CHARACTERS)
    with records.database.transaction() as session:
        _allowed_of_lesion(session, records, lesion_id, now=now)
        detail = {"dx": dx, "confirmed_by": confirmed_by}
        number = note(session, actor, "outcome entered", f"lesion {lesion_id}", now=now, **detail)
        return reviews.add_outcome(
            session,
            records.vault,
            lesion_id=lesion_id,
            dx=dx,
            confirmed_by=confirmed_by,
            found_at=found_at,
            entered_by=actor,
            note=words,
            audit_number=number,
            now=now,
        )


def two_readings(records: Records) -> tuple[TwoReadings, ...]:
    """Return every two clinicians' own opinions of one screening, from before they saw the model's answer."""
    with records.database.reading() as session:
        return reviews.two_readings(session)


def _checked(review: NewReview) -> NewReview:
    steps = [step.value for step in NextStep]
    for name in ("own_dx", "final_dx"):
        _check_one_of("a diagnosis", getattr(review, name), (*DIAGNOSES, UNKNOWN))
    for name in ("own_step", "final_step"):
        _check_one_of("a next step", getattr(review, name), steps)
    _check_one_of("a decision", review.decision, DECISIONS)
    reason = short_text(review.reason, "a reason", MAX_NOTE_CHARACTERS)
    if review.decision == OVERRIDE and reason is None:
        raise RecordError("Expected a reason for another answer than the model's. Received none. Write one first.")
    values = {field.name: getattr(review, field.name) for field in fields(NewReview)}
    return NewReview(**values | {"reason": reason})


def _check_one_of(what: str, value: str, allowed: tuple[str, ...] | list[str]) -> None:
    if value not in allowed:
        raise RecordError(f"Expected {what}: one of {', '.join(allowed)}. Received {value[:40]!r}. Choose one of them.")


def _says_the_same(kept: KeptReview, review: NewReview) -> bool:
    return all(getattr(kept, field.name) == getattr(review, field.name) for field in fields(NewReview))


def _allowed(session: Session, records: Records, screening_id: str, *, now: datetime) -> str:
    """Return the id of the lesion of a screening about which something may be kept."""
    lesion_id = screenings.lesion_of_screening(session, screening_id)
    if lesion_id is None:
        raise RecordError("There is no such screening in the records. It may have been deleted. Choose another.")
    _allowed_of_lesion(session, records, lesion_id, now=now)
    return lesion_id


def _allowed_of_lesion(session: Session, records: Records, lesion_id: str, *, now: datetime) -> None:
    lesion = require_lesion(session, records.vault, lesion_id)
    require_consent(session, records.vault, lesion.person_id, now=now)
