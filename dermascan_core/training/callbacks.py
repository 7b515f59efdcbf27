"""What happens when an epoch ends: validate as served, write everything down, lower the rate, perhaps stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..errors import TrainingError
from ..evaluation.experiments import make_record
from ..model.dual_branch import classifier
from .averaging import RunningAverage
from .optimizers import optimizer_state, served_weights
from .presets import Preset
from .run_folder import append_epoch, read_epochs, read_state, write_checkpoint, write_json, write_whole
from .sampling import BalancedBatches
from .schedules import Plateau
from .team import ALONE, Team
from .validation import Validation, answering

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Course:
    """What one run shares between its stages.

    Attributes:
        out: The run's folder.
        preset: The recipe.
        record: ``run.json``.
        network: That trains; ``core`` is it without a mask head, weight for weight what ``serving`` is.
        serving: The same network in float32; holds what is validated and kept.
        validation: The fold held out.
        first_averaged_epoch: 1-based; this epoch and all later ones enter the average.
        team: The processes that train together; the leading one alone writes.
    """

    out: Path
    preset: Preset
    record: Mapping[str, Any]
    network: keras.Model
    serving: keras.Model
    validation: Validation
    first_averaged_epoch: int
    team: Team = ALONE
    answering: keras.Model = field(init=False)
    core: keras.Model = field(init=False)

    def __post_init__(self) -> None:
        self.answering, self.core = answering(self.serving), classifier(self.network)

    def read_state(self) -> dict[str, Any]:
        """Return where the run stands; every process of the team must ask."""
        state: dict[str, Any] = self.team.share(read_state(self.out) if self.team.is_lead else {})
        return state


class EpochStart(keras.callbacks.Callback):
    """Brings the batches to the epoch that begins: Keras also counts the pass by which it looks at their shapes."""

    def __init__(self, batches: BalancedBatches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw this epoch's photos."""
        self.batches.go_to(epoch)


class EpochEnd(keras.callbacks.Callback):
    """Validates, logs and checkpoints after each epoch; stops when nothing got better for ``patience`` epochs.

    Of processes that train together each validates its share of the photos; the leading one writes and decides.

    Raises:
        OutputError: If the disk is full; the epoch is repeated by ``--resume``.
        TrainingError: If the training diverged.
    """

    def __init__(self, course: Course, *, can_stop: bool) -> None:
        super().__init__()
        self.course, self.can_stop = course, can_stop
        self.started = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock of an epoch."""
        self.started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Validate, write, and decide whether to go on. ``epoch`` counts from 0."""
        course, optimizer = self.course, self.model.optimizer
        weights = served_weights(course.core, optimizer)
        if not all(np.isfinite(w).all() for w in weights):
            raise TrainingError(
                f"The training diverged in epoch {epoch + 1}: a weight is no number any more. "
                "Start again with a lower learning rate."
            )
        with course.team.apart():
            course.serving.set_weights(weights)
            measures = course.validation.measure(course.answering, team=course.team)
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        if logs is not None:
            logs |= measures | {"learning_rate": rate}
        decision = course.team.share(self._decide(epoch, measures, rate) if course.team.is_lead else {})
        # A variable is set by all processes at the same point, or by none: JAX waits for all of them to set it.
        if decision["learning_rate"] is not None:
            optimizer.learning_rate = decision["learning_rate"]
        if course.team.is_lead:
            with course.team.apart():
                self._write_down(decision, weights, logs or measures)
        if decision["stops"]:
            self.model.stop_training = True

    def _decide(self, epoch: int, measures: Mapping[str, float], rate: float) -> dict[str, Any]:
        """Return the run's state after this epoch, and what every process does now: which rate, whether to stop."""
        preset, state = self.course.preset, read_state(self.course.out)
        is_better = "best" not in state or measures["val_score"] > state["best"]["val_score"]
        if is_better:
            state |= {"best": measures, "best_epoch": epoch + 1}
        next_rate = None
        if preset.schedule == "plateau" and self.can_stop:
            plateau = Plateau(**state.get("plateau", {}))
            next_rate = rate * plateau.after(measures["val_loss"])
            state["plateau"] = plateau.to_dict()
        state["epoch"] = epoch + 1
        stops = self.can_stop and has_waited_enough(state, preset)
        return {"state": state, "is_better": is_better, "learning_rate": next_rate, "stops": stops}

    def _write_down(
        self, decision: Mapping[str, Any], weights: Sequence[npt.NDArray[Any]], row: Mapping[str, float]
    ) -> None:
        course, out, state = self.course, self.course.out, decision["state"]
        if decision["is_better"]:
            write_whole(out / "best.keras", course.serving.save)
        if state["epoch"] >= course.first_averaged_epoch:
            RunningAverage(out / "average.npz").add(state["epoch"], weights)
        elapsed_s = round(time.monotonic() - self.started, 1)
        state["elapsed_s"] = round(state.get("elapsed_s", 0.0) + elapsed_s, 1)
        row = {"epoch": state["epoch"], **row, "elapsed_s": elapsed_s}
        append_epoch(out / "epochs.csv", row)
        write_checkpoint(out, _checkpoint(course.network, self.model.optimizer), state)
        write_result(out, course.record)
        shown = ", ".join(f"{k} {v:.4f}" for k, v in row.items() if k != "epoch")
        _logger.info("epoch %d: %s", state["epoch"], shown)


def has_waited_enough(state: Mapping[str, Any], preset: Preset) -> bool:
    """Return whether ``patience`` epochs after the warm-up have passed without a better validation score."""
    epoch = int(state["epoch"])
    waited_since = max(int(state.get("best_epoch", 0)), preset.warmup_epochs)
    return epoch - waited_since >= preset.patience


def write_result(out: Path, record: Mapping[str, Any], *, is_finished: bool = False, **more: Any) -> None:
    """Write ``result.json``: what this run can be compared by, whole or so far."""
    made = make_record(record, read_state(out), read_epochs(out / "epochs.csv"), name=out.name, is_finished=is_finished)
    write_json(out / "result.json", made | more)


def restore_network(network: keras.Model, checkpoint: Mapping[str, Any]) -> None:
    """Give a network the weights and random seeds of a checkpoint."""
    for position, variable in enumerate(network.variables):
        variable.assign(checkpoint[f"network/{position}"])


def _checkpoint(network: keras.Model, optimizer: Any) -> dict[str, Any]:
    arrays = {f"network/{i}": keras.ops.convert_to_numpy(v) for i, v in enumerate(network.variables)}
    return arrays | {f"optimizer/{key}": array for key, array in optimizer_state(optimizer, network).items()}


def tensorboard(out: Path) -> list[keras.callbacks.Callback]:
    """Return the callback that writes TensorBoard's logs, where TensorBoard is installed."""
    try:
        import tensorboard  # noqa: F401  # a training extra, not needed to train
        import tensorflow  # noqa: F401
    except ImportError:
        _logger.info("TensorBoard logs are skipped: tensorboard and tensorflow are not both installed.")
        return []
    return [keras.callbacks.TensorBoard(str(out / "tensorboard"), write_graph=False)]
