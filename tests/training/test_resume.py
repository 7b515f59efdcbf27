"""A run that is killed, or finds the disk full, ends as the unbroken one."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest

from dermascan_core.errors import OutputError
from dermascan_core.training import callbacks, run_folder
from dermascan_core.training.fit import train
from dermascan_core.training.presets import PRESETS, override
from dermascan_core.training.run_folder import read_epochs, read_state
from tests.contract.tree import ROOT

SETTINGS = ("input_px=32", "warmup_epochs=0", "epochs=2", "batch_size=4", "ema_decay=0.9", "accumulate_steps=2")
# A process that trains the tiny network; a batch takes long enough to be killed in the middle of an epoch.
PROCESS = """
import sys, time
from pathlib import Path
from dermascan_core.model import dual_branch
from dermascan_core.training import fit
from dermascan_core.training.presets import PRESETS, override
from dermascan_core.training.sampling import BalancedBatches
from tests.training.conftest import build_tiny_backbone

data, out, pause_s, *settings = sys.argv[1:]
dual_branch.build_backbone = build_tiny_backbone
load = BalancedBatches.__getitem__
BalancedBatches.__getitem__ = lambda self, index: (time.sleep(float(pause_s)), load(self, index))[1]
fit.use_deterministic_operations()
recipe = override(PRESETS["smoke"], settings)
for folder in out.split(","):
    resume = (Path(folder) / "run.json").is_file()
    fit.train(recipe, data=Path(data), out=Path(folder), resume=resume)
"""


def _start(data, out, *, pause_s=0.0):
    command = [sys.executable, "-c", PROCESS, str(data), out, str(pause_s), *SETTINGS]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)


def _wait_for(path, process):
    while not path.is_file():
        assert process.poll() is None, "the process ended before its first epoch"
        time.sleep(0.02)


def test_run_killed_in_the_middle_of_an_epoch_ends_as_the_unbroken_one(generated_dataset, tmp_path):
    killed, unbroken = tmp_path / "killed", tmp_path / "unbroken"
    process = _start(generated_dataset, str(killed), pause_s=0.5)
    _wait_for(killed / "state.json", process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert read_state(killed)["epoch"] == 1

    assert _start(generated_dataset, f"{killed},{unbroken}").wait() == 0

    one, other = (read_epochs(run / "epochs.csv") for run in (killed, unbroken))
    assert [row["epoch"] for row in one] == [1, 2]
    for name in ("loss", "val_loss", "val_score"):
        assert one[1][name] == pytest.approx(other[1][name], abs=1e-3)


class _StoppedError(Exception):
    pass


def _train(data, out, settings, **options):
    recipe = override(PRESETS["smoke"], ["input_px=32", "batch_size=4", *settings])
    return train(recipe, data=data, out=out, **options)


@pytest.mark.usefixtures("tiny_backbone")
def test_run_stopped_after_any_epoch_keeps_every_state(generated_dataset, tmp_path, monkeypatch):
    """Warm-up, unfreezing by stages, plateau, moving average, accumulation: all of it goes on."""
    settings = (
        "warmup_epochs=1", "epochs=3", "unfreeze_stages=2", "schedule=plateau", "ema_decay=0.9", "accumulate_steps=2",
        "adaptive_clip=0.05", "learning_rate=0.01",
    )  # fmt: skip
    _train(generated_dataset, tmp_path / "unbroken", settings)
    write = callbacks.write_result

    def stop(out, record, **more):
        write(out, record, **more)
        if not more and read_state(out)["epoch"] < 4:
            raise _StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "write_result", stop)
        for resume in (False, True, True):
            with pytest.raises(_StoppedError):
                _train(generated_dataset, tmp_path / "stopped", settings, resume=resume)
    _train(generated_dataset, tmp_path / "stopped", settings, resume=True)

    one, other = (read_epochs(tmp_path / name / "epochs.csv") for name in ("stopped", "unbroken"))
    assert [row["epoch"] for row in one] == [1, 2, 3, 4]
    for name in ("loss", "val_loss", "learning_rate"):
        assert [row[name] for row in one] == pytest.approx([row[name] for row in other], abs=1e-3)


@pytest.mark.usefixtures("tiny_backbone")
def test_full_disk_is_one_sentence_and_the_run_goes_on_once_there_is_space(generated_dataset, tmp_path, monkeypatch):
    replace = os.replace

    def fill_up(source, target):
        if str(target).endswith("checkpoint-2.npz"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    monkeypatch.setattr(run_folder.os, "replace", fill_up)
    with pytest.raises(OutputError) as error:
        _train(generated_dataset, tmp_path / "run", ("warmup_epochs=0", "epochs=2"))
    monkeypatch.setattr(run_folder.os, "replace", replace)
    result = _train(generated_dataset, tmp_path / "run", ("warmup_epochs=0", "epochs=2"), resume=True)

    path = tmp_path / "run" / "checkpoint-2.npz"
    assert str(error.value) == (
        f"Expected to write '{path}'. The disk said: No space left on device. "
        "Free some space, then go on with --resume."
    )
    assert [row["epoch"] for row in read_epochs(result.out / "epochs.csv")] == [1, 2]
    assert read_state(result.out)["epoch"] == 2
    assert [p.name for p in result.out.glob("*partial*")] == []
