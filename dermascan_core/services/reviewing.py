"""How a clinician reads a kept screening: the own opinion first and fixed, then what they make of the model's.

What is kept, and how, is ``readings``; no reading is ever changed, and a second thought is a new version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from ..domain import NextStep, most_urgent
from ..errors import RecordError
from ..storage.kept import KeptReview, KeptScreening, NewReview
from ..taxonomy import HAM_CODES, HAM_MALIGNANT, ham_code
from .history import LesionHistory
from .readings import (
    AGREE,
    DECISIONS,
    OTHER_CANCER,
    OVERRIDE,
    REFER,
    UNKNOWN,
    WITHDRAWN,
    confirm_review,
    find_draft,
    save_draft,
)
from .records import Records

__all__ = ["AGREE", "DECISIONS", "OVERRIDE", "READ_DX", "READ_STEPS", "REFER", "UNKNOWN", "WITHDRAWN"]

READ_DX = (*HAM_CODES, UNKNOWN)
READ_STEPS = tuple(NextStep)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a clinician has said so far; a draft until it is confirmed.

    Attributes:
        own_dx, own_step: Said before the model's answer was shown: of ``READ_DX`` and ``READ_STEPS``; None while open.
        own_at: When both were said (ISO 8601); from then on they stay as they are, and the model's answer is shown.
        final_dx, final_step: What is to hold instead of the model's, where it is overridden; None while open.
        reason: Why.
    """

    own_dx: str | None = None
    own_step: str | None = None
    own_at: str | None = None
    final_dx: str | None = None
    final_step: str | None = None
    reason: str = ""

    @property
    def is_model_shown(self) -> bool:
        """Whether the own opinion is complete, so that the model's answer may be seen."""
        return self.own_at is not None

    def say(self, *, now: datetime, dx: str | None = None, step: str | None = None) -> Reading:
        """Return the reading with an own diagnosis or step; the second of the two fixes both.

        Raises:
            RecordError: They are fixed already.
        """
        if self.is_model_shown:
            raise RecordError(
                "Your own opinion was fixed when the model's answer was shown. If you see it otherwise now, override and "
                "say why."
            )
        said = replace(self, own_dx=dx or self.own_dx, own_step=step or self.own_step)
        is_complete = said.own_dx is not None and said.own_step is not None
        return replace(said, own_at=now.isoformat()) if is_complete else said


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A reading just confirmed, and what others have confirmed of the same screening."""

    review: KeptReview
    others: tuple[KeptReview, ...]


def keep_draft(records: Records, screening_id: str, reading: Reading, *, reviewer: str, now: datetime) -> None:
    """Keep what a reviewer has said so far, so that a time-out loses nothing.

    Raises:
        ConsentError, RecordError: As ``readings.save_draft``.
    """
    save_draft(records, screening_id, asdict(reading), reviewer=reviewer, now=now)


def find_reading(records: Records, screening_id: str, *, reviewer: str) -> Reading:
    """Return what a reviewer has said so far; an empty reading where that is nothing."""
    draft = find_draft(records, screening_id, reviewer=reviewer)
    return Reading() if draft is None else read_reading(draft.content)


def read_reading(content: Mapping[str, Any]) -> Reading:
    """Return a draft's reading; what another version of this program wrote is left out.

    >>> read_reading({"own_dx": "mel", "colour": 3}).own_dx
    'mel'
    """
    names = {field.name for field in fields(Reading)}
    return Reading(**{name: value for name, value in content.items() if name in names})


def confirm(
    records: Records,
    history: LesionHistory,
    screening: KeptScreening,
    reading: Reading,
    decision: str,
    *,
    reviewer: str,
    now: datetime,
) -> Confirmed:
    """Confirm a reading: kept beside the model's answer, never instead of it.

    Args:
        records: Where.
        history: Of the lesion, as the page showed it.
        screening: What was read.
        reading: With the own opinion; for an override also what is to hold, and why.
        decision: ``AGREE`` takes the model's class and step over; ``OVERRIDE`` sets another; ``REFER`` keeps the own
            diagnosis with the most urgent step of both, and at least a doctor's visit.
        reviewer: Login name.
        now: The time.

    Raises:
        ConsentError: Nothing more may be kept of this person.
        RecordError: The own opinion is missing, an override has no reason, there is nothing to agree with, the screening is
            gone, or the reviewer has confirmed another version since the page was shown.
    """
    if reading.own_dx is None or reading.own_step is None or reading.own_at is None:
        raise RecordError("Expected your own diagnosis and next step first. Choose both, then decide.")
    final_dx, final_step = _final(screening, reading, decision)
    review = NewReview(
        screening_id=screening.id,
        reviewer=reviewer,
        own_dx=reading.own_dx,
        own_step=reading.own_step,
        own_at=datetime.fromisoformat(reading.own_at),
        decision=decision,
        final_dx=final_dx,
        final_step=final_step,
        reason=reading.reason,
    )
    shown = reviews_of(history, screening.id)
    kept = confirm_review(records, review, now=now, expected_version=n_versions(shown, reviewer))
    return Confirmed(kept, tuple(one for one in standing(shown) if one.reviewer != reviewer))


def withdraw(records: Records, history: LesionHistory, screening_id: str, *, reviewer: str, now: datetime) -> Reading:
    """Take the reviewer's newest version back by another one; what it said becomes the draft again.

    Returns:
        The draft.

    Raises:
        ConsentError: Nothing more may be kept of this person.
        RecordError: There is nothing to take back, or it was taken back in another window.
    """
    shown = reviews_of(history, screening_id)
    mine = next((one for one in standing(shown) if one.reviewer == reviewer), None)
    if mine is None:
        raise RecordError("There is no reading of yours to take back here. Open the case to read it.")
    plain = {field.name: getattr(mine, field.name) for field in fields(NewReview)}
    review = NewReview(**plain | {"decision": WITHDRAWN})
    confirm_review(records, review, now=now, expected_version=n_versions(shown, reviewer))
    reading = Reading(mine.own_dx, mine.own_step, mine.own_at.isoformat(), reason=mine.reason or "")
    if mine.decision == OVERRIDE:
        reading = replace(reading, final_dx=mine.final_dx, final_step=mine.final_step)
    keep_draft(records, screening_id, reading, reviewer=reviewer, now=now)
    return reading


def reviews_of(history: LesionHistory, screening_id: str) -> tuple[KeptReview, ...]:
    """Return every version of every reviewer's reading of one screening of a lesion."""
    return tuple(review for case in history.cases if case.screening.id == screening_id for review in case.reviews)


