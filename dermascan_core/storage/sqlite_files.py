"""What is done to an SQLite file as a whole: a copy of one state, a look for damage, and new contents in one stroke."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from ..errors import StorageError
from .files import said_plainly, sync_file, sync_folder

BUSY_TIMEOUT_S = 10.0
_LOGS = ("-wal", "-shm")


def copy_database(source: Path, target: Path) -> None:
    """Write one state of a database to a new file, while others write.

    Raises:
        StorageError: It is damaged or locked, or the disk is full.
    """
    with _plain_errors("The database could not be copied"), closing(_open(source)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))


def is_damaged(path: Path) -> bool:
    """Whether a file is there that is no sound SQLite database. A missing or empty one is not damaged.

    Raises:
        StorageError: It is locked, or cannot be read.
    """
    if not path.is_file() or path.stat().st_size == 0:
        return False
    with _plain_errors("The database could not be looked at"), closing(_open(path)) as connection:
        try:
            (finding,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # "malformed", "not a database"
            return True
    return bool(finding != "ok")


def overwrite(live: Path, source: Path) -> None:
    """Give a database the contents of another in one transaction: whoever has it open sees the old or the new.

    Raises:
        StorageError: Somebody writes all the time, or the disk is full; then the old contents are there.
    """
    tries = iter(range(int(BUSY_TIMEOUT_S / 0.25)))

    def wait(status: int, remaining: int, total: int) -> None:
        # Python would try for ever, every 0.25 s.
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and next(tries, None) is None:
            raise sqlite3.OperationalError("database is locked")

    with (
        _plain_errors("The records could not be replaced; the old ones are there"),
        closing(_open(source)) as given,
        closing(_open(live)) as target,
    ):
        target.execute("PRAGMA journal_mode=WAL")
        target.execute("PRAGMA synchronous=FULL")
        target.execute("PRAGMA secure_delete=ON")
        given.backup(target, pages=-1, progress=wait, sleep=0.25)
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # nothing of the old rows stays in the log


def replace_damaged(live: Path, source: Path, *, now: datetime) -> Path:
    """Put another database in the place of one that cannot be opened, and keep that aside.

    Returns:
        Where the damaged one lies now.

    Raises:
        StorageError: The disk is full, or may not be written.
    """
    aside = live.with_name(f"{live.name}.damaged-{now:%Y%m%dT%H%M%S}")
    partial = live.with_name(f".{live.name}.partial")
    try:
        shutil.copyfile(source, partial)
        sync_file(partial)
        for ending in ("", "-wal"):
            if (part := Path(f"{live}{ending}")).exists():
                shutil.copyfile(part, f"{aside}{ending}")
        for ending in _LOGS:  # the damaged one's log must not be played into the new one
            Path(f"{live}{ending}").unlink(missing_ok=True)
        os.replace(partial, live)
        sync_folder(live.parent)
    except OSError as error:
        raise StorageError(said_plainly(live, error)) from error
    return aside


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
    )


@contextmanager
def _plain_errors(what: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        msg = f"{what}: SQLite says '{error}'. Free some space, close other programs that use it, then try again."
        raise StorageError(msg) from error
