"""Beside a result: how light the skin looks, how many test photos look so, and that it changes nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from dermascan_core.evaluation.report import build_metrics
from dermascan_core.services import models, skin_tone
from dermascan_core.triage.skin_tone_words import CHANGES_NOTHING, DARK_NOT_TESTED
from tests.evaluation.results_by_hand import random_results
from tests.fakes import FakePredictor, photo_bytes
from tests.imaging.pictures import SKIN_TONES, skin_photo
from tests.pages.acting import screened
from tests.pages.reading import seen

OpenPage = Callable[[str], AppTest]


def skin(tone: str) -> bytes:
    return photo_bytes(skin_photo(SKIN_TONES[tone]))


def write_test(tmp_path: Path, predictor: FakePredictor, rows: list[dict[str, object]]) -> None:
    metrics = build_metrics(random_results(1, 40), predictor.manifest, engine="fake", use_metadata=True, n_resamples=20)
    metrics["groups"]["rows"] = [
        {"measures": None, "kind": "ita_band", "n_malignant": 0, "too_few": False} | row for row in rows
    ]
    folder = tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / "test"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    skin_tone._groups.cache_clear()


def test_look_of_the_skin_and_the_count_of_tested_photos_are_said(
    open_page: OpenPage, fake_model: FakePredictor, tmp_path: Path
) -> None:
    write_test(tmp_path, fake_model, [{"name": "very light", "n": 812, "n_malignant": 95}])

    page = screened(open_page, skin("I"))

    assert "The skin around the spot looks very light in this photo" in seen(page)
    assert "Of the test photos, 812 look so; 95 of them were cancer or pre-cancer." in seen(page)
    assert CHANGES_NOTHING in seen(page)
    assert "Hardly tested on such photos" not in seen(page)


def test_band_that_was_hardly_tested_is_a_warning(
    open_page: OpenPage, fake_model: FakePredictor, tmp_path: Path
) -> None:
    write_test(tmp_path, fake_model, [{"name": "very light", "n": 7, "n_malignant": 1, "too_few": True}])

    page = screened(open_page, skin("I"))

    warnings = [warning.value for warning in page.warning]
    assert any(w.startswith("Hardly tested on such photos (7, with 1 cancer or pre-cancer)") for w in warnings)


def test_skin_that_looks_dark_is_warned_of_however_many_test_photos_look_so(
    open_page: OpenPage, fake_model: FakePredictor, tmp_path: Path
) -> None:
    write_test(tmp_path, fake_model, [{"name": "dark", "n": 900, "n_malignant": 100}])

    page = screened(open_page, skin("VI"))

    assert DARK_NOT_TESTED in [warning.value for warning in page.warning]


def test_uncounted_test_is_said_to_be_uncounted(open_page: OpenPage) -> None:
    page = screened(open_page, skin("I"))

    assert "How many test photos look so was not counted for this model." in seen(page)


def test_skin_tone_changes_no_number_and_no_advice(open_page: OpenPage, fake_model: FakePredictor) -> None:
    fake_model.fixed = [0.02, 0.9, 0.02, 0.01, 0.01, 0.02, 0.01, 0.01]

    fair, dark = (screened(open_page, skin(tone)) for tone in ("I", "VI"))

    assert [bar.text for bar in fair.get("progress")] == [bar.text for bar in dark.get("progress")]
    assert fair.info[0].value == dark.info[0].value
    assert np.array_equal([b.value for b in fair.get("progress")], [b.value for b in dark.get("progress")])
