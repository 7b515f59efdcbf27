"""Puts a backup in the place of what is there: everything is checked first, the photos come next, the rows in one stroke last.

Photos lie by their hash, so adding a backup's changes none that is there. The rows change in one transaction. So a kill
leaves the old records or the new ones, and at most photos that nothing names, which tidying removes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, delete, select
from sqlalchemy.orm import Session

from ..errors import SealError, StorageError
from . import audit, lesions, people, sqlite_files
from .backup import Tell, work_folder
from .backup_file import About, BackupReader
from .copying import copy_rows, holds_rows
from .database import Database
from .files import make_private_folder, one_at_a_time
from .images import THUMBNAIL, ImageStore
from .key_file import find_vault, write_check
from .places import KEY, Places
from .schema import AuditEntry, Base, Consent, Login, LoginAttempt, Person
from .sealed_columns import any_sealed
from .vault import Vault

PERSON_DELETED = "person deleted"  # as ``services.forgetting`` writes it in the trail
RESTORED = "records restored"


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of it.

    Attributes:
        about: What the backup said of itself.
        n_photos: Photos that its rows name and that came back.
        n_deleted_again: People in the backup who had asked for deletion since, and were left out.
        n_withdrawn_again: Consents in it that had been taken back since, and are again.
        kept_aside: Where the damaged database that was there lies now; None where it was sound.
    """

    about: About
    n_photos: int
    n_deleted_again: int
    n_withdrawn_again: int
    kept_aside: Path | None


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What people asked for since, as the records that are replaced know it."""

    deleted: frozenset[str] = frozenset()
    withdrawn: Mapping[str, datetime] = field(default_factory=dict)


def restore(
    places: Places, path: Path, *, replace: bool, actor: str, now: datetime, on_progress: Tell | None = None
) -> Restored:
    """Bring back a backup, into the database that is named now, of either kind.

    Everybody is logged out. Who asked for deletion since, as far as the records that are there know, is left out.

    Args:
        places: Where to.
        path: What ``back_up`` wrote.
        replace: Whether records that are there may be given up.
        actor, now: Who does it, and when: for the audit trail.
        on_progress: Told (what, done, total) as it goes.

    Raises:
        StorageError: Records are there and ``replace`` is false; the backup is none, is damaged, was made by a newer
            program, or its audit trail does not fit; the disk is full or fails.
        SealError: The key that sealed the backup, or the records that are there, is not at hand.
    """
    tell = on_progress or (lambda what, done, total: None)
    vault = _vault(places)
    make_private_folder(places.folder)
    with one_at_a_time(places.lock), work_folder(places) as folder:
        reader = BackupReader(path, vault)
        try:
            reader.check()
            return _restore_checked(places, reader, vault, folder, replace=replace, actor=actor, now=now, tell=tell)
        finally:
            reader.close()


def _restore_checked(
    places: Places,
    reader: BackupReader,
    vault: Vault,
    folder: Path,
    *,
    replace: bool,
    actor: str,
    now: datetime,
    tell: Tell,
) -> Restored:
    live = Database(places.database_url)
    prepared = Database(f"sqlite:///{(folder / 'records.db').as_posix()}")
    try:
        reader.write_database(folder / "records.db")
        is_damaged = live.is_sqlite and sqlite_files.is_damaged(live.file)
        wishes = _Wishes() if is_damaged else _look_at_what_is_there(live, vault, replace=replace)
        if is_damaged and not replace:
            raise StorageError(_REPLACE)
        needed, counts = _prepare(prepared, reader.about, wishes, actor=actor, now=now)
        _put_images(reader, ImageStore(places.images, vault), needed, tell)
        _forget_check_of_another_key(places, vault)
        aside = _swap(prepared, live, is_damaged=is_damaged, now=now)
        write_check(vault, places)
    finally:
        prepared.close()
        live.close()
    return Restored(reader.about, len(needed - set(reader.about.missing)), *counts, kept_aside=aside)


_REPLACE = (
    "There are records here already. They would be replaced by the backup, for good: back them up first, then add --replace. "
    "Nothing was changed."
)


def _vault(places: Places) -> Vault:
    vault = find_vault(places)
    if vault is None:
        raise SealError(
            f"A backup holds no key, and there is none here: {KEY} is not set, and there is no file '{places.key_file}'. "
            "Put your copy of the key there, then try again."
        )
    return vault


def _look_at_what_is_there(live: Database, vault: Vault, *, replace: bool) -> _Wishes:
    live.upgrade()
    if not holds_rows(live.engine):
        return _Wishes()
    if not replace:
        raise StorageError(_REPLACE)
    with live.reading() as session:
        sample = any_sealed(session)
        if sample is not None:
            _try_key(vault, sample)
        deleted = select(AuditEntry.subject).where(AuditEntry.action == PERSON_DELETED)
        withdrawn = select(Consent.id, Consent.withdrawn_at).where(Consent.withdrawn_at.is_not(None))
        return _Wishes(
            frozenset(subject.removeprefix("person ") for subject in session.scalars(deleted)),
            {row.id: row.withdrawn_at for row in session.execute(withdrawn)},
        )


def _try_key(vault: Vault, sample: bytes) -> None:
    try:
        vault.open_bytes(sample)
    except SealError as error:
        msg = f"The records that are here have another key than the backup. {error} To give them up without it, move their "
        raise SealError(f"{msg}folder or database away. Nothing was changed.") from error


def _prepare(
    prepared: Database, about: About, wishes: _Wishes, *, actor: str, now: datetime
) -> tuple[set[str], tuple[int, int]]:
    """Make the backup's database what it is to become; returns the photos that it needs, and what was asked for since."""
    if sqlite_files.is_damaged(prepared.file):
        raise StorageError(
            "The backup's database is damaged, though its hashes fit. Nothing was restored. Choose another."
        )
    prepared.upgrade()
    with prepared.transaction() as session:
        report = audit.verify(session, anchor=about.audit)
        if report.n_problems > about.audit_problems:
            msg = f"The backup's audit trail does not fit. {report.problems[0]} Nothing was restored. Choose another."
            raise StorageError(msg)
        session.execute(delete(Login))  # who logged out since must not be logged in again
        session.execute(delete(LoginAttempt))
        counts = _follow(session, wishes, actor=actor, now=now)
        detail = {"deleted_again": counts[0], "withdrawn_again": counts[1]}
        audit.record(
            session, actor=actor, action=RESTORED, subject=f"backup of {about.made_at}", detail=detail, now=now
        )
        return lesions.needed_images(session), counts


