"""Counts of a hundred beside an answer, and the dial for clinicians, from an evaluation that lies beside the weights."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dermascan_core.evaluation.report import build_metrics
from dermascan_core.evaluation.results import predictions_csv
from dermascan_core.services import models
from dermascan_core.triage.frequencies import BAYES_ASSUMES, LOW_ANSWERS_MISS, WHY_OTHER_FOR_YOU, icons_alt
from pages._ui.frequencies import icon_array, percent
from tests.evaluation.results_by_hand import MANIFEST, random_results
from tests.fakes import FakePredictor
from tests.pages.acting import PALE, jpeg, screened
from tests.pages.reading import seen, voice_switch

OpenPage = Callable[[str], AppTest]
NEVUS = [0.004, 0.97, 0.004, 0.002, 0.002, 0.012, 0.003, 0.003]


@pytest.fixture
def evaluated(fake_model: FakePredictor, tmp_path: Path) -> FakePredictor:
    """The model that every page finds, with a test of 300 photos beside it."""
    manifest = replace(MANIFEST, name=models.DEFAULT_MODEL, sha256=fake_model.manifest.sha256)
    fake_model.manifest, fake_model.fixed = manifest, NEVUS
    results = random_results(1, 300)
    folder = tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / "test"
    folder.mkdir(parents=True)
    metrics = build_metrics(results, manifest, engine="fake", use_metadata=True, n_resamples=20)
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    (folder / "predictions.csv").write_text(predictions_csv(results, manifest.codes), encoding="utf-8")
    return fake_model


def test_low_answer_is_counted_among_a_hundred_and_says_why_it_differs_for_the_person(
    open_page: OpenPage, evaluated: FakePredictor
) -> None:
    page = screened(open_page, jpeg(PALE))

    text = seen(page)
    assert "Here the model sees a low share of cancer or pre-cancer" in text
    assert "Of 100 such test photos, " in text
    assert WHY_OTHER_FOR_YOU in text
    assert LOW_ANSWERS_MISS in text
    assert "in your setting" not in text


def test_clinician_sets_the_count_beside_that_of_the_own_setting(open_page: OpenPage, evaluated: FakePredictor) -> None:
    page = screened(open_page, jpeg(PALE))
    voice_switch(page).set_value("clinician").run()

    page.select_slider(key="own_prevalence_0").set_value(0.2).run()

    text = seen(page)
    assert "In your setting (20 %)" in text
    assert "Where 20 of 100 spots are cancer or pre-cancer, " in text
    assert BAYES_ASSUMES in text


def test_answer_without_a_test_of_such_photos_gets_no_count(open_page: OpenPage, fake_model: FakePredictor) -> None:
    fake_model.fixed = NEVUS

    page = screened(open_page, jpeg(PALE))

    assert "Of 100 photos with such an answer" not in seen(page)


def test_dial_is_the_clinicians_and_follows_both_sliders(open_page: OpenPage, evaluated: FakePredictor) -> None:
    page = open_page("performance")
    assert "In your clinic" not in page.segmented_control(key="view").options
    voice_switch(page).set_value("clinician").run()
    page.segmented_control(key="view").set_value("decisions").run()
    before = page.dataframe[0].value

    page.select_slider(key="clinic_prevalence").set_value(0.1).run()
    page.select_slider(key="harm_ratio").set_value(5).run()

    assert not page.exception
    after = page.dataframe[0].value
    assert list(after["way to refer"]) == [
        "Refer everybody",
        "Refer nobody",
        "Model, its own line",
        "Model, line moved to your weighing",
    ]
    # 1,000 * (0.1 - 0.9 / 5) for everybody; nobody is left with 100 of 1,000 missed.
    assert after["net benefit"][0] == "-80.0"
    assert after["missed"][1] == "100.0"
    assert list(before["missed"]) != list(after["missed"])
    assert "The way with the most net benefit at this weighing: " in seen(page)


def test_view_of_the_clinicians_is_left_with_their_voice(open_page: OpenPage, evaluated: FakePredictor) -> None:
    page = open_page("performance")
    voice_switch(page).set_value("clinician").run()
    page.segmented_control(key="view").set_value("decisions").run()

    voice_switch(page).set_value("public").run()

    assert not page.exception
    assert "Say how common cancer or pre-cancer is" not in seen(page)


def test_hundred_dots_hold_the_share_and_what_the_interval_leaves_open() -> None:
    figure = icon_array(0.032, 0.079)

    assert [(trace.name, len(trace.x)) for trace in figure.data] == [
        ("cancer or pre-cancer: 3.2", 3),
        ("it may be up to 7.9", 5),
        ("other spots", 92),
    ]
    assert len({(x, y) for trace in figure.data for x, y in zip(trace.x, trace.y, strict=True)}) == 100
    assert icons_alt(0.032, 0.079) == (
        "100 dots in ten rows of ten. 3 of them are coloured: 3.2 of 100 were cancer or pre-cancer. By the interval it may "
        "be up to 7.9."
    )


@pytest.mark.parametrize(("share", "said"), [(0.001, "0.1 %"), (0.2, "20 %"), (0.198567, "19.9 %")])
def test_prevalence_is_said_with_as_many_figures_as_it_needs(share: float, said: str) -> None:
    assert percent(share) == said
