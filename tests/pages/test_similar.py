"""Similar labelled photos on the result, and their figures on Model performance, as a person sees them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from dermascan_core.services import models
from dermascan_core.triage.similar_wording import NEVER_CALMER, SIMILAR_CAPTION
from pages._ui import similar
from tests.fakes import FakePredictor, fake_photo
from tests.pages.acting import jpeg, screened
from tests.pages.reading import seen, voice_switch
from tests.services.test_similar_cases import ALARMING, CALM, write_index, write_retrieval

OpenPage = Callable[[str], AppTest]
NAME = models.DEFAULT_MODEL


def test_result_shows_each_similar_photo_with_its_diagnosis_and_name(
    open_page: OpenPage, fake_model: FakePredictor, tmp_path: Path
) -> None:
    write_index(tmp_path, name=NAME)
    write_retrieval(tmp_path, name=NAME)
    fake_model.fixed = CALM

    page = screened(open_page, jpeg())

    text = seen(page)
    assert SIMILAR_CAPTION in text
    assert "1\\. **Mole (nevus)**" in text
    assert "3\\. **Melanoma (a skin cancer)**" in text
    assert "Cancer or pre-cancer. " in text
    assert all(f"ISIC\\_{i}" in text for i in range(4))
    assert f"1 of these 4 photos shows cancer or pre-cancer. {NEVER_CALMER}" in text
    assert "Of 100 test photos, the nearest labelled photo had the right label in 50" in text
    assert "Compared with 4 labelled photos" in text
    assert "Archive; Somebody; CC0" in text
    assert len(page.get("plotly_chart")) == 2


def test_clinician_reads_the_archive_s_names(open_page: OpenPage, tmp_path: Path) -> None:
    write_index(tmp_path, name=NAME)
    page = screened(open_page, jpeg())

    voice_switch(page).set_value("clinician").run()

    assert "1\\. **nevus**" in seen(page)


@pytest.mark.parametrize(
    ("fixed", "dx", "words"),
    [
        (CALM, ("mel", "bcc", "nv", "nv"), "at least half of them show cancer or pre-cancer"),
        (ALARMING, ("nv", "nv", "nv", "nv"), "The next step above stays as it is."),
    ],
)
def test_photos_that_point_another_way_are_said_so_plainly(
    fixed: list[float], dx: tuple[str, ...], words: str, open_page: OpenPage, fake_model: FakePredictor, tmp_path: Path
) -> None:
    write_index(tmp_path, dx, name=NAME)
    fake_model.fixed = fixed

    text = seen(screened(open_page, jpeg()))

    assert "**The similar photos point another way:**" in text
    assert words in text


def test_agreement_is_not_announced(open_page: OpenPage, fake_model: FakePredictor, tmp_path: Path) -> None:
    write_index(tmp_path, ("nv",) * 4, name=NAME)
    fake_model.fixed = CALM

    text = seen(screened(open_page, jpeg()))

    assert "None of these 4 photos shows cancer or pre-cancer." in text
    assert "point another way" not in text


def test_result_without_an_index_says_so_and_nothing_else(open_page: OpenPage) -> None:
    text = seen(screened(open_page, jpeg())).replace("\\", "")

    assert "No labelled photos to compare with ship with this model." in text
    assert SIMILAR_CAPTION not in text


def test_damaged_index_is_told_on_the_result(open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.cases.npz").write_bytes(b"PK")

    text = seen(screened(open_page, jpeg()))

    assert "cannot be read" in text
    assert SIMILAR_CAPTION not in text


def test_photos_themselves_appear_only_for_who_sits_at_the_machine_and_names_their_folder(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_index(tmp_path, name=NAME)
    (tmp_path / "archive" / "images").mkdir(parents=True)
    for i in range(2):
        Image.fromarray(np.asarray(fake_photo(width=200, height=150))).save(
            tmp_path / "archive" / "images" / f"ISIC_{i}.jpg"
        )
    monkeypatch.delenv("DERMASCAN_DATA", raising=False)
    page = screened(open_page, jpeg())
    assert [field for field in page.text_input if field.label == "Folder of the archive's photos"] == []

    monkeypatch.setattr(similar, "is_local_visit", lambda: True)
    page.run()
    n_before = len(page.get("image"))
    page.text_input(key="similar_folder_0").set_value(str(tmp_path / "archive")).run()

    assert not page.exception
    assert len(page.get("image")) == n_before + 2

    page.text_input(key="similar_folder_0").set_value(str(tmp_path / "nowhere")).run()

    assert any("There is none. Check the path." in error.value.replace("\\", "") for error in page.error)


def test_performance_shows_what_was_measured_of_similar_photos(open_page: OpenPage, tmp_path: Path) -> None:
    write_index(tmp_path, name=NAME)
    write_retrieval(tmp_path, name=NAME)

    page = open_page("performance").segmented_control(key="view").set_value("similar").run()

    assert not page.exception
    assert [error.value for error in page.error] == []
    assert "**4** photos of **4** spots." in seen(page)
    assert list(page.dataframe[0].value["class"]) == ["Melanoma (a skin cancer)", "Mole (nevus)"]
    assert list(page.dataframe[1].value["photos"]) == [0, 0, 2, 1, 1, 0]
    assert list(page.dataframe[2].value["chosen"]) == ["yes"]


def test_performance_without_an_index_names_the_command(open_page: OpenPage) -> None:
    page = open_page("performance").segmented_control(key="view").set_value("similar").run()

    assert not page.exception
    assert f"python -m dermascan_core cases build {NAME} --data ham10000 --test" in page.info[0].value
