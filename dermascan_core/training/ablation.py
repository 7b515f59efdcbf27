"""The ablation: one small recipe, changed in one place a row, every row under the same budget.

A row is a run of its own, in a process of its own, so that one that fails or is killed takes no other with it. A
finished row is not run again, a half one goes on.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DatasetError, TrainingError
from ..evaluation.experiments import (
    RECORD_FILE,
    Experiment,
    experiment_rows,
    markdown_page,
    read_experiments,
    rows_as_csv,
    without_places,
)
from ..evaluation.files import prepare_folder, write_file
from .data import has_masks
from .presets import PRESETS, Preset, override
from .run_folder import wait_until_free

BASE = "ablation"
N_VIEWS = 8


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One row.

    Attributes:
        name: Of the row and its folder.
        settings: What is changed, as ``key=value``; ``teacher`` names another row, whose finished run teaches.
        asks: What the row is there to find out.
    """

    name: str
    settings: tuple[str, ...]
    asks: str


ROWS: dict[str, AblationRow] = {
    name: AblationRow(name, tuple(settings.split()), asks)
    for name, settings, asks in (
        ("base", "", "the recipe itself"),
        ("no-metadata", "fusion=none", "what age, sex and site add"),
        ("fusion-gate", "fusion=gate", "metadata as a factor for each channel"),
        ("fusion-film", "fusion=film", "metadata as factor and shift"),
        ("balance-0", "balance=0", "drawing the archive's mix"),
        ("balance-1", "balance=1", "drawing every class equally often"),
        # On HAM10000 the floor makes an epoch 3.4 times as long, so three of them come nearest to the others' eight.
        ("class-floor", "balance=0 class_floor=2500 epochs=2", "at least 2,500 draws a class, each augmented anew"),
        ("class-weight", "balance=0 class_weight=1", "weighing the loss by inverse frequency instead of drawing"),
        ("focal", "loss=focal", "focal loss"),
        ("no-smoothing", "label_smoothing=0", "hard targets"),
        ("smote", "smote=true", "the head fitted again on features filled up by SMOTE"),
        ("augment-none", "augment=none", "no augmentation"),
        ("augment-flips", "augment=flips", "mirror images alone, left to right and upside down"),
        ("augment-strong", "augment=strong", "stronger augmentation"),
        ("rotation-30", "rotation_degrees=30 quarter_turns=false", "turns of up to 30 degrees, and no quarter turns"),
        ("rotation-180", "rotation_degrees=180 quarter_turns=false", "turns by any angle"),
        ("zoom", "zoom_range=0.8-1.2", "a zoom from 0.8 to 1.2"),
        ("no-brightness", "brightness=0 contrast=0", "what changes of brightness and contrast add"),
        ("no-colour-shift", "hue_degrees=0 saturation=0", "what shifts of hue and saturation add"),
        ("no-noise", "noise_probability=0", "what Gaussian noise adds"),
        ("no-cutout", "cutout_probability=0", "what cut-out adds"),
        ("downsampling", "downsample_probability=0.15", "losing detail at random"),
        ("no-jpeg", "jpeg_probability=0", "what JPEG damage adds"),
        ("mixup", "mixup=0.2", "MixUp"),
        ("cutmix", "cutmix=1", "CutMix"),
        ("hair", "steps=hair", "painting over hair first"),
        ("clahe", "steps=clahe", "local contrast first"),
        ("sharpen", "steps=sharpen", "Laplacian sharpening first"),
        ("colour", "steps=colour", "colour constancy first"),
        ("adam", "optimizer=adam", "Adam without weight decay"),
        ("rmsprop", "optimizer=rmsprop learning_rate=1e-4", "RMSProp"),
        ("sgd", "optimizer=sgd learning_rate=1e-2", "SGD with Nesterov momentum"),
        ("adaptive-clip", "adaptive_clip=0.01 clip_norm=0", "clipping unit by unit instead of by the global norm"),
        ("one-cycle", "schedule=one_cycle", "one cycle of the learning rate"),
        ("plateau", "schedule=plateau", "lowering the rate on a plateau"),
        ("constant", "schedule=constant", "one learning rate throughout"),
        ("no-warmup", "warmup_epochs=0 epochs=8", "every layer open from the first batch"),
        ("unfreezing", "unfreeze_stages=4", "opening the backbone quarter by quarter"),
        ("open-share", "open_share=0.7", "the lower layers never train"),
        ("frozen-norm", "train_batch_norm=false", "batch normalisation that keeps ImageNet's statistics"),
        ("ema", "ema_decay=0.995", "a moving average of the weights"),
        ("accumulation", "accumulate_steps=4", "four batches an update"),
        ("curriculum", "curriculum_epochs=3", "easy photos first"),
        ("mask", "mask_weight=0.3", "the lesion's mask as a second task"),
        ("distillation", "teacher=base", "learning the answers of the finished base row besides the labels"),
        ("tf-data", "pipeline=tf_data", "the same batches through tf.data: what changes is the time"),
        ("bfloat16", "precision=mixed_bfloat16", "mixed precision"),
        ("px-128", "input_px=128", "a larger input"),
        ("px-160", "input_px=160", "a still larger input"),
        ("attention", "backbone=mobilenet_v2_attention", "a transformer block on the feature map"),
        ("transformer", "backbone=compact_transformer pretrained=none", "a small transformer, from random weights"),
        ("base-again", "", "how far the same recipe and seed end apart: threads add up in another order"),
        ("seed-21", "seed=21", "how much chance alone changes"),
        # Up to as many steps as the others: half the lesions are seen twice as often.
        ("lesions-50", "lesion_share=0.5 epochs=15", "the learning curve: half the lesions"),
        ("lesions-25", "lesion_share=0.25 epochs=31", "the learning curve: a quarter of the lesions"),
        ("no-imagenet", "pretrained=none", "random starting weights"),
    )
}


