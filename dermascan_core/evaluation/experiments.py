"""Training runs as records that can be compared: which recipe, on what, and how well it validated.

A record is one JSON file, ``result.json`` in a run's folder or any name among shipped records. It names no place of a
machine, and it is read here without Keras, so that the app can show it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import fmean
from typing import Any

from ..errors import DatasetError

RECORD_FILE = "result.json"
MEASURES = ("score", "macro_auc", "malignant_auc", "balanced_accuracy", "loss")


@dataclass(frozen=True, slots=True)
class Experiment:
    """One run.

    Attributes:
        name: Of the run's folder, or of the ablation's row.
        base: The named recipe that it started from; empty if unknown.
        recipe: Every field of the recipe.
        changed: The fields that differ from ``base``, with their values.
        data: Names of the data sets.
        split_sha256: Of the split.
        fold: That validated.
        n_train, n_validation: Photos.
        epochs_run, best_epoch: 1-based.
        is_finished: Whether the run reached its end.
        measures: Views averaged ("1", "8") -> measure -> value of the best epoch.
        epochs: One row of numbers an epoch.
        elapsed_s: Seconds of training, validation included.
        app_version, keras_version, backend: What it ran on.
    """

    name: str
    base: str
    recipe: Mapping[str, Any]
    changed: Mapping[str, Any]
    data: tuple[str, ...]
    split_sha256: str
    fold: int
    n_train: int
    n_validation: int
    epochs_run: int
    best_epoch: int
    is_finished: bool
    measures: Mapping[str, Mapping[str, float]]
    epochs: tuple[Mapping[str, float], ...]
    elapsed_s: float
    app_version: str
    keras_version: str
    backend: str

    @property
    def change(self) -> str:
        """The changed fields as ``key=value``, or ``-``."""
        return ", ".join(f"{key}={value}" for key, value in self.changed.items()) or "-"

    def measure(self, name: str, *, n_views: int = 1) -> float | None:
        """Return a measure of the best epoch (``score``, ``macro_auc``, ...), or None if it was not taken."""
        return self.measures.get(str(n_views), {}).get(name)


def make_record(
    run: Mapping[str, Any],
    state: Mapping[str, Any],
    epochs: Sequence[Mapping[str, float]],
    *,
    name: str,
    is_finished: bool,
) -> dict[str, Any]:
    """Return a run's record as plain data.

    Args:
        run: ``run.json``.
        state: ``state.json``.
        epochs: Rows of ``epochs.csv``.
        name: Of the run.
        is_finished: Whether it reached its end.
    """
    recipe, changed = (without_places(run[part]) for part in ("preset", "changed"))
    return {
        "name": name,
        "base": run["base"],
        "recipe": recipe,
        "changed": changed,
        "data": run["data"],
        "split_sha256": run["split_sha256"],
        "fold": run["fold"],
        "n_train": run["n_train"],
        "n_validation": run["n_validation"],
        "epochs_run": state["epoch"],
        "best_epoch": state.get("best_epoch", 0),
        "is_finished": is_finished,
        "measures": {"1": measures_of(state["best"])} if "best" in state else {},
        "epochs": [dict(row) for row in epochs],
        "elapsed_s": state.get("elapsed_s", 0.0),
        "app_version": run["app_version"],
        "keras_version": run["keras_version"],
        "backend": run["backend"],
    }


def without_places(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's fields with the names of its files alone: a reader has not got their folders.

    >>> without_places({"pretrained": "/data/imagenet.h5", "epochs": 3})
    {'pretrained': 'imagenet.h5', 'epochs': 3}
    """
    named = {
        key: ",".join(Path(one).name for one in str(recipe[key]).split(","))
        for key in ("pretrained", "teacher")
        if key in recipe
    }
    return {**recipe, **named}


def measures_of(validated: Mapping[str, float]) -> dict[str, float]:
    """Return the measures of an epoch's row without their ``val_``.

    >>> measures_of({"val_score": 0.5, "elapsed_s": 3.0})
    {'score': 0.5}
    """
    return {name: validated[f"val_{name}"] for name in MEASURES if f"val_{name}" in validated}


def read_experiments(places: Path | Sequence[Path]) -> list[Experiment]:
    """Read the records of runs.

    Args:
        places: Each a record, a run's folder, a folder of runs, or a folder of records.

    Returns:
        The experiments, by name.

    Raises:
        DatasetError: If a place holds no record, or a record cannot be read; names it.
    """
    files = [file for place in ([places] if isinstance(places, Path) else places) for file in _records_in(place)]
    return sorted((_read(file) for file in files), key=lambda one: one.name)


