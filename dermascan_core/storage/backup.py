"""Backs up the records while others go on working: one state of the database, and the photos that it names."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..errors import StorageError
from . import audit, lesions
from .backup_file import IMAGES, About, BackupWriter
from .copying import copy_rows, count_rows
from .database import Database
from .files import make_private_folder, one_at_a_time
from .images import THUMBNAIL, ImageStore
from .opening import Storage
from .places import Places
from .sqlite_files import copy_database

_WORK = ".work-"

Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds, and how large its file is."""

    about: About
    size_bytes: int


def back_up(storage: Storage, path: Path, *, now: datetime, on_progress: Tell | None = None) -> BackedUp:
    """Write everything but the key into one new file, whole or not at all. The server's database becomes an SQLite one.

    Args:
        storage: What to back up; others may go on using it.
        path: A new file.
        now: The time, with its zone.
        on_progress: Told (what, done, total) as it goes.

    Raises:
        StorageError: The file is there already or cannot be written, or the database is damaged or locked.
        SealError: The key is gone.
    """
    tell = on_progress or (lambda what, done, total: None)
    with one_at_a_time(storage.places.lock), work_folder(storage.places) as folder:
        snapshot = folder / "records.db"
        take_snapshot(storage.database, snapshot)
        copied = Database(f"sqlite:///{snapshot.as_posix()}")
        try:
            with BackupWriter(path, storage.vault) as writer:
                about, needed = _look_at(copied, now)
                copied.close()  # folds its log into the file
                writer.add_database(snapshot)
                missing = _add_images(writer, storage.images, needed, tell)
                about = replace(about, n_photos=len(needed) - len(missing), missing=missing)
                writer.finish(about)
        finally:
            copied.close()
    return BackedUp(about, path.stat().st_size)


def take_snapshot(database: Database, target: Path) -> None:
    """Write one state of the database as an SQLite file, while others write.

    Raises:
        StorageError: The database is damaged, not up to date, or cannot be read.
    """
    if database.is_sqlite:
        copy_database(database.file, target)
        return
    copied = Database(f"sqlite:///{target.as_posix()}")
    try:
        copied.upgrade()
        with database.reading() as source, copied.transaction() as session:
            copy_rows(source.connection(), session.connection())
    finally:
        copied.close()


@contextmanager
def work_folder(places: Places) -> Iterator[Path]:
    """Give a private folder beside the records, removed afterwards; also those that a kill left are removed.

    To be called by who holds ``places.lock``.
    """
    for left in places.folder.glob(f"{_WORK}*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = places.folder / f"{_WORK}{secrets.token_hex(4)}"
    make_private_folder(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _look_at(copied: Database, now: datetime) -> tuple[About, list[str]]:
    version = copied.version()
    with copied.reading() as session:
        report = audit.verify(session)
        about = About(
            made_at=now.astimezone(UTC).isoformat(timespec="seconds"),
            app_version=__version__,
            database_version=version or "",
            n_rows=count_rows(session.connection()),
            n_photos=0,
            missing=(),
            audit=report.newest,
            audit_problems=report.n_problems,
        )
        return about, sorted(lesions.needed_images(session))


def _add_images(writer: BackupWriter, images: ImageStore, needed: list[str], tell: Tell) -> tuple[str, ...]:
    """Add the photos with their thumbnails; returns those whose file is gone."""
    missing = []
    for number, sha256 in enumerate(needed, start=1):
        files = _files_of(images, sha256)
        if not files:
            missing.append(sha256)
        for name, sealed in files.items():
            writer.add(IMAGES + name, sealed)
        tell("photos", number, len(needed))
    return tuple(missing)


def _files_of(images: ImageStore, sha256: str) -> Mapping[str, bytes]:
    try:
        files = {sha256: images.read_sealed(sha256)}
    except StorageError:
        if images.has(sha256):  # there, and cannot be read: no reason to leave it out unseen
            raise
        return {}
    if (thumbnail := images.read_sealed_thumbnail(sha256)) is not None:
        files[sha256 + THUMBNAIL] = thumbnail
    return files
