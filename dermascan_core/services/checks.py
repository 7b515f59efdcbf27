"""The look at the figures that is due every three months: noted in the audit trail, asked for by the app and by ``doctor``."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from ..errors import RecordError, StorageError
from ..storage.audit import Entry, entries
from ..storage.places import Places
from ..storage.schema import Lesion, Outcome, Person
from .check import Check
from .records import Records, note, open_existing_records

ACTION, SUBJECT = "figures looked at", "outcomes"
DUE_AFTER = timedelta(days=92)


def note_check(records: Records, *, actor: str, now: datetime) -> None:
    """Put in the audit trail that somebody has looked at the model against the outcomes."""
    with records.database.transaction() as session:
        note(session, actor, ACTION, SUBJECT, now=now)


def last_check(records: Records) -> Entry | None:
    """Return the last time that somebody did; None where nobody has."""
    with records.database.reading() as session:
        return next((one for one in reversed(list(entries(session, subjects=[SUBJECT]))) if one.action == ACTION), None)


def is_check_due(records: Records, *, now: datetime) -> bool:
    """Return whether there are outcomes that nobody has looked at for three months.

    A clock that went backwards since makes it due: better a look too many.
    """
    with records.database.reading() as session:
        real = select(Outcome.id).join(Lesion).join(Person).where(Person.is_demo.is_(False)).limit(1)
        if session.scalar(real) is None:
            return False
    last = last_check(records)
    return last is None or not timedelta(0) <= now - last.at <= DUE_AFTER


def reminder_words(records: Records, *, now: datetime) -> str:
    """Return when somebody last looked, and whether it is time again."""
    last = last_check(records)
    due = " It is time: open the page Against biopsy." if is_check_due(records, now=now) else ""
    if last is None:
        return f"Nobody has noted a look at these figures yet.{due}"
    return f"Last looked at on {last.at:%Y-%m-%d} by {last.actor}.{due}"


def check_outcomes(now: datetime, places: Places) -> list[Check]:
    """Say for ``doctor`` when somebody last looked at the model against biopsies; nothing where there are no records."""
    try:
        records = open_existing_records(places)
    except (RecordError, StorageError):
        return []  # what is wrong with the records is said by their own check
    return [Check("model against biopsies", True, reminder_words(records, now=now))]
