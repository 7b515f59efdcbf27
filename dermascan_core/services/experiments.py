"""Training runs to compare on a page: the records that ship with the weights, and the user's own runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import DatasetError
from ..evaluation.experiments import (
    RECORD_FILE,
    Experiment,
    chance_words,
    differing_fields,
    epoch_curves,
    experiment_rows,
    learning_curve,
    read_experiments,
)
from . import models

__all__ = [
    "Experiment",
    "FoundExperiments",
    "chance_words",
    "differing_fields",
    "epoch_curves",
    "experiment_rows",
    "learning_curve",
    "list_experiments",
    "runs_folder",
]
_MAX_DEPTH = 3  # runs/ablation/focal, runs/folds/large/fold-0


@dataclass(frozen=True, slots=True)
class FoundExperiments:
    """Runs with names that are unique among all of them.

    Attributes:
        shipped: From ``weights/experiments``.
        own: From the user's folder of runs, named by their place in it.
        problems: One sentence for each record that cannot be read.
    """

    shipped: tuple[Experiment, ...]
    own: tuple[Experiment, ...]
    problems: tuple[str, ...]


def runs_folder() -> Path:
    """Return the user's folder of runs: ``DERMASCAN_RUNS``, or ``runs`` where the program was started."""
    return Path(os.environ.get("DERMASCAN_RUNS") or "runs")


def list_experiments(*, weights_dir: Path | None = None, runs_dir: Path | None = None) -> FoundExperiments:
    """Return every record that can be read; one that cannot hides no other.

    Args:
        weights_dir: Folder of the weights; None for the one that ships.
        runs_dir: Folder of runs, of folders of runs, and so on three deep; None for ``runs_folder()``.
    """
    shipped_in = (weights_dir or models.WEIGHTS_DIR) / "experiments"
    own_in = runs_dir or runs_folder()
    problems: list[str] = []
    shipped = [one for path in sorted(shipped_in.glob("*.json")) for one in _read(path, path.stem, problems)]
    taken = {one.name for one in shipped}
    own = []
    for folder in sorted(_run_folders(own_in)):
        name = folder.relative_to(own_in).as_posix()
        own += _read(folder / RECORD_FILE, name if name not in taken else f"{name} (yours)", problems)
    return FoundExperiments(tuple(shipped), tuple(own), tuple(problems))


def _run_folders(root: Path) -> Iterator[Path]:
    for depth in range(1, _MAX_DEPTH + 1):
        yield from (path.parent for path in root.glob("/".join([*"*" * depth, RECORD_FILE])))


def _read(path: Path, name: str, problems: list[str]) -> list[Experiment]:
    try:
        return [replace(one, name=name) for one in read_experiments(path)]
    except DatasetError:
        # Its own sentence names the whole path, which a page served to others must not show.
        problems.append(f"The record of '{name}' cannot be read and is left out. Train it again, or remove it.")
        return []
