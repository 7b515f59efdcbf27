"""Lesions whose outcome is known, with what was said of them before: plain columns alone, nothing sealed is opened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from .schema import Lesion, Outcome, Person, Review, Screening

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SaidOutcome:
    """What a lesion turned out to be, by one entry."""

    dx: str
    confirmed_by: str
    found_at: datetime
    audit_number: int


@dataclass(frozen=True, slots=True)
class SaidAnswer:
    """What a model answered."""

    screening_id: str
    predicted: str | None
    p_malignant: float | None
    threshold: float | None
    next_step: str
    status: str
    image_type: str
    model: str
    model_sha256: str
    audit_number: int


@dataclass(frozen=True, slots=True)
class SaidReading:
    """What a clinician said: the newest version, not taken back."""

    screening_id: str
    reviewer: str
    decision: str
    own_dx: str
    own_step: str
    final_dx: str
    final_step: str
    audit_number: int


@dataclass(frozen=True, slots=True)
class LesionRecord:
    """One lesion of somebody real, in the order of the audit trail."""

    lesion_id: str
    person_id: str
    pseudonym: str
    outcomes: tuple[SaidOutcome, ...]
    answers: tuple[SaidAnswer, ...]
    readings: tuple[SaidReading, ...]


def lesion_records(session: Session, *, withdrawn: str = "withdrawn") -> tuple[LesionRecord, ...]:
    """Return every lesion of people who are not made up, with outcomes, answers and standing readings.

    Args:
        session: To read with.
        withdrawn: The decision of a version that takes the one before it back.
    """
    found = session.execute(
        select(Lesion.id, Person.id, Person.pseudonym)
        .join(Person, Person.id == Lesion.person_id)
        .where(Person.is_demo.is_(False))
        .order_by(Lesion.created_at, Lesion.id)
    ).all()
    outcomes, answers = _outcomes(session), _answers(session)
    readings = _readings(session, withdrawn)
    return tuple(
        LesionRecord(
            lesion_id,
            person_id,
            pseudonym,
            tuple(outcomes[lesion_id]),
            tuple(answers[lesion_id]),
            tuple(one for answer in answers[lesion_id] for one in readings[answer.screening_id]),
        )
        for lesion_id, person_id, pseudonym in found
    )


def _outcomes(session: Session) -> dict[str, list[SaidOutcome]]:
    columns = (Outcome.lesion_id, Outcome.dx, Outcome.confirmed_by, Outcome.found_at, Outcome.audit_number)
    return _by_first(session.execute(select(*columns).order_by(Outcome.audit_number)), SaidOutcome)


def _answers(session: Session) -> dict[str, list[SaidAnswer]]:
    columns = (
        *(Screening.lesion_id, Screening.id, Screening.predicted, Screening.p_malignant, Screening.threshold),
        *(Screening.next_step, Screening.status, Screening.image_type, Screening.model, Screening.model_sha256),
        Screening.audit_number,
    )
    return _by_first(session.execute(select(*columns).order_by(Screening.audit_number)), SaidAnswer)


def _readings(session: Session, withdrawn: str) -> dict[str, list[SaidReading]]:
    columns = (
        *(Review.screening_id, Review.reviewer, Review.decision, Review.own_dx, Review.own_step),
        *(Review.final_dx, Review.final_step, Review.audit_number),
    )
    newest = {
        (row.screening_id, row.reviewer): SaidReading(*row)
        for row in session.execute(select(*columns).order_by(Review.version))
    }
    by_screening: dict[str, list[SaidReading]] = defaultdict(list)
    for one in sorted(newest.values(), key=lambda one: one.audit_number):
        if one.decision != withdrawn:
            by_screening[one.screening_id].append(one)
    return by_screening


def _by_first(rows: Iterable[Any], kind: Callable[..., _T]) -> dict[str, list[_T]]:
    found: dict[str, list[_T]] = defaultdict(list)
    for lesion_id, *values in rows:
        found[lesion_id].append(kind(*values))
    return found
