"""What a run's folder holds once it has trained: its record, its course, and the network that it offers."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..domain import Metadata
from ..errors import DatasetError
from ..imaging.preprocess import PreprocessConfig
from ..model.checkpoint import round_kernels
from ..model.ensemble import join_members
from ..model.keras_engine import KerasEngine
from ..model.metadata_branch import MetadataEncoder
from ..model.views import N_VIEWS, make_views
from .averaging import MEAN_FILE, RunningAverage
from .data import Dataset

Array = npt.NDArray[np.floating]
_PHOTOS_AT_ONCE = 8  # with eight views each: 64 squares keep the cores busy


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that has finished at least one epoch.

    Attributes:
        folder: Where it lies.
        record: ``run.json``: recipe, data, classes, shares.
        best_epoch: The epoch that validated best, 1-based.
        epochs: One row of measures an epoch.
    """

    folder: Path
    record: dict[str, Any]
    best_epoch: int
    epochs: tuple[dict[str, float], ...]

    @property
    def preset(self) -> dict[str, Any]:
        """The recipe."""
        recipe: dict[str, Any] = self.record["preset"]
        return recipe

    @property
    def codes(self) -> tuple[str, ...]:
        """Class codes in the order of the logits."""
        return tuple(self.record["codes"])

    @property
    def fold(self) -> int:
        """The fold that validated."""
        return int(self.record["fold"])

    @property
    def preprocess(self) -> PreprocessConfig:
        """What the network expects of a photo."""
        return read_config(self.preset)

    @property
    def encoder(self) -> MetadataEncoder:
        """Of the metadata branch."""
        return MetadataEncoder(tuple(self.record["metadata_fields"]))

    @property
    def shares(self) -> tuple[Array, Array]:
        """Class shares of the archive, and of what the loss saw."""
        return np.array(self.record["class_shares"]), np.array(self.record["sampling_shares"])


def read_config(preset: Mapping[str, Any]) -> PreprocessConfig:
    """Return what a network of this recipe expects of a photo."""
    steps = tuple(name for name in preset.get("steps", "").split(",") if name)
    return PreprocessConfig(int(preset["input_px"]), int(preset["detail_px"]), steps)


def read_run(folder: Path) -> FinishedRun:
    """Read a run's folder.

    Raises:
        DatasetError: If it is not one, or has not finished an epoch.
    """
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(
            f"Expected a run with run.json and state.json in '{folder}'. They are not there. Train first."
        ) from error
    if "best_epoch" not in state or not (folder / "best.keras").is_file():
        raise DatasetError(f"The run in '{folder}' has not finished one epoch yet. Wait, or go on with --resume.")
    with (folder / "epochs.csv").open(newline="", encoding="utf-8") as file:
        epochs = tuple({name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file))
    return FinishedRun(folder, record, int(state["best_epoch"]), epochs)


def load_network(run: FinishedRun, *, rounded: bool = True) -> tuple[keras.Model, str]:
    """Return the network that a run offers, in float32, and which weights these are.

    The mean of the last epochs where the run kept one: a fixed rule, so that no fold's figures are flattered by a
    choice among candidates; with its batch normalisation's statistics taken anew (``average.keras``) where these were
    trained. Without a mean, the epoch that validated best. Kernels are rounded to float16, as stored, unless ``rounded``
    is False.

    Reference: Izmailov et al. (2018), https://arxiv.org/abs/1803.05407
    """
    model = _in_float32(keras.saving.load_model(run.folder / "best.keras", compile=False))
    average = RunningAverage(run.folder / "average.npz")
    kept = f"epoch {run.best_epoch}"
    if len(average.epochs) > 1:
        mean = run.folder / MEAN_FILE
        model.set_weights(
            keras.saving.load_model(mean, compile=False).get_weights() if mean.is_file() else average.mean()
        )
        kept = f"mean of epochs {average.epochs[0]} to {average.epochs[-1]}"
    if rounded:
        round_kernels(model)
    return model, kept


def _in_float32(model: keras.Model) -> keras.Model:
    """Return the same network computing in float32, where it was trained in mixed precision."""
    config = json.dumps(keras.saving.serialize_keras_object(model))
    if "mixed_" not in config:
        return model
    for policy in ("mixed_bfloat16", "mixed_float16"):
        config = config.replace(f'"{policy}"', '"float32"')
    exact: keras.Model = keras.saving.deserialize_keras_object(json.loads(config))
    exact.set_weights(model.get_weights())
    return exact


def view_logits(
    members: Sequence[keras.Model],
    squares: npt.NDArray[np.uint8],
    metadata: Sequence[Metadata],
    *,
    encoder: MetadataEncoder,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Array, Array]:
    """Return the logits of every photo's eight views, with the metadata and with everything unknown.

    Args:
        members: Networks of ``load_network``.
        squares: Array (n_photos, side, side, 3), uint8.
        metadata: n_photos entries.
        encoder: Of the metadata branch.
        on_progress: Called with (done, total).

    Returns:
        Two arrays (n_photos, 8 * n_members, n_classes), the members' views one after the other.
    """
    engine = KerasEngine(join_members(members, input_px=squares.shape[1]))
    withheld = [Metadata(image_type=row.image_type) for row in metadata]  # how a photo was taken is always known
    known, unknown = (np.repeat(encoder.encode(rows), N_VIEWS, axis=0) for rows in (metadata, withheld))
    told: list[Array] = []
    untold: list[Array] = []
    for start in range(0, len(squares), _PHOTOS_AT_ONCE):
        # The last batch is filled up with its last photo: another shape would compile the network once more.
        chosen = np.minimum(np.arange(start, start + _PHOTOS_AT_ONCE), len(squares) - 1)
        n_new = min(_PHOTOS_AT_ONCE, len(squares) - start)
        images = np.concatenate([make_views(np.asarray(squares[i])) for i in chosen]).astype(np.float32)
        rows = (chosen[:, None] * N_VIEWS + np.arange(N_VIEWS)).ravel()
        looks = engine.run(images, known[rows])
        blind = [
            head.logits(embedding, unknown[rows]) for (_, embedding, _), head in zip(looks, engine.heads, strict=True)
        ]
        for into, members_logits in ((told, [logits for logits, _, _ in looks]), (untold, blind)):
            by_photo = [one.reshape(_PHOTOS_AT_ONCE, N_VIEWS, -1) for one in members_logits]
            into.extend(np.concatenate(by_photo, axis=1)[:n_new])
        on_progress(start + n_new, len(squares))
    return np.stack(told), np.stack(untold)


def check_same_data(run: FinishedRun, dataset: Dataset) -> None:
    """Raise unless the data set is split as when the run was trained.

    Raises:
        DatasetError: If not; names both hashes.
    """
    if dataset.split_sha256 != run.record["split_sha256"]:
        raise DatasetError(
            f"The run was trained on the split {run.record['split_sha256'][:12]}; the data given hold "
            f"{dataset.split_sha256[:12]}. Release it with the data set that trained it."
        )
