"""The browser's measures of a frame against Python's of the same picture: one verdict before the shot and after it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, Page

from dermascan_core.imaging.examples import make_example
from dermascan_core.imaging.live import HINTS, LIMITS
from dermascan_core.imaging.quality import assess_quality
from tests.browser.conftest import ROOT
from tests.fakes import fake_photo, photo_bytes
from tests.imaging.pictures import SKIN_TONES, skin_photo

pytestmark = pytest.mark.browser

Photo = npt.NDArray[np.uint8]
SCRIPTS = ROOT / "pages" / "_ui" / "live_camera"
# Of frames alone; Python judges no photo by them.
OWN_CODES = {"hair", "ink"}
MEASURE = """async ([png, limits]) => {
    const image = new Image();
    image.src = `data:image/png;base64,${png}`;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), {width: image.width, height: image.height});
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { codes, measures } = measureFrame(context.getImageData(0, 0, image.width, image.height), limits);
    return { codes, measures };
}"""


@pytest.fixture(scope="module")
def blank(chromium: Browser) -> Iterator[Page]:
    """An empty page that holds the measuring scripts."""
    page = chromium.new_page()
    for name in ("planes.js", "spot.js", "measures.js"):
        page.add_script_tag(path=SCRIPTS / name)
    yield page
    page.close()


def measure(page: Page, rgb: Photo) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(MEASURE, [base64.b64encode(photo_bytes(rgb, "PNG")).decode(), LIMITS])
    return found


def blurred(rgb: Photo, sigma_px: float) -> Photo:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma_px), np.uint8)


def with_glare() -> Photo:
    rgb = skin_photo()
    cv2.circle(rgb, (400, 120), 60, (255, 255, 255), -1)
    return rgb


def with_hairs() -> Photo:
    rgb = skin_photo()
    for x in range(40, 600, 60):
        cv2.line(rgb, (x, 20), (x - 60 + 2 * (x % 7), 430), (40, 30, 25), 4, cv2.LINE_AA)
    return rgb


def with_pen_marks() -> Photo:
    rgb = skin_photo()
    for x in (90, 510):
        cv2.line(rgb, (x, 60), (x, 390), (40, 60, 190), 10, cv2.LINE_AA)
    return rgb


PICTURES = {
    "good": skin_photo(),
    "dark": (skin_photo() * 0.1).astype(np.uint8),
    "dim": (skin_photo() * 0.2).astype(np.uint8),
    "bright": np.clip(skin_photo() * 1.9, 0, 255).astype(np.uint8),
    "nearly white": (255 - (255 - skin_photo()) * 0.1).astype(np.uint8),
    "blurred": blurred(skin_photo(), 12),
    "soft": blurred(skin_photo(), 3.6),
    "glare": with_glare(),
    "cut": skin_photo()[:, 250:],
    "near": fake_photo(radius_share=0.48),
    "far": fake_photo(radius_share=0.035),
    "bare": skin_photo(size=(900, 1200))[:300, :400],
    "one colour": np.full((300, 400, 3), (222, 178, 155), np.uint8),
    "upright": np.ascontiguousarray(np.rot90(skin_photo())),
}
WORST = {
    "dark": "too_dark",
    "bright": "too_bright",
    "nearly white": "too_bright",
    "blurred": "too_blurry",
    "soft": "soft_focus",
    "glare": "glare",
    "dim": "dim",
    "far": "small_lesion",
    "bare": "no_lesion",
    "one colour": "low_contrast",
}


@pytest.mark.parametrize("name", PICTURES)
def test_browser_names_the_same_faults_as_python(name: str, blank: Page) -> None:
    report = assess_quality(PICTURES[name])

    found = measure(blank, PICTURES[name])

    ours = {reason.code for reason in (*report.failures, *report.warnings)} & set(HINTS)
    assert set(found["codes"]) - OWN_CODES == ours


@pytest.mark.parametrize("key", ["even-mole", "irregular-dark", "red-bump"])
def test_browser_measures_what_python_measures(key: str, blank: Page) -> None:
    rgb = make_example(key)
    ours = assess_quality(rgb).measures

    theirs = measure(blank, rgb)["measures"]

    shared = sorted(set(ours) & set(theirs))
    assert len(shared) >= 9
    assert [theirs[name] for name in shared] == pytest.approx([ours[name] for name in shared], rel=0.02, abs=0.01)


@pytest.mark.parametrize(("name", "code"), WORST.items())
def test_worst_fault_is_named_first(name: str, code: str, blank: Page) -> None:
    codes = measure(blank, PICTURES[name])["codes"]

    assert next(hint for hint in HINTS if hint in codes) == code


@pytest.mark.parametrize("tone", SKIN_TONES)
def test_good_photo_of_any_skin_tone_gets_no_word_about_hair_or_ink(tone: str, blank: Page) -> None:
    assert not OWN_CODES & set(measure(blank, skin_photo(SKIN_TONES[tone]))["codes"])


def test_hairs_and_pen_marks_are_noticed(blank: Page) -> None:
    assert "hair" in measure(blank, with_hairs())["codes"]
    assert "ink" in measure(blank, with_pen_marks())["codes"]


def test_movement_is_the_share_of_light_that_changed(blank: Page) -> None:
    moved = blank.evaluate(
        """() => {
            const plane = (value) => ({data: new Float32Array(12).fill(value), width: 4, height: 3});
            return [movementBetween(plane(0), plane(51)), movementBetween(plane(9), plane(9)),
                    movementBetween(null, plane(9))];
        }"""
    )

    assert moved == pytest.approx([0.2, 0.0, 0.0])
