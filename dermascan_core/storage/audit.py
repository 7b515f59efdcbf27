"""The audit trail: who did what, when. Rows are only ever added, numbered without a gap, and each holds the hash of the one before.

Whoever may write to the database could make the whole chain anew: an anchor (the newest number and hash, kept elsewhere)
shows that, and shows a cut-off end. Names, notes and other words of people never belong in here: a row outlives the deletion
of the person that it is about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Row, String, cast, desc, select
from sqlalchemy.orm import Session

from ..errors import StorageError
from .files import write_whole
from .schema import AuditEntry

NO_ENTRY_SHA256 = "0" * 64  # what the first entry holds as the hash before it
MAX_PROBLEMS = 20
_ROWS_AT_ONCE = 1_000
_LIMITS = {"actor": 120, "action": 60, "subject": 120}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the trail.

    Attributes:
        number: 1, 2, 3 ... without a gap.
        at: When, by the clock of that time, which may have been wrong: the order is that of the numbers.
        actor: Login name of who did it, or "local".
        action: What was done: "review confirmed".
        subject: What it was done to, by its id: "screening 3f2a...".
        detail: Numbers and codes; no words of a person.
        previous_sha256, sha256: Of the entry before, and of this one.
    """

    number: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]
    previous_sha256: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """The newest entry at some time, kept where whoever changes the database does not reach."""

    number: int
    sha256: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was found in the trail.

    Attributes:
        n_entries: How many entries there are.
        newest: The last of them; None in an empty trail.
        problems: One sentence each, the first 20.
        n_problems: How many there are.
        anchor: What it was compared with; None without one.
    """

    n_entries: int
    newest: Anchor | None
    problems: tuple[str, ...] = field(default=())
    n_problems: int = 0
    anchor: Anchor | None = None

    @property
    def is_intact(self) -> bool:
        """Whether nothing was changed, removed, inserted or moved, as far as the chain and the anchor show."""
        return self.n_problems == 0


def record(
    session: Session,
    *,
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
    now: datetime,
) -> Entry:
    """Add an entry, in the transaction of what it is about: both are kept, or neither.

    Args:
        session: Of ``Database.transaction``, in which nobody else adds an entry.
        actor, action, subject: As in ``Entry``; at most 120, 60 and 120 characters, without control characters.
        detail: JSON: numbers, codes, hashes, ids.
        now: With its zone.

    Raises:
        ValueError: A text is empty, too long or holds control characters, or the detail is no JSON.
    """
    texts = {"actor": actor, "action": action, "subject": subject}
    for name, text in texts.items():
        _check_text(name, text)
    before = newest(session) or Anchor(0, NO_ENTRY_SHA256)
    contents = {
        "number": before.number + 1,
        "at": now.astimezone(UTC),
        **texts,
        "detail": json.loads(json.dumps(dict(detail or {}), allow_nan=False)),
        "previous_sha256": before.sha256,
    }
    entry = Entry(**contents, sha256=_hash(contents))
    session.add(AuditEntry(**contents, sha256=entry.sha256))
    session.flush()
    return entry


def newest(session: Session) -> Anchor | None:
    """Return number and hash of the last entry; None in an empty trail."""
    query = select(AuditEntry.number, AuditEntry.sha256).order_by(desc(AuditEntry.number)).limit(1)
    row = session.execute(query).first()
    return None if row is None else Anchor(row.number, row.sha256)


def entries(session: Session, *, subjects: Collection[str] | None = None) -> Iterator[Entry]:
    """Yield the entries in their order; only those about some subjects where they are named."""
    query = select(*_COLUMNS).order_by(AuditEntry.number).execution_options(yield_per=_ROWS_AT_ONCE)
    if subjects is not None:
        query = query.where(AuditEntry.subject.in_(subjects))
    for row in session.execute(query):
        yield _plain(row)


def verify(session: Session, *, anchor: Anchor | None = None) -> AuditReport:
    """Walk the whole trail and say what does not fit.

    Args:
        session: Of ``Database.reading``.
        anchor: What the trail must still hold; without one, a cut-off end and a chain made anew cannot be seen.
    """
    problems: list[str] = []
    last: Anchor | None = None
    n_entries = 0
    met = None
    for entry in entries(session):
        problems += _misfits(entry, last)
        last = Anchor(entry.number, entry.sha256)
        met = last if anchor is not None and entry.number == anchor.number else met
        n_entries += 1
    if anchor is not None:
        problems += _misfits_of_anchor(anchor, met)
    return AuditReport(n_entries, last, tuple(problems[:MAX_PROBLEMS]), len(problems), anchor)


def _misfits(entry: Entry, last: Anchor | None) -> Iterable[str]:
    before = last or Anchor(0, NO_ENTRY_SHA256)
    if entry.number != before.number + 1:
        yield _gap_words(before.number + 1, entry.number)
    if entry.previous_sha256 != before.sha256:
        yield f"Entry {entry.number} does not follow the one before it: it holds another hash of that."
    if entry.sha256 != _hash(_contents(entry)):
        yield f"Entry {entry.number} was changed: its contents no longer give its hash."


def _gap_words(expected: int, found: int) -> str:
    if found < expected:
        return f"Entry {found} was inserted: numbers begin with 1."
    if found == expected + 1:
        return f"Entry {expected} is missing."
    return f"Entries {expected} to {found - 1} are missing."


def _misfits_of_anchor(anchor: Anchor, met: Anchor | None) -> Iterable[str]:
    if met is None:
        yield f"The end was cut off: entry {anchor.number} was there when the anchor was written, and is gone."
    elif met.sha256 != anchor.sha256:
        yield f"The chain was made anew: entry {anchor.number} had another hash when the anchor was written."


def _contents(entry: Entry) -> dict[str, Any]:
    names = ("number", "at", "actor", "action", "subject", "detail", "previous_sha256")
    return {name: getattr(entry, name) for name in names}


def _hash(contents: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON: sorted keys, no spaces, ASCII; the time in UTC to the microsecond."""
    plain = {**contents, "at": contents["at"].astimezone(UTC).isoformat(timespec="microseconds")}
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