def _follow(session: Session, wishes: _Wishes, *, actor: str, now: datetime) -> tuple[int, int]:
    again = sorted(wishes.deleted & set(session.scalars(select(Person.id))))
    for person_id in again:
        people.remove_person(session, person_id)
        audit.record(session, actor=actor, action=PERSON_DELETED, subject=f"person {person_id}", detail={}, now=now)
    standing = session.scalars(select(Consent).where(Consent.withdrawn_at.is_(None)))
    withdrawn = [consent for consent in standing if consent.id in wishes.withdrawn]
    for consent in withdrawn:
        consent.withdrawn_at = wishes.withdrawn[consent.id]
    return len(again), len(withdrawn)


def _put_images(reader: BackupReader, images: ImageStore, needed: set[str], tell: Tell) -> None:
    for number, sha256 in enumerate(sorted(needed), start=1):
        sealed = reader.image(sha256)
        if sealed is not None:
            images.put_sealed(sha256, sealed, thumbnail=reader.image(sha256 + THUMBNAIL))
        elif sha256 not in reader.about.missing:
            raise StorageError(f"The backup '{reader.path}' names the photo {sha256[:12]} and does not hold it.")
        tell("photos", number, len(needed))


def _forget_check_of_another_key(places: Places, vault: Vault) -> None:
    if places.key_check.exists():
        try:
            vault.open_bytes(places.key_check.read_bytes())
        except SealError:
            places.key_check.unlink()


def _swap(prepared: Database, live: Database, *, is_damaged: bool, now: datetime) -> Path | None:
    """Change the rows in one stroke; returns where a damaged database was kept."""
    if is_damaged:
        prepared.close()  # folds its log into the file
        live.close()
        return sqlite_files.replace_damaged(live.file, prepared.file, now=now)
    if live.is_sqlite:
        sqlite_files.overwrite(live.file, prepared.file)
        return None
    with prepared.reading() as source, live.transaction() as session:
        _replace_rows(source.connection(), session.connection())
    live.wipe_deleted()
    return None


def _replace_rows(source: Connection, target: Connection) -> None:
    # Rows are deleted, not tables dropped or emptied: readers go on seeing their one state, and nobody waits in a circle.
    tables = list(reversed(Base.metadata.sorted_tables))
    for table in tables:
        target.exec_driver_sql(
            f"ALTER TABLE {table.name} DISABLE TRIGGER USER"
        )  # the audit trail is only ever added to
    for table in tables:
        target.execute(delete(table))
    copy_rows(source, target)
    for table in tables:
        target.exec_driver_sql(f"ALTER TABLE {table.name} ENABLE TRIGGER USER")
