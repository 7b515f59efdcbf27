"""The look at the figures that is due every three months: noted in the audit trail, asked for by the app and by ``doctor``."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from ..errors import StorageError
from ..storage.audit import Entry, entries
from ..storage.database import Database, newest_version
from ..storage.places import Places
from ..storage.schema import Lesion, Outcome, Person
from .check import Check
from .records import note

ACTION, SUBJECT = "figures looked at", "outcomes"
DUE_AFTER = timedelta(days=92)


def note_check(database: Database, *, actor: str, now: datetime) -> None:
    """Put in the audit trail that somebody has looked at the model against the outcomes."""
    with database.transaction() as session:
        note(session, actor, ACTION, SUBJECT, now=now)


def last_check(database: Database) -> Entry | None:
    """Return the last time that somebody did; None where nobody has."""
    with database.reading() as session:
        return next((one for one in reversed(list(entries(session, subjects=[SUBJECT]))) if one.action == ACTION), None)


def is_check_due(database: Database, *, now: datetime) -> bool:
    """Return whether there are outcomes that nobody has looked at for three months.

    A clock that went backwards since makes it due: better a look too many.
    """
    with database.reading() as session:
        real = select(Outcome.id).join(Lesion).join(Person).where(Person.is_demo.is_(False)).limit(1)
        if session.scalar(real) is None:
            return False
    last = last_check(database)
    return last is None or not timedelta(0) <= now - last.at <= DUE_AFTER


def reminder_words(database: Database, *, now: datetime, how: str = "") -> str:
    """Return when somebody last looked, and whether it is time again.

    Args:
        database: Of the records.
        now: By this machine's clock.
        how: What to do when it is time; empty where the figures stand on the very page.
    """
    last = last_check(database)
    due = (f" It is time: {how}." if how else " It is time for a look.") if is_check_due(database, now=now) else ""
    if last is None:
        return f"Nobody has noted a look at these figures yet.{due}"
    return f"Last looked at on {last.at:%Y-%m-%d} by {last.actor}.{due}"


def check_outcomes(now: datetime, places: Places) -> list[Check]:
    """Say for ``doctor`` when somebody last looked at the model against biopsies; nothing where there are no records."""
    if places.database_file is not None and not places.database_file.is_file():
        return []
    try:
        database = Database(places.database_url)
        is_current = database.version() == newest_version()
        if not is_current:
            return []
        found = reminder_words(database, now=now, how="open the page Against biopsy")
        return [Check("model against biopsies", True, found)]
    except StorageError:
        return []  # what is wrong with the records is said by their own check
