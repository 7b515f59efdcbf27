"""A database brought up to date, empty, one a test: SQLite in a file, and a real PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dermascan_core.storage.database import Database
from tests.postgres import migrated_postgres, postgres_server, postgres_template, postgres_url  # noqa: F401  # fixtures

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with every table; copied, for migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "records.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()  # the last connection folds the write-ahead log into the file
    return path


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without tables."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path}/records.db"


@pytest.fixture(params=KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with every table, and nothing in them."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("migrated_postgres"))
    shutil.copyfile(request.getfixturevalue("migrated_file"), tmp_path / "records.db")
    return f"sqlite:///{tmp_path}/records.db"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A database with every table, and nothing in them."""
    opened = Database(database_url)
    yield opened
    opened.close()
