"""What a person does on the Screening page under ``AppTest``, and what then stands in its places."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from tests.fakes import fake_photo, photo_bytes

OpenPage = Callable[[str], AppTest]
PALE, DARK = (200, 150, 120), (45, 25, 20)


def add_photo(page: AppTest, name: str, data: bytes) -> AppTest:
    page.file_uploader[0].upload(name, data, "image/jpeg")
    return page.run()


def choose_dermatoscope(page: AppTest) -> AppTest:
    return page.radio(key="image_type").set_value("dermoscopic").run()


def check(page: AppTest) -> AppTest:
    page.button(key="check").click().run()
    assert not page.exception
    return page


def screened(open_page: OpenPage, *photos: bytes, **answers: str) -> AppTest:
    page = choose_dermatoscope(open_page("screening"))
    page.button(key="none_of_these").click().run()
    for name, option in answers.items():
        page.segmented_control(key=f"answer_{name}").set_value(option)
    for number, data in enumerate(photos, start=1):
        add_photo(page, f"photo_{number}.jpg", data)
    return check(page)


def captions(page: AppTest) -> list[str]:
    """What stands under the pictures."""
    return [caption for shown in page.get("image") for caption in shown.captions]


def ranked(page: AppTest) -> list[str]:
    return [bar.text for bar in page.get("progress") if bar.text[0].isdigit()]


def jpeg(lesion: tuple[int, int, int] = DARK) -> bytes:
    return photo_bytes(fake_photo(lesion=lesion))
