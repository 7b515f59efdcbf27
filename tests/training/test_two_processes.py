"""Two processes on this computer train the network that one would, and what one of them loses the run does not.

They run on JAX, which is installed only on purpose; without it, what can be held without it is in ``test_team`` and
``test_launch``.
"""

from functools import partial
from importlib.util import find_spec

import keras
import numpy as np
import pytest

from dermascan_core.errors import TrainingError
from dermascan_core.training.launch import Place, local_places, run_together
from dermascan_core.training.run_folder import read_epochs, read_state
from tests.training.tiny_training import train_tiny, train_tiny_until_killed

pytestmark = [
    pytest.mark.parallel,
    pytest.mark.skipif(
        find_spec("jax") is None,
        reason="TRAINING IN TWO PROCESSES NOT TESTED: JAX is not installed (pip install -r requirements-parallel.txt).",
    ),
]
# Batch normalisation, dropout and mixed photos: each would differ if a process saw its own share alone.
SETTINGS = [
    *("input_px=32", "batch_size=4", "warmup_epochs=1", "epochs=2", "optimizer=sgd", "learning_rate=0.05"),
    *("mixup=0.4", "cutmix=1.0"),
]
ALONE = [Place(0, 1, "")]


@pytest.fixture(scope="module")
def runs(generated_dataset, tmp_path_factory):
    """One run by one process, one by two."""
    folder = tmp_path_factory.mktemp("runs")
    for name, places in (("one", ALONE), ("two", local_places(2))):
        work = partial(train_tiny, data=generated_dataset, out=folder / name, settings=SETTINGS)
        result = run_together(work, places)
        assert (result.out, result.best_epoch) == (folder / name, read_state(folder / name)["best_epoch"])
    return folder


def _arrays(path):
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


def _assert_same_run(one, other):
    for name in ("checkpoint-3.npz", "average.npz"):
        weights, others = _arrays(one / name), _arrays(other / name)
        assert weights.keys() == others.keys()
        for key, weight in weights.items():
            assert others[key] == pytest.approx(weight, abs=1e-5), (name, key)
    rows, others = (read_epochs(run / "epochs.csv") for run in (one, other))
    for row, same in zip(rows, others, strict=True):
        assert {k: v for k, v in same.items() if k != "elapsed_s"} == pytest.approx(
            {k: v for k, v in row.items() if k != "elapsed_s"}, abs=1e-4
        )


def test_two_processes_train_the_network_of_one(runs):
    moved = _arrays(runs / "one" / "checkpoint-3.npz")

    _assert_same_run(runs / "one", runs / "two")
    # The mean's statistics come from whole batches, though its process loaded halves before.
    one, two = (keras.saving.load_model(runs / name / "average.keras", compile=False) for name in ("one", "two"))
    for weight, same in zip(one.get_weights(), two.get_weights(), strict=True):
        assert same == pytest.approx(weight, abs=1e-5)
    assert any(np.abs(array).max() > 1e-3 for key, array in moved.items() if key.startswith("optimizer"))


def test_one_process_alone_writes_the_run_s_folder(runs):
    names = [{path.name for path in (runs / name).iterdir()} for name in ("one", "two")]

    assert names[0] == names[1]
    assert [row["epoch"] for row in read_epochs(runs / "two" / "epochs.csv")] == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_other_and_the_run_goes_on(generated_dataset, runs, tmp_path, rank):
    options = {"data": generated_dataset, "out": tmp_path / "run", "settings": SETTINGS}

    with pytest.raises(TrainingError) as error:
        run_together(partial(train_tiny_until_killed, rank=rank, **options), local_places(2))
    assert str(error.value) == (
        f"Process {rank} of 2 was ended by signal 9. The others were stopped. Start all again with --resume."
    )
    assert read_state(tmp_path / "run")["epoch"] == 1
    # What two began, one can finish, and the other way round.
    run_together(partial(train_tiny, resume=True, **options), [ALONE, local_places(2)][rank])

    _assert_same_run(runs / "two", tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize(
    "settings",
    [
        ["ema_decay=0.9", "accumulate_steps=2", "adaptive_clip=0.05", "schedule=plateau", "learning_rate=0.01"],
        ["precision=mixed_bfloat16", "unfreeze_stages=2", "class_weight=0.5", "loss=focal"],
        ["average_epochs=0", "smote=true"],
    ],
    ids=lambda settings: settings[0].partition("=")[0],
)
def test_every_recipe_is_the_same_in_two_processes(generated_dataset, tmp_path, settings):
    settings = [*SETTINGS, *settings]

    for name, places in (("one", ALONE), ("two", local_places(2))):
        run_together(partial(train_tiny, data=generated_dataset, out=tmp_path / name, settings=settings), places)

    one, two = (_arrays(tmp_path / name / "checkpoint-3.npz") for name in ("one", "two"))
    tolerance = 2e-2 if "precision=mixed_bfloat16" in settings else 1e-4
    for key, weight in one.items():
        assert two[key].astype(np.float32) == pytest.approx(weight.astype(np.float32), abs=tolerance), key


@pytest.mark.slow
def test_processes_that_were_started_with_different_recipes_are_refused(generated_dataset, tmp_path):
    with pytest.raises(TrainingError, match=r"Expected the same preset in all 2 processes\. Process 1 has "):
        run_together(partial(_train_another, data=generated_dataset, out=tmp_path / "run"), local_places(2))

    assert not (tmp_path / "run" / "epochs.csv").exists()


def _train_another(place, **options):
    return train_tiny(place, settings=[*SETTINGS, f"seed={place.rank}"], **options)
