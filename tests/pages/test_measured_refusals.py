"""The view of refusals draws the scorecard, real lesions and other pictures apart, and says how to make it."""

from collections.abc import Callable
from pathlib import Path

from streamlit.testing.v1 import AppTest

from dermascan_core.domain import Reason
from dermascan_core.evaluation.refusals import Judged, build_scorecard
from dermascan_core.services import models
from tests.fakes import FakePredictor
from tests.pages.reading import seen
from tests.pages.test_measured_views import open_view, write

OpenPage = Callable[[str], AppTest]
NO = Reason("not_a_lesion", "no")


def test_view_shows_who_was_refused_and_why(open_page: OpenPage, fake_model: FakePredictor, tmp_path: Path) -> None:
    judged = [Judged("ham10000", True, False, NO if i == 0 else None) for i in range(50)]
    judged += [Judged("wood", False, True, NO) for _ in range(20)]
    judged += [Judged("fur", False, False, NO if i else None) for i in range(20)]
    folder = tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / "refusals"
    write(folder, "refusals.json", build_scorecard(judged, fake_model, libraries=["scikit-image"]))

    page = open_view(open_page, "refusals")

    assert "**1 of 50** (ham10000)" in seen(page)
    assert "Among **40** pictures without a lesion: **98 of 100**" in seen(page)
    assert "of kinds that its makers never showed it, 95 of 100" in seen(page)
    assert list(page.dataframe[0].value["pictures"]) == ["ham10000", "fur", "wood"]
    assert page.dataframe[0].value["why"][0] == "no lesion recognised 1"


def test_view_without_a_scorecard_names_the_command(open_page: OpenPage) -> None:
    page = open_view(open_page, "refusals")

    assert f"python -m dermascan_core refusals {models.DEFAULT_MODEL}" in seen(page)
