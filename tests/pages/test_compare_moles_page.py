"""The page Compare your moles: the odd one first, nobody cleared, refused photos listed, own advice kept."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dermascan_core.evaluation.report import SCHEMA
from dermascan_core.services import models
from dermascan_core.triage.comparison_words import (
    ODD_ONE_AFTER_OTHERS_TITLE,
    ODD_ONE_TITLE,
    OTHERS_NOT_CLEARED,
    SD_EXPLAINED,
    SD_IN_PLAIN_WORDS,
)
from tests.evaluation.test_ugly_duckling import OTHERS, person
from tests.fakes import FakePredictor, fake_photo, photo_bytes
from tests.pages.reading import seen, voice_switch

OpenPage = Callable[[str], AppTest]
BROWNS = [(120, 70, 50), (124, 74, 52), (117, 68, 50), (121, 72, 54)]
BLACK = (45, 25, 20)


def add(page: AppTest, **photos: bytes) -> AppTest:
    for name, data in photos.items():
        page.file_uploader(key="mole_photos").upload(f"{name}.jpg", data, "image/jpeg")
    page.radio(key="mole_image_type_choice").set_value("dermoscopic")
    return page


def browns() -> dict[str, bytes]:
    return {f"brown_{i}": photo_bytes(fake_photo(lesion=colour)) for i, colour in enumerate(BROWNS)}


def compare(page: AppTest) -> AppTest:
    page.button(key="compare").click().run()
    assert not page.exception
    return page


def compared(open_page: OpenPage, **more: bytes) -> AppTest:
    return compare(add(open_page("compare_moles"), **browns(), **more))


def black() -> bytes:
    return photo_bytes(fake_photo(lesion=BLACK))


def test_empty_page_says_what_to_do(open_page: OpenPage) -> None:
    page = open_page("compare_moles")

    assert page.info[0].value.startswith("Nothing compared yet. Add at least 3 photos above.")


def test_odd_mole_is_shown_first_with_its_reasons(open_page: OpenPage) -> None:
    page = compared(open_page, black=black())

    assert page.error[0].value.startswith(f"### {ODD_ONE_TITLE}")
    assert "darker than your others" in seen(page)
    assert r"**1. black\.jpg**" in seen(page)
    assert len(page.get("plotly_chart")) == 1
    assert page.selectbox(key="marked_mole").options[0] == "1. black.jpg"


def test_statistics_are_for_the_clinician_and_plain_words_for_everybody_else(open_page: OpenPage) -> None:
    page = compared(open_page, black=black())
    assert SD_IN_PLAIN_WORDS in seen(page)
    assert not any(word in seen(page) for word in (" SD", "median", "standard deviation"))

    voice_switch(page).set_value("clinician").run()

    assert SD_EXPLAINED in seen(page)
    assert re.search(r"darker than your others by (\d\.\d|more than 10) SD", seen(page))
    assert SD_IN_PLAIN_WORDS not in seen(page)


def test_others_are_never_cleared(open_page: OpenPage) -> None:
    page = compared(open_page, black=black())

    assert OTHERS_NOT_CLEARED in [warning.value for warning in page.warning]


def test_urgent_mole_that_looks_like_the_others_keeps_its_advice(
    open_page: OpenPage, fake_model: FakePredictor
) -> None:
    fake_model.fixed = [0.9, 0.02, 0.02, 0.01, 0.01, 0.02, 0.01, 0.01]

    page = compared(open_page)

    urgent = [error.value for error in page.error if "by the model's own advice" in error.value]
    assert len(urgent) == 1
    assert sum(f"brown\\_{i}\\.jpg" in urgent[0] for i in range(4)) == 3  # all but the odd one, which says so itself
    assert seen(page).count("Advice for this photo: **See a doctor within 2 weeks**") == 4


def test_more_urgent_moles_come_before_an_odd_one_that_is_calmer(
    open_page: OpenPage, fake_model: FakePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, melanoma = np.array([0.001, 0.99, *[0.0015] * 6]), np.array([0.9, 0.04, *[0.01] * 6])

    def shares(square: np.ndarray, metadata: object) -> np.ndarray:
        return calm if square[70:90, 70:90].mean() < 50 else melanoma

    monkeypatch.setattr(fake_model, "_probabilities", shares)

    page = compared(open_page, black=black())

    first, second = page.error[0].value, page.error[1].value
    assert r"**1. black\.jpg**" in seen(page)
    assert first.startswith("**First, by the model's own advice: See a doctor within 2 weeks**")
    assert all(f"brown\\_{i}\\.jpg" in first for i in range(4))
    assert second.startswith(f"### {ODD_ONE_AFTER_OTHERS_TITLE}")
    assert ODD_ONE_TITLE not in seen(page)


def test_refused_photo_is_listed_as_not_judged(open_page: OpenPage) -> None:
    page = compared(open_page, broken=b"no photo")

    listed = next(warning.value for warning in page.warning if warning.value.startswith("Not judged."))
    assert r"**broken\.jpg**: Could not assess this photo." in listed
    assert "Do not use this as reassurance." in listed


def test_two_judged_photos_are_not_compared(open_page: OpenPage) -> None:
    page = add(open_page("compare_moles"), broken=b"no photo", **dict(list(browns().items())[:2]))

    compare(page)

    assert page.error[0].value.startswith("Only 2 of 3 photos could be judged, and a comparison needs 3.")
    assert ODD_ONE_TITLE not in seen(page)
    assert r"- brown\_0\.jpg: " in seen(page)


@pytest.mark.parametrize("n_photos", [1, 2])
def test_too_few_photos_are_one_sentence(open_page: OpenPage, n_photos: int) -> None:
    page = add(open_page("compare_moles"), **dict(list(browns().items())[:n_photos]))

    compare(page)

    assert [error.value for error in page.error] == [
        f"Expected 3 to 30 photos, each of another mole of one person. Received {n_photos}. Add or remove photos."
    ]


def test_nothing_to_compare_is_one_sentence(open_page: OpenPage) -> None:
    page = compare(open_page("compare_moles"))

    assert [error.value for error in page.error] == ["Add photos and say what took them, then compare them."]


def test_comparison_outlives_a_visit_to_another_page_and_can_be_deleted(open_page: OpenPage) -> None:
    page = compared(open_page, black=black())

    page.run()
    assert ODD_ONE_TITLE in seen(page)

    page.button(key="delete_moles").click().run()
    assert ODD_ONE_TITLE not in seen(page)


def test_comparison_of_other_photos_is_hidden(open_page: OpenPage) -> None:
    page = compared(open_page, black=black())

    page.file_uploader(key="mole_photos").upload("new.jpg", black(), "image/jpeg").run()

    assert "The photos above changed since the last comparison. Compare them again." in seen(page)
    assert ODD_ONE_TITLE not in seen(page)


def write_measured(tmp_path: Path, sha256: str, **data: int) -> None:
    from dermascan_core.evaluation.ugly_duckling import build_measured

    measured = build_measured([person("P1", [(0.1, 2.0)], OTHERS)], n_resamples=20)
    measured["data"] |= data
    measured["model"] = {"name": models.DEFAULT_MODEL, "version": "1", "sha256": sha256, "engine": "fake", "n_views": 8}
    folder = tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / "ugly-duckling"
    folder.mkdir(parents=True)
    (folder / "ugly-duckling.json").write_text(json.dumps(measured), encoding="utf-8")


def test_measured_figures_stand_beside_a_comparison(
    open_page: OpenPage, fake_model: FakePredictor, tmp_path: Path
) -> None:
    write_measured(tmp_path, fake_model.manifest.sha256)

    page = compared(open_page)

    assert "Measured on 1 people with 1 melanomas among 10 lesions: the comparison put 100 of 100" in seen(page)


def test_figures_of_other_weights_are_not_shown_and_stop_nothing(open_page: OpenPage, tmp_path: Path) -> None:
    write_measured(tmp_path, "1" * 64)
    (tmp_path / f"{models.DEFAULT_MODEL}.json").write_text("{}", encoding="utf-8")

    page = compared(open_page)

    assert "How often the odd one out is a melanoma was not measured for this model." in seen(page)
    assert page.button(key="delete_moles")


def test_performance_page_shows_what_was_measured(
    open_page: OpenPage, fake_model: FakePredictor, tmp_path: Path
) -> None:
    write_measured(tmp_path, fake_model.manifest.sha256)

    page = open_page("performance").segmented_control(key="view").set_value("moles").run()

    assert not page.exception
    assert "**1** people, **10** moles, **1** melanomas." in seen(page)
    assert next(iter(page.dataframe[0].value["order"])) == "odd one out"
    assert len(page.get("plotly_chart")) == 1
    assert page.info[0].value.startswith("These are not the test photos of *In short*")


def test_archive_of_the_ranked_moles_is_named_where_the_model_was_evaluated_on_it(
    open_page: OpenPage, fake_model: FakePredictor, tmp_path: Path
) -> None:
    write_measured(tmp_path, fake_model.manifest.sha256, n_rows=90, n_people_in_table=7)
    for which, n_patients in (("isic2020_patients", 7), ("isic_uda1", 8)):
        metrics = {"schema": SCHEMA, "model": {"sha256": ""}, "data": {"n_rows": 90, "n_patients": n_patients}}
        folder = tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / which
        folder.mkdir()
        (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")

    page = open_page("performance").segmented_control(key="view").set_value("moles").run()

    archive = "Other clinics, person by person: isic2020_patients"
    assert (
        f"another archive than the test photos of *In short*, of people with several moles each: *{archive}*"
        in seen(page)
    )
    assert f"In this archive ({archive}), another than the test's, the model alone left" in seen(page)


def test_performance_page_says_which_command_measures(open_page: OpenPage) -> None:
    page = open_page("performance").segmented_control(key="view").set_value("moles").run()

    assert "python -m dermascan_core ugly-duckling" in seen(page)
