"""TensorFlow's start-up lines stay off standard error; what a person must read, and what they asked for, does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dermascan_core.cli.quiet_start import hide_start_up_lines
from dermascan_core.native_output import without_chatter

ROOT = Path(__file__).resolve().parents[1]


def _run(*arguments, **environment):
    plain = {k: v for k, v in os.environ.items() if not k.startswith("TF_")} | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "dermascan_core", *arguments],
        capture_output=True,
        text=True,
        env=plain | environment,
        check=False,
    )


def test_command_that_loads_tensorflow_fails_with_its_one_sentence_alone(tmp_path):
    done = _run("train", "smoke", "--data", str(tmp_path), "--out", str(tmp_path / "run"))

    assert done.returncode == 1
    assert done.stderr == (
        f"Error: Expected metadata.csv and images/ in '{tmp_path}'. They are not there. "
        "Make them with: python -m dermascan_core data import ham10000 --help\n"
    )


@pytest.mark.parametrize(("asked", "level", "is_hidden"), [("0", "0", False), ("3", "3", True), (None, "2", True)])
def test_own_setting_stays_and_decides(monkeypatch, asked, level, is_hidden):
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    if asked is not None:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", asked)
    before = len(sys.meta_path)

    hide_start_up_lines()

    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == level
    assert (len(sys.meta_path) > before) is is_hidden


def test_errors_and_other_lines_come_through(capfd):
    lines = [
        "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
        "I0000 00:00:1795710004.070995    7876 port.cc:153] oneDNN custom operations are on.",
        "2026-11-26 10:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.",
        "E0000 00:00:1795710004.070995    7876 driver.cc:1] The driver is too old.",
        "UserWarning: h5py is running against another HDF5.",
    ]

    with without_chatter():
        os.write(2, "\n".join([*lines, ""]).encode())

    assert capfd.readouterr().err.splitlines() == [lines[3], lines[4]]


def test_lines_before_a_failure_are_not_lost(capfd):
    def fail():
        with without_chatter():
            os.write(2, b"libfoo.so is missing\n")
            raise ImportError("no backend")

    with pytest.raises(ImportError):
        fail()

    assert capfd.readouterr().err == "libfoo.so is missing\n"
