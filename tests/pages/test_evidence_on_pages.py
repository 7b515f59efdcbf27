"""The evidence beside a result, as a person meets it on the Screening and Model performance pages."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from streamlit.testing.v1 import AppTest

from dermascan_core.domain import Repeatability
from dermascan_core.evaluation.repeatability_report import MeteredPhoto, build_repeatability
from dermascan_core.imaging.small_changes import SMALL_CHANGES
from dermascan_core.services import models
from tests.evaluation.results_by_hand import random_results
from tests.fakes import FakePredictor, fake_manifest
from tests.pages.acting import jpeg, screened
from tests.pages.reading import seen

OpenPage = Callable[[str], AppTest]
WORDS = tuple(change.words for change in SMALL_CHANGES)


def test_result_says_how_steady_it_is_and_where_the_heat_lies(open_page: OpenPage, fake_model: FakePredictor) -> None:
    fake_model.fixed = [0.01, 0.9, 0.02, 0.01, 0.01, 0.03, 0.01, 0.01]

    page = screened(open_page, jpeg(), jpeg((60, 35, 28)))

    text = seen(page)
    bars = [bar.text for bar in page.get("progress")]
    steady = "In 10 small changes of this photo, the answer stayed the same. Your other photo of this spot got the same answer."
    assert sum(bar.startswith(steady) for bar in bars) == 2, bars
    assert "A steady answer can still be wrong" in text
    assert "of what the model looked at lies inside the spot" in text


def test_map_is_checked_in_two_other_ways_when_asked(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg())

    page.button(key="further_0_mel_button").click().run()

    text = seen(page)
    assert "Guided Grad-CAM needs a backward pass that this engine, or this network, does not offer." in text
    assert "Where the maps do not agree, none of them should be relied on." in text


def test_cover_moved_by_hand_moves_its_answer_and_not_the_result(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg((60, 35, 28)))
    page.button(key="further_0_mel_button").click().run()
    headers = [header.value for header in page.header]

    over_the_spot = page.table[-1].value
    page.slider(key="cover_0_mel_across").set_value(0).run()
    page.slider(key="cover_0_mel_down").set_value(0).run()
    in_the_corner = page.table[-1].value

    assert not page.exception
    assert list(over_the_spot["share of"]) == ["Melanoma (a skin cancer)", "Cancer or pre-cancer"]
    assert (over_the_spot["covered"] != over_the_spot["uncovered"]).all()
    assert (in_the_corner["covered"] == in_the_corner["uncovered"]).all()  # nothing that matters is covered there
    assert [header.value for header in page.header] == headers
    assert "The result above does not change" in seen(page)


def test_performance_shows_steadiness_and_its_limit(open_page: OpenPage, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    metered = [
        MeteredPhoto(one, Repeatability(WORDS, WORDS[: int(rng.integers(0, 6))], (), 5))
        for one in random_results(1, 40)
    ]
    measured = build_repeatability(metered, fake_manifest(name=models.DEFAULT_MODEL), engine="fake", n_resamples=20)
    folder = tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / "repeatability"
    folder.mkdir(parents=True)
    (folder / "repeatability.json").write_text(json.dumps(measured))
    page = open_page("performance")

    page.segmented_control(key="view").set_value("stress").run()

    assert not page.exception
    text = seen(page)
    assert "How steady is an answer?" in text
    assert f"changes more than **{measured['limit']['value']}** times is called unsure" in text
    assert any("changed at least once" in table.value.columns for table in page.dataframe)
