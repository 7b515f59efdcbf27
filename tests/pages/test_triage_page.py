"""The Triage page: many photos in, ranked rows out, one row's fault never taking the others down."""

from collections.abc import Callable

import pandas as pd
from streamlit.testing.v1 import AppTest

from dermascan_core.triage.reading_order import ONE_LOOK
from dermascan_core.triage.wording import BARS_CAPTION
from pages._ui.worklist_table import ENDS_NOTE, shown_percent
from tests.fakes import fake_photo, photo_bytes

OpenPage = Callable[[str], AppTest]
TABLE = b"image,age,sex,localization\npale.jpg,40,female,back\ndark.jpg,300,male,back\nelsewhere.jpg,50,,\n"


def add_photos(page: AppTest) -> AppTest:
    uploader = page.file_uploader(key="triage_photos")
    uploader.upload("pale.jpg", photo_bytes(fake_photo(lesion=(200, 150, 120))), "image/jpeg")
    uploader.upload("dark.jpg", photo_bytes(fake_photo(lesion=(45, 25, 20))), "image/jpeg")
    uploader.upload("=broken.jpg", b"not a photo", "image/jpeg")
    page.radio(key="triage_image_type_choice").set_value("dermoscopic")
    return page


def rank(page: AppTest) -> AppTest:
    page.button(key="rank").click().run()
    assert not page.exception
    return page


def worklist(page: AppTest) -> pd.DataFrame:
    return page.dataframe[-1].value


def test_empty_page_offers_a_sample_table(open_page: OpenPage) -> None:
    page = open_page("triage")

    assert page.info[0].value.startswith("Nothing ranked yet.")
    assert [button.label for button in page.get("download_button")] == ["Download a sample table (CSV)"]


def test_most_urgent_photo_comes_first_and_the_unreadable_right_below(open_page: OpenPage) -> None:
    page = rank(add_photos(open_page("triage")))

    assert list(worklist(page)["file"]) == ["dark.jpg", "=broken.jpg", "pale.jpg"]
    assert list(worklist(page)["status"]) == ["answered", "refused", "answered"]
    assert worklist(page)["photo"][0].startswith("data:image/jpeg;base64,")
    assert pd.isna(worklist(page)["cancer or pre-cancer"][1])
    captions = [caption.value for caption in page.caption]
    assert ONE_LOOK in captions
    assert f"{BARS_CAPTION} {ENDS_NOTE}" in captions


def test_no_share_is_shown_as_none_or_as_all() -> None:
    assert [shown_percent(share) for share in (None, 0.0, 0.0004, 0.5, 1.0)] == [None, 0.1, 0.1, 50.0, 99.9]


def test_refused_photo_is_listed_with_its_reason(open_page: OpenPage) -> None:
    page = rank(add_photos(open_page("triage")))

    assert any("**1 of 3 was not assessed. That is no reassurance.**" in warning.value for warning in page.warning)
    assert worklist(page)["notes"][1].startswith("Expected a photo")


def test_wrong_row_of_the_table_is_listed_and_the_others_go_on(open_page: OpenPage) -> None:
    page = add_photos(open_page("triage"))
    page.file_uploader(key="triage_table").upload("table.csv", TABLE, "text/csv")

    rank(page)

    (said,) = [warning.value for warning in page.warning if "of the table could not be used in full" in warning.value]
    assert "line 3" in said
    assert "Received 300" in said
    assert "Rows of the table without a photo here: elsewhere" in page.info[0].value
    assert len(worklist(page)) == 3


def test_table_without_a_known_column_is_one_sentence(open_page: OpenPage) -> None:
    page = add_photos(open_page("triage"))
    page.file_uploader(key="triage_table").upload("table.csv", b"a,b\n1,2\n", "text/csv")

    rank(page)

    assert page.error[0].value.startswith("The metadata table needs a column 'image_id' (or 'image')")


def test_nothing_to_rank_is_one_sentence(open_page: OpenPage) -> None:
    page = rank(open_page("triage"))

    assert [error.value for error in page.error] == ["Add photos and say what took them, then rank them."]


def test_worklist_outlives_a_visit_to_another_page(open_page: OpenPage) -> None:
    page = rank(add_photos(open_page("triage")))

    page.run()

    assert len(worklist(page)) == 3


def test_failed_ranking_leaves_no_old_list_behind(open_page: OpenPage) -> None:
    page = rank(add_photos(open_page("triage")))
    page.file_uploader(key="triage_table").upload("table.csv", b"a,b\n1,2\n", "text/csv")

    rank(page)

    assert page.error[0].value.startswith("The metadata table needs a column")
    assert len(page.dataframe) == 0


def test_list_of_other_photos_is_hidden(open_page: OpenPage) -> None:
    page = rank(add_photos(open_page("triage")))
    page.file_uploader(key="triage_photos").upload("new.jpg", photo_bytes(fake_photo()), "image/jpeg").run()

    assert "The photos above changed since the last ranking. Rank them again." in [info.value for info in page.info]
    assert len(page.dataframe) == 1  # of what is known; the ranked list is gone


def test_list_can_be_deleted(open_page: OpenPage) -> None:
    page = rank(add_photos(open_page("triage")))

    page.button(key="delete_list").click().run()

    assert page.info[0].value.startswith("Nothing ranked yet.")
    assert len(page.dataframe) == 0
