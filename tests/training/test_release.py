import json
import shutil

import numpy as np
import pytest

from dermascan_core.domain import Metadata
from dermascan_core.errors import DatasetError
from dermascan_core.services.models import load_predictor
from dermascan_core.training.release import make_release
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
    rounding = manifest.training["rounding"]
    assert rounding["n_photos"] == manifest.data["n_validation"]
    assert 0 < rounding["largest_change"] < 0.01  # rounded, and hardly another answer
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

    with pytest.raises(DatasetError, match=r"Expected runs with the same fold\. Received 0; 1\. Train them alike\."):
        make_release([finished_run, other], data=generated_dataset, name="x", weights_dir=tmp_path / "weights")
