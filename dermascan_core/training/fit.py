"""One training run: frozen warm-up, then every layer, resumable after a kill at the last whole epoch.

A run's folder holds ``run.json`` (recipe, data, split hash), ``epochs.csv`` (one line an epoch), ``best.keras``,
``last.keras`` with the optimizer's state, ``average.npz`` with the last epochs' mean, and ``tensorboard/``.
"""

from __future__ import annotations

import csv
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .. import __version__
from ..errors import DatasetError
from ..evaluation.files import prepare_folder
from ..evaluation.metrics import balanced_accuracy, macro_auc, roc_auc
from ..imaging.preprocess import PreprocessConfig
from ..model.dual_branch import IMAGE_INPUT, METADATA_INPUT, build_dual_branch
from ..model.metadata_branch import FIELD_WIDTHS, MetadataEncoder
from ..tables import LabelledPhoto
from ..taxonomy import CLASS_BY_CODE
from .augmentation import AugmentationConfig
from .averaging import RunningAverage
from .data import Dataset, class_codes, class_counts, load_dataset, load_squares, targets
from .presets import Preset
from .sampling import BalancedBatches, sampling_shares

_logger = logging.getLogger(__name__)
_MIN_KNOWN_SHARE = 0.05  # a field known for fewer training photos than this has no path into the network


@dataclass(frozen=True, slots=True)
class RunResult:
    """Where a run ended: its folder, the best epoch (1-based, warm-up included) and that epoch's measures."""

    out: Path
    best_epoch: int
    best: dict[str, float]


