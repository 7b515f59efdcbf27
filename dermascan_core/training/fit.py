"""One training run: its stages one after the other, resumable after a kill from the last whole epoch.

What a run's folder holds is said in ``run_folder``; which layers train when in ``stages``; what happens at an epoch's
end in ``callbacks``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .. import __version__
from ..errors import DatasetError, TrainingError
from ..evaluation.experiments import measures_of
from ..imaging.preprocess import PreprocessConfig
from ..model.dual_branch import build_dual_branch
from ..model.metadata_branch import FIELD_WIDTHS, MetadataEncoder
from ..tables import LabelledPhoto
from .callbacks import Course, EpochEnd, has_waited_enough, restore_network, tensorboard, write_result
from .data import Dataset, class_codes, class_counts, load_dataset, load_squares, targets
from .optimizers import make_optimizer, optimizer_state, restore_optimizer
from .presets import PRESETS, Preset
from .run_folder import check_start, read_checkpoint, read_state, sole_trainer, start
from .sampling import make_batches, seen_shares
from .schedules import make_schedule
from .stages import Stage, open_layers, plan_stages
from .validation import Validation

_logger = logging.getLogger(__name__)
_MIN_KNOWN_SHARE = 0.05  # a field known for fewer training photos than this has no path into the network
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class RunResult:
    """Where a run ended: its folder, the best epoch (1-based, warm-up included) and that epoch's measures."""

    out: Path
    best_epoch: int
    best: dict[str, float]


@dataclass(frozen=True, slots=True)
class RunData:
    """A data set as one recipe sees it.

    Attributes:
        training, validation: The photos of both parts.
        codes: Class codes, in the order of the logits.
        encoder: Of the metadata branch.
        class_shares: Of the training photos, array (n_classes,).
        seen_shares: Of what the loss sees, which the answers are corrected back from.
        dataset: Where the files are.
    """

    dataset: Dataset
    training: list[LabelledPhoto]
    validation: list[LabelledPhoto]
    codes: tuple[str, ...]
    encoder: MetadataEncoder
    class_shares: npt.NDArray[np.float64]
    seen_shares: npt.NDArray[np.float64]


def train(
    preset: Preset,
    *,
    data: Path | Sequence[Path],
    out: Path,
    fold: int = 0,
    resume: bool = False,
    base: str = "",
    cache: Path | None = None,
    final_views: int = 1,
    on_progress: Progress = lambda what, done, total: None,
) -> RunResult:
    """Train a preset on the ``train`` split without one fold, which validates.

    Args:
        preset: The recipe.
        data: One or several data set folders; see ``data.load_dataset``.
        out: The run's folder.
        fold: Fold held out for early stopping, temperature and thresholds.
        resume: Go on after the last whole epoch of a run that was stopped.
        base: Name of the recipe that ``preset`` was changed from, for the record.
        cache: Folder for the prepared squares, so that runs can share them; default: in ``out``.
        final_views: Where above 1, the best epoch is measured with so many views too, at the end.
        on_progress: Called with (what, done, total) while photos are read.

    Raises:
        DatasetError: If the data leak, are empty, or differ from those of the run to resume.
        OutputError: If ``out`` cannot be made or written.
        TrainingError: If the training diverged.
        WeightsError: If the starting weights are missing or of another shape; nothing is written then.
    """
    run_data = read_run_data(preset, data, fold)
    record = _make_record(preset, run_data, data, fold=fold, base=base)
    check_start(out, record, resume=resume)
    state = read_state(out) if resume else {"epoch": 0}
    keras.utils.set_random_seed(preset.seed)
    network = build_network(preset, run_data, is_fresh=not state["epoch"])
    start(out, record)
    with sole_trainer(out):
        return _train_in(out, preset, run_data, record, network, cache or out / "cache", final_views, on_progress)


