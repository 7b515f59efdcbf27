"""One training run: its stages one after the other, resumable after a kill from the last whole epoch.

What a run's folder holds is said in ``run_folder``; which layers train when in ``stages``; what happens at an epoch's
end in ``callbacks``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .. import __version__
from ..errors import DatasetError, TrainingError
from ..evaluation.experiments import measures_of
from ..native_memory import keep_freed_memory
from .averaging import MEAN_FILE, RunningAverage, reestimate_batch_norm
from .callbacks import Course, EpochEnd, EpochStart, has_waited_enough, restore_network, tensorboard, write_result
from .data import class_counts, targets
from .distill import Teacher, with_teacher
from .features import embed
from .optimizers import optimizer_state, restore_optimizer
from .pipeline import as_tf_data
from .presets import PRESETS, Preset
from .run_folder import check_start, read_checkpoint, read_state, sole_trainer, start, write_json, write_whole
from .run_setup import (
    RunData,
    build_network,
    compile_for,
    make_training_batches,
    make_validation,
    read_run_data,
    read_squares,
    read_teachers,
    shares_by_type,
)
from .run_setup import known_fields as known_fields
from .run_setup import split_fold as split_fold
from .sampling import BalancedBatches
from .schedules import make_schedule
from .smote import refit_head
from .stages import Stage, open_layers, plan_stages
from .team import ALONE, Team, refuse_other_start

_BEFORE_SMOTE = "best-before-smote.keras"
_STATISTICS_BATCHES = 50
Progress = Callable[[str, int, int], None]


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
    base: str = "",
    cache: Path | None = None,
    final_views: int = 1,
    team: Team = ALONE,
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
        team: The processes that train together, from ``team.join``; each calls this function. Only the leading one
            writes ``out``; each keeps prepared squares in ``cache``.
        on_progress: Called with (what, done, total) while photos are read.

    Raises:
        DatasetError: If the data leak, are empty, or differ from those of the run to resume.
        OutputError: If ``out`` cannot be made or written.
        TrainingError: If the training diverged, or the team cannot train this recipe together.
        WeightsError: If the starting weights are missing or of another shape; nothing is written then.
    """
    keep_freed_memory()
    run_data = read_run_data(preset, data, fold)
    record = _make_record(preset, run_data, data, fold=fold, base=base, n_processes=team.size)
    _refuse_for(team, preset, record)
    if team.is_lead:
        check_start(out, record, resume=resume)
    state = team.share(read_state(out) if resume and team.is_lead else {"epoch": 0})
    keras.utils.set_random_seed(preset.seed)
    teachers = read_teachers(preset, run_data, fold)
    with team.together():
        network = build_network(preset, run_data, is_fresh=not state["epoch"])
    if team.is_lead:
        start(out, record)
    with sole_trainer(out) if team.is_lead else nullcontext():
        return _train_in(
            out, preset, run_data, record, network, teachers, cache or out / "cache", final_views, team, on_progress
        )


def _refuse_for(team: Team, preset: Preset, record: Mapping[str, Any]) -> None:
    team.rows(preset.batch_size)
    if team.size > 1 and preset.curriculum_epochs:
        raise TrainingError(
            "Expected a recipe without a curriculum for several processes: how hard photos are is judged by one. "
            f"Received curriculum_epochs={preset.curriculum_epochs}. Set it to 0, or train in one process."
        )
    refuse_other_start(team, record)