def train(
    preset: Preset,
    *,
    data: Path | Sequence[Path],
    out: Path,
    fold: int = 0,
    resume: bool = False,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> RunResult:
    """Train a preset on the ``train`` split without one fold, which validates.

    Args:
        preset: The recipe.
        data: One or several data set folders; see ``data.load_dataset``.
        out: The run's folder.
        fold: Fold held out for early stopping, temperature and thresholds.
        resume: Go on after the last whole epoch of a run that was stopped.
        on_progress: Called with (what, done, total) while photos are read.

    Raises:
        DatasetError: If the data leak, are empty, or differ from those of the run to resume.
        OutputError: If ``out`` cannot be made or written.
    """
    dataset = load_dataset(data)
    if dataset.missing:
        _logger.warning("%d rows of the table have no photo and are left out", len(dataset.missing))
    train_photos, val_photos = split_fold(dataset, fold)
    codes = class_codes(train_photos)
    encoder = MetadataEncoder(known_fields(train_photos))
    record = {
        "preset": preset.to_dict(),
        "data": [Path(folder).name for folder in ([data] if isinstance(data, Path) else data)],
        "fold": fold,
        "codes": list(codes),
        "metadata_fields": list(encoder.fields),
        "split_sha256": dataset.split_sha256,
        "n_train": len(train_photos),
        "n_validation": len(val_photos),
        "class_counts": class_counts(train_photos),
        "class_shares": _shares(train_photos, codes).tolist(),
        "sampling_shares": sampling_shares(_shares(train_photos, codes), preset.balance).tolist(),
        "app_version": __version__,
        "keras_version": keras.__version__,
        "backend": keras.backend.backend(),
    }
    _start_or_check(out, record, resume=resume)
    keras.utils.set_random_seed(preset.seed)
    keras.mixed_precision.set_global_policy(preset.precision)

    config = PreprocessConfig(preset.input_px, preset.detail_px)
    squares = {
        name: load_squares(dataset, photos, config, cache_dir=out / "cache", on_progress=partial(on_progress, name))
        for name, photos in (("training", train_photos), ("validation", val_photos))
    }
    state = _read_state(out) if resume else {"epoch": 0}
    batches = BalancedBatches(
        squares["training"],
        targets(train_photos, codes),
        [p.metadata for p in train_photos],
        encoder=encoder,
        batch_size=preset.batch_size,
        balance=preset.balance,
        augmentation=AugmentationConfig(),
        drop_all=preset.metadata_drop_all,
        drop_field=preset.metadata_drop_field,
        seed=preset.seed,
        first_epoch=int(state["epoch"]),
        workers=2,
        max_queue_size=16,
    )
    validation = _Validation(
        squares["validation"], encoder.encode([p.metadata for p in val_photos]), targets(val_photos, codes), codes
    )
    _run_stages(preset, batches, validation, out=out, encoder=encoder, codes=codes, done_epochs=int(state["epoch"]))
    final = _read_state(out)
    return RunResult(out, int(final["best_epoch"]), final["best"])


def split_fold(dataset: Dataset, fold: int) -> tuple[list[LabelledPhoto], list[LabelledPhoto]]:
    """Return (training photos, validation photos) of the ``train`` split; the fold validates.

    Raises:
        DatasetError: If either part is empty.
    """
    photos = dataset.part(split="train")
    folds = sorted({p.fold for p in photos})
    parts = ([p for p in photos if p.fold != str(fold)], [p for p in photos if p.fold == str(fold)])
    if not all(parts):
        raise DatasetError(f"Expected one of the folds {', '.join(folds)} of the train split. Received fold {fold}.")
    return parts


def known_fields(photos: list[LabelledPhoto]) -> tuple[str, ...]:
    """Return the metadata fields that enough training photos carry."""
    return tuple(
        name
        for name in FIELD_WIDTHS
        if np.mean([getattr(p.metadata, name) is not None for p in photos]) >= _MIN_KNOWN_SHARE
    )


def _shares(photos: list[LabelledPhoto], codes: tuple[str, ...]) -> npt.NDArray[np.float64]:
    counts = targets(photos, codes).sum(axis=0, dtype=np.float64)
    return np.asarray(counts / counts.sum())


def _start_or_check(out: Path, record: dict[str, Any], *, resume: bool) -> None:
    path = out / "run.json"
    if resume and path.is_file():
        before = json.loads(path.read_text())
        # Epochs and patience may change on the way: a run can be shortened or prolonged.
        for name in ("fold", "codes", "metadata_fields", "split_sha256"):
            _refuse_change(out, name, before[name], record[name])
        for name in set(before["preset"]) - {"epochs", "patience", "average_epochs", "pretrained"}:
            _refuse_change(out, name, before["preset"][name], record["preset"].get(name))
    elif resume:
        raise DatasetError(f"Expected a run to resume in '{out}'. There is none. Start it without --resume.")
    elif path.is_file():
        raise DatasetError(f"'{out}' already holds a run. Go on with --resume, or choose another folder.")
    prepare_folder(out)
    _write_json(path, record)


def _refuse_change(out: Path, name: str, before: Any, now: Any) -> None:
    if before != now:
        raise DatasetError(
            f"The run in '{out}' was started with {name} {before}; now it is {now}. "
            "Resume with the same data, fold and recipe, or start a new run in another folder."
        )


def _run_stages(
    preset: Preset,
    batches: BalancedBatches,
    validation: _Validation,
    *,
    out: Path,
    encoder: MetadataEncoder,
    codes: tuple[str, ...],
    done_epochs: int,
) -> None:
    stages = [
        (preset.warmup_epochs, False, preset.warmup_learning_rate),
        (preset.warmup_epochs + preset.epochs, True, preset.learning_rate),
    ]
    if done_epochs:
        model = keras.saving.load_model(out / "last.keras")
    else:
        model = build_dual_branch(
            preset.backbone,
            input_px=preset.input_px,
            metadata_width=encoder.width,
            n_classes=len(codes),
            pretrained=None if preset.pretrained == "none" else preset.pretrained,
            dropout=preset.dropout,
        )
    first = done_epochs
    for last_epoch, is_full, rate in stages:
        if first >= last_epoch:
            continue
        starts_stage = first == (0 if not is_full else preset.warmup_epochs)
        if starts_stage or not done_epochs:
            _open_layers(model, preset, is_full=is_full)
            _compile(model, preset, rate, n_steps=(last_epoch - first) * len(batches), is_full=is_full)
        elif is_full:
            _reset_horizon(model, preset, rate, n_steps=(last_epoch - preset.warmup_epochs) * len(batches))
        epoch_end = _EpochEnd(
            out,
            validation,
            patience=preset.patience if is_full else 10**9,
            average=RunningAverage(out / "average.npz"),
            average_from=last_epoch - preset.average_epochs + 1 if is_full else 10**9,
        )
        model.fit(
            batches,
            initial_epoch=first,
            epochs=last_epoch,
            callbacks=[epoch_end, *_tensorboard(out)],
            verbose=1 if sys.stderr.isatty() else 2,
        )
        first = last_epoch


def _open_layers(model: keras.Model, preset: Preset, *, is_full: bool) -> None:
    """Let the backbone's layers train, or not; batch normalisation only where the recipe says so."""
    backbone = model.get_layer("backbone")
    backbone.trainable = is_full
    if is_full and not preset.train_batch_norm:
        for layer in backbone.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False


def _compile(model: keras.Model, preset: Preset, rate: float, *, n_steps: int, is_full: bool) -> None:
    model.compile(
        optimizer=keras.optimizers.AdamW(
            _schedule(rate, n_steps) if is_full else rate, weight_decay=preset.weight_decay, clipnorm=1.0
        ),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=preset.label_smoothing),
        metrics=["accuracy"],
        # XLA on a CPU makes depthwise convolutions crawl; on an accelerator Keras decides.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )


def _schedule(rate: float, n_steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """Linear rise over the first 3 %, then a cosine down to 1 % of the peak."""
    rise = max(1, round(0.03 * n_steps))
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=rate * 0.05,
        decay_steps=max(1, n_steps - rise),
        alpha=0.01,
        warmup_target=rate,
        warmup_steps=rise,
    )


def _reset_horizon(model: keras.Model, preset: Preset, rate: float, *, n_steps: int) -> None:
    """Give a resumed run the learning-rate curve of its (perhaps changed) number of epochs; state is kept."""
    optimizer = model.optimizer
    optimizer._learning_rate = _schedule(rate, n_steps)  # a schedule has no public setter once built


def _tensorboard(out: Path) -> list[keras.callbacks.Callback]:
    try:
        import tensorboard  # noqa: F401  # a training extra, not needed to train
        import tensorflow  # noqa: F401
    except ImportError:
        _logger.info("TensorBoard logs are skipped: tensorboard and tensorflow are not both installed.")
        return []
    return [keras.callbacks.TensorBoard(str(out / "tensorboard"), write_graph=False)]


class _Validation:
    """Validation photos and the measures that a run watches."""

    def __init__(
        self,
        squares: npt.NDArray[np.uint8],
        metadata: npt.NDArray[np.float32],
        y_prob_true: npt.NDArray[np.float32],
        codes: tuple[str, ...],
    ) -> None:
        self.squares, self.metadata = squares, metadata
        self.y_true = y_prob_true.argmax(axis=1)
        self.is_malignant_class = np.array([CLASS_BY_CODE[c].is_malignant for c in codes])

    def measure(self, model: keras.Model, *, batch_size: int = 64) -> dict[str, float]:
        """Return val_macro_auc, val_malignant_auc, val_balanced_accuracy and val_score, their mean."""
        logits = np.concatenate(
            [
                np.asarray(
                    model.predict_on_batch(
                        {
                            IMAGE_INPUT: np.asarray(self.squares[i : i + batch_size], np.float32),
                            METADATA_INPUT: self.metadata[i : i + batch_size],
                        }
                    )
                )
                for i in range(0, len(self.squares), batch_size)
            ]
        )
        exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
        y_prob = exponent / exponent.sum(axis=1, keepdims=True)
        measures = {
            "val_macro_auc": macro_auc(self.y_true, y_prob),
            "val_malignant_auc": roc_auc(
                self.is_malignant_class[self.y_true], y_prob[:, self.is_malignant_class].sum(axis=1)
            ),
            "val_balanced_accuracy": balanced_accuracy(self.y_true, y_prob.argmax(axis=1)),
        }
        return {**measures, "val_score": float(np.mean(list(measures.values())))}


class _EpochEnd(keras.callbacks.Callback):
    """After each epoch: validate, log, checkpoint; stop when nothing got better for ``patience`` epochs."""

    def __init__(
        self, out: Path, validation: _Validation, *, patience: int, average: RunningAverage, average_from: int
    ) -> None:
        super().__init__()
        self.out, self.validation, self.patience = out, validation, patience
        self.average, self.average_from = average, average_from
        self.started = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock of an epoch."""
        self.started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Validate, write, and decide whether to go on. ``epoch`` counts from 0."""
        measures = self.validation.measure(self.model)
        if logs is not None:
            logs.update(measures)
        row = {**(logs or {}), **measures, "elapsed_s": round(time.monotonic() - self.started, 1)}
        state = _read_state(self.out)
        # JSON has no infinity: absence of a best score means that anything is better.
        if "best" not in state or measures["val_score"] > state["best"]["val_score"]:
            state |= {"best": measures, "best_epoch": epoch + 1}
            _save(self.model, self.out / "best.keras")
        _append_row(self.out / "epochs.csv", {"epoch": epoch + 1, **row})
        if epoch + 1 >= self.average_from:
            self.average.add(epoch + 1, self.model.get_weights())
        _save(self.model, self.out / "last.keras")
        state["epoch"] = epoch + 1
        _write_json(self.out / "state.json", state)
        shown = ", ".join(f"{name} {value:.4f}" for name, value in row.items())
        _logger.info("epoch %d: %s", epoch + 1, shown)
        if epoch + 1 - state["best_epoch"] >= self.patience:
            self.model.stop_training = True


def _save(model: keras.Model, path: Path) -> None:
    unfinished = path.with_name(f"partial-{path.name}")
    model.save(unfinished)
    os.replace(unfinished, path)


def _read_state(out: Path) -> dict[str, Any]:
    path = out / "state.json"
    return json.loads(path.read_text()) if path.is_file() else {"epoch": 0}


def _write_json(path: Path, data: dict[str, Any]) -> None:
    unfinished = path.with_name(f"partial-{path.name}")
    unfinished.write_text(json.dumps(data, indent=1) + "\n")
    os.replace(unfinished, path)


def _append_row(path: Path, row: dict[str, Any]) -> None:
    """Add an epoch's line; the line of a run that was killed after writing it, before its checkpoint, is replaced."""
    rows: list[dict[str, Any]] = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            rows = [before for before in csv.DictReader(file) if before["epoch"] != str(row["epoch"])]
    rows.append({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
    unfinished = path.with_name(f"partial-{path.name}")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        writer.writeheader()
        writer.writerows(rows)
    os.replace(unfinished, path)
