"""Records of one test, in SQLite and in PostgreSQL."""

from tests.clinic import records  # noqa: F401  # fixture
from tests.storage.conftest import (  # noqa: F401  # fixtures
    database,
    database_url,
    migrated_file,
    migrated_postgres,
    postgres_server,
    postgres_template,
)