def _train_in(
    out: Path,
    preset: Preset,
    run_data: RunData,
    record: dict[str, Any],
    network: keras.Model,
    cache: Path,
    final_views: int,
    on_progress: Progress,
) -> RunResult:
    squares = read_squares(preset, run_data, cache_dir=cache, on_progress=on_progress)
    course = Course(
        out=out,
        preset=preset,
        record=record,
        network=network,
        serving=build_network(preset, run_data, is_fresh=False, precision="float32"),
        validation=make_validation(run_data, squares["validation"]),
        first_averaged_epoch=preset.warmup_epochs + preset.epochs - preset.average_epochs + 1,
    )
    first_epoch = int(read_state(out)["epoch"])
    batches = make_training_batches(preset, run_data, squares["training"], first_epoch=first_epoch)
    _run_stages(course, batches)
    final = read_state(out)
    _write_final(course, final, final_views)
    return RunResult(out, int(final["best_epoch"]), final["best"])


def read_run_data(preset: Preset, data: Path | Sequence[Path], fold: int) -> RunData:
    """Read the tables and part them.

    Raises:
        DatasetError: If the data leak, are empty, or have no such fold.
    """
    dataset = load_dataset(data)
    if dataset.missing:
        _logger.warning("%d rows of the table have no photo and are left out", len(dataset.missing))
    training, validation = split_fold(dataset, fold)
    codes = class_codes(training)
    shares = _shares(training, codes)
    return RunData(
        dataset=dataset,
        training=training,
        validation=validation,
        codes=codes,
        encoder=MetadataEncoder(known_fields(training)),
        class_shares=shares,
        seen_shares=seen_shares(preset, shares * len(training)),
    )


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


def changed_fields(preset: Preset, base: str) -> dict[str, Any]:
    """Return the fields in which a recipe differs from a named one; of an unknown name, from its backbone's defaults."""
    plain = PRESETS.get(base, Preset(preset.backbone)).to_dict()
    return {name: value for name, value in preset.to_dict().items() if value != plain[name]}


def _make_record(
    preset: Preset, run_data: RunData, data: Path | Sequence[Path], *, fold: int, base: str
) -> dict[str, Any]:
    return {
        "base": base,
        "changed": changed_fields(preset, base),
        "preset": preset.to_dict(),
        "data": [Path(folder).name for folder in ([data] if isinstance(data, Path) else data)],
        "fold": fold,
        "codes": list(run_data.codes),
        "metadata_fields": list(run_data.encoder.fields),
        "split_sha256": run_data.dataset.split_sha256,
        "n_train": len(run_data.training),
        "n_validation": len(run_data.validation),
        "class_counts": class_counts(run_data.training),
        "class_shares": run_data.class_shares.tolist(),
        "sampling_shares": run_data.seen_shares.tolist(),
        "app_version": __version__,
        "keras_version": keras.__version__,
        "backend": keras.backend.backend(),
    }


def build_network(preset: Preset, run_data: RunData, *, is_fresh: bool, precision: str = "") -> keras.Model:
    """Build a recipe's network.

    Args:
        preset: The recipe.
        run_data: Whose classes and metadata it answers for.
        is_fresh: Whether it starts from the recipe's weights; else they are random, to be replaced.
        precision: A dtype policy other than the recipe's.
    """
    with _dtype_policy(precision or preset.precision):
        return build_dual_branch(
            preset.backbone,
            input_px=preset.input_px,
            metadata_width=run_data.encoder.width,
            n_classes=len(run_data.codes),
            pretrained=preset.pretrained if is_fresh and preset.pretrained != "none" else None,
            dropout=preset.dropout,
        )


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Keras' policy is global; what is built afterwards must not inherit a run's."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def read_squares(
    preset: Preset, run_data: RunData, *, cache_dir: Path, on_progress: Progress = lambda what, done, total: None
) -> dict[str, npt.NDArray[np.uint8]]:
    """Return the squares of the ``training`` and the ``validation`` photos, kept in a folder."""
    config = PreprocessConfig(
        preset.input_px, preset.detail_px, tuple(name for name in preset.steps.split(",") if name)
    )
    return {
        name: load_squares(
            run_data.dataset, photos, config, cache_dir=cache_dir, on_progress=partial(on_progress, name)
        )
        for name, photos in (("training", run_data.training), ("validation", run_data.validation))
    }


