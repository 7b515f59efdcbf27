"""The files of a training run: written whole or not at all, so that a kill or a full disk costs one epoch at most.

``run.json`` (recipe, data, split hash), ``epochs.csv`` (one line an epoch), ``best.keras``, ``checkpoint-N.npz``
(weights, random seeds and optimizer after epoch N), ``average.npz``, ``state.json`` and ``result.json``. The checkpoint
counts once ``state.json`` names it: a run that was killed in between repeats the epoch from the one before.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError, OutputError
from ..evaluation.files import prepare_folder
from .presets import Preset

if sys.platform != "win32":  # Windows has no such locks: there, nobody stops a second process
    import fcntl

_logger = logging.getLogger(__name__)
Arrays = Mapping[str, npt.NDArray[Any]]
# What may change on the way: a run can be shortened, prolonged, or moved away from its ImageNet file.
MAY_CHANGE = frozenset({"epochs", "patience", "average_epochs", "pretrained"})
_MUST_AGREE = ("fold", "codes", "metadata_fields", "split_sha256")


def check_start(out: Path, record: Mapping[str, Any], *, resume: bool) -> None:
    """Raise unless a run with this record may start, or go on, in the folder; nothing is written.

    Raises:
        DatasetError: If there is nothing to resume, a run lies there already, or it was started otherwise.
    """
    path = out / "run.json"
    if not resume:
        if path.is_file():
            raise DatasetError(f"'{out}' already holds a run. Go on with --resume, or choose another folder.")
        return
    if not path.is_file():
        raise DatasetError(f"Expected a run to resume in '{out}'. There is none. Start it without --resume.")
    before = json.loads(path.read_text(encoding="utf-8"))
    for name in _MUST_AGREE:
        _refuse_change(out, name, before[name], record[name])
    usual = Preset("").to_dict()  # of a field that came after the run was started
    for name in sorted((set(before["preset"]) | set(record["preset"])) - MAY_CHANGE):
        _refuse_change(out, name, before["preset"].get(name, usual.get(name)), record["preset"].get(name))
    state = read_state(out)
    if state["epoch"] and not (out / str(state.get("checkpoint"))).is_file():
        raise DatasetError(
            f"Expected the checkpoint of epoch {state['epoch']} in '{out}'. It is missing, or of an older version. "
            "Start a new run in another folder."
        )


def _refuse_change(out: Path, name: str, before: Any, now: Any) -> None:
    if before != now:
        raise DatasetError(
            f"The run in '{out}' was started with {name} {before}; now it is {now}. "
            "Resume with the same data, fold and recipe, or start a new run in another folder."
        )


def start(out: Path, record: Mapping[str, Any]) -> None:
    """Make the folder and write ``run.json``.

    Raises:
        OutputError: If that cannot be done.
    """
    prepare_folder(out)
    write_json(out / "run.json", record)


@contextmanager
def sole_trainer(out: Path) -> Iterator[None]:
    """Keep a second process out of a run's folder; the lock ends with the process, however it ends.

    Raises:
        OutputError: If another process trains there.
    """
    with (out / ".lock").open("w") as file:
        if not _lock(file.fileno(), is_waiting=False):
            raise OutputError(f"Another process is training in '{out}'. Wait for it, or choose another folder.")
        yield


@contextmanager
def turn_in(folder: Path) -> Iterator[None]:
    """Wait until no other process works in a folder, and keep others waiting meanwhile."""
    with (folder / ".lock").open("w") as file:
        _lock(file.fileno(), is_waiting=True)
        yield


def wait_until_free(out: Path) -> None:
    """Return once no process trains in a folder: one that outlived whoever started it may still be at work."""
    path = out / ".lock"
    if not path.is_file():
        return
    with path.open("r+") as file:
        if not _lock(file.fileno(), is_waiting=False):
            _logger.warning("Another process is training in '%s': waiting for it to end", out)
            _lock(file.fileno(), is_waiting=True)


def _lock(descriptor: int, *, is_waiting: bool) -> bool:
    if sys.platform == "win32":
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if is_waiting else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def read_state(out: Path) -> dict[str, Any]:
    """Return where the run stands: ``epoch`` (whole ones so far), best epoch and measures, checkpoint, plateau, time."""
    path = out / "state.json"
    state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"epoch": 0}
    return state


def write_checkpoint(out: Path, arrays: Arrays, state: Mapping[str, Any]) -> None:
    """Write an epoch's checkpoint, let ``state.json`` name it, and remove the one before.

    Raises:
        OutputError: If the disk is full; the checkpoint before stays.
    """
    path = out / f"checkpoint-{state['epoch']}.npz"

    named: dict[str, Any] = dict(arrays)

    def write(partial: Path) -> None:
        with partial.open("wb") as file:
            np.savez(file, **named)

    write_whole(path, write)
    write_json(out / "state.json", {**state, "checkpoint": path.name})
    for old in out.glob("checkpoint-*.npz"):
        if old != path:
            old.unlink()


def read_checkpoint(out: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of the checkpoint that ``state.json`` names."""
    with np.load(out / str(read_state(out)["checkpoint"])) as stored:
        return {name: stored[name] for name in stored.files}


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Write a record.

    Raises:
        OutputError: If the disk is full.
    """
    write_whole(path, lambda partial: partial.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8"))


def append_epoch(path: Path, row: Mapping[str, Any]) -> None:
    """Add an epoch's line; the line of a run that was killed after writing it, before its checkpoint, is replaced.

    Raises:
        OutputError: If the disk is full.
    """
    rows: list[dict[str, Any]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            rows = [before for before in csv.DictReader(file) if int(before["epoch"]) < int(row["epoch"])]
    rows.append({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    names = list(dict.fromkeys(name for one in rows for name in one))

    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=names, restval="")
            writer.writeheader()
            writer.writerows(rows)

    write_whole(path, write)


def read_epochs(path: Path) -> list[dict[str, float]]:
    """Return one row of numbers an epoch; empty cells are left out."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(file)]


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Let ``write`` fill a file beside ``path`` and move it there.

    Raises:
        OutputError: If the disk is full or may not be written; what was there before stays.
    """
    partial = path.with_name(f"partial-{path.name}")
    try:
        write(partial)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(
            f"Expected to write '{path}'. The disk said: {error.strerror or error}. "
            "Free some space, then go on with --resume."
        ) from error
