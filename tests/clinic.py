"""Records for tests: opened in a folder of their own, with somebody in them and a screening to keep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from dermascan_core.domain import Answers, ImageType, Metadata, Screening
from dermascan_core.services.keeping import NewPhoto, new_photo
from dermascan_core.services.records import ConsentGiven, Records, add_lesion, add_person
from dermascan_core.services.screening import screen_lesion
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