def make_validation(run_data: RunData, squares: npt.NDArray[np.uint8]) -> Validation:
    """Return the fold held out, ready to be measured."""
    return Validation(
        squares,
        run_data.encoder.encode([p.metadata for p in run_data.validation]),
        targets(run_data.validation, run_data.codes),
        codes=run_data.codes,
        class_shares=run_data.class_shares,
        sampling_shares=run_data.seen_shares,
    )


def make_training_batches(
    preset: Preset, run_data: RunData, squares: npt.NDArray[np.uint8], *, first_epoch: int = 0
) -> keras.utils.PyDataset:
    """Return the training part's batches from an epoch on; what they hold follows from seed and epoch alone."""
    return make_batches(
        preset,
        squares,
        targets(run_data.training, run_data.codes),
        [p.metadata for p in run_data.training],
        encoder=run_data.encoder,
        first_epoch=first_epoch,
    )


def compile_for(model: keras.Model, preset: Preset, learning_rate: Any) -> None:
    """Give a model the recipe's optimizer and loss.

    Args:
        model: Whose frozen layers are frozen already.
        preset: The recipe.
        learning_rate: From ``schedules.make_schedule``.
    """
    model.compile(
        optimizer=make_optimizer(preset, learning_rate),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=preset.label_smoothing),
        metrics=["accuracy"],
        # XLA on a CPU makes depthwise convolutions crawl; on an accelerator Keras decides.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    model.optimizer.build(model.trainable_variables)


def _run_stages(course: Course, batches: keras.utils.PyDataset) -> None:
    preset, network = course.preset, course.network
    if len(batches) == 0:
        raise DatasetError(
            f"Expected at least {preset.batch_size} training photos, one batch. Received {course.record['n_train']}. "
            "Give more photos, or a smaller batch_size."
        )
    state = read_state(course.out)
    first, optimizer_before = int(state["epoch"]), {}
    if first:
        checkpoint = read_checkpoint(course.out)
        restore_network(network, checkpoint)
        optimizer_before = {
            k.removeprefix("optimizer/"): v for k, v in checkpoint.items() if k.startswith("optimizer/")
        }
    for stage in plan_stages(preset):
        if first >= stage.last_epoch or (not stage.is_warmup and first and has_waited_enough(state, preset)):
            continue
        open_layers(network, stage.open_share, train_batch_norm=preset.train_batch_norm)
        model = keras.Model(network.inputs, network.outputs)  # compiled apart, so that the network stays plain
        compile_for(model, preset, _learning_rate(preset, stage, n_batches=len(batches)))
        is_interrupted = first > stage.first_epoch
        restore_optimizer(model.optimizer, network, optimizer_before if is_interrupted or stage.goes_on else {})
        model.fit(
            batches,
            initial_epoch=first,
            epochs=stage.last_epoch,
            callbacks=[EpochEnd(course, can_stop=not stage.is_warmup), *tensorboard(course.out)],
            verbose=1 if sys.stderr.isatty() else 2,
        )
        optimizer_before = optimizer_state(model.optimizer, network)
        state = read_state(course.out)
        first = int(state["epoch"])


def _learning_rate(preset: Preset, stage: Stage, *, n_batches: int) -> Any:
    if stage.is_warmup:
        return float(preset.warmup_learning_rate)
    return make_schedule(preset.schedule, preset.learning_rate, n_steps=preset.epochs * n_batches)


def _write_final(course: Course, state: dict[str, Any], final_views: int) -> None:
    measures = {"1": measures_of(state["best"])}
    if final_views > 1:
        best = keras.saving.load_model(course.out / "best.keras", compile=False)
        course.serving.set_weights(best.get_weights())
        found = course.validation.measure(course.answering, n_views=final_views)
        measures[str(final_views)] = measures_of(found)
    write_result(course.out, course.record, is_finished=True, measures=measures)


def use_deterministic_operations() -> None:
    """Let every operation give the same bits each time: slower, and the same on every run of one machine.

    Raises:
        TrainingError: On a backend for which Keras has no such switch.
    """
    if keras.backend.backend() != "tensorflow":
        raise TrainingError(
            f"Expected TensorFlow as Keras' backend for --deterministic. Received {keras.backend.backend()}. "
            "Leave the option out; seeds are fixed all the same."
        )
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()
