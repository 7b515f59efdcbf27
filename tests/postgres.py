"""A PostgreSQL server for the tests: Debian's, started once a session in a temporary folder, an empty database a test.

It listens on a socket in that folder alone, so it meets no other server of this machine and opens no port. Where it is
not installed, or must not be started, the tests are skipped and say why.
"""

from __future__ import annotations

import getpass
import importlib.util
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dermascan_core.storage.database import Database

START_TIMEOUT_S = 120
_UNPRIVILEGED = "postgres"  # Debian's account; the server refuses to run as root
_QUICK = {  # a test's database need not survive the plug being pulled
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "''",
    "max_connections": "60",
    "shared_buffers": "16MB",
    "autovacuum": "off",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server; ``folder`` holds its socket."""

    folder: Path
    user: str

    def url(self, database: str) -> str:
        return f"postgresql://{self.user}@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction, in the server's own database."""
        import psycopg

        with psycopg.connect(host=str(self.folder), user=self.user, dbname="postgres", autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]


def find_server_programs() -> Path | None:
    """The folder of the newest ``initdb`` and ``pg_ctl``; Debian keeps them out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL."""
    programs = find_server_programs()
    if programs is None:
        pytest.skip("POSTGRESQL NOT TESTED: no PostgreSQL is installed (Debian: apt-get install postgresql).")
    if importlib.util.find_spec("psycopg") is None:
        pytest.skip("POSTGRESQL NOT TESTED: its driver is missing: pip install -r requirements-postgres.txt")
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="dermascan-postgres-", dir="/tmp"))  # a socket's path must be short
    try:
        os.chown(folder, account.pw_uid, account.pw_gid)
        server = PostgresServer(folder, account.pw_name)
        _run(
            account, programs / "initdb", "-D", folder / "data", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"
        )
        settings = " ".join(f"-c {name}={value}" for name, value in _QUICK.items())
        start = ("-o", f"-k {folder} {settings}", "-l", folder / "log", "-w", "-t", str(START_TIMEOUT_S), "start")
        _run(account, programs / "pg_ctl", "-D", folder / "data", *start)
        try:
            yield server
        finally:
            _run(account, programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


_numbers = itertools.count(1)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The address of a database without tables, removed after the test."""
    yield from _database(postgres_server, "template0")


@pytest.fixture
def migrated_postgres(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The address of a database with every table and no row, removed after the test."""
    yield from _database(postgres_server, postgres_template)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """The name of a database with every table; copied, for migrating takes longer than most tests."""
    postgres_server.execute("CREATE DATABASE migrated TEMPLATE template0")
    database = Database(postgres_server.url("migrated"))
    database.upgrade()
    database.close()  # a database that somebody is connected to cannot be copied
    return "migrated"


def _database(server: PostgresServer, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield server.url(name)
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _account() -> pwd.struct_passwd:
    if os.geteuid() != 0:
        return pwd.getpwnam(getpass.getuser())
    try:
        return pwd.getpwnam(_UNPRIVILEGED)
    except KeyError:
        pytest.skip(
            f"POSTGRESQL NOT TESTED: it refuses to run as root, and there is no account '{_UNPRIVILEGED}' to run as."
        )


def _run(account: pwd.struct_passwd, *command: object) -> None:
    """Run a server's program as its account; its words are shown where it fails."""
    as_other = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with tempfile.TemporaryFile("w+") as words:  # a started server would keep a pipe open
        done = subprocess.run(
            [str(part) for part in command], cwd="/", stdout=words, stderr=words, check=False, **as_other
        )
        words.seek(0)
        if done.returncode:
            pytest.fail(f"{command[0]} failed with {done.returncode}: {words.read()}")
