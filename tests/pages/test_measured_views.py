"""The views of Model performance draw what commands wrote: folds, stress, course of training, runs, two models."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dermascan_core.evaluation.folds import evaluate_folds
from dermascan_core.evaluation.report import build_metrics
from dermascan_core.evaluation.stress_report import build_stress
from dermascan_core.services import models
from dermascan_core.services.experiments import list_experiments
from dermascan_core.services.performance import class_draws
from tests.evaluation.results_by_hand import MANIFEST, random_results
from tests.evaluation.test_experiments import _write as write_run
from tests.evaluation.test_stress import MEL, NV, _stressed
from tests.fakes import FakePredictor
from tests.pages.reading import seen

OpenPage = Callable[[str], AppTest]
NAME = models.DEFAULT_MODEL
OURS = replace(MANIFEST, name=NAME)


def write(folder: Path, name: str, data: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(data), encoding="utf-8")


def open_view(open_page: OpenPage, view: str) -> AppTest:
    page = open_page("performance").segmented_control(key="view").set_value(view).run()
    assert not page.exception
    assert [error.value for error in page.error] == []
    return page


@pytest.fixture
def own(fake_model: FakePredictor, tmp_path: Path) -> Path:
    fake_model.manifest = replace(OURS, sha256=fake_model.manifest.sha256)
    return tmp_path / f"{NAME}.evaluation"


def test_cross_validation_shows_each_fold_and_their_spread(open_page: OpenPage, own: Path) -> None:
    folds = {str(k): random_results(k, 40, prefix=f"f{k}_") for k in range(3)}
    metrics = evaluate_folds(folds, OURS, engine="fake", use_metadata=True, n_resamples=20)
    write(own / "cross-validation", "metrics.json", metrics)

    page = open_view(open_page, "folds")

    assert "**120** photos of **120** lesions in **3** folds" in seen(page)
    assert list(page.dataframe[1].value["fold"]) == ["fold 0", "fold 1", "fold 2"]
    assert len(page.get("plotly_chart")) == 2


def test_folds_of_a_plainer_recipe_stand_in_where_none_of_the_model_ship(
    open_page: OpenPage, own: Path, fake_model: FakePredictor, tmp_path: Path
) -> None:
    fake_model.manifest = replace(fake_model.manifest, data={"validation_fold": 1})
    folds = {str(k): random_results(k, 40, prefix=f"f{k}_") for k in range(3)}
    recipe = {"backbone": "small_net", "input_px": 96, "warmup_epochs": 1, "epochs": 4, "teacher": ""}
    metrics = evaluate_folds(folds, OURS, engine="fake", use_metadata=True, n_resamples=20, recipes=[recipe])
    write(tmp_path / "cross_validation" / "plain" / "cross-validation", "metrics.json", metrics)

    page = open_view(open_page, "folds")

    shown = seen(page)
    assert "no cross-validation ships with this model" in shown
    assert "**not the model that answers**, but a plainer one (small\\_net, 96 px, 5 rounds over the photos)" in shown
    value, mean = (row["summary"]["malignant_auc"] for row in (metrics["folds"]["rows"][1], metrics["folds"]["mean"]))
    assert "was tuned on fold 1. The plainer network's" in shown
    assert f"there is {value:.3f}; over all folds {mean:.3f} on average" in shown
    assert list(page.dataframe[1].value["fold"]) == ["fold 0", "fold 1", "fold 2"]
    assert not any(caption.value.startswith("Model ") for caption in page.caption)  # they are not of its weights


def test_damaged_folds_of_a_recipe_are_told(open_page: OpenPage, own: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cross_validation" / "plain" / "cross-validation"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text("{", encoding="utf-8")

    page = open_page("performance").segmented_control(key="view").set_value("folds").run()

    assert not page.exception
    assert "'cross-validation' of 'plain' cannot be read" in seen(page)


def test_stress_says_too_few_instead_of_a_number(open_page: OpenPage, own: Path) -> None:
    photos = [_stressed(i, "mel" if i < 4 else "nv", MEL if i < 4 else NV, {"blur": NV}) for i in range(12)]
    write(own / "stress", "stress.json", build_stress(photos, OURS, engine="fake", seed=0, n_resamples=20))

    page = open_view(open_page, "stress")

    assert "in the worst case, blur, sigma 1 px" in seen(page)
    assert "Too few cases for a number" in seen(page)
    assert "engine fake" in seen(page)


def test_training_shows_the_course_and_the_class_counts(open_page: OpenPage, fake_model: FakePredictor) -> None:
    epochs = [{"epoch": 1, "loss": 1.0, "val_score": 0.5, "val_macro_auc": 0.8}]
    training = {"recipe": {"balance": 1.0}, "epochs": epochs, "kept": "epoch 1"}
    fake_model.manifest = replace(OURS, training=training, data={"class_counts": {"nv": 90, "bkl": 10}})

    page = open_view(open_page, "training")

    assert [row["n_drawn"] for row in class_draws(fake_model.manifest)] == [50, 50]
    assert len(page.get("plotly_chart")) == 3


def test_own_runs_stand_beside_shipped_ones(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERMASCAN_RUNS", str(tmp_path / "runs"))
    record = write_run(tmp_path / "runs" / "tries", "focal", score=0.7, loss="focal")
    write(tmp_path / "experiments", "base.json", record | {"name": "base", "changed": {}, "recipe": {"loss": "plain"}})
    write(tmp_path / "runs" / "broken", "result.json", {})

    page = open_view(open_page, "experiments")

    assert [one.name for one in list_experiments().own] == ["tries/focal"]
    assert list(page.dataframe[0].value["from"]) == ["shipped", "your runs"]
    assert "The record of 'broken' cannot be read and is left out." in seen(page)
    assert ":orange-background[focal]" in page.table[0].value.to_string()


def test_recipe_that_was_changed_most_often_is_shown_by_itself_with_its_learning_curve(
    open_page: OpenPage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERMASCAN_RUNS", str(tmp_path / "runs"))
    write_run(tmp_path / "runs", "plain", score=0.7, pretrained="net.weights.h5")
    write_run(tmp_path / "runs", "half", score=0.6, n_train=40, lesion_share=0.5, epochs=4)
    record = write_run(tmp_path / "other", "alone", score=0.8, epochs=9)
    write(tmp_path / "experiments", "alone.json", record | {"base": "large"})

    page = open_view(open_page, "experiments")

    assert list(page.dataframe[0].value["run"]) == ["plain", "half"]
    assert list(page.dataframe[0].value["changed"]) == ["-", "lesion_share=0.5, epochs=4"]
    assert "With more lesions" in [one.value for one in page.subheader]
    page.selectbox(key="run_base").set_value("").run()
    assert list(page.dataframe[0].value["run"]) == ["alone", "plain", "half"]
    assert not page.exception


def test_two_models_are_compared_on_one_evaluation(
    open_page: OpenPage, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(OURS, name="other")
    monkeypatch.setattr(models, "list_models", lambda weights_dir=None: [OURS, other])
    for manifest in (OURS, other):
        metrics = build_metrics(random_results(1, 40), manifest, engine="fake", use_metadata=True, n_resamples=20)
        write(tmp_path / f"{manifest.name}.evaluation" / "test", "metrics.json", metrics)

    page = open_view(open_page, "pair")

    assert set(page.dataframe[0].value["difference"]) <= {"+0.000", "-"}
    assert {NAME, "other"} <= set(page.dataframe[0].value.columns)
