"""Everybody in the records on one line each: who, since when, until when they agreed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from ..storage import people
from ..storage.kept import KeptPerson
from .records import Records

_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One person; ``keep_until`` is the last day of the consents in force, None where there is none."""

    person: KeptPerson
    keep_until: datetime | None


def each_person(records: Records, *, search: str = "", now: datetime) -> Iterator[PersonLine]:
    """Yield everybody whose pseudonym holds ``search``, the last added first."""
    offset = 0
    while True:
        with records.database.reading() as session:
            page = people.list_people(session, records.vault, search=search, offset=offset, limit=_AT_ONCE)
            until = people.kept_until(session, [person.id for person in page.people], now=now)
        yield from (PersonLine(person, until.get(person.id)) for person in page.people)
        offset += _AT_ONCE
        if offset >= page.n_people:
            return
