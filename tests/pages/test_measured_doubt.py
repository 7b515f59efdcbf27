"""The view of doubt: the risk that remains, the coverage of the sets, and "too few" instead of a number."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dermascan_core.evaluation.report import build_metrics
from dermascan_core.services import models
from pages._ui.measures import on_top_words
from tests.evaluation.results_by_hand import random_results
from tests.fakes import FakePredictor
from tests.pages.reading import seen
from tests.pages.test_measured_views import NAME, OURS, open_view, write

OpenPage = Callable[[str], AppTest]


@pytest.fixture
def folder(fake_model: FakePredictor, tmp_path: Path) -> Path:
    fake_model.manifest = OURS
    return tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / "test"


def test_view_shows_risk_and_coverage_as_measured(open_page: OpenPage, folder: Path) -> None:
    metrics = build_metrics(random_results(2, 80), OURS, engine="fake", use_metadata=True, n_resamples=20)
    metrics["groups"]["rows"][0]["measures"] = None  # a group with too few cases
    write(folder, "metrics.json", metrics)

    page = open_view(open_page, "doubt")

    assert len(page.get("plotly_chart")) == 2
    served = metrics["selective"]["as_served"]
    assert f"**{100 * served['coverage']:.0f} of 100** photos get a plain answer" in seen(page)
    assert on_top_words(None) in [caption.value for caption in page.caption]
    area = page.dataframe[0].value["area under the line (lower is better)"]
    assert list(area) == [curve["area"] for curve in metrics["selective"]["doubts"].values()]
    assert page.dataframe[1].value["90 % set"][0] == "too few cases in this group"
    assert page.dataframe[1].value["90 % set"][1].startswith("0.")


def test_older_evaluation_says_that_it_lacks_the_curve(open_page: OpenPage, folder: Path) -> None:
    metrics = build_metrics(random_results(2, 40), OURS, engine="fake", use_metadata=True, n_resamples=5)
    del metrics["selective"]
    write(folder, "metrics.json", metrics)

    page = open_view(open_page, "doubt")

    assert "this evaluation is older than the curve" in seen(page)
    assert NAME in seen(page)
