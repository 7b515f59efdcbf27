"""Photos of one spot taken in two ways: said of each photo, answered apart, and told so; one kind asks for nothing more."""

import pytest
from streamlit.testing.v1 import AppTest

from dermascan_core.domain import NextStep
from dermascan_core.services import models
from dermascan_core.triage.two_kinds import FUSION_NOT_MEASURED
from dermascan_core.triage.wording import Voice, phone_rate_words, phone_words, step_title
from tests.fakes import FakePredictor, phone_manifest
from tests.pages.acting import DARK, PALE, OpenPage, add_photo, check, choose_dermatoscope, jpeg, ranked
from tests.pages.reading import seen, voice_switch

OWN_TYPE = "What took this photo?"


def _own_types(page: AppTest) -> list[object]:
    return [box for box in page.selectbox if box.label == OWN_TYPE]


def _two_photos(open_page: OpenPage) -> AppTest:
    page = open_page("screening")
    page.button(key="none_of_these").click().run()
    return add_photo(add_photo(page, "close_up.jpg", jpeg(PALE)), "scope.jpg", jpeg(DARK))


@pytest.fixture
def both(open_page: OpenPage, fake_model: FakePredictor) -> AppTest:
    """The result of a close-up by phone and a photo by dermatoscope, from a model that was measured on both."""
    fake_model.manifest = phone_manifest(name=models.DEFAULT_MODEL)
    fake_model.manifest.clinical["threshold"] = 0.3
    page = choose_dermatoscope(_two_photos(open_page))
    _own_types(page)[0].set_value("clinical").run()
    return check(page)


def test_one_photo_is_asked_about_once(open_page: OpenPage) -> None:
    page = add_photo(open_page("screening"), "a.jpg", jpeg())

    assert _own_types(page) == []


def test_several_photos_follow_the_one_answer_unless_it_is_said_otherwise(open_page: OpenPage) -> None:
    page = choose_dermatoscope(_two_photos(open_page))

    assert [box.value for box in _own_types(page)] == ["as_above", "as_above"]
    check(page)
    assert "taken in two ways" not in seen(page)
    assert [element.value for element in page.subheader][:3] == ["Do the photos agree?", "Photo 2", "Photo 1"]


def test_two_kinds_are_shown_apart_each_by_its_name(both: AppTest) -> None:
    text = seen(both)

    assert "These photos were taken in two ways (photo 1 by phone, photo 2 with a dermatoscope)" in text
    assert FUSION_NOT_MEASURED in text
    assert step_title(NextStep.URGENT_2_WEEKS, Voice.PUBLIC) in both.error[0].value
    assert [element.value for element in both.subheader][:3] == [
        "Do the photos agree?",
        "Photo 2: dermatoscope photo",
        "Photo 1: phone photo",
    ]
    rows = both.table[0].value  # a table's words wrap on a narrow screen, a grid's are cut off
    assert list(rows["photo"]) == ["1: phone photo", "2: dermatoscope photo"]
    assert step_title(NextStep.URGENT_2_WEEKS, Voice.PUBLIC) in list(rows["next step"])
    assert len(ranked(both)) == 14


def test_phone_photo_alone_is_marked_as_one(both: AppTest, fake_model: FakePredictor) -> None:
    measured = fake_model.manifest.phone_test

    assert [warning.value for warning in both.warning].count(phone_words(measured)) == 1
    assert phone_rate_words(measured) in seen(both)


def test_clinician_reads_each_kind_s_own_threshold(both: AppTest) -> None:
    voice_switch(both).set_value("clinician").run()

    assert "the operating threshold 0.2000" in seen(both)
    assert "the operating threshold 0.3000" in seen(both)


def test_said_of_every_photo_nothing_is_left_to_ask(open_page: OpenPage) -> None:
    page = _two_photos(open_page)
    for number, kind in enumerate(("clinical", "dermoscopic")):
        _own_types(page)[number].set_value(kind).run()

    check(page)

    assert "These photos were taken in two ways" in seen(page)


def test_a_photo_of_which_nothing_was_said_is_asked_about(open_page: OpenPage) -> None:
    page = _two_photos(open_page)
    _own_types(page)[0].set_value("clinical").run()

    check(page)

    assert [error.value for error in page.error] == [
        "Say what took the photo first (part 2): a phone, or a dermatoscope."
    ]


def test_what_was_said_of_a_photo_stays_with_it(both: AppTest) -> None:
    both.button(key="change").click().run()
    assert [box.value for box in _own_types(both)] == ["clinical", "as_above"]

    both.button(key="remove_1").click().run()

    assert [box.value for box in _own_types(both)] == ["clinical"]
    assert phone_words(phone_manifest().phone_test) in seen(check(both))


def test_answer_taken_back_follows_the_one_for_all_again(both: AppTest) -> None:
    both.button(key="change").click().run()
    _own_types(both)[0].set_value("as_above").run()

    assert "taken in two ways" not in seen(check(both))
