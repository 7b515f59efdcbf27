"""The list on the Triage page: filters, gallery, undo; and lists in the clinic's records, from photos to the last row."""

import io
import zipfile
from collections.abc import Callable, Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dermascan_core.services.access import LOCAL_USER, Role, User
from dermascan_core.services.models import DEFAULT_MODEL
from dermascan_core.services.records import Records, open_records
from dermascan_core.services.stored_batches import find_batch, list_batches
from dermascan_core.storage.batches import BatchState
from pages._ui import worklist_table
from pages._ui.worklist_runner import worklist_runner
from tests.attacks import XSS
from tests.fakes import fake_photo, photo_bytes
from tests.pages.reading import seen
from tests.services.batch_records import added, wait_until, worked_off

OpenPage = Callable[[str], AppTest]
PALE, DARK = (photo_bytes(fake_photo(lesion=lesion)) for lesion in ((200, 150, 120), (45, 25, 20)))


def zipped(**photos: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in photos.items():
            archive.writestr(f"{name}.jpg", data)
    return file.getvalue()


def take_in(page: AppTest, data: bytes) -> AppTest:
    page.file_uploader(key="triage_photos").upload("photos.zip", data, "application/zip")
    page.radio(key="triage_image_type_choice").set_value("dermoscopic")
    return page.run()


def rank(page: AppTest) -> AppTest:
    page.button(key="rank").click().run()
    assert not page.exception
    return page


def files(page: AppTest) -> list[str]:
    return list(page.dataframe[-1].value["file"])


@pytest.fixture
def ranked(open_page: OpenPage) -> AppTest:
    photos = {"P1_L1_1": DARK, "P1_L1_2": PALE, "P2_L1": PALE, "torn": b"x"}
    return rank(take_in(open_page("triage"), zipped(**photos)))


def test_zip_file_is_ranked_by_lesion(ranked: AppTest) -> None:
    assert files(ranked) == ["P1_L1_1.jpg and 1 more", "torn.jpg", "P2_L1.jpg"]
    assert "3 photos" not in seen(ranked)
    assert "4 photos of 3 lesions: photos of one lesion are judged together." in seen(ranked)


def test_search_keeps_the_rank_of_the_whole_list(ranked: AppTest) -> None:
    ranked.text_input(key="visit_text").set_value("p2").run()

    assert list(ranked.dataframe[-1].value["rank"]) == [3]


def test_search_that_finds_nothing_says_so(ranked: AppTest) -> None:
    ranked.text_input(key="visit_text").set_value("' OR 1=1 --").run()

    assert "No entry is like that. Change the filter." in [info.value for info in ranked.info]


def test_gallery_shows_each_lesion_with_its_step(ranked: AppTest) -> None:
    ranked.segmented_control(key="visit_view").set_value("gallery").run()

    assert not ranked.exception
    assert "**1.** See a doctor within 2 weeks" in seen(ranked)
    assert "No picture" in seen(ranked)


def test_entry_taken_off_comes_back(ranked: AppTest) -> None:
    ranked.segmented_control(key="visit_view").set_value("gallery").run()
    next(button for button in ranked.button if button.label == "Take off the list").click().run()
    assert r"P1\_L1\_1\.jpg was taken off the list." in seen(ranked)

    ranked.button(key="undo_take_off").click().run()

    assert "**3.**" in seen(ranked)


def test_long_list_is_shown_a_page_at_a_time(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worklist_table, "ROWS_A_PAGE", 2)
    page = rank(take_in(open_page("triage"), zipped(a=DARK, b=PALE, c=PALE)))

    assert "1 to 2 of 3" in seen(page)
    assert len(files(page)) == 2


def test_names_that_attack_are_shown_as_they_are(open_page: OpenPage) -> None:
    page = take_in(open_page("triage"), zipped(**{XSS[0].replace("/", ":"): b"x"}))

    rank(page)

    assert "<script>" not in "".join(text.value for text in page.markdown)


def test_bomb_is_named_and_the_other_photos_go_on(open_page: OpenPage) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", b"\0" * 50_000_000)
        archive.writestr("a.jpg", PALE)

    page = rank(take_in(open_page("triage"), file.getvalue()))

    assert "It grows more than 100 times when unpacked" in page.warning[1].value.replace("\\", "")
    assert files(page) == ["a.jpg"]


@pytest.fixture
def clinician(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody at the machine, spoken to as a clinician."""
    monkeypatch.setattr("pages.triage.current_user", lambda: LOCAL_USER, raising=False)
    monkeypatch.setattr("pages._ui.access.is_local_visit", lambda: True)
    yield
    st.cache_resource.clear()  # stops the runner


@pytest.fixture
def records(records_folder: object, clinician: None) -> Iterator[Records]:
    opened = open_records()
    yield opened
    opened.close()


def open_list(open_page: OpenPage) -> AppTest:
    page = open_page("triage")
    page.sidebar.segmented_control[0].set_value("clinician").run()
    assert not page.exception
    return page


def test_public_words_offer_no_records(open_page: OpenPage, records: Records) -> None:
    assert "Where the list lives" not in seen(open_page("triage"))


def test_visitor_from_elsewhere_is_offered_no_records(open_page: OpenPage) -> None:
    page = open_list(open_page)

    assert [control.label for control in page.main.segmented_control] == []


def test_photos_are_kept_screened_and_listed_in_order_alone(open_page: OpenPage, records: Records) -> None:
    page = open_list(open_page)
    take_in(page, zipped(a=DARK, b=PALE))
    page.text_input[-1].set_value("Monday")
    page.checkbox[0].check()
    next(button for button in page.button if button.label.startswith("Keep these photos")).click().run()
    assert not page.exception
    (batch,) = list_batches(records)
    wait_until(lambda: find_batch(records, batch.id).state is BatchState.DONE)
    page.run()

    assert batch.name == "Monday"
    assert files(page) == ["a.jpg", "b.jpg"]
    assert "cancer or pre-cancer" not in page.dataframe[-1].value.columns
    assert "The list shows the order alone" in seen(page)


def test_nothing_is_stored_without_the_statement(open_page: OpenPage, records: Records) -> None:
    page = take_in(open_list(open_page), zipped(a=DARK))

    next(button for button in page.button if button.label.startswith("Keep these photos")).click().run()

    assert [error.value for error in page.error] == [
        "Nothing is stored without a ground. Tick the statement above, or screen for this visit only."
    ]
    assert list_batches(records) == ()


def test_entry_of_the_records_is_taken_off_and_put_back(open_page: OpenPage, records: Records) -> None:
    batch_id = added(records, ["a.jpg", "b.jpg"], actor="local")
    worked_off(records, batch_id)
    page = open_list(open_page)
    page.segmented_control(key=f"list_{batch_id[:8]}_view").set_value("gallery").run()

    next(button for button in page.button if button.label == "Take off the list").click().run()
    assert find_batch(records, batch_id).n_removed == 1
    page.button(key="undo_take_off").click().run()

    assert not page.exception
    assert find_batch(records, batch_id).n_removed == 0


def test_list_is_paused_resumed_and_stopped_from_the_page(
    open_page: OpenPage, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermascan_core.services.worklist_runner.WorklistRunner.start", lambda runner: None)
    batch_id = added(records, ["a.jpg"], actor="local")
    page = open_list(open_page)

    page.button(key="pause").click().run()
    assert find_batch(records, batch_id).state is BatchState.PAUSED
    page.button(key="resume").click().run()
    assert find_batch(records, batch_id).state is BatchState.WAITING
    page.button(key="stop").click().run()

    assert find_batch(records, batch_id).state is BatchState.STOPPED
    assert "**1 of 1 was not assessed. That is no reassurance.**" in seen(page)


def test_somebody_else_s_list_is_read_and_not_changed(
    open_page: OpenPage, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermascan_core.services.worklist_runner.WorklistRunner.start", lambda runner: None)
    batch_id = added(records, ["a.jpg"], actor="anna")
    monkeypatch.setattr("pages._ui.access.current_user", lambda **options: User("ben", Role.CLINICIAN))
    monkeypatch.setattr(
        "pages._ui.worklist_stored.current_user", lambda **options: User("ben", Role.CLINICIAN), raising=False
    )
    page = open_list(open_page)

    page.button(key="pause").click().run()

    assert find_batch(records, batch_id).state is BatchState.WAITING
    assert "Remove this list" not in seen(page)


def test_what_stands_in_the_way_is_told_beside_the_progress(
    open_page: OpenPage, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dermascan_core.services.worklist_runner.WorklistRunner.start", lambda runner: None)
    added(records, ["a.jpg"], actor="local")
    worklist_runner()._problem = "The disk is full, so nothing was saved. Free some space, then try again."

    page = open_list(open_page)

    assert any(warning.value.startswith("The disk is full") for warning in page.warning)


def test_list_left_by_a_killed_process_goes_on_with_the_first_page_of_any_kind(
    open_page: OpenPage, records: Records
) -> None:
    batch_id = added(records, ["a.jpg"], actor="local", model=DEFAULT_MODEL)

    open_page("about")

    wait_until(lambda: find_batch(records, batch_id).state is BatchState.DONE)