# Time and detail as text: where somebody wrote what is no time or no JSON, that row must be found, not stop the reading.
_COLUMNS = (
    AuditEntry.number,
    cast(AuditEntry.at, String).label("at"),
    *(AuditEntry.actor, AuditEntry.action, AuditEntry.subject),
    cast(AuditEntry.detail, String).label("detail"),
    *(AuditEntry.previous_sha256, AuditEntry.sha256),
)
_UNREADABLE_AT = datetime(1970, 1, 1, tzinfo=UTC)


def _plain(row: Row[*tuple[Any, ...]]) -> Entry:
    try:
        at, detail = datetime.fromisoformat(row.at), json.loads(row.detail)
    except ValueError:
        at, detail = _UNREADABLE_AT, {"unreadable": row.detail}
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return Entry(row.number, at, row.actor, row.action, row.subject, detail, row.previous_sha256, row.sha256)


def _check_text(name: str, text: str) -> None:
    if not 0 < len(text) <= _LIMITS[name] or not text.isprintable():
        msg = (
            f"Invalid value received for argument `{name}`. Expected 1 to {_LIMITS[name]} printable characters. "
            f"Received {len(text)}: {text[:20]!r}"
        )
        raise ValueError(msg)


def write_anchor(path: Path, anchor: Anchor) -> None:
    """Write an anchor, whole or not at all.

    Raises:
        StorageError: The file cannot be written.
    """
    text = json.dumps({"number": anchor.number, "sha256": anchor.sha256}) + "\n"
    write_whole(path, text.encode("ascii"))


def read_anchor(path: Path) -> Anchor | None:
    """Return what ``write_anchor`` wrote; None where there is no such file yet.

    Raises:
        StorageError: The file cannot be read or is no anchor.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        return Anchor(int(read["number"]), str(read["sha256"]))
    except FileNotFoundError:
        return None
    except OSError as error:
        msg = f"The anchor '{path}' cannot be read ({error.strerror}). Name a file that this user may read."
        raise StorageError(msg) from error
    except (ValueError, KeyError, TypeError) as error:
        msg = f"Expected an anchor as 'audit verify --anchor' writes it. Received another file: '{path}'. Name the right one."
        raise StorageError(msg) from error
