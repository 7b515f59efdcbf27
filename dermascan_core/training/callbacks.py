"""What happens when an epoch ends: validate as served, write everything down, lower the rate, perhaps stop."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..errors import TrainingError
from ..evaluation.experiments import make_record
from ..model.dual_branch import classifier
from .averaging import RunningAverage
from .optimizers import optimizer_state, served_weights
from .presets import Preset
from .run_folder import append_epoch, read_epochs, read_state, write_checkpoint, write_json, write_whole
from .sampling import BalancedBatches
from .schedules import Plateau
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
    """

    out: Path
    preset: Preset
    record: Mapping[str, Any]
    network: keras.Model
    serving: keras.Model
    validation: Validation
    first_averaged_epoch: int
    answering: keras.Model = field(init=False)
    core: keras.Model = field(init=False)

    def __post_init__(self) -> None:
        self.answering, self.core = answering(self.serving), classifier(self.network)


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
        course, out, optimizer = self.course, self.course.out, self.model.optimizer
        weights = served_weights(course.core, optimizer)
        course.serving.set_weights(weights)
        if not all(np.isfinite(w).all() for w in weights):
            raise TrainingError(
                f"The training diverged in epoch {epoch + 1}: a weight is no number any more. "
                "Start again with a lower learning rate."
            )
        measures = course.validation.measure(course.answering)
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        if logs is not None:
            logs |= measures | {"learning_rate": rate}
        state = read_state(out)
        is_better = "best" not in state or measures["val_score"] > state["best"]["val_score"]
        if is_better:
            state |= {"best": measures, "best_epoch": epoch + 1}
            write_whole(out / "best.keras", course.serving.save)
        if epoch + 1 >= course.first_averaged_epoch:
            RunningAverage(out / "average.npz").add(epoch + 1, weights)
        if course.preset.schedule == "plateau" and self.can_stop:
            plateau = Plateau(**state.get("plateau", {}))
            optimizer.learning_rate = rate * plateau.after(measures["val_loss"])
            state["plateau"] = plateau.to_dict()
        elapsed_s = round(time.monotonic() - self.started, 1)
        state |= {"epoch": epoch + 1, "elapsed_s": round(state.get("elapsed_s", 0.0) + elapsed_s, 1)}
        row = {"epoch": epoch + 1, **(logs or measures), "elapsed_s": elapsed_s}
        append_epoch(out / "epochs.csv", row)
        write_checkpoint(out, _checkpoint(course.network, optimizer), state)
        write_result(out, course.record)
        _logger.info("epoch %d: %s", epoch + 1, ", ".join(f"{k} {v:.4f}" for k, v in row.items() if k != "epoch"))
        if self.can_stop and has_waited_enough(state, course.preset):
            self.model.stop_training = True


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
