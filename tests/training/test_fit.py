import csv
import json
import shutil

import keras
import numpy as np
import pytest

from dermascan_core.errors import DatasetError, OutputError
from dermascan_core.training.data import load_dataset
from dermascan_core.training.fit import known_fields, split_fold, train
from dermascan_core.training.presets import override
from dermascan_core.training.run_folder import append_epoch
from tests.training.conftest import dataset_rows, write_dataset


def _epochs(run):
    with (run / "epochs.csv").open() as file:
        return list(csv.DictReader(file))


def test_run_trains_every_layer_and_records_each_epoch(finished_run):
    epochs = _epochs(finished_run)
    model = keras.saving.load_model(finished_run / "best.keras")

    assert [row["epoch"] for row in epochs] == ["1", "2"]
    assert all(np.isfinite(float(value)) for row in epochs for value in row.values())
    assert model.get_layer("backbone").trainable
    assert all(weight.trainable for layer in model.get_layer("backbone").layers for weight in layer.trainable_weights)
    assert len(model.trainable_weights) > 80


def test_run_names_its_recipe_split_and_classes(finished_run, generated_dataset):
    record = json.loads((finished_run / "run.json").read_text())

    assert record["codes"] == ["mel", "nv", "bcc", "pbk"]
    assert record["metadata_fields"] == ["age_approx", "sex", "anatom_site"]
    assert record["split_sha256"] == load_dataset(generated_dataset).split_sha256
    assert record["n_train"] + record["n_validation"] == sum(row["split"] == "train" for row in dataset_rows())
    assert sum(record["sampling_shares"]) == pytest.approx(1)


def test_resumed_run_goes_on_after_the_last_whole_epoch(finished_run, generated_dataset, smoke_preset, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")

    train(override(smoke_preset, ["epochs=2"]), data=generated_dataset, out=run, resume=True)

    assert [row["epoch"] for row in _epochs(run)] == ["1", "2", "3"]
    assert _epochs(run)[:2] == _epochs(finished_run)
    assert json.loads((run / "state.json").read_text())["epoch"] == 3


def test_resuming_with_another_fold_is_refused(finished_run, generated_dataset, smoke_preset):
    with pytest.raises(
        DatasetError, match=r"was started with fold 0; now it is 1\. Resume with the same data, fold and recipe"
    ):
        train(smoke_preset, data=generated_dataset, out=finished_run, fold=1, resume=True)


def test_resuming_with_another_recipe_is_refused_and_the_record_stays(finished_run, generated_dataset, smoke_preset):
    before = (finished_run / "run.json").read_text()

    with pytest.raises(DatasetError, match=r"was started with balance 0\.5; now it is 0\.9"):
        train(override(smoke_preset, ["balance=0.9"]), data=generated_dataset, out=finished_run, resume=True)
    assert (finished_run / "run.json").read_text() == before


def test_run_of_before_a_field_was_there_goes_on_only_with_its_usual_value(
    finished_run, generated_dataset, smoke_preset, tmp_path
):
    run = shutil.copytree(finished_run, tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    record["preset"] = {k: v for k, v in record["preset"].items() if v is not None and k != "open_share"}
    (run / "run.json").write_text(json.dumps(record))

    with pytest.raises(DatasetError, match=r"was started with rotation_degrees None; now it is 30\.0"):
        train(override(smoke_preset, ["rotation_degrees=30"]), data=generated_dataset, out=run, resume=True)
    with pytest.raises(DatasetError, match=r"was started with open_share 1\.0; now it is 0\.5"):
        train(override(smoke_preset, ["open_share=0.5"]), data=generated_dataset, out=run, resume=True)
    assert train(smoke_preset, data=generated_dataset, out=run, resume=True).best_epoch in (1, 2)


def test_run_is_never_overwritten(finished_run, generated_dataset, smoke_preset):
    with pytest.raises(DatasetError) as error:
        train(smoke_preset, data=generated_dataset, out=finished_run)

    assert str(error.value) == f"'{finished_run}' already holds a run. Go on with --resume, or choose another folder."


def test_nothing_to_resume_is_said(generated_dataset, smoke_preset, tmp_path):
    with pytest.raises(DatasetError, match="Expected a run to resume in"):
        train(smoke_preset, data=generated_dataset, out=tmp_path / "none", resume=True)


def test_folder_that_cannot_be_made_is_said(generated_dataset, smoke_preset, tmp_path):
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(OutputError, match="Expected a folder that can be made at"):
        train(smoke_preset, data=generated_dataset, out=tmp_path / "taken")


def test_data_that_leaks_between_folds_stops_the_training_and_names_the_lesion(smoke_preset, tmp_path):
    rows = dataset_rows()
    rows[0]["fold"], rows[1]["fold"] = 0, 1
    folder = write_dataset(tmp_path / "leaky", rows=rows)

    with pytest.raises(DatasetError, match=r"1 lie in several: nv_0\. Results on such a split would be too good"):
        train(smoke_preset, data=folder, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_no_lesion_of_the_validation_fold_trains(generated_dataset):
    training, validation = split_fold(load_dataset(generated_dataset), 1)

    assert not {p.lesion_id for p in training} & {p.lesion_id for p in validation}
    assert all(p.split == "train" for p in training + validation)


def test_unknown_fold_names_those_that_exist(generated_dataset):
    with pytest.raises(DatasetError) as error:
        split_fold(load_dataset(generated_dataset), 7)

    assert str(error.value) == "Expected one of the folds 0, 1 of the train split. Received fold 7."


@pytest.mark.parametrize(
    ("split", "fold", "message"),
    [("test", "", "Expected photos in the train split. Received none."), ("train", "0", "Received fold 0 alone.")],
)
def test_split_that_leaves_a_part_empty_says_which(tmp_path, split, fold, message):
    rows = [row | {"split": split, "fold": fold} for row in dataset_rows()]
    data = load_dataset(write_dataset(tmp_path / "data", rows=rows))

    with pytest.raises(DatasetError, match=message):
        split_fold(data, 0)


def test_field_that_training_photos_do_not_carry_gets_no_path(generated_dataset):
    training, _ = split_fold(load_dataset(generated_dataset), 0)

    assert known_fields(training) == ("age_approx", "sex", "anatom_site")


def test_epoch_repeated_after_a_kill_has_one_line(tmp_path):
    path = tmp_path / "epochs.csv"

    for epoch, loss in ((1, 2.0), (2, 1.5), (2, 1.25)):
        append_epoch(path, {"epoch": epoch, "loss": loss})

    assert path.read_text().splitlines() == ["epoch,loss", "1,2", "2,1.25"]
