"""The Model performance page draws what ``evaluate`` wrote, and says so where nothing was written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dermascan_core.domain import Metadata, NextStep, Status
from dermascan_core.evaluation.report import build_metrics
from dermascan_core.evaluation.results import PhotoResult, predictions_csv
from dermascan_core.model.predictor import prediction_from_views
from dermascan_core.services import models
from dermascan_core.tables import LabelledPhoto
from dermascan_core.training import cross_validate, publish
from tests.evaluation.results_by_hand import result
from tests.fakes import CODES, FakePredictor, fake_manifest, fake_photo, photo_bytes
from tests.pages.reading import seen

OpenPage = Callable[[str], AppTest]


@pytest.fixture(scope="module")
def metrics() -> dict[str, object]:
    """``metrics.json`` of sixty photos, measured by the code that measures the shipped model."""
    rng, manifest = np.random.default_rng(3), fake_manifest(name=models.DEFAULT_MODEL)
    results = []
    for number in range(60):
        true = number % len(CODES)
        shares = rng.dirichlet(np.where(np.arange(len(CODES)) == true, 4.0, 0.5))
        prediction = prediction_from_views(np.tile(shares, (8, 1)), manifest)
        photo = LabelledPhoto(
            f"photo_{number}",
            CODES[true],
            CODES[true] in ("mel", "bcc", "ak", "scc"),
            Metadata(),
            f"lesion_{number // 2}",
        )
        results.append(PhotoResult(photo, prediction, Status.ANSWERED, None, NextStep.SEE_DOCTOR))
    return build_metrics(results, manifest, engine="fake", use_metadata=True, split="test", n_resamples=20)


@pytest.fixture
def with_files(fake_model: FakePredictor, metrics: dict[str, object], tmp_path: Path) -> None:
    """The files of both evaluations, where the app looks for them."""
    for which in ("test", "test-no-metadata"):
        folder = tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / which
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")


def test_page_without_files_says_what_makes_them(open_page: OpenPage) -> None:
    page = open_page("performance")

    assert page.info[0].value.startswith("There is nothing to show yet. Expected an evaluation 'test'")
    assert len(page.dataframe) == 0


@pytest.mark.usefixtures("with_files")
def test_page_shows_every_table_and_chart(open_page: OpenPage) -> None:
    page = open_page("performance")

    assert [header.value for header in page.header] == [
        "In plain numbers",
        "All in one table",
        "Cancer or pre-cancer: where the line is drawn",
        "Class by class",
        "Does a share mean what it says?",
        "When it holds back, and what it advises",
    ]
    assert len(page.get("plotly_chart")) == 6
    assert len(page.error) == 0


@pytest.mark.usefixtures("with_files")
def test_page_shows_the_measured_numbers_with_their_intervals(
    open_page: OpenPage, metrics: dict[str, dict[str, dict[str, float]]]
) -> None:
    page = open_page("performance")

    auc = metrics["summary"]["macro_auc"]
    shown = page.table[0].value.set_index("measure")["value (95 % interval)"]
    assert shown["Macro AUC, seven classes"] == f"{auc['value']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})"
    classes = page.dataframe[1].value
    assert list(classes.columns) == ["class", "photos", "precision", "sensitivity", "specificity", "F1", "AUC"]
    assert list(classes["photos"]) == [15, 8, 7, 7, 8, 8, 7]


@pytest.mark.usefixtures("with_files")
@pytest.mark.parametrize(
    ("view", "header"),
    [
        ("mistakes", "What it gets wrong"),
        ("groups", "By group"),
        ("folds", "Cross-validation"),
        ("stress", "When the photo is worse"),
        ("training", "How it was trained"),
        ("pair", "Two models side by side"),
        ("experiments", "Experiments"),
        ("others", "Beside other systems, and beside people"),
    ],
)
def test_each_view_opens_with_its_meaning_or_says_what_fills_it(open_page: OpenPage, view: str, header: str) -> None:
    page = open_page("performance")

    page.segmented_control(key="view").set_value(view).run()

    assert not page.exception
    assert [error.value for error in page.error] == []
    assert page.header[0].value == header
    if view in ("folds", "stress", "training", "pair", "experiments"):
        assert any("python -m dermascan_core" in info.value for info in page.info)


@pytest.mark.usefixtures("with_files")
def test_sheet_of_sample_answers_is_drawn_at_the_button_for_the_person_at_the_machine(
    open_page: OpenPage, metrics: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages._ui.measured_mistakes.is_local_visit", lambda: True)
    rows = [result("wrong", "nv", {"mel": 0.8})]
    folder = tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / "test"
    (folder / "predictions.csv").write_text(predictions_csv(rows, CODES), encoding="utf-8")
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("wrong", metrics["confident_mistakes"][0]["image_id"]):  # the sheet's, and the gallery's
        (photos / f"{name}.jpg").write_bytes(photo_bytes(fake_photo()))
    page = open_page("performance")
    page.segmented_control(key="view").set_value("mistakes").run()
    page.text_input(key="photo_folder").set_value(str(photos)).run()
    assert [error.value for error in page.error] == []
    n_before = len(page.get("image"))

    page.segmented_control(key="sheet").set_value("mistakes").run()
    page.button(key="draw_sheet").click().run()

    assert not page.exception
    assert [error.value for error in page.error] == []
    assert len(page.get("image")) == n_before + 1
    assert "Download the sheet (PNG)" in [button.label for button in page.get("download_button")]
    assert "The photos keep their licence: share the sheet only as it allows." in seen(page)


@pytest.mark.usefixtures("with_files")
def test_mistakes_show_where_the_network_looked_once_asked(
    open_page: OpenPage,
    fake_model: FakePredictor,
    metrics: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pages._ui.measured_mistakes.is_local_visit", lambda: True)
    names = [case["image_id"] for case in metrics["confident_mistakes"][:12]]
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in names[1:]:
        (photos / f"{name}.jpg").write_bytes(photo_bytes(fake_photo()))
    page = open_page("performance")
    page.segmented_control(key="view").set_value("mistakes").run()
    page.text_input(key="photo_folder").set_value(str(photos)).run()
    n_before = len(page.get("image"))

    page.toggle(key="gallery_heat").set_value(True).run()
    n_asked = fake_model.n_calls
    page.run()

    assert not page.exception
    assert [error.value for error in page.error] == []
    assert len(page.get("image")) == n_before + len(names) - 1
    assert "Where the network looked, for this class. Not where disease is." in seen(page)
    assert fake_model.n_calls == n_asked  # kept, not made again


@pytest.mark.usefixtures("with_files")
def test_sheet_is_not_offered_to_a_visitor_of_a_server(open_page: OpenPage) -> None:
    page = open_page("performance")

    page.segmented_control(key="view").set_value("mistakes").run()

    assert "draw_sheet" not in {button.key for button in page.button}
    assert "Photos of the archive are shown only to the person at the machine" in seen(page)


@pytest.mark.usefixtures("with_files")
def test_switch_shows_the_photo_alone(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("performance")
    (tmp_path / "dermascan.evaluation" / "test-no-metadata" / "metrics.json").unlink()

    page.selectbox(key="evaluation").set_value("test-no-metadata").run()

    assert "Expected an evaluation 'test-no-metadata'" in page.info[0].value


@pytest.mark.usefixtures("with_files")
def test_result_says_how_often_such_an_answer_was_wrong(open_page: OpenPage, fake_model: FakePredictor) -> None:
    fake_model.fixed = (0.001, 0.99, 0.001, 0.001, 0.001, 0.002, 0.002, 0.002)
    page = open_page("screening")

    page.button(key="example_even-mole").click().run()

    assert any("Of 100 test photos below the model's line, as here," in text.value for text in page.markdown)


@pytest.mark.usefixtures("with_files")
def test_other_archives_are_offered_beside_the_own_test(open_page: OpenPage, tmp_path: Path) -> None:
    own = tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / "test" / "metrics.json"
    other = tmp_path / f"{models.DEFAULT_MODEL}.evaluation" / "clinic"
    other.mkdir()
    (other / "metrics.json").write_text(own.read_text(encoding="utf-8"), encoding="utf-8")

    page = open_page("performance")
    page.selectbox(key="evaluation").set_value("clinic").run()

    assert "Other archive: clinic" in page.selectbox(key="evaluation").options
    assert not page.exception
    assert page.header[0].value == "In plain numbers"


@pytest.mark.usefixtures("with_files")
def test_every_evaluation_that_a_release_writes_has_words(open_page: OpenPage, tmp_path: Path) -> None:
    folder = tmp_path / f"{models.DEFAULT_MODEL}.evaluation"
    for name in {*publish.EVALUATIONS, *cross_validate.EVALUATIONS} - {"test", "test-no-metadata"}:
        (folder / name).mkdir()
        (folder / name / "metrics.json").write_text((folder / "test" / "metrics.json").read_text(encoding="utf-8"))

    offered = open_page("performance").selectbox(key="evaluation").options

    assert "Phone photos of the test alone" in offered
    assert [words for words in offered if words.startswith("Other archive")] == []
    assert len(set(offered)) == len(offered) == 8
