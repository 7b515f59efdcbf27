"""The live camera in a browser whose camera is a drawn spot: hint, shot by key and by button, retake, and no camera."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from dermascan_core.imaging.live import HINTS, READY
from pages._ui.camera import WORDS
from tests.browser.conftest import CHROMIUM_ARGS, find_chromium
from tests.browser.test_app_in_browser import can_scroll_sideways, open_page, wait_until_still
from tests.fakes import fake_photo, photo_bytes

pytestmark = pytest.mark.browser

N_FRAMES = 10


def film(folder: Path, rgb: np.ndarray) -> Path:
    """A film of one still picture, as Chromium's pretended camera plays it: JPEGs in a row."""
    path = folder / "camera.mjpeg"
    path.write_bytes(photo_bytes(rgb, quality=95) * N_FRAMES)
    return path


def open_camera(page: Page, address: str) -> None:
    open_page(page, address)
    page.get_by_text("Use this device's camera here").tap()
    expect(page.locator(".camera[data-state=live]")).to_be_visible()


@pytest.fixture
def camera_page(request: pytest.FixtureRequest, chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """A phone's page of 320 px, the narrowest we promise, whose camera sees ``request.param`` or a spot in the middle."""
    rgb = getattr(request, "param", None)
    film_path = film(tmp_path, fake_photo(width=640, height=480) if rgb is None else rgb)
    pretended = [
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film_path}",
    ]
    browser = chromium.browser_type.launch(executable_path=find_chromium(), args=[*CHROMIUM_ARGS, *pretended])
    page = browser.new_context(viewport={"width": 320, "height": 780}, has_touch=True).new_page()
    page.set_default_timeout(45_000)
    yield page
    browser.close()


def test_camera_says_when_nothing_speaks_against_the_shot(camera_page: Page, address: str) -> None:
    open_camera(camera_page, address)

    expect(camera_page.get_by_text(READY)).to_be_visible()
    expect(camera_page.get_by_text(WORDS["framing"])).to_be_visible()
    expect(camera_page.locator(".hint")).to_have_attribute("aria-live", "polite")
    assert not can_scroll_sideways(camera_page)


@pytest.mark.parametrize(
    ("camera_page", "code"),
    [((fake_photo(width=640, height=480) * 0.08).astype(np.uint8), "too_dark")],
    indirect=["camera_page"],
    ids=["dark"],
)
def test_camera_says_what_to_do_better_before_the_shot(camera_page: Page, code: str, address: str) -> None:
    open_camera(camera_page, address)

    expect(camera_page.get_by_text(HINTS[code])).to_be_visible()
    expect(camera_page.get_by_role("button", name="Take the photo")).to_be_enabled()


def test_space_takes_the_photo_r_takes_it_again_and_its_use_is_checked_like_an_upload(
    camera_page: Page, address: str
) -> None:
    open_camera(camera_page, address)
    camera = camera_page.locator(".camera")

    camera.focus()
    camera_page.keyboard.press("Space")
    expect(camera_page.get_by_text(WORDS["taken"])).to_be_visible()
    camera_page.keyboard.press("r")
    expect(camera).to_have_attribute("data-state", "live")
    camera_page.get_by_role("button", name="Take the photo").tap()
    camera_page.get_by_role("button", name="Use this photo").tap()

    expect(camera_page.get_by_text(WORDS["sent"])).to_be_visible()
    expect(camera_page.get_by_text("Sharp and bright enough to be judged.")).to_be_visible()
    wait_until_still(camera_page)
    expect(camera_page.get_by_role("button", name="Remove this photo")).to_have_count(1)


def test_page_without_a_camera_points_to_the_file_picker(phone: Page, address: str) -> None:
    open_page(phone, address)

    phone.get_by_text("Use this device's camera here").tap()

    expect(phone.get_by_text("Choose a photo with the file picker above instead")).to_be_visible()
    expect(phone.get_by_role("button", name=WORDS["again"])).to_be_visible()
    expect(phone.get_by_role("button", name="Take the photo")).to_be_hidden()
