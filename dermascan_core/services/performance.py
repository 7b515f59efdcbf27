"""The evaluations that ship with the weights, read for the Model performance page and the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..evaluation.evaluate import METRICS_FILE
from ..evaluation.report import SCHEMA
from . import models

_FIRST = ("test", "test-no-metadata")


def available_evaluations(name: str = models.DEFAULT_MODEL, *, weights_dir: Path | None = None) -> tuple[str, ...]:
    """Return the names of a model's evaluations: ``test`` first, then ``test-no-metadata``, then others by name."""
    folder = _folder(name, weights_dir)
    found = sorted(path.parent.name for path in folder.glob(f"*/{METRICS_FILE}"))
    return (*(which for which in _FIRST if which in found), *(which for which in found if which not in _FIRST))


def load_evaluation(
    name: str = models.DEFAULT_MODEL, which: str = "test", *, weights_dir: Path | None = None
) -> dict[str, Any]:
    """Return what ``evaluate`` wrote; the schema is in docs/evaluation.md.

    Args:
        name: Of the model.
        which: One of ``available_evaluations``.
        weights_dir: Folder of the weights; None for the one that ships.

    Raises:
        WeightsError: If it is missing, damaged, or of a schema that this program does not know.
    """
    path = _folder(name, weights_dir) / which / METRICS_FILE
    # Names arrive from pages and the command line; none may lead out of the weights folder.
    if Path(name).name != name or Path(which).name != which or not path.is_file():
        found = ", ".join(available_evaluations(name, weights_dir=weights_dir)) or "none"
        raise WeightsError(
            f"Expected an evaluation '{which}' of the model '{name}'. There are: {found}. "
            "Restore the weights folder from the release, or make one with: python -m dermascan_core evaluate --help"
        )
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"The evaluation '{which}' of '{name}' cannot be read: {error}. Restore it from the release."
        ) from error
    if metrics.get("schema") != SCHEMA:
        raise WeightsError(
            f"Expected schema {SCHEMA} in the evaluation '{which}' of '{name}'. Received {metrics.get('schema')}. "
            "Evaluate again with this version."
        )
    return metrics


def _folder(name: str, weights_dir: Path | None) -> Path:
    return (weights_dir or models.WEIGHTS_DIR) / f"{name}.evaluation"