@dataclass(frozen=True, slots=True)
class AblationOutcome:
    """What came of an ablation: the runs that finished, and each row that failed or was left out, with its reason."""

    experiments: tuple[Experiment, ...]
    failed: dict[str, str]
    skipped: dict[str, str]


@dataclass(frozen=True, slots=True)
class RowRun:
    """What a row's process is told; see ``training.fit.train``."""

    row: AblationRow
    settings: tuple[str, ...]
    data: tuple[Path, ...]
    out: Path
    fold: int
    cache: Path


def run_ablation(
    *,
    data: Sequence[Path],
    out: Path,
    rows: Sequence[str] | None = None,
    fold: int = 0,
    pretrained: str = "",
    resume: bool = True,
    run_row: Callable[[RowRun], None] | None = None,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> AblationOutcome:
    """Run rows one after the other and write ``ablation.csv`` and ``ablation.md`` after each.

    Args:
        data: Data set folders.
        out: Holds a folder a row, their common cache, and the tables.
        rows: Names of ``ROWS``; None takes all, and leaves those out that the data or this machine cannot run.
        fold: That validates.
        pretrained: Starting weights for all rows but the one without: a file, or ``imagenet``.
        resume: Keep finished rows and go on with half ones; without it, rows that are there already are refused.
        run_row: Runs one row; default: a process of its own.
        on_progress: Called with (what, done, total).

    Raises:
        DatasetError: If a row is not known, or one that is there was run otherwise.
        OutputError: If ``out`` cannot be written.
    """
    chosen = list(ROWS) if rows is None else list(rows)
    if unknown := [name for name in chosen if name not in ROWS]:
        raise DatasetError(f"Expected rows among {', '.join(ROWS)}. Received {', '.join(unknown)}.")
    prepare_folder(out)
    failed: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for number, name in enumerate(chosen):
        on_progress("rows", number, len(chosen))
        # A row's own setting comes last and wins.
        settings = (*([f"pretrained={pretrained}"] if pretrained else []), *_own_settings(ROWS[name], out))
        folder = out / name
        wait_until_free(folder)
        if (folder / "run.json").is_file() and not resume:
            raise DatasetError(f"'{folder}' already holds a run. Leave --no-resume out, or choose another folder.")
        if not is_row_finished(folder, settings, fold=fold):
            if lack := _what_it_lacks(ROWS[name], data, out):
                (skipped if rows is None else failed)[name] = lack
                continue
            try:
                (run_row or run_in_own_process)(RowRun(ROWS[name], settings, tuple(data), folder, fold, out / "cache"))
            except TrainingError as error:
                failed[name] = str(error)
        _write_tables(out, chosen)
    on_progress("rows", len(chosen), len(chosen))
    return AblationOutcome(tuple(_finished(out, chosen)), failed, skipped)


def _own_settings(row: AblationRow, out: Path) -> tuple[str, ...]:
    """Return a row's settings, a teacher with the folder that it lies in."""
    named = (setting.partition("=") for setting in row.settings)
    return tuple(f"{key}={out / value if key == 'teacher' else value}" for key, _, value in named)


def _what_it_lacks(row: AblationRow, data: Sequence[Path], out: Path) -> str:
    """Say what a row needs and has not got; nothing where it can run."""
    changed = {key: value for key, _, value in (setting.partition("=") for setting in row.settings)}
    if "mask_weight" in changed and not has_masks(data):
        return "It needs the lesions' masks as masks/IMAGE_ID.png beside images/; no photo that trains has one."
    if "teacher" in changed and not _finished(out, [changed["teacher"]]):
        return f"It needs the finished row {changed['teacher']}, which teaches it."
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if changed.get("pipeline") == "tf_data" and backend != "tensorflow":
        return f"It needs TensorFlow as Keras' backend; KERAS_BACKEND is {backend}."
    return ""


def is_row_finished(folder: Path, settings: Sequence[str], *, fold: int) -> bool:
    """Return whether a row's record is there, whole, with both ways of validating.

    Raises:
        DatasetError: If it is whole and was run with another fold or recipe.
    """
    path = folder / RECORD_FILE
    if not path.is_file():
        return False
    record = json.loads(path.read_text(encoding="utf-8"))
    if not record["is_finished"] or str(N_VIEWS) not in record["measures"]:
        return False
    expected = without_places(override(PRESETS[BASE], list(settings)).to_dict())
    usual = Preset(expected["backbone"]).to_dict()  # of a field that came after the row was run
    differing = [k for k, v in expected.items() if k != "pretrained" and record["recipe"].get(k, usual[k]) != v]
    if record["fold"] != fold or differing:
        what = f"fold {record['fold']}" if record["fold"] != fold else f"another {', '.join(differing)}"
        raise DatasetError(f"The row in '{folder}' was run with {what}. Choose another folder for this ablation.")
    return True


def run_in_own_process(run: RowRun) -> None:
    """Run one row with ``train``; what it prints goes to ``<row>.log`` beside its folder.

    Raises:
        TrainingError: If it fails; says why, and where the log lies.
    """
    command = [sys.executable, "-m", "dermascan_core", "train", BASE, "--out", str(run.out), "--fold", str(run.fold)]
    command += ["--cache", str(run.cache), "--views", str(N_VIEWS)]
    command += [part for folder in run.data for part in ("--data", str(folder))]
    command += [part for setting in run.settings for part in ("--set", setting)]
    command += ["--resume"] if (run.out / "run.json").is_file() else []
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])}
    log = run.out.with_name(f"{run.out.name}.log")
    with log.open("a", encoding="utf-8") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False)
    if done.returncode:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        said = next((line for line in reversed(lines) if line.startswith("Error: ")), lines[-1] if lines else "nothing")
        raise TrainingError(f"It ended with exit code {done.returncode}: {said.removeprefix('Error: ')} See '{log}'.")


def _finished(out: Path, names: Sequence[str]) -> list[Experiment]:
    found = [path for name in names if (path := out / name / RECORD_FILE).is_file()]
    return [one for one in read_experiments(found) if one.is_finished]


def _write_tables(out: Path, names: Sequence[str]) -> None:
    if finished := _finished(out, names):
        write_file(out / "ablation.csv", rows_as_csv(experiment_rows(finished)).encode())
        write_file(out / "ablation.md", markdown_page(finished).encode())
