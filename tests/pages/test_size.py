"""The scale aid on the Screening page; the marks themselves are set in a browser (tests/browser/test_size_marks.py)."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from dermascan_core.imaging.scale import SizeEstimate
from pages._ui import size
from pages._ui.size import size_words
from tests.fakes import fake_photo, photo_bytes
from tests.pages.acting import OpenPage, add_photo
from tests.pages.reading import seen

ENDS = ((0.0, 0.0), (1.0, 0.0))


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch, open_page: OpenPage) -> AppTest:
    """The page with a photo whose person set two marks half its width apart, on a ruler."""
    monkeypatch.setattr(size, "mark_two_points", lambda photo, *, is_coin: ((0.25, 0.95), (0.75, 0.95)))
    page = add_photo(open_page("screening"), "spot.jpg", photo_bytes(fake_photo()))
    reference = next(box for box in page.selectbox if box.label == "What lies beside the spot?")
    return reference.set_value("ruler_20").run()


def width_field(page: AppTest) -> float | None:
    value: float | None = page.number_input(key="size_mm").value
    return value


def test_width_is_offered_with_its_doubt_and_never_entered_by_itself(marked: AppTest) -> None:
    assert "About 15.5 mm (12 to 20 mm)." in seen(marked) or "About 16 mm (12.5 to 20.5 mm)." in seen(marked)
    assert "do not use this" in seen(marked)
    assert width_field(marked) is None


def test_width_is_entered_when_the_person_says_so_and_can_be_changed(marked: AppTest) -> None:
    button = next(button for button in marked.button if button.label.endswith("as the longest width"))

    button.click().run()

    assert width_field(marked) == float(button.label.split()[1])
    marked.number_input(key="size_mm").set_value(5.0).run()
    assert width_field(marked) == 5.0


def test_refused_photo_offers_no_measuring(open_page: OpenPage) -> None:
    page = add_photo(open_page("screening"), "dark.jpg", photo_bytes((fake_photo() * 0.01).astype("uint8")))

    assert not any(box.label == "What lies beside the spot?" for box in page.selectbox)


def test_doubt_about_seven_millimetres_is_said() -> None:
    assert size_words(SizeEstimate(6.0, 4.5, 7.5, ENDS)) == (
        "About 6 mm (4.5 to 7.5 mm). It may reach the 7 mm that count on the 7-point list: measure it with a ruler."
    )
    assert size_words(SizeEstimate(4.0, 3.0, 5.0, ENDS)) == "About 4 mm (3 to 5 mm)."
    assert size_words(SizeEstimate(8.0, 6.0, 10.0, ENDS)) == "About 8 mm (6 to 10 mm)."
