"""What a person sees when photos are refused one after the other."""

from __future__ import annotations

import numpy as np
from streamlit.testing.v1 import AppTest

from dermascan_core.domain import NextStep
from dermascan_core.triage.refusals import GIVEN_UP_TEXT, GIVEN_UP_TITLE
from dermascan_core.triage.wording import Voice, step_title
from tests.fakes import photo_bytes
from tests.pages.acting import OpenPage, add_photo, check, choose_dermatoscope, jpeg
from tests.pages.reading import seen

RETAKE = "**First: "


def dark(level: int) -> bytes:
    return photo_bytes(np.full((450, 600, 3), level, np.uint8))


def uploader_label(page: AppTest) -> str:
    return page.file_uploader[0].label


def test_first_refusal_asks_for_a_better_photo(open_page: OpenPage) -> None:
    page = add_photo(open_page("screening"), "one.jpg", dark(3))

    assert RETAKE in seen(page)
    assert GIVEN_UP_TITLE not in seen(page)


def test_after_two_refusals_no_third_photo_is_asked_for(open_page: OpenPage) -> None:
    page = add_photo(open_page("screening"), "one.jpg", dark(3))
    page.button(key="remove_0").click().run()
    page = add_photo(page, "two.jpg", dark(5))

    assert GIVEN_UP_TITLE in seen(page)
    assert GIVEN_UP_TEXT in seen(page)
    assert RETAKE not in seen(page)
    assert uploader_label(page) == "Another photo, only if you want to (optional)"


def test_result_after_two_refusals_is_a_doctor(open_page: OpenPage) -> None:
    page = choose_dermatoscope(open_page("screening"))
    for level in (3, 5):
        add_photo(page, f"{level}.jpg", dark(level))

    check(page)

    assert step_title(NextStep.SEE_DOCTOR, Voice.PUBLIC) in page.warning[1].value
    assert RETAKE not in seen(page)
    assert "Add a better photo" not in seen(page)


def test_more_urgent_answers_are_said_in_the_same_breath(open_page: OpenPage) -> None:
    page = open_page("screening")
    page.segmented_control(key="answer_unstoppable_bleeding").set_value("yes").run()
    for level in (3, 5):
        add_photo(page, f"{level}.jpg", dark(level))

    said = next(warning.value for warning in page.warning if GIVEN_UP_TITLE in warning.value)
    assert "Your answers ask for more: get medical help now." in said


def test_a_good_third_photo_is_answered(open_page: OpenPage) -> None:
    page = choose_dermatoscope(open_page("screening"))
    for level in (3, 5):
        add_photo(page, f"{level}.jpg", dark(level))

    add_photo(page, "good.jpg", jpeg())

    assert GIVEN_UP_TITLE not in seen(page)
    assert "What the model sees" in seen(check(page)) or "Photo 3" in seen(page)


def test_same_refused_photo_twice_counts_once(open_page: OpenPage) -> None:
    page = add_photo(open_page("screening"), "one.jpg", dark(3))
    page.button(key="remove_0").click().run()

    page = add_photo(page, "again.jpg", dark(3))

    assert GIVEN_UP_TITLE not in seen(page)
    assert RETAKE in seen(page)


def test_start_over_starts_counting_again(open_page: OpenPage) -> None:
    page = add_photo(open_page("screening"), "one.jpg", dark(3))
    page.button(key="start_over").click().run()

    page = add_photo(page, "two.jpg", dark(5))

    assert GIVEN_UP_TITLE not in seen(page)
