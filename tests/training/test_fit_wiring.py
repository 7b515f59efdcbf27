"""Options whose parts are tested by themselves, here through a whole run: that ``train`` really uses them."""

import logging
import sys

import numpy as np
import pytest

from dermascan_core.training import run_setup
from dermascan_core.training.fit import train
from dermascan_core.training.presets import PRESETS, override
from dermascan_core.training.run_folder import read_epochs, read_state
from dermascan_core.training.sampling import BalancedBatches
from dermascan_core.training.schedules import OneCycle


def _column(result, name):
    return [row[name] for row in read_epochs(result.out / "epochs.csv")]


@pytest.mark.usefixtures("tiny_backbone")
def test_plateau_lowers_the_rate_that_the_next_epoch_is_trained_at(run):
    """A rate so small that no epoch is better: after every two that are not, a fifth."""
    settings = ("schedule=plateau", "optimizer=sgd", "learning_rate=1e-9", "train_batch_norm=false", "patience=99")

    result = run(*settings, "epochs=6")

    assert _column(result, "learning_rate") == pytest.approx([1e-9, 1e-9, 1e-9, 2e-10, 2e-10, 4e-11], rel=1e-4)
    assert read_state(result.out)["plateau"]["waited"] == 1


@pytest.mark.usefixtures("tiny_backbone")
def test_one_cycle_rises_and_falls_over_the_run(run):
    result = run("schedule=one_cycle", "learning_rate=0.01", "epochs=5", "patience=99")

    rates = _column(result, "learning_rate")
    # A cycle of any length: what counts is the share of it that is over.
    expected = [float(np.asarray(OneCycle(0.01, 5000)(1000 * epoch))) for epoch in range(1, 6)]
    assert rates == pytest.approx(expected, rel=0.02)
    assert rates[0] < rates[1] > rates[2] > rates[3] > rates[4]


@pytest.fixture
def drawn(monkeypatch):
    """Which photos each epoch drew, by (curriculum epochs, epoch)."""
    seen = {}
    draw = BalancedBatches.draw_photo

    def remember(batches, position):
        seen.setdefault(batches.epoch, set()).add(int(batches.order[position]))
        return draw(batches, position)

    monkeypatch.setattr(BalancedBatches, "draw_photo", remember)
    return seen


@pytest.mark.usefixtures("tiny_backbone")
def test_curriculum_begins_with_the_easy_photos_and_ends_with_all(run, drawn):
    out = run("epochs=3", "curriculum_epochs=2", "batch_size=4", "class_floor=30", "balance=0").out

    difficulty = np.frombuffer((out / "difficulty.bin").read_bytes())
    assert set(range(len(difficulty))) == drawn[2]
    assert len(drawn[0]) < len(drawn[1]) < len(drawn[2])
    left_out = sorted(drawn[2] - drawn[0])
    assert difficulty[sorted(drawn[0])].mean() < difficulty[left_out].mean()


@pytest.mark.usefixtures("tiny_backbone")
def test_curriculum_goes_on_by_the_judgement_that_it_began_with(run, monkeypatch):
    settings = ("curriculum_epochs=2", "batch_size=4", "schedule=constant", "average_epochs=0")
    unbroken = run(*settings, "epochs=3", out="unbroken")
    judged = []
    measure = run_setup.measure_difficulty
    monkeypatch.setattr(run_setup, "measure_difficulty", lambda *a, **o: judged.append(1) or measure(*a, **o))

    run(*settings, "epochs=1", out="stopped")
    result = run(*settings, "epochs=3", out="stopped", resume=True)

    assert judged == [1]
    for name in ("loss", "val_loss"):
        assert _column(result, name) == pytest.approx(_column(unbroken, name), abs=1e-3)


@pytest.mark.usefixtures("tiny_backbone")
def test_tf_data_trains_the_run_of_the_plain_batches(run):
    pytest.importorskip("tensorflow")
    settings = ("epochs=2", "mixup=0.2", "augment=strong")

    plain, piped = (run(*settings, f"pipeline={name}", out=name) for name in ("pydataset", "tf_data"))

    for name in ("loss", "val_loss"):
        assert _column(piped, name) == pytest.approx(_column(plain, name), rel=0.02)


@pytest.mark.usefixtures("tiny_backbone")
def test_tensorboard_gets_what_every_epoch_measured(run):
    pytest.importorskip("tensorflow")
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
    )

    out = run("epochs=2").out

    logged = set()
    for part in ("train", "validation"):
        accumulator = event_accumulator.EventAccumulator(str(out / "tensorboard" / part))
        accumulator.Reload()
        logged |= {(part, tag, len(accumulator.Tensors(tag))) for tag in accumulator.Tags()["tensors"]}
    assert logged >= {("train", "epoch_loss", 2), ("train", "epoch_learning_rate", 2), ("validation", "epoch_score", 2)}


@pytest.mark.usefixtures("tiny_backbone")
def test_run_without_tensorboard_says_so_and_trains(run, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    caplog.set_level(logging.INFO, logger="dermascan_core")

    out = run().out

    assert "TensorBoard logs are skipped: tensorboard and tensorflow are not both installed." in caplog.messages
    assert not (out / "tensorboard").exists()
    assert read_state(out)["epoch"] == 1


@pytest.mark.slow
def test_resnet50_trains_by_its_recipe(generated_dataset, tmp_path):
    recipe = override(PRESETS["resnet50"], ["pretrained=none", "input_px=32", "epochs=1", "batch_size=8"])

    out = train(recipe, data=generated_dataset, out=tmp_path / "run", base="resnet50").out

    import keras

    network = keras.saving.load_model(out / "best.keras", compile=False)
    row = read_epochs(out / "epochs.csv")[0]
    assert network.get_layer("backbone").count_params() == 23_587_712
    assert row["learning_rate"] == pytest.approx(1e-3)
    assert np.isfinite([row["loss"], row["val_loss"], row["val_score"]]).all()
