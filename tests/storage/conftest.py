"""A database brought up to date, empty, one a test."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dermascan_core.storage.database import Database


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with every table; copied, for migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "records.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()  # the last connection folds the write-ahead log into the file
    return path


@pytest.fixture
def database(tmp_path: Path, migrated_file: Path) -> Iterator[Database]:
    """SQLite in a file."""
    path = tmp_path / "records.db"
    shutil.copyfile(migrated_file, path)
    opened = Database(f"sqlite:///{path}")
    yield opened
    opened.close()
