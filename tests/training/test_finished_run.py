import json
import shutil

import keras
import numpy as np
import pytest

from dermascan_core.domain import Metadata
from dermascan_core.errors import DatasetError
from dermascan_core.model.checkpoint import FEWEST_ROUNDED
from dermascan_core.model.dual_branch import build_dual_branch
from dermascan_core.training.averaging import MEAN_FILE
from dermascan_core.training.finished_run import load_network, read_run, view_logits


def test_network_is_the_mean_of_the_last_epochs_with_its_large_kernels_as_float16_holds_them(finished_run):
    run = read_run(finished_run)

    network, kept = load_network(run)

    assert kept == "mean of epochs 1 to 2"
    mean = keras.saving.load_model(finished_run / MEAN_FILE, compile=False).get_weights()
    are_rounded = [weight.ndim >= 2 and weight.size >= FEWEST_ROUNDED for weight in mean]
    assert {weight.ndim for weight, rounded in zip(mean, are_rounded, strict=True) if not rounded} == {1, 2, 4}
    assert sum(are_rounded) > 10
    for weight, expected, rounded in zip(network.get_weights(), mean, are_rounded, strict=True):
        np.testing.assert_array_equal(weight, expected.astype(np.float16).astype(np.float32) if rounded else expected)


def test_without_an_average_the_best_epoch_answers(finished_run, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    (run / "average.npz").unlink(missing_ok=True)

    _, kept = load_network(read_run(run))

    assert kept == f"epoch {read_run(run).best_epoch}"


def test_network_trained_in_mixed_precision_answers_in_float32(tmp_path, finished_run):
    run = shutil.copytree(finished_run, tmp_path / "run")
    (run / "average.npz").unlink(missing_ok=True)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = build_dual_branch("mobilenet_v2", input_px=64, metadata_width=5, n_classes=4)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    mixed.save(run / "best.keras")

    network, _ = load_network(read_run(run))

    assert {layer.compute_dtype for layer in network.layers} == {"float32"}
    for weight, original in zip(network.get_weights(), mixed.get_weights(), strict=True):
        np.testing.assert_allclose(weight, original, rtol=1e-3, atol=1e-7)


def test_logits_without_metadata_are_those_of_unknown_answers(finished_run):
    run = read_run(finished_run)
    network, _ = load_network(run)
    squares = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    people = [Metadata(age_approx=80, sex="male"), Metadata(age_approx=20)]

    told, untold = view_logits([network], squares, people, encoder=run.encoder)
    _, as_unknown = view_logits([network], squares, [Metadata(), Metadata()], encoder=run.encoder)

    assert told.shape == (2, 8, len(run.codes))
    assert np.abs(told - untold).max() > 1e-4
    np.testing.assert_allclose(untold, as_unknown, atol=1e-5)


def test_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(DatasetError, match=r"Expected a run with run\.json and state\.json"):
        read_run(tmp_path)


def test_run_before_its_first_epoch_is_not_finished(finished_run, tmp_path):
    run = shutil.copytree(finished_run, tmp_path / "run")
    state = json.loads((run / "state.json").read_text())
    del state["best_epoch"]
    (run / "state.json").write_text(json.dumps(state))

    with pytest.raises(DatasetError, match="has not finished one epoch yet"):
        read_run(run)