def _train_in(
    out: Path,
    preset: Preset,
    run_data: RunData,
    record: dict[str, Any],
    network: keras.Model,
    teachers: Sequence[Teacher],
    cache: Path,
    final_views: int,
    team: Team,
    on_progress: Progress,
) -> RunResult:
    if team.is_lead:
        _undo_smote(out)
    squares = read_squares(preset, run_data, cache_dir=cache, on_progress=on_progress)
    last_epoch = preset.warmup_epochs + preset.epochs
    course = Course(
        out=out,
        preset=preset,
        record=record,
        network=network,
        serving=build_network(preset, run_data, is_fresh=False, is_served=True),
        validation=make_validation(run_data, squares["validation"]),
        # A head that is fitted again belongs to one epoch's features, not to a mean's.
        first_averaged_epoch=last_epoch + 1 if preset.smote else last_epoch - preset.average_epochs + 1,
        team=team,
    )
    batches = make_training_batches(
        preset, run_data, squares["training"], network, difficulty_file=out / "difficulty.bin", on_progress=on_progress
    )
    if len(batches) == 0:
        raise DatasetError(
            f"Expected at least {preset.batch_size} training photos, one batch. Received {record['n_train']}. "
            "Give more photos, or a smaller batch_size."
        )
    batches.rows = team.rows(preset.batch_size)
    _run_stages(course, run_data, batches, teachers)
    trained = course.read_state()
    team.leave()
    if not team.is_lead:
        return RunResult(out, int(trained["best_epoch"]), trained["best"])
    batches.rows = slice(None)
    _write_mean(course, batches)
    _write_final(course, run_data, squares["training"], final_views)
    final = read_state(out)
    return RunResult(out, int(final["best_epoch"]), final["best"])


def changed_fields(preset: Preset, base: str) -> dict[str, Any]:
    """Return the fields in which a recipe differs from a named one; of an unknown name, from its backbone's defaults."""
    plain = PRESETS.get(base, Preset(preset.backbone)).to_dict()
    return {name: value for name, value in preset.to_dict().items() if value != plain[name]}


def _make_record(
    preset: Preset, run_data: RunData, data: Path | Sequence[Path], *, fold: int, base: str, n_processes: int
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
        "shares_by_type": shares_by_type(run_data),
        "app_version": __version__,
        "keras_version": keras.__version__,
        "backend": keras.backend.backend(),
        "n_processes": n_processes,
    }


def _run_stages(course: Course, run_data: RunData, batches: BalancedBatches, teachers: Sequence[Teacher]) -> None:
    preset, network, team = course.preset, course.network, course.team
    state = course.read_state()
    first, optimizer_before = int(state["epoch"]), {}
    if first:
        checkpoint = team.share_arrays(read_checkpoint(course.out) if team.is_lead else {})
        restore_network(network, checkpoint)
        optimizer_before = {
            k.removeprefix("optimizer/"): v for k, v in checkpoint.items() if k.startswith("optimizer/")
        }
    for stage in plan_stages(preset):
        if first >= stage.last_epoch or (not stage.is_warmup and first and has_waited_enough(state, preset)):
            continue
        if team.is_lead:
            (course.out / MEAN_FILE).unlink(missing_ok=True)  # of a run that goes on
        is_interrupted = first > stage.first_epoch
        with team.together():
            model = _compile_stage(course, stage, run_data, teachers, n_batches=len(batches))
            restore_optimizer(model.optimizer, network, optimizer_before if is_interrupted or stage.goes_on else {})
            _fit_stage(model, course, stage, batches, first_epoch=first)
            optimizer_before = optimizer_state(model.optimizer, network)
        state = course.read_state()
        first = int(state["epoch"])


def _compile_stage(
    course: Course, stage: Stage, run_data: RunData, teachers: Sequence[Teacher], *, n_batches: int
) -> keras.Model:
    preset, network = course.preset, course.network
    open_layers(network, stage.open_share, train_batch_norm=preset.train_batch_norm)
    model = keras.Model(network.inputs, network.outputs)  # compiled apart, so that the network stays plain
    if teachers:
        with_teacher(
            model,
            teachers,
            preset,
            codes=run_data.codes,
            sampling_shares=run_data.seen_shares,
            metadata_fields=run_data.encoder.fields,
        )
    rate = _learning_rate(preset, stage, n_batches=n_batches)
    compile_for(model, preset, rate, shares=run_data.drawn_shares)
    return model


