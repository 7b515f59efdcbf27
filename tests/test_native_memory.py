"""Whether freed memory stays with a process that asked for it, and with no other."""

import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import Mock

import pytest

from dermascan_core.native_memory import keep_freed_memory
from dermascan_core.training import fit, frozen_unit, lr_finder
from dermascan_core.training.presets import PRESETS

MB = 400
# How much of a large array stays with the process after it was freed, in MB.
FREED = f"""
import numpy as np
from dermascan_core.native_memory import keep_freed_memory
def held():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20
print({{asked}})
before = held()
array = np.ones({MB} * 2**20, np.uint8)
del array
print(held() - before)
"""
ONLY_GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")


def run(asked: str) -> tuple[str, float]:
    done = subprocess.run([sys.executable, "-c", FREED.format(asked=asked)], capture_output=True, text=True, check=True)
    said, held = done.stdout.split()
    return said, float(held)


@ONLY_GLIBC
def test_freed_memory_stays_with_a_process_that_asked_for_it() -> None:
    said, held = run("keep_freed_memory()")

    assert said == "True"
    assert held > 0.9 * MB


@ONLY_GLIBC
def test_importing_it_alone_keeps_nothing() -> None:
    assert run("None")[1] < 0.1 * MB


@pytest.mark.parametrize("system", ["darwin", "win32"])
def test_nothing_is_asked_of_another_system(monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr("ctypes.CDLL", None)

    assert not keep_freed_memory()


def test_library_without_mallopt_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())

    assert not keep_freed_memory()


@pytest.mark.parametrize(
    ("module", "name", "recipe"),
    [
        (fit, "train", PRESETS["smoke"]),
        (lr_finder, "find_learning_rate", PRESETS["smoke"]),
        (frozen_unit, "train_unit", frozen_unit.UnitRecipe()),
    ],
    ids=["train", "lr-find", "frozen-unit"],
)
def test_whatever_trains_asks_for_it_before_all_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, module: ModuleType, name: str, recipe: object
) -> None:
    class AskedError(Exception):
        pass

    monkeypatch.setattr(module, "keep_freed_memory", Mock(side_effect=AskedError))

    with pytest.raises(AskedError):
        getattr(module, name)(recipe, data=tmp_path, out=tmp_path / "out")
