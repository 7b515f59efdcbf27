"""A clinic's review page under ``AppTest``: cases kept in a folder of their own, and who sits at the machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dermascan_core.domain import Answers, ImageType, Metadata, Screening
from dermascan_core.services import models
from dermascan_core.services.access import Role, User
from dermascan_core.services.history import lesion_history
from dermascan_core.services.keeping import keep_screening, new_photo
from dermascan_core.services.records import ConsentGiven, Records, add_lesion, add_person, open_records
from dermascan_core.services.reviewing import REFER, Reading, confirm
from dermascan_core.services.screening import screen_lesion
from dermascan_core.storage.places import read_places
from tests.fakes import FakePredictor, fake_manifest, fake_photo, photo_bytes

ROOT = Path(__file__).resolve().parents[2]
ADA, BEN = User("ada", Role.CLINICIAN), User("ben", Role.CLINICIAN)
PALE, DARK = (200, 150, 120), (45, 25, 20)


def clinic(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Records:
    """Empty records, which every page of this process finds."""
    monkeypatch.setenv("DERMASCAN_RECORDS", str(folder))
    st.cache_resource.clear()
    return open_records(read_places({"DERMASCAN_RECORDS": str(folder)}))


def keep_case(
    records: Records,
    *,
    lesion: tuple[int, int, int] = DARK,
    name: str = "Jane Roe",
    label: str = "left shoulder",
    file_name: str = "mole.jpg",
    is_demo: bool = False,
    allows_training: bool = False,
    data: bytes | None = None,
    close_up: bytes | None = None,
) -> str:
    """Keep one screening of one new person; returns its id. A close-up is a second photo of the spot, by phone."""
    now = datetime.now(UTC)
    consent = ConsentGiven(keep_until=now + timedelta(days=365), allows_training=allows_training)
    person = add_person(records, consent, actor="ada", now=now, name=name, is_demo=is_demo)
    spot = add_lesion(records, person.id, actor="ada", now=now, label=label, anatom_site="back")
    first = (file_name, data or photo_bytes(fake_photo(width=300, height=225, lesion=lesion)))
    photos = [first, ("close_up.jpg", close_up)] if close_up else [first]
    types = [ImageType.DERMOSCOPIC, ImageType.CLINICAL][: len(photos)]
    screening = _answer(photos, Answers(changing=True), types)
    new = [new_photo(*photo) for photo in photos]
    return keep_screening(records, screening, new, lesion_id=spot.id, actor="ada", now=now).id


def keep_another(
    records: Records,
    lesion_id: str,
    at: datetime,
    *,
    lesion: tuple[int, int, int] = PALE,
    image_type: ImageType = ImageType.DERMOSCOPIC,
    replaces_id: str | None = None,
    width: int = 300,
) -> str:
    """Keep another screening of a lesion, as if it had been answered at some time; returns its id."""
    photo = photo_bytes(fake_photo(width=width, height=225, lesion=lesion))
    screening = replace(_answer([("mole.jpg", photo)], Answers(), [image_type]), screened_at=at.isoformat())
    photos = [new_photo("mole.jpg", photo)]
    now = datetime.now(UTC)
    return keep_screening(
        records, screening, photos, lesion_id=lesion_id, actor="ada", now=now, replaces_id=replaces_id
    ).id


def read_blind(records: Records, lesion_id: str, *, user: User = ADA) -> None:
    """Confirm a reading of every screening of a lesion, the own opinion first."""
    now = datetime.now(UTC)
    for case in lesion_history(records, lesion_id).cases:
        history = lesion_history(records, lesion_id)
        reading = Reading("unknown", "see_doctor", now.isoformat())
        confirm(records, history, case.screening, reading, REFER, reviewer=user.name, now=now)


def _answer(photos: Sequence[tuple[str, bytes]], answers: Answers, image_types: Sequence[ImageType]) -> Screening:
    return screen_lesion(
        photos,
        metadata=Metadata(age_approx=65),
        answers=answers,
        image_type=image_types[0],
        image_types=image_types,
        predictor=FakePredictor(manifest=fake_manifest(name=models.DEFAULT_MODEL)),
        explain=True,
    )


def open_as(
    user: User,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    *,
    screening: str = "",
    session: Sequence[tuple[str, object]] = (),
) -> AppTest:
    """Open a page as somebody, on a link to one case where one is named."""
    sit_down(user, monkeypatch)
    page = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=30)
    if screening:
        page.query_params["screening"] = screening
    for key, value in session:
        page.session_state[key] = value
    return page.run()


def sit_down(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody be the one who is logged in."""
    monkeypatch.setattr("pages._ui.access.current_user", lambda **_: user)


def press(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception
    return page


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]