def _fit_stage(model: keras.Model, course: Course, stage: Stage, batches: BalancedBatches, *, first_epoch: int) -> None:
    preset, is_lead = course.preset, course.team.is_lead
    logs = tensorboard(course.out) if is_lead else []
    verbosity = 1 if sys.stderr.isatty() else 2
    if keras.backend.backend() != "tensorflow":
        # Else fit looks at a batch by itself, and its queue hands what it then read ahead to the first epoch, whichever
        # epoch that is (Keras 3.15): a resumed run would not see the photos of the unbroken one.
        model._symbolic_build(data_batch=batches[0])
    model.fit(
        as_tf_data(batches, preset) if preset.pipeline == "tf_data" else batches,
        initial_epoch=first_epoch,
        epochs=stage.last_epoch,
        shuffle=False,  # the batches are drawn in a random order of their own, which a resumed run repeats
        callbacks=[EpochStart(batches), EpochEnd(course, can_stop=not stage.is_warmup), *logs],
        verbose=verbosity if is_lead else 0,
    )


def _learning_rate(preset: Preset, stage: Stage, *, n_batches: int) -> Any:
    if stage.is_warmup:
        return float(preset.warmup_learning_rate)
    return make_schedule(preset.schedule, preset.learning_rate, n_steps=preset.epochs * n_batches)


def _write_mean(course: Course, batches: BalancedBatches) -> None:
    """Where batch normalisation follows the photos, take the mean network's statistics anew and keep that network."""
    average = RunningAverage(course.out / "average.npz")
    if len(average.epochs) > 1 and course.preset.train_batch_norm:
        course.serving.set_weights(average.mean())
        open_layers(course.serving, course.preset.open_share, train_batch_norm=True)  # what never trained stays
        reestimate_batch_norm(course.serving, batches, _STATISTICS_BATCHES)
        write_whole(course.out / MEAN_FILE, course.serving.save)


def _write_final(course: Course, run_data: RunData, squares: npt.NDArray[np.uint8], final_views: int) -> None:
    """Fit the head again where the recipe says so, measure what is kept, and close the record."""
    best = keras.saving.load_model(course.out / "best.keras", compile=False)
    best_epoch = measures_of(read_state(course.out)["best"])
    measures = {"1": best_epoch}
    if course.preset.smote:
        shares = _refit_head(best, course.preset, run_data, squares)
        course.validation.shares = (course.validation.shares[0], shares)
        course.serving.set_weights(best.get_weights())
        _keep_refitted(course, shares)
        measures = {"1": measures_of(read_state(course.out)["best"]), "before_smote": best_epoch}
    if final_views > 1:
        course.serving.set_weights(best.get_weights())
        measures[str(final_views)] = measures_of(course.validation.measure(course.answering, n_views=final_views))
    write_result(course.out, course.record, is_finished=True, measures=measures)


def _refit_head(
    network: keras.Model, preset: Preset, run_data: RunData, squares: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float64]:
    known = run_data.encoder.encode([p.metadata for p in run_data.training])
    labels = targets(run_data.training, run_data.codes)
    features = embed(network, squares, known)
    return refit_head(network, features, labels, preset.seed, label_smoothing=preset.label_smoothing)


def _keep_refitted(course: Course, shares: npt.NDArray[np.float64]) -> None:
    """Put the network with its new head in the best epoch's place, and keep that for a run that goes on."""
    out, state = course.out, read_state(course.out)
    before = (out / "best.keras").read_bytes()
    write_whole(out / _BEFORE_SMOTE, lambda partial: partial.write_bytes(before))
    write_whole(out / "best.keras", course.serving.save)
    # What the released answers are corrected back from.
    write_json(out / "run.json", {**course.record, "sampling_shares": shares.tolist()})
    measured = course.validation.measure(course.answering)
    write_json(out / "state.json", {**state, "best": measured, "best_before_smote": state["best"]})


def _undo_smote(out: Path) -> None:
    """Bring the best epoch back, as a resumed run knows it; its head is fitted again at the end."""
    if (out / _BEFORE_SMOTE).is_file():
        state = read_state(out)
        state["best"] = state.pop("best_before_smote", state["best"])
        write_json(out / "state.json", state)
        os.replace(out / _BEFORE_SMOTE, out / "best.keras")


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
