"""Options of a recipe that need a whole run to show that they act; each run is a tiny network's."""

import json

import cv2
import keras
import numpy as np
import pytest

from dermascan_core.errors import DatasetError, TrainingError, WeightsError
from dermascan_core.tables import group_of
from dermascan_core.training.averaging import RunningAverage
from dermascan_core.training.data import load_dataset
from dermascan_core.training.finished_run import load_network, read_run
from dermascan_core.training.presets import PRESETS, override
from dermascan_core.training.run_folder import read_epochs, read_state
from dermascan_core.training.run_setup import keep_lesions, read_run_data, read_teachers, split_fold
from tests.training.conftest import dataset_rows, write_dataset


@pytest.mark.usefixtures("tiny_backbone")
def test_run_writes_its_record_and_is_measured_with_more_views(run):
    result = run("epochs=2", "balance=0.2", final_views=8)

    record = json.loads((result.out / "result.json").read_text())
    assert record["is_finished"]
    assert record["changed"] == {"input_px": 32, "warmup_epochs": 0, "epochs": 2, "balance": 0.2}
    assert set(record["measures"]) == {"1", "8"}
    assert record["measures"]["1"]["score"] == result.best["val_score"]
    assert [row["epoch"] for row in record["epochs"]] == [1, 2]


@pytest.mark.usefixtures("tiny_backbone")
def test_run_stops_after_its_patience_and_does_not_go_on_when_resumed(run):
    settings = ("epochs=6", "patience=1", "learning_rate=1e-9", "optimizer=sgd")

    stopped = read_state(run(*settings).out)["epoch"]
    run(*settings, resume=True)

    assert stopped < 6
    assert read_state(run(*settings, resume=True).out)["epoch"] == stopped


@pytest.mark.usefixtures("tiny_backbone")
def test_head_is_fitted_again_at_the_end_and_anew_when_the_run_goes_on(run):
    first = run("smote=true")
    shares = read_run(first.out).shares
    measures = json.loads((first.out / "result.json").read_text())["measures"]

    second = run("smote=true", "epochs=2", resume=True)

    # Every class was filled up to the largest, so that is what answers are corrected back from.
    np.testing.assert_allclose(shares[1], [0.25] * 4)
    assert measures["before_smote"] != measures["1"]
    assert measures["1"]["score"] == first.best["val_score"]
    assert [row["epoch"] for row in read_epochs(second.out / "epochs.csv")] == [1, 2]
    assert not (second.out / "average.npz").exists()


@pytest.mark.usefixtures("tiny_backbone")
def test_masks_are_learnt_beside_the_classes_and_not_kept(run, tmp_path):
    data = write_dataset(tmp_path / "masked", rows=dataset_rows())
    (data / "masks").mkdir()
    mask = np.zeros((150, 200), np.uint8)
    mask[50:100, 60:140] = 255
    for photo in (data / "images").iterdir():
        cv2.imwrite(str(data / "masks" / f"{photo.stem}.png"), mask)

    result = run("mask_weight=0.3", "precision=mixed_bfloat16", "ema_decay=0.9", data=data)

    row = read_epochs(result.out / "epochs.csv")[0]
    assert row["loss"] == pytest.approx(row["logits_loss"] + 0.3 * row["mask_loss"], rel=0.02)
    kept = keras.saving.load_model(result.out / "best.keras", compile=False)
    assert [tuple(o.shape) for o in kept.outputs] == [(None, 4)]
    assert kept.get_layer("fusion").dtype_policy.name == "float32"
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.usefixtures("tiny_backbone")
def test_teacher_that_has_seen_the_validation_photos_is_refused(run):
    teacher = run(out="teacher", fold=1).out

    with pytest.raises(
        TrainingError, match=r"'teacher' was trained without fold 1 of split .* seen photos that validate"
    ):
        run(f"teacher={teacher}")


@pytest.mark.usefixtures("tiny_backbone")
def test_teacher_changes_what_is_learnt(run, tmp_path):
    teacher = run(out="teacher").out

    alone, taught = (read_epochs(run(*s, out=n).out / "epochs.csv")[0] for n, s in (
        ("alone", ()), ("taught", (f"teacher={teacher}", "teacher_weight=0.9")),
    ))  # fmt: skip

    assert taught["loss"] < alone["loss"] / 2  # mostly a divergence between two networks that are alike


