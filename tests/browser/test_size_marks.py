"""Marking a coin on a photo with finger and keys, and taking the measured width over."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.test_app_in_browser import can_scroll_sideways, open_page, wait_until_still
from tests.fakes import fake_photo, photo_bytes

pytestmark = pytest.mark.browser


def coin_photo(folder: Path) -> Path:
    rgb = fake_photo(width=1440, height=1080, radius_share=0.1)
    cv2.circle(rgb, (1160, 540), 180, (196, 160, 70), -1)
    path = folder / "coin.jpg"
    path.write_bytes(photo_bytes(rgb))
    return path


def drag(page: Page, index: int, across: float, down: float) -> None:
    stage, handle = page.locator(".marks .stage"), page.locator(".marks .handle").nth(index)
    stage.scroll_into_view_if_needed()
    box, at = stage.bounding_box(), handle.bounding_box()
    assert box is not None
    assert at is not None
    page.mouse.move(at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"], steps=3)
    page.mouse.up()


def choose(page: Page, label: str, option: str) -> None:
    """Choose from a list; one that closes because the page is drawn again is opened again."""
    for _ in range(6):
        page.get_by_label(label).tap()
        try:
            page.get_by_role("option", name=option).tap(timeout=4000)
        except PlaywrightTimeout:
            page.keyboard.press("Escape")
            wait_until_still(page)
        else:
            wait_until_still(page)
            return
    pytest.fail(f"'{option}' could not be chosen in the list '{label}'.")


def test_coin_is_marked_and_its_width_taken_over(phone: Page, address: str, tmp_path: Path) -> None:
    phone.set_viewport_size({"width": 320, "height": 780})
    open_page(phone, address)
    phone.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(coin_photo(tmp_path))
    expect(phone.get_by_role("button", name="Remove this photo")).to_be_visible()
    wait_until_still(phone)
    phone.get_by_text("Measure the spot: a coin or ruler").tap()
    wait_until_still(phone)
    choose(phone, "What lies beside the spot?", "1 euro")

    drag(phone, 1, 1340 / 1440, 0.5)
    drag(phone, 0, 980 / 1440, 0.5)
    phone.locator(".marks .handle").first.press("Shift+ArrowLeft")
    phone.locator(".marks .handle").first.press("Shift+ArrowRight")
    expect(phone.get_by_text("First mark: 68 % from the left, 50 % from the top.")).to_be_visible()
    assert not can_scroll_sideways(phone)
    phone.get_by_role("button", name="Measure the spot", exact=True).tap()
    use = phone.get_by_role("button", name="as the longest width")
    expect(use).to_be_visible()
    expect(phone.get_by_label("Longest width of the spot")).to_have_value("")
    use.tap()

    expect(phone.get_by_label("Longest width of the spot")).not_to_have_value("")
    width_mm = float(phone.get_by_label("Longest width of the spot").input_value())
    assert 13 <= width_mm <= 17  # 225 px beside 360 px, which are 23.25 mm
