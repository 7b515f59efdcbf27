"""Records of one test."""

from pathlib import Path

import pytest

from dermascan_core.services.records import Records
from dermascan_core.storage.database import Database
from tests.clinic import records_of

pytest_plugins = ()


@pytest.fixture
def records(database: Database, tmp_path: Path) -> Records:
    return records_of(database, tmp_path)
