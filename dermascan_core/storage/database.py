"""The database: SQLite in a file by default, PostgreSQL by address; opened, brought up to date, and asked in transactions.

One writes at a time, on PostgreSQL too: the audit trail is numbered without a gap, so writers would wait for each other
anyway, and two that wait in another order would block each other. Readers never wait.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from ..errors import StorageError
from .files import make_private_folder
from .schema import Base

BUSY_TIMEOUT_S = 10.0
_WRITERS_LOCK = 0x6465726D61  # "derma": the number that PostgreSQL's writers wait for each other with
_one_upgrade_at_a_time = threading.Lock()
_MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One database. Safe for any number of threads; each transaction has a connection of its own.

    Args:
        url: As SQLAlchemy writes it: ``sqlite:////folder/records.db`` or ``postgresql+psycopg://user@host/name``.

    Raises:
        StorageError: The address is none, or names a database of another kind.
    """

    def __init__(self, url: str) -> None:
        self.url = _checked_url(url)
        self.engine = _engine(self.url)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(_reading(self.engine), expire_on_commit=False, autoflush=False)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of this machine."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def file(self) -> Path:
        """The file of an SQLite database.

        Raises:
            StorageError: It has none: a server keeps it, or the memory alone.
        """
        if not self.is_sqlite or self.url.database in (None, "", ":memory:"):
            raise StorageError("Expected an SQLite database in a file. This one has none. Set DERMASCAN_DATABASE_URL.")
        return Path(str(self.url.database))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Give a session whose changes are kept together at the end, or not at all where anything failed.

        Raises:
            StorageError: The database is locked, full, gone, or not up to date.
        """
        with _plain_errors(), self._sessions.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session that sees one state of the database, waits for no writer, and keeps no change.

        Raises:
            StorageError: The database is gone, or not up to date.
        """
        with _plain_errors(), self._readers() as session:
            yield session

    def upgrade(self) -> tuple[str | None, str]:
        """Bring the tables up to this program's version; keeps what is in them.

        Returns:
            The version before (None for an empty database) and after.

        Raises:
            StorageError: The database cannot be reached or written, is damaged, or was made by a newer program.
        """
        if self.is_sqlite and self.url.database:
            make_private_folder(Path(self.url.database).parent)
        # Alembic keeps what it is working on in a global: threads take turns, processes wait for the transaction.
        with _one_upgrade_at_a_time, _plain_errors():
            before = self.version()
            with self.engine.begin() as connection:
                _bring_up_to_date(connection)
        return before, newest_version()

    def version(self) -> str | None:
        """Return the version of its tables; None where there are none yet.

        Raises:
            StorageError: The database cannot be reached, or is damaged.
        """
        with _plain_errors(), _reading(self.engine).connect() as connection:
            return MigrationContext.configure(connection).get_current_revision()

    def wipe_deleted(self) -> None:
        """Let no bytes of deleted rows lie around: SQLite's log is folded into its file, PostgreSQL's dead rows are freed.

        What others read just then keeps it from doing so; then the next time does.

        Raises:
            StorageError: The database is gone.
        """
        tables = ", ".join(sorted(Base.metadata.tables))
        statement = "PRAGMA wal_checkpoint(TRUNCATE)" if self.is_sqlite else f"VACUUM {tables}"
        with _plain_errors(), self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _bring_up_to_date(connection: Connection) -> None:
    """Make the newest tables, in the transaction that this connection is in.

    Raises:
        StorageError: They were made by a newer program.
    """
    present = MigrationContext.configure(connection).get_current_revision()
    config = _alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if present is not None and present not in known:
        raise StorageError(
            f"The database was made by a newer program: its tables have version {present}, and this program knows versions "
            f"up to {newest_version()}. Update the program, or restore a backup of its own version."
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def newest_version() -> str:
    """Return the version of the tables that this program works with."""
    head = ScriptDirectory.from_config(_alembic_config()).get_current_head()
    assert head is not None, "the migrations ship with the program"
    return head


def _alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _checked_url(url: str) -> URL:
    expected = (
        "Expected a database address such as sqlite:////folder/records.db or postgresql+psycopg://user@host/name."
    )
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except ArgumentError as error:
        msg = f"{expected} Received something that is none. Set DERMASCAN_DATABASE_URL."
        raise StorageError(msg) from error
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        msg = f"{expected} Received one of {backend}. Set DERMASCAN_DATABASE_URL."
        raise StorageError(msg)
    return parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True)
        event.listen(engine, "begin", _wait_for_other_writers)
        return engine
    engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_writing)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    # Python's driver would begin a transaction late, at the first write: two readers that then both write would meet a
    # lock that no waiting resolves. ``_begin_writing`` begins instead.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")  # a confirmed review survives the plug being pulled
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # "delete everything about me" leaves no bytes in free pages


def _reading(engine: Engine) -> Engine:
    """Return the same engine, whose transactions read one state and take no lock."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(is_reading=True)
    return engine.execution_options(is_reading=True, isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _begin_writing(connection: Connection) -> None:
    if not _is_outside_transactions(connection):
        connection.exec_driver_sql("BEGIN" if _is_reading(connection) else "BEGIN IMMEDIATE")


def _wait_for_other_writers(connection: Connection) -> None:
    if not (_is_reading(connection) or _is_outside_transactions(connection)):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")


def _is_reading(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("is_reading"))


def _is_outside_transactions(connection: Connection) -> bool:
    return connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Turn what the database says of locks, disks and missing tables into a sentence of what to do."""
    try:
        yield
    except PoolTimeoutError as error:
        raise StorageError(_BUSY) from error
    except DatabaseError as error:
        if isinstance(error, OperationalError) or _is_broken(error):
            raise StorageError(_said_plainly(error)) from error
        raise


def _is_broken(error: DatabaseError) -> bool:
    signs = ("malformed", "not a database", "does not exist", "permission denied")
    return any(sign in str(error.orig) for sign in signs)


def _said_plainly(error: DatabaseError) -> str:
    """Return one sentence of what to do; the statement and its values stay out of it."""
    cause = str(error.orig).lower()
    for sign, words in _CAUSES.items():
        if sign in cause:
            return words
    return f"The database could not be reached or written: {str(error.orig).splitlines()[0]}"


_BUSY = (
    f"The database is busy: something else has held it for {BUSY_TIMEOUT_S:.0f} seconds. Nothing was saved. "
    "Close other programs that use it, then try again."
)
_CAUSES = {
    "locked": _BUSY,
    "lock timeout": _BUSY,
    "disk is full": "The disk is full, so nothing was saved. Free some space, then try again.",
    "disk i/o error": "The disk failed or is full, so nothing was saved. Free some space and check the disk, then try again.",
    "readonly": "The database may only be read here, so nothing was saved. Give this program the right to write to its folder.",
    "unable to open": "The database file cannot be opened. Does its folder exist, and may this program write there?",
    "no such table": "The database is not up to date. Run: python -m dermascan_core db upgrade",
    "no such column": "The database is not up to date. Run: python -m dermascan_core db upgrade",
    "permission denied": "The database's user may not do that. Give it the right to read, write and create tables.",
    "does not exist": "The database or a table of it does not exist. Create it, then run: python -m dermascan_core db upgrade",
    "malformed": "The database file is damaged. Restore the newest backup: python -m dermascan_core db restore --help",
    "not a database": "The file is no database of this program, or it is damaged. Restore a backup: "
    "python -m dermascan_core db restore --help",
    "connection": "The database server does not answer. Is it running, and is DERMASCAN_DATABASE_URL right?",
}
