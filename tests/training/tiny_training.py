"""What a process does in the tests of several: trains four small layers on generated photos, with others or alone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from dermascan_core.training.launch import Place


def train_tiny(place: Place, *, data: Path, out: Path, settings: list[str], resume: bool = False) -> Any:
    """Train the smallest recipe at a place; a place among one trains alone, on JAX all the same."""
    from dermascan_core.model import dual_branch
    from dermascan_core.training import fit, team
    from dermascan_core.training.presets import PRESETS, override
    from tests.training.conftest import build_tiny_backbone

    dual_branch.build_backbone = build_tiny_backbone
    own = team.join(place) if place.size > 1 else team.ALONE
    return fit.train(override(PRESETS["smoke"], settings), data=data, out=out, resume=resume, team=own)


def train_tiny_until_killed(place: Place, *, out: Path, rank: int, **options: Any) -> Any:
    """The same, but one process is killed as soon as the first epoch is on the disk."""
    from dermascan_core.training.sampling import BalancedBatches

    load = BalancedBatches.__getitem__

    def load_and_die(batches: BalancedBatches, index: int) -> Any:
        if place.rank == rank and (out / "state.json").is_file():
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)
        return load(batches, index)

    BalancedBatches.__getitem__ = load_and_die
    return train_tiny(place, out=out, **options)
