import json
import shutil

import numpy as np
import pytest

from dermascan_core.domain import Metadata
from dermascan_core.errors import DatasetError
from dermascan_core.model.predictor import prediction_from_views
from dermascan_core.services.models import load_predictor
from dermascan_core.tables import LabelledPhoto
from dermascan_core.training.release import choose_threshold, make_release, measure_candidate
from tests.fakes import CODES, fake_manifest
from tests.training.conftest import dataset_rows, write_dataset


@pytest.fixture(scope="module")
def released(finished_run, generated_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    manifest = make_release(finished_run, data=generated_dataset, name="tiny", weights_dir=folder)
    return manifest, folder


def test_released_model_loads_and_answers(released):
    manifest, folder = released

    predictor = load_predictor("tiny", weights_dir=folder)
    output = predictor.predict(np.full((1, 64, 64, 3), 128, np.uint8), [Metadata(age_approx=50)])[0]

    assert predictor.manifest == manifest
    assert output.prediction.ham_probabilities.sum() == pytest.approx(1)
    assert output.prediction.codes == ("mel", "nv", "bcc", "pbk")


def test_manifest_says_how_it_was_fitted(released, finished_run):
    manifest, _ = released
    record = json.loads((finished_run / "run.json").read_text())

    assert manifest.data["split_sha256"] == record["split_sha256"]
    assert manifest.data["validation_fold"] == 0
    assert manifest.temperature > 0
    assert manifest.training["best_epoch"] in (1, 2)
    assert len(manifest.training["epochs"]) == 2
    assert manifest.data["validation_at_threshold"]["malignant_sensitivity"] >= 0.95
    assert list(manifest.training["candidates"]) == [f"mobilenet, {manifest.training['kept']}"]


def test_release_from_other_data_claims_no_archive(released, generated_dataset):
    manifest, _ = released

    assert manifest.data["name"] == generated_dataset.name
    assert manifest.data["licence"] == "not stated"
    assert "HAM10000" not in manifest.licence


def test_release_with_another_split_is_refused(finished_run, tmp_path):
    rows = dataset_rows()[:-1]
    folder = write_dataset(tmp_path / "other", rows=rows)

    with pytest.raises(DatasetError, match="Release it with the data set that trained it"):
        make_release(finished_run, data=folder, name="tiny", weights_dir=tmp_path / "weights")


def test_unfinished_run_is_refused(finished_run, generated_dataset, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    (run / "best.keras").unlink()

    with pytest.raises(DatasetError, match="has not finished one epoch yet"):
        make_release(run, data=generated_dataset, name="tiny", weights_dir=tmp_path / "weights")


def test_release_of_two_runs_answers_with_the_mean_of_their_probabilities(finished_run, generated_dataset, tmp_path):
    one = make_release(finished_run, data=generated_dataset, name="one", weights_dir=tmp_path)
    two = make_release([finished_run, finished_run], data=generated_dataset, name="two", weights_dir=tmp_path)
    square = np.random.default_rng(0).integers(0, 256, (1, 64, 64, 3)).astype(np.uint8)

    single, double = (
        load_predictor(name, weights_dir=tmp_path).predict(square, [Metadata(age_approx=50)], explain=True)[0]
        for name in ("one", "two")
    )

    # Twice the same network: the same mean, sixteen looks, the same heat maps, features end to end.
    assert two.backbone == f"{one.backbone} + {one.backbone}"
    np.testing.assert_allclose(double.prediction.probabilities, single.prediction.probabilities, atol=1e-5)
    assert (single.prediction.n_views, double.prediction.n_views) == (8, 16)
    np.testing.assert_allclose(double.embedding, np.tile(single.embedding, 2), atol=1e-4)
    for code, heat_map in single.heat_maps.items():
        np.testing.assert_allclose(double.heat_maps[code], heat_map, atol=1e-3)
    assert set(two.training["candidates"]) > {"all, probabilities averaged"}


def test_runs_of_different_folds_are_not_joined(finished_run, generated_dataset, tmp_path):
    other = shutil.copytree(finished_run, tmp_path / "other")
    record = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps(record | {"fold": 1}))

    with pytest.raises(DatasetError, match="Expected runs with the same fold. Received 0; 1. Train them alike."):
        make_release([finished_run, other], data=generated_dataset, name="x", weights_dir=tmp_path / "weights")


def test_candidates_are_measured_as_they_are_served():
    """Perfect logits score 1 in all three measures; the AK and SCC of one HAM code are not told apart."""
    codes = ("mel", "nv", "ak", "scc")
    y_true = np.array([0, 0, 1, 1, 2, 3])
    logits = np.eye(4)[[0, 0, 1, 1, 3, 2]][:, None] * 9.0
    even = np.full(4, 0.25)

    measured = measure_candidate(logits, y_true, codes, (even, even))

    assert measured == {"macro_auc": 1.0, "malignant_auc": 1.0, "balanced_accuracy": 1.0}


def _prediction(p_mel, p_bcc=0.0):
    p = np.zeros(8)
    p[CODES.index("mel")], p[CODES.index("bcc")], p[CODES.index("nv")] = p_mel, p_bcc, 1 - p_mel - p_bcc
    return prediction_from_views(p[None], fake_manifest())


def test_threshold_is_the_stricter_of_malignant_and_melanoma_sensitivity():
    melanomas = [0.10 + 0.01 * i for i in range(40)]
    others = [0.02 + 0.01 * i for i in range(10)]
    predictions = [_prediction(p) for p in melanomas] + [_prediction(0, p) for p in others] + [_prediction(0.05)] * 50
    labels = ["mel"] * 40 + ["bcc"] * 10 + ["nv"] * 50
    photos = [LabelledPhoto(str(i), dx, dx != "nv") for i, dx in enumerate(labels)]

    point = choose_threshold(predictions, photos)

    # Of 50 malignant 2 may be missed, of 40 melanomas 2: the third lowest malignant (0.04) is the stricter.
    assert point.threshold == pytest.approx(0.04)
    assert point.malignant_sensitivity == 48 / 50
    assert point.melanoma_sensitivity == 1.0
    assert point.specificity == 0.0


def test_threshold_without_melanoma_is_refused():
    with pytest.raises(DatasetError, match="Expected melanoma photos in the validation fold"):
        choose_threshold([_prediction(0.1)], [LabelledPhoto("1", "nv", False)])
