"""Cross-validation: each photo answered once, by a network that did not see its fold, all folds measured as one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DatasetError
from ..model.manifest import Manifest
from ..tables import group_of
from .evaluate import METRICS_FILE, PREDICTIONS_FILE
from .files import prepare_folder, write_file
from .intervals import N_RESAMPLES, SEED, none_if_nan
from .metrics import of_sample
from .plots import draw_plots
from .report import build_metrics, measures_of
from .results import PhotoResult, make_table, predictions_csv

SPLIT = "out of fold"
ResultsByFold = Mapping[str, Sequence[PhotoResult]]


def evaluate_folds(
    results_by_fold: ResultsByFold,
    manifest: Manifest,
    *,
    engine: str,
    use_metadata: bool,
    thresholds: Mapping[str, float] | None = None,
    recipes: Sequence[Mapping[str, Any]] = (),
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> dict[str, Any]:
    """Measure the held-out answers of all folds as one data set, and each fold alone.

    Whether a photo lies above the threshold is what its own fold's network said (``Prediction.is_above_threshold``);
    probabilities are compared across folds as they are, since every network is calibrated.

    Args:
        results_by_fold: Fold -> results of its held-out photos, from the network that did not see that fold.
        manifest: Names the model and its classes; of the release, or of any fold.
        engine: That answered.
        use_metadata: Whether the networks were told age, sex and site.
        thresholds: Fold -> its network's threshold, for the record.
        recipes: How the networks of each fold were trained, for the record; one a member.
        n_resamples, seed: Of the bootstrap over the pooled photos.

    Returns:
        As ``metrics.json``, with ``recipes`` and ``folds``: ``rows`` (fold, n, n_malignant, threshold, ``summary`` and ``classes``
        as plain values) and ``mean``, ``sd`` (of the sample, n - 1) of each over the folds where it is defined.

    Raises:
        DatasetError: If there are fewer than two folds, one is empty, or a photo, lesion or patient is in two.
    """
    _check_folds(results_by_fold)
    pooled = [result for results in results_by_fold.values() for result in results]
    metrics = build_metrics(
        pooled,
        manifest,
        engine=engine,
        use_metadata=use_metadata,
        split=SPLIT,
        n_resamples=n_resamples,
        seed=seed,
    )
    # No network saw the fold it answers for: that is checked above, not against the split of one network.
    nothing = {"n_photos": 0, "n_lesions": 0, "photos": [], "lesions": []}
    metrics["data"]["overlap"] = nothing | {"against": ["the other folds"], "is_the_models_split": True}
    rows = [
        _fold_row(name, results) | {"threshold": (thresholds or {}).get(name)}
        for name, results in results_by_fold.items()
    ]
    return metrics | {
        "recipes": list(recipes),
        "folds": {"rows": rows, "mean": _over(rows, _mean), "sd": _over(rows, _sd)},
    }


def write_fold_evaluation(
    results_by_fold: ResultsByFold,
    manifest: Manifest,
    *,
    out: Path,
    engine: str,
    use_metadata: bool,
    thresholds: Mapping[str, float] | None = None,
    recipes: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Write ``metrics.json``, ``predictions.csv`` (with a last column ``fold``) and the plots; return the metrics.

    Raises:
        DatasetError: As ``evaluate_folds``.
        OutputError: If ``out`` cannot be written.
    """
    prepare_folder(out)
    metrics = evaluate_folds(
        results_by_fold, manifest, engine=engine, use_metadata=use_metadata, thresholds=thresholds, recipes=recipes
    )
    pooled = [result for results in results_by_fold.values() for result in results]
    folds = [name for name, results in results_by_fold.items() for _ in results]
    write_file(out / PREDICTIONS_FILE, predictions_csv(pooled, manifest.codes, folds=folds).encode())
    write_file(out / METRICS_FILE, (json.dumps(metrics, indent=1, allow_nan=False) + "\n").encode())
    for name, png in draw_plots(metrics).items():
        write_file(out / name, png)
    return metrics


def _check_folds(results_by_fold: ResultsByFold) -> None:
    if len(results_by_fold) < 2:
        raise DatasetError(f"Expected the results of at least two folds. Received {len(results_by_fold)}.")
    seen: dict[tuple[str, str], str] = {}
    for fold, results in results_by_fold.items():
        if not any(result.prediction for result in results):
            raise DatasetError(f"Expected answered photos in every fold. Fold '{fold}' has none. Check its photos.")
        photos = [("photo", result.photo.image_id.lower()) for result in results]
        if len(set(photos)) < len(photos):
            twice = next(name for name in photos if photos.count(name) > 1)[1]
            raise DatasetError(f"Expected each photo once. Fold '{fold}' names '{twice}' twice. Drop one of them.")
        # A patient's photos belong together, and so do a lesion's.
        for what, name in {*photos, *(("group", group_of(result.photo)) for result in results)}:
            if seen.setdefault((what, name), fold) != fold:
                raise DatasetError(
                    f"Expected each photo, lesion and patient in one fold only. '{name}' is in the folds "
                    f"'{seen[what, name]}' and '{fold}'. Split again by lesion or patient."
                )


def _fold_row(name: str, results: Sequence[PhotoResult]) -> dict[str, Any]:
    table = make_table(results)
    summary: dict[str, float | None] = {}
    classes: dict[str, dict[str, float | None]] = {}
    for place, measure in measures_of(table).items():
        value = none_if_nan(of_sample(measure, len(table.results)))
        if place[0] == "summary":
            summary[place[1]] = value
        elif place[0] == "classes" and len(place) == 3:
            classes.setdefault(place[1], {})[place[2]] = value
    return {
        "fold": name,
        "n": len(table.results),
        "n_malignant": int(table.is_malignant.sum()),
        "summary": summary,
        "classes": classes,
    }


def _over(rows: Sequence[Mapping[str, Any]], reduce: Any) -> dict[str, Any]:
    """Reduce every value over the folds where it is defined."""

    def reduced(values: Sequence[float | None]) -> float | None:
        defined = [value for value in values if value is not None]
        return none_if_nan(reduce(defined))

    names = dict.fromkeys(name for row in rows for name in row["summary"])
    places = dict.fromkeys((code, name) for row in rows for code, own in row["classes"].items() for name in own)
    classes: dict[str, dict[str, float | None]] = {}
    for code, name in places:
        values = [row["classes"].get(code, {}).get(name) for row in rows]
        classes.setdefault(code, {})[name] = reduced(values)
    return {
        "summary": {name: reduced([row["summary"].get(name) for row in rows]) for name in names},
        "classes": classes,
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _sd(values: Sequence[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
