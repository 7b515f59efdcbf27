"""The case on its page: through reloads, other pages, other tabs, an example in between, and a change of mind."""

from pathlib import Path

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.testing.v1 import AppTest

from dermascan_core.services import models
from tests.pages.acting import DARK, PALE, OpenPage, add_photo, choose_dermatoscope, jpeg, ranked, screened
from tests.pages.reading import seen

PAGES = Path(__file__).resolve().parents[2] / "pages"


def test_start_over_while_asking_empties_every_field(open_page: OpenPage) -> None:
    page = choose_dermatoscope(open_page("screening"))
    page.number_input(key="age").set_value(61).run()

    page.button(key="start_over").click().run()

    assert page.number_input(key="age").value is None
    assert page.radio(key="image_type").value is None


def test_start_over_deletes_and_can_be_undone(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg())

    page.button(key="start_over").click().run()
    assert ranked(page) == []
    assert page.segmented_control(key="answer_worried").value is None

    page.button(key="undo").click().run()
    assert len(ranked(page)) == 7


def test_reload_by_the_same_browser_finds_photo_answers_and_result(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg(), worried="yes")
    reloaded = AppTest.from_file(str(page._script_path), default_timeout=30)
    reloaded.query_params["case"] = page.query_params["case"]

    reloaded.run()

    assert seen(reloaded) == seen(page)


def test_unknown_case_in_the_address_opens_an_empty_form(open_page: OpenPage) -> None:
    page = AppTest.from_file(str(open_page("screening")._script_path), default_timeout=30)
    page.query_params["case"] = "guessed"

    page.run()

    assert not page.exception
    assert ranked(page) == []


def test_another_page_keeps_the_case_in_its_address(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg())
    reloaded = AppTest.from_file(str(PAGES / "about.py"), default_timeout=30)
    reloaded.query_params["case"] = page.query_params["case"]

    reloaded.run()

    assert reloaded.query_params["case"] == page.query_params["case"]
    assert reloaded.session_state["current_case"].screening == page.session_state["current_case"].screening


def test_other_tabs_change_leaves_this_tabs_photo_with_its_result(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg())
    other = AppTest.from_file(str(PAGES / "screening.py"), default_timeout=30)
    other.query_params["case"] = page.query_params["case"]
    other.run()
    other.button(key="change").click().run()

    other.button(key="remove_0").click().run()
    page.run()

    assert not page.exception
    assert "photo\\_1\\.jpg" in [caption.value for caption in page.caption]
    assert len(ranked(page)) == 7


def test_removed_photo_does_not_lend_its_place_to_another(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg(PALE), jpeg(DARK))
    page.button(key="change").click().run()
    page.button(key="remove_0").click().run()
    case = page.session_state["current_case"]

    assert [photo.name for photo in case.screened_photos] == [photo.name for photo in case.screening.photos]


def test_example_sets_the_own_case_aside_for_undo(open_page: OpenPage) -> None:
    page = choose_dermatoscope(add_photo(open_page("screening"), "own.jpg", jpeg()))
    page.number_input(key="age").set_value(61).run()
    page.button(key="example_irregular-dark").click().run()
    assert not page.exception

    page.button(key="undo").click().run()

    assert "**own\\.jpg**" in [text.value for text in page.markdown]
    assert page.number_input(key="age").value == 61
    assert page.radio(key="image_type").value == "dermoscopic"


def test_result_stays_readable_when_the_weights_are_gone(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    page = screened(open_page, jpeg())
    before = seen(page)
    monkeypatch.setattr(models, "list_models", lambda weights_dir=None: [])

    page.run()

    assert not page.exception
    assert seen(page) == before


def test_own_photo_after_an_example_is_not_judged_with_the_examples_answers(open_page: OpenPage) -> None:
    page = open_page("screening")
    page.button(key="example_irregular-dark").click().run()
    page.button(key="change").click().run()
    assert page.number_input(key="age").value == 67

    add_photo(page, "own.jpg", jpeg())

    assert page.number_input(key="age").value is None
    assert page.segmented_control(key="answer_changing").value is None
    assert page.radio(key="image_type").value is None
    assert [button.label for button in page.button].count("Remove this photo") == 1


def test_example_that_cannot_be_answered_leaves_the_own_case_for_undo(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "list_models", lambda weights_dir=None: [])
    page = add_photo(open_page("screening"), "own.jpg", jpeg())
    page.button(key="example_red-bump").click().run()
    assert page.error[0].value.startswith("No model is installed")

    page.button(key="undo").click().run()

    assert "**own\\.jpg**" in [text.value for text in page.markdown]


def test_streamlits_own_copy_of_a_photo_is_dropped_once_it_was_read(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    managers = []
    remove_file = MemoryUploadedFileManager.remove_file

    def remove(manager: MemoryUploadedFileManager, session_id: str, file_id: str) -> None:
        remove_file(manager, session_id, file_id)
        managers.append(manager)

    monkeypatch.setattr(MemoryUploadedFileManager, "remove_file", remove)

    page = add_photo(open_page("screening"), "own.jpg", jpeg())

    assert not page.exception
    assert [sum(len(files) for files in manager.file_storage.values()) for manager in managers] == [0]
    assert "**own\\.jpg**" in [text.value for text in page.markdown]
