"""A clinic for tests: a database of its own, quick password hashes, and a clock that a test turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from dermascan_core.services.access import LOCAL_USER, Role
from dermascan_core.services.logins import Access, Entry
from dermascan_core.storage import passwords
from dermascan_core.storage.database import Database

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
BROWSER, OTHER_BROWSER = "a" * 64, "b" * 64
ADDRESS = "203.0.113.9"
PASSWORD = "seven green herons wade"
# The shipped parameters take 64 MiB and a twentieth of a second each.
QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def hash_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let passwords be hashed with the least that argon2 takes."""
    monkeypatch.setattr(passwords, "_HASHER", QUICK_HASHER)
    passwords._hash_of_nothing.cache_clear()


def new_database(folder: Path) -> Database:
    """An empty SQLite database with all its tables."""
    database = Database(f"sqlite:///{folder / 'records.db'}")
    database.upgrade()
    return database


def staffed(database: Database) -> Access:
    """Access to a clinic where "anna" is an administrator and "ben" a clinician; both have the password ``PASSWORD``."""
    access = Access(database)
    access.add(LOCAL_USER, "anna", Role.ADMIN, password=PASSWORD, now=NOW)
    access.add(LOCAL_USER, "ben", Role.CLINICIAN, password=PASSWORD, now=NOW)
    return access


def log_in(
    access: Access, name: str = "ben", password: str = PASSWORD, *, browser: str = BROWSER, now: datetime = NOW
) -> Entry:
    """Log in from a clinic's own address."""
    return access.log_in(name, password, browser=browser, address=ADDRESS, now=now)


def later(**parts: float) -> datetime:
    """The test's time, and some."""
    return NOW + timedelta(**parts)