def standing(found: Iterable[KeptReview]) -> tuple[KeptReview, ...]:
    """Return each reviewer's newest version of one screening, those taken back left out."""
    newest = {one.reviewer: one for one in sorted(found, key=lambda one: one.version)}
    return tuple(one for one in newest.values() if one.decision != WITHDRAWN)


def n_versions(found: Iterable[KeptReview], reviewer: str) -> int:
    """Return how many versions a reviewer has confirmed, those that take another back included."""
    return max((one.version for one in found if one.reviewer == reviewer), default=0)


def is_malignant_dx(dx: str) -> bool:
    """Return whether a diagnosis or an outcome is cancer or pre-cancer.

    >>> is_malignant_dx("scc"), is_malignant_dx("other_cancer"), is_malignant_dx("bkl")
    (True, True, False)
    """
    return dx == OTHER_CANCER or ham_code(dx) in HAM_MALIGNANT


def _final(screening: KeptScreening, reading: Reading, decision: str) -> tuple[str, str]:
    own_dx, own_step = reading.own_dx or UNKNOWN, reading.own_step or NextStep.NOT_ASSESSED.value
    if decision == OVERRIDE:
        return reading.final_dx or own_dx, reading.final_step or own_step
    if decision == REFER:
        return own_dx, most_urgent(NextStep(own_step), NextStep(screening.next_step), NextStep.SEE_DOCTOR).value
    if screening.predicted is None:
        raise RecordError(
            "The model gave no class for this photo, so there is nothing to agree with. Override or refer."
        )
    return screening.predicted, screening.next_step