def _records_in(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    if (place / RECORD_FILE).is_file():
        return [place / RECORD_FILE]
    found = sorted(place.glob(f"*/{RECORD_FILE}")) or sorted(place.glob("*.json"))
    if not found:
        raise DatasetError(
            f"Expected a finished run's {RECORD_FILE}, or a folder of such records, at '{place}'. There is none. "
            "Train first: python -m dermascan_core train --help"
        )
    return found


def _read(path: Path) -> Experiment:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        values = {f.name: data[f.name] for f in fields(Experiment)}
        # ImageNet's weights out of a file are not another recipe than ImageNet's weights by name.
        values["changed"] = {k: v for k, v in values["changed"].items() if not _is_starting_file(k, v)}
        return Experiment(**values | {"data": tuple(values["data"]), "epochs": tuple(values["epochs"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"Expected the record of a training run in '{path}'. It cannot be read ({error}). Leave it out."
        ) from error


def _is_starting_file(key: str, value: Any) -> bool:
    return key == "pretrained" and str(value).endswith(".weights.h5")


def differing_fields(experiments: Sequence[Experiment]) -> tuple[str, ...]:
    """Return the recipe's fields in which the experiments differ, in the recipe's order."""
    names = dict.fromkeys(name for one in experiments for name in one.recipe)
    return tuple(n for n in names if len({json.dumps(one.recipe.get(n)) for one in experiments}) > 1)


def experiment_rows(experiments: Sequence[Experiment]) -> list[dict[str, str | float | None]]:
    """Return one row an experiment, the best first: by eight views where all have them, else by one.

    ``difference`` is that score less the mean score of the runs without a change, where there are any on the same fold.
    """
    n_views = _views_to_compare(experiments)
    plain: dict[tuple[str, int], list[float]] = {}
    for one in experiments:
        if not one.changed and (score := one.measure("score", n_views=n_views)) is not None:
            plain.setdefault((one.base, one.fold), []).append(score)

    rows: list[dict[str, str | float | None]] = []
    for one in sorted(experiments, key=lambda e: -(e.measure("score", n_views=n_views) or 0.0)):
        mine, base = one.measure("score", n_views=n_views), plain.get((one.base, one.fold))
        rows.append(
            {
                "name": one.name,
                "changed": one.change,
                "fold": one.fold,
                "epochs": one.epochs_run,
                "best_epoch": one.best_epoch,
                "is_finished": "yes" if one.is_finished else "no",
                **{f"{m}_{v}": one.measure(m, n_views=v) for v in (1, 8) for m in MEASURES},
                "difference": None if mine is None or not base else mine - fmean(base),
                "minutes": round(one.elapsed_s / 60, 1),
            }
        )
    return rows


def _views_to_compare(experiments: Sequence[Experiment]) -> int:
    return 8 if experiments and all(one.measure("score", n_views=8) is not None for one in experiments) else 1


def chance_range(experiments: Sequence[Experiment]) -> tuple[int, float, float] | None:
    """Return what chance alone does: how many runs change nothing but, at most, the seed; their lowest and highest score.

    The same recipe and seed end elsewhere too: threads add up in another order, and training carries that on.

    Returns:
        None where there are not two such runs of one recipe on one fold; of several such groups, the largest.
    """
    n_views = _views_to_compare(experiments)
    groups: dict[tuple[str, int], list[float]] = {}
    for one in experiments:
        if one.base and set(one.changed) <= {"seed"} and (score := one.measure("score", n_views=n_views)) is not None:
            groups.setdefault((one.base, one.fold), []).append(score)
    scores = max(groups.values(), key=len, default=[])
    return (len(scores), min(scores), max(scores)) if len(scores) > 1 else None


def learning_curve(experiments: Sequence[Experiment]) -> tuple[Experiment, ...]:
    """Return the runs of one recipe on growing shares of the lesions, smallest first.

    Of several such recipes the one with the most runs; empty where none has two. The number of epochs may differ, so
    that each run may take as many steps.
    """
    found: list[tuple[Experiment, ...]] = [()]
    for plain in (one for one in experiments if not one.changed and one.base):
        parts = [
            one
            for one in experiments
            if (one.base, one.fold, one.split_sha256) == (plain.base, plain.fold, plain.split_sha256)
            and "lesion_share" in one.changed
            and set(one.changed) <= {"lesion_share", "epochs"}
        ]
        found.append((*sorted(parts, key=lambda one: one.n_train), plain) if parts else ())
    return max(found, key=len)


def rows_as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table as CSV; a measure that was not taken is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows([{k: f"{v:.5f}" if isinstance(v, float) else v for k, v in row.items()} for row in rows])
    return text.getvalue()


def markdown_page(experiments: Sequence[Experiment]) -> str:
    """Return the document that compares runs: what they share, and the table."""
    first = experiments[0]
    is_one_fold = len({one.fold for one in experiments}) == 1
    where = f"fold {first.fold} ({first.n_validation} photos)" if is_one_fold else "the folds of the table's CSV"
    return "\n".join(
        [
            "# Recipes compared",
            "",
            "Made by `python -m dermascan_core experiments`; not written by hand. "
            f"{len(experiments)} runs on {', '.join(sorted({name for one in experiments for name in one.data}))}, "
            f"validated on {where}, as served: at the archive's class mix, in HAM10000's seven codes. "
            "The score is the mean of macro AUC, malignant AUC and balanced accuracy, of the epoch in which that mean "
            f"is highest. {chance_words(experiments)}",
            *_plain_lines([one for one in experiments if not one.changed]),
            "",
            rows_as_markdown(experiment_rows(experiments)),
            *_curve_section(learning_curve(experiments)),
        ]
    )


def chance_words(experiments: Sequence[Experiment]) -> str:
    """Say how far two rows must lie apart to mean anything."""
    found = chance_range(experiments)
    if found is None:
        return "One run a row: nothing here says how much chance alone changes."
    n_runs, low, high = found
    return (
        f"One run a row. The {n_runs} runs that change nothing, or the seed alone, have scores between {low:.3f} and {high:.3f}: "
        f"smaller differences of it than {high - low:.3f} say nothing. Each is taken from the mean of those that change nothing."
    )


def _plain_lines(plain: Sequence[Experiment]) -> list[str]:
    """Say what each recipe without a change is, and which runs are of it."""
    names = ("backbone", "input_px", "batch_size", "warmup_epochs", "epochs", "learning_rate", "balance", "augment")
    runs: dict[str, list[str]] = {}
    for one in plain:
        fields = ", ".join(f"{name} {one.recipe[name]}" for name in names if name in one.recipe)
        what = f"the recipe `{one.base or one.name}` without a change: {fields}; {one.n_train:,} photos to learn from."
        runs.setdefault(what, []).append(f"`{one.name}`")
    return [
        line
        for what, of in runs.items()
        for line in ("", f"{' and '.join(of)} {'is' if len(of) == 1 else 'are'} {what}")
    ]


def _curve_section(runs: Sequence[Experiment]) -> list[str]:
    if not runs:
        return []
    columns = {"Macro AUC": "macro_auc", "Malignant AUC": "malignant_auc", "Balanced accuracy": "balanced_accuracy"}
    return [
        "## The learning curve",
        "",
        f"The recipe `{runs[0].base}` on growing shares of the lesions, with up to as many steps (a run that no longer gains "
        "stops early). Where the last step still gains, more lesions may help.",
        "",
        f"| Photos learnt from | {' | '.join(columns)} |",
        f"| --- |{' --- |' * len(columns)}",
        *(
            f"| {one.n_train:,} | " + " | ".join(_cell(name, one.measure(name)) for name in columns.values()) + " |"
            for one in runs
        ),
        "",
    ]


_COLUMNS = {
    "name": "Row",
    "changed": "What is changed",
    "macro_auc_1": "Macro AUC",
    "malignant_auc_1": "Malignant AUC",
    "balanced_accuracy_1": "Balanced accuracy",
    "score_1": "Score, 1 view",
    "score_8": "Score, 8 views",
    "difference": "Against no change",
    "epochs": "Epochs",
    "best_epoch": "Best epoch",
}


def rows_as_markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the table for a document: measures to three places, differences with their sign."""
    lines = [f"| {' | '.join(_COLUMNS.values())} |", f"|{' --- |' * len(_COLUMNS)}"]
    lines += [f"| {' | '.join(_cell(name, row[name]) for name in _COLUMNS)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "not taken"
    if name == "difference":
        return f"{value:+.3f}"
    if name == "changed" and value != "-":
        return f"`{value}`"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def epoch_curves(experiments: Sequence[Experiment], measure: str) -> dict[str, tuple[list[int], list[float]]]:
    """Return name -> (epochs, values), for a plot of how runs went.

    Args:
        experiments: To draw.
        measure: A column of the epochs' rows, such as ``val_macro_auc``.
    """
    return {
        one.name: ([int(r["epoch"]) for r in rows], [r[measure] for r in rows])
        for one in experiments
        if (rows := [row for row in one.epochs if measure in row])
    }
