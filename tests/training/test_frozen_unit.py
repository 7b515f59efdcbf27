import csv
import json

import keras
import numpy as np
import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.errors import DatasetError
from dermascan_core.imaging.decode import read_photo
from dermascan_core.imaging.preprocess import PreprocessConfig, preprocess
from dermascan_core.training.frozen_unit import UnitRecipe, train_unit
from tests.training.conftest import dataset_rows, write_dataset

RECIPE = UnitRecipe("mobilenet", "none", input_px=75, epochs=6, batch_size=8)


@pytest.fixture(scope="module")
def start(finished_run, tmp_path_factory):
    """Local weights of the frozen network: those that a run has learnt, as ImageNet's would be given."""
    path = tmp_path_factory.mktemp("start") / "mobilenet.weights.h5"
    trained = keras.saving.load_model(finished_run / "best.keras", compile=False).get_layer("backbone")
    own = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(75, 75, 3))
    own.set_weights(trained.get_weights())
    own.save_weights(path)
    return path


@pytest.fixture(scope="module")
def trained(generated_dataset, start, tmp_path_factory):
    out = tmp_path_factory.mktemp("units") / "unit"
    recipe = UnitRecipe("mobilenet", str(start), input_px=75, epochs=30, batch_size=8, learning_rate=1e-2)
    return out, train_unit(recipe, data=generated_dataset, out=out, with_test=True)


def test_only_the_unit_learns_and_only_from_the_three_classes(trained, start):
    out, result = trained
    network = keras.saving.load_model(out / "network.keras")
    given = keras.applications.MobileNet(include_top=False, weights=None, input_shape=(75, 75, 3))
    given.load_weights(start)
    frozen = next(layer for layer in network.layers if isinstance(layer, keras.Model))

    for ours, theirs in zip(frozen.get_weights(), given.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert result["n_trained_parameters"] == 1024 + 1
    assert result["n_parameters"] == given.count_params() + 1025
    rows = [row for row in dataset_rows() if row["split"] == "train" and row["fold"] == 1 and row["dx"] != "bcc"]
    assert result["n_train"] == len(rows)
    assert result["n_train_positive"] == sum(row["dx"] == "mel" for row in rows)


def test_epoch_with_the_lowest_validation_loss_is_kept(trained):
    out, result = trained
    with (out / "epochs.csv").open() as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]

    assert len(losses) == result["epochs_run"]
    assert int(np.argmin(losses)) + 1 == result["best_epoch"]
    assert json.loads((out / "result.json").read_text()) == json.loads(json.dumps(result))


def test_saved_network_answers_photos_as_it_was_measured(trained, generated_dataset):
    """The measures come from features and the unit apart; the file must be the same network in one."""
    out, result = trained
    network = keras.saving.load_model(out / "network.keras")
    rows = [row for row in dataset_rows() if row["split"] == "test" and row["dx"] != "bcc"]
    squares = np.stack(
        [
            preprocess(read_photo(generated_dataset / "images" / f"{row['image_id']}.jpg"), PreprocessConfig(75, 150))
            for row in rows
        ]
    )
    said = network.predict(squares.astype(np.float32), verbose=0)[:, 0]
    is_melanoma = np.array([row["dx"] == "mel" for row in rows])

    difference = np.round(said[is_melanoma][:, None] - said[~is_melanoma], 6)
    wins = (difference > 0).mean() + (difference == 0).mean() / 2
    measured = result["test"]["values"]
    assert measured["melanoma_vs_nv_bkl_auc"]["value"] == pytest.approx(wins)
    assert measured["two_class_accuracy"]["value"] == pytest.approx(((said >= 0.5) == is_melanoma).mean())
    assert result["test"]["n"] == len(rows)


def test_folder_with_a_run_is_left_alone(trained, generated_dataset):
    with pytest.raises(DatasetError, match="already holds a run"):
        train_unit(RECIPE, data=generated_dataset, out=trained[0])


def test_data_without_melanoma_are_refused_before_anything_is_built(tmp_path):
    data = write_dataset(tmp_path / "data", rows=[row for row in dataset_rows() if row["dx"] != "mel"])

    with pytest.raises(DatasetError, match="Expected training photos of both sides: mel against nv and bkl"):
        train_unit(RECIPE, data=data, out=tmp_path / "out")

    assert not (tmp_path / "out").exists()


def test_command_says_what_was_trained_and_measured(generated_dataset, start, tmp_path):
    options = ["--data", str(generated_dataset), "--out", str(tmp_path / "unit"), "--input-px", "75"]

    done = CliRunner().invoke(cli.app, ["frozen-unit", *options, "--backbone", "mobilenet", "--pretrained", str(start)])
    wrong = CliRunner().invoke(cli.app, ["frozen-unit", *options, "--backbone", "resnext101"])

    assert done.exit_code == 0, done.output
    assert "1,025 of 3,229,889 parameters trained" in done.output
    assert "validation: auc " in done.output
    assert "test:" not in done.output
    assert wrong.exit_code == 2
