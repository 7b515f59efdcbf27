"""Records of one test."""

from tests.clinic import records  # noqa: F401  # fixture
from tests.storage.conftest import database, migrated_file  # noqa: F401  # fixtures