@pytest.mark.usefixtures("tiny_backbone")
def test_training_that_diverges_is_said(run):
    with pytest.raises(TrainingError, match=r"The training diverged in epoch 1: a weight is no number any more\."):
        run("optimizer=sgd", "learning_rate=1e38", "clip_norm=0", "schedule=constant", "epochs=1", "batch_size=4")


def test_starting_weights_of_another_shape_are_one_sentence_and_nothing_is_written(run, tmp_path):
    image = keras.Input((32, 32, 3))
    other = keras.Model(image, keras.layers.Conv2D(4, 3)(image))
    other.save_weights(tmp_path / "other.weights.h5")

    with pytest.raises(WeightsError) as error:
        run(f"pretrained={tmp_path / 'other.weights.h5'}", "backbone=mobilenet")

    assert str(error.value).startswith(f"Expected starting weights for mobilenet at '{tmp_path / 'other.weights.h5'}'.")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 700
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("tiny_backbone")
def test_layers_below_the_open_share_stay_as_they_started_and_so_do_their_statistics(run):
    """Of the five tiny layers the depthwise convolution alone trains; the mean network must keep what never trained."""
    out = run("epochs=2", "average_epochs=2", "learning_rate=0.01", "open_share=0.2").out

    network = keras.saving.load_model(out / "average.keras", compile=False).get_layer("backbone")
    last = keras.saving.load_model(out / "best.keras", compile=False).get_layer("backbone")
    norm = network.get_layer("tiny_norm")
    assert np.asarray(norm.moving_mean).tolist() == [0] * 8
    assert np.asarray(norm.moving_variance).tolist() == [1] * 8
    np.testing.assert_array_equal(network.get_layer("tiny_conv").kernel, last.get_layer("tiny_conv").kernel)
    assert np.abs(network.get_layer("tiny_depthwise").kernel - last.get_layer("tiny_depthwise").kernel).max() > 1e-5


@pytest.mark.usefixtures("tiny_backbone")
def test_teacher_is_asked_in_the_precision_that_it_was_trained_in(run, generated_dataset):
    mixed = run("precision=mixed_bfloat16", out="mixed").out
    exact = run(out="exact").out
    recipe = override(PRESETS["smoke"], [f"teacher={mixed},{exact}"])

    teachers = read_teachers(recipe, read_run_data(recipe, generated_dataset, 0), 0)

    assert [t.model.get_layer("fusion").compute_dtype for t in teachers] == ["bfloat16", "float32"]
    for teacher, folder in zip(teachers, (mixed, exact), strict=True):
        offered, _ = load_network(read_run(folder))
        for own, theirs in zip(teacher.model.get_weights(), offered.get_weights(), strict=True):
            np.testing.assert_array_equal(own, theirs)
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.usefixtures("tiny_backbone")
def test_mean_of_the_last_epochs_takes_its_statistics_anew(run):
    out = run("epochs=2", "average_epochs=2", "learning_rate=0.01").out

    mean = keras.saving.load_model(out / "average.keras", compile=False)
    plain = RunningAverage(out / "average.npz").mean()
    is_same = {w.path: np.allclose(a, b) for w, a, b in zip(mean.weights, mean.get_weights(), plain, strict=True)}
    assert {path for path, same in is_same.items() if not same} == {
        "tiny_norm/moving_mean", "tiny_norm/moving_variance"
    }  # fmt: skip
    offered, kept = load_network(read_run(out))
    assert kept == "mean of epochs 1 to 2"
    np.testing.assert_allclose(offered.get_weights()[4], mean.get_weights()[4])


@pytest.mark.usefixtures("tiny_backbone")
def test_share_of_the_lesions_is_part_of_a_larger_share_and_keeps_lesions_whole(run, generated_dataset):
    training, _ = split_fold(load_dataset(generated_dataset), 0)
    part, most = (keep_lesions(training, share) for share in (0.7, 0.9))

    assert 0 < len(part) < len(most) < len(training)
    assert {p.image_id for p in part} < {p.image_id for p in most}
    assert not {group_of(p) for p in part} & {group_of(p) for p in training if p not in part}
    assert keep_lesions(training, 1.0) == training
    record = json.loads((run("lesion_share=0.7").out / "run.json").read_text())
    assert record["n_train"] == len(part)


def test_share_in_which_a_diagnosis_is_lost_is_refused(generated_dataset):
    training, _ = split_fold(load_dataset(generated_dataset), 0)

    with pytest.raises(
        DatasetError, match=r"share of 1e-09 of the lesions\. None is left of .*mel.*\. Raise lesion_share"
    ):
        keep_lesions(training, 1e-9)
