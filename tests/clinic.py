"""A clinic for tests: records in a folder of their own, people and screenings, accounts with quick hashes, a clock to turn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from dermascan_core.domain import Answers, ImageType, Metadata, Screening
from dermascan_core.services.access import LOCAL_USER, Role
from dermascan_core.services.keeping import NewPhoto, new_photo
from dermascan_core.services.logins import Access, Entry
from dermascan_core.services.records import ConsentGiven, Records, add_lesion, add_person
from dermascan_core.services.screening import screen_lesion
from dermascan_core.storage import passwords
from dermascan_core.storage.database import Database
from dermascan_core.storage.images import ImageStore
from dermascan_core.storage.kept import KeptLesion, KeptPerson
from dermascan_core.storage.places import read_places
from dermascan_core.storage.vault import FixedKeys, Vault
from tests.fakes import FakePredictor, fake_photo, photo_bytes

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
CONSENT = ConsentGiven(keep_until=NOW + timedelta(days=365))
KEY = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4="  # of the cryptography package's own documentation


def records_of(database: Database, folder: Path) -> Records:
    """Records over a database that is open already."""
    vault = Vault(FixedKeys((KEY,)))
    places = read_places({"DERMASCAN_RECORDS": str(folder)})
    return Records(places, database, vault, ImageStore(places.images, vault))


@pytest.fixture
def records(database: Database, tmp_path: Path) -> Records:
    """Records of one test, in its own folder."""
    return records_of(database, tmp_path)


def somebody(records: Records, *, label: str | None = "left shoulder") -> tuple[KeptPerson, KeptLesion]:
    """Add a person who agreed for a year, with one lesion."""
    person = add_person(records, CONSENT, actor="ada", now=NOW, name="Jane Roe", birth_year=1961, sex="female")
    return person, add_lesion(records, person.id, actor="ada", now=NOW, label=label, anatom_site="back")


@cache
def photo_file(shade: int = 70) -> bytes:
    """A small photo; another shade is another photo."""
    return photo_bytes(fake_photo(width=300, height=225, lesion=(120, shade, 50)))


@cache
def answered(shade: int = 70, name: str = "mole.jpg") -> tuple[Screening, tuple[NewPhoto, ...]]:
    """A screening of one photo by the fake network, and the photo."""
    screening = screen_lesion(
        [(name, photo_file(shade))],
        metadata=Metadata(age_approx=65, sex="female", anatom_site="back"),
        answers=Answers(changing=False, worried=False),
        image_type=ImageType.DERMOSCOPIC,
        predictor=FakePredictor(),
    )
    return screening, (new_photo(name, photo_file(shade)),)


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
