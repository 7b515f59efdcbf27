"""A list of the records in a real browser: it comes by itself, and what is taken off it comes back."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import serve_app
from tests.fakes import fake_photo, photo_bytes

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with records of its own."""
    folder = tmp_path_factory.mktemp("clinic")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DERMASCAN_RECORDS", str(folder / "records"))
        with serve_app(folder / "log.txt", has_weights=False) as address:
            yield address


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photos") / "photos.zip"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(3):
            archive.writestr(f"P{number}_L1.jpg", photo_bytes(fake_photo(lesion=(45 + 30 * number, 30, 25))))
        archive.writestr("torn.jpg", b"x")
    path.write_bytes(file.getvalue())
    return path


def test_list_comes_by_itself_and_what_is_taken_off_comes_back(chromium: Browser, clinic: str, photos: Path) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 1500}).new_page()
    page.goto(f"{clinic}triage?voice=clinician")
    page.get_by_text("The clinic's records").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(photos)
    page.get_by_text("A dermatoscope", exact=False).first.click()
    page.get_by_text("The clinic states for everybody", exact=False).click()
    page.get_by_role("button", name="Keep these photos and screen them").click()

    expect(page.get_by_text("1 to 4 of 4")).to_be_visible(timeout=120_000)
    expect(page.get_by_text("1 of 4 was not assessed. That is no reassurance.", exact=False)).to_be_visible()
    page.get_by_text("Gallery").click()
    page.get_by_role("button", name="Take off the list").first.click()
    expect(page.get_by_text("1 to 3 of 3")).to_be_visible()
    page.get_by_role("button", name="Undo").click()

    expect(page.get_by_text("1 to 4 of 4")).to_be_visible()
    page.context.close()
