"""From photos answered again after small changes to ``repeatability.json``: how often answers change, and what that means."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..domain import ImageType, Metadata, Reason, Repeatability
from ..errors import DatasetError
from ..imaging.crop import find_crop
from ..imaging.small_changes import SMALL_CHANGES
from ..model.manifest import Manifest
from ..model.predictor import Predictor
from ..tables import LabelledPhoto
from ..taxonomy import HAM_CODES
from . import weighted
from .evaluate import PreparedPhoto, each_once, judge_output, prepare_pixels, read_labelled
from .files import prepare_folder, write_file
from .intervals import LEVEL, N_RESAMPLES, SEED, bootstrap
from .repeatability import DEFAULT_LIMIT, N_VIEWS, meter_repeatability
from .results import PhotoResult, ResultTable, make_table
from .stress import sample_photos

REPEATABILITY_FILE = "repeatability.json"
SCHEMA = 1
MAX_MADE_UNSURE = 0.10  # of the photos that would be answered otherwise
LIMIT_RULE = (
    f"the smallest number of changed answers that at most {100 * MAX_MADE_UNSURE:.0f} % of the answered photos exceed"
)
_N_READERS = 2
_BATCH_SIZE = 16


@dataclass(frozen=True, slots=True)
class MeteredPhoto:
    """One labelled photo: what became of it, and how often small changes change its answer."""

    result: PhotoResult
    repeatability: Repeatability


def run_repeatability(
    predictor: Predictor,
    photos: Sequence[LabelledPhoto],
    files: Mapping[str, Path],
    *,
    out: Path,
    limit: int = 0,
    seed: int = 0,
    split: str = "",
    fold: str = "",
    use_metadata: bool = True,
    image_type: ImageType = ImageType.DERMOSCOPIC,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Meter labelled photos, fit the limit, write ``repeatability.json`` and return what it holds.

    The limit is fitted on these photos: give photos that the model was not trained on, and not its test.

    Args:
        predictor: The model.
        photos: Labelled photos; where several rows name one photo, the first counts.
        files: image_id -> file.
        out: Folder; made if need be.
        limit: About how many photos, each diagnosis in its share; 0 for all.
        seed: Of the draw.
        split, fold: Which rows these are, for the record.
        use_metadata: Whether to tell the model age, sex and site.
        image_type: How the photos were taken, where the labels table does not say.
        on_progress: Called with (done, total).

    Raises:
        DatasetError: If there are no photos, or none could be read.
        OutputError: If ``out`` cannot be written; found before the first prediction.
    """
    prepare_folder(out)
    metered = meter_photos(
        predictor,
        sample_photos(each_once(photos), limit=limit, seed=seed),
        files,
        use_metadata=use_metadata,
        image_type=image_type,
        on_progress=on_progress,
    )
    measured = build_repeatability(
        metered,
        predictor.manifest,
        engine=predictor.engine,
        split=split,
        fold=fold,
        use_metadata=use_metadata,
    )
    write_file(out / REPEATABILITY_FILE, (json.dumps(measured, indent=1, allow_nan=False) + "\n").encode())
    return measured


def meter_photos(
    predictor: Predictor,
    photos: Sequence[LabelledPhoto],
    files: Mapping[str, Path],
    *,
    use_metadata: bool = True,
    image_type: ImageType = ImageType.DERMOSCOPIC,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[MeteredPhoto]:
    """Answer each photo and its small changes as a screening does; photos that cannot be read are left out.

    Raises:
        DatasetError: If no photo could be read.
    """
    metered: list[MeteredPhoto] = []
    with ThreadPoolExecutor(_N_READERS) as pool:
        for start in range(0, len(photos), _BATCH_SIZE):
            some = photos[start : start + _BATCH_SIZE]
            for photo, pixels in zip(some, pool.map(lambda p: read_labelled(files.get(p.image_id)), some), strict=True):
                if not isinstance(pixels, Reason):
                    metered.append(_meter(predictor, photo, pixels, use_metadata, photo.image_type or image_type))
            on_progress(start + len(some), len(photos))
    if not metered:
        raise DatasetError(
            f"Expected photos for the {len(photos)} rows of the labels table. None of them could be read. "
            "Check --images."
        )
    return metered


def _meter(
    predictor: Predictor,
    photo: LabelledPhoto,
    rgb: npt.NDArray[np.uint8],
    use_metadata: bool,
    image_type: ImageType,
) -> MeteredPhoto:
    told = replace(photo.metadata if use_metadata else Metadata(), image_type=image_type)
    prepared: PreparedPhoto = prepare_pixels(rgb, predictor.manifest.preprocess)
    if prepared.square is None:
        raise ValueError(f"Expected a square of the photo '{photo.image_id}'. Received none.")
    output = predictor.predict(prepared.square[np.newaxis], [told])[0]
    repeatability = meter_repeatability(predictor, rgb, find_crop(rgb), output, told)
    return MeteredPhoto(judge_output(photo, prepared, told, output, image_type), repeatability)


def build_repeatability(
    metered: Sequence[MeteredPhoto],
    manifest: Manifest,
    *,
    engine: str,
    split: str = "",
    fold: str = "",
    use_metadata: bool = True,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Any]:
    """Compute everything that ``repeatability.json`` holds; the schema is in docs/evaluation.md.

    Args:
        metered: From ``meter_photos``.
        manifest: Of the model.
        engine: That answered.
        split, fold: Which rows these are; empty for all.
        use_metadata: Whether the model was told age, sex and site.
        n_resamples: Of the bootstrap.

    Returns:
        Plain data, ready for JSON; None stands for what is undefined.
    """
    table = make_table([one.result for one in metered])
    n_changed = np.array([one.repeatability.n_changed for one in metered])
    is_unsure = np.array([one.result.prediction is None or one.result.prediction.is_unsure for one in metered])
    limit = fit_limit(n_changed[~is_unsure])
    measures: dict[tuple[str, ...], weighted.Measure] = {
        ("changed", *key): measure for key, measure in _change_measures(metered, n_changed).items()
    }
    rows = _describe_rows(n_changed, table, measures)
    classes = _describe_classes(n_changed, table, limit, measures)
    measures[("limit", "made_unsure")] = weighted.share(n_changed > limit, ~is_unsure)
    measures[("limit", "made_unsure_malignant")] = weighted.share(n_changed > limit, ~is_unsure & table.is_malignant)
    if table.has_classes:
        is_wrong = table.y_pred != table.y_true
        measures[("limit", "accuracy_above")] = weighted.share(~is_wrong, n_changed > limit)
        measures[("limit", "accuracy_within")] = weighted.share(~is_wrong, n_changed <= limit)
        measures[("changed", "auc_for_wrong")] = weighted.auc(is_wrong, n_changed.astype(np.float64))
        n_other_class = np.array([len(one.repeatability.other_class) for one in metered], np.float64)
        measures[("changed", "auc_of_class_for_wrong")] = weighted.auc(is_wrong, n_other_class)
    estimates = bootstrap(measures, table.groups, n_resamples=n_resamples, seed=SEED)

    def pick(*prefix: str) -> dict[str, Any]:
        return {key[-1]: e.to_dict() for key, e in estimates.items() if key[:-1] == prefix}

    return {
        "schema": SCHEMA,
        "model": {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": manifest.sha256,
            "engine": engine,
            "app_version": __version__,
            "n_views": manifest.n_views,
        },
        "data": {
            "split": split,
            "fold": fold,
            "use_metadata": use_metadata,
            "n": len(metered),
            "n_malignant": int(table.is_malignant.sum()),
            "n_views_of_changes": min(N_VIEWS, manifest.n_views),
        },
        "intervals": {"level": LEVEL, "n_resamples": n_resamples, "seed": SEED},
        "limit": {"value": limit, "rule": LIMIT_RULE, "measures": pick("limit")},
        "changed": pick("changed"),
        "changes": [
            {"name": change.name, "words": change.words, "measures": pick("changed", change.name)}
            for change in SMALL_CHANGES
        ],
        "rows": [row | {"measures": pick("rows", str(row["n_changed"]))} for row in rows],
        "classes": [row | {"measures": pick("classes", str(row["dx"]))} for row in classes],
    }


def fit_limit(n_changed: npt.NDArray[np.int_], *, max_share: float = MAX_MADE_UNSURE) -> int:
    """Return the smallest limit that at most ``max_share`` of the photos exceed, at most ``DEFAULT_LIMIT``.

    An answer that most small changes overturn is unsure whatever share of the photos that is.

    Args:
        n_changed: How many small changes changed the answer, one number an answered photo.
        max_share: In [0, 1].

    >>> fit_limit(np.array([0] * 9 + [3])), fit_limit(np.array([0] * 8 + [1, 3]))
    (0, 1)
    """
    if not len(n_changed):
        return DEFAULT_LIMIT
    return next((k for k in range(DEFAULT_LIMIT) if (n_changed > k).mean() <= max_share), DEFAULT_LIMIT)


def _change_measures(
    metered: Sequence[MeteredPhoto], n_changed: npt.NDArray[np.int_]
) -> dict[tuple[str, ...], weighted.Measure]:
    measures: dict[tuple[str, ...], weighted.Measure] = {
        ("any",): weighted.share(n_changed > 0),
        ("mean",): weighted.share(n_changed / len(SMALL_CHANGES)),
    }
    for change in SMALL_CHANGES:
        other_class = np.array([change.words in one.repeatability.other_class for one in metered])
        other_advice = np.array([change.words in one.repeatability.other_advice for one in metered])
        measures[change.name, "other_class"] = weighted.share(other_class)
        measures[change.name, "other_advice"] = weighted.share(other_advice)
    return measures


def _describe_rows(
    n_changed: npt.NDArray[np.int_], table: ResultTable, measures: dict[tuple[str, ...], weighted.Measure]
) -> list[dict[str, Any]]:
    """One row a number of changes; adds its measures."""
    rows = []
    for k in range(len(SMALL_CHANGES) + 1):
        is_in = n_changed == k
        rows.append({"n_changed": k, "n": int(is_in.sum()), "n_malignant": int((is_in & table.is_malignant).sum())})
        measures["rows", str(k), "share"] = weighted.share(is_in)
        measures["rows", str(k), "share_of_malignant"] = weighted.share(is_in, table.is_malignant)
        if table.has_classes:
            measures["rows", str(k), "accuracy"] = weighted.share(table.y_pred == table.y_true, is_in)
        measures["rows", str(k), "malignant_sensitivity_at_threshold"] = weighted.share(
            table.is_above, is_in & table.is_malignant
        )
    return rows


def _describe_classes(
    n_changed: npt.NDArray[np.int_],
    table: ResultTable,
    limit: int,
    measures: dict[tuple[str, ...], weighted.Measure],
) -> list[dict[str, Any]]:
    """One row a diagnosis, and one for cancer or pre-cancer (``dx`` is "malignant"); adds their measures."""
    parts = {code: table.y_true == k for k, code in enumerate(HAM_CODES)} | {"malignant": table.is_malignant}
    rows = []
    for dx, is_in in parts.items():
        if not is_in.any():
            continue
        rows.append({"dx": dx, "n": int(is_in.sum())})
        measures["classes", dx, "mean_changed"] = weighted.share(n_changed / len(SMALL_CHANGES), is_in)
        measures["classes", dx, "any_changed"] = weighted.share(n_changed > 0, is_in)
        measures["classes", dx, "above_limit"] = weighted.share(n_changed > limit, is_in)
    return rows


def describe_repeatability(measured: Mapping[str, Any]) -> list[str]:
    """Return what was measured, in lines for a terminal."""
    data, limit = measured["data"], measured["limit"]
    lines = [
        f"{data['n']} photos ({data['n_malignant']} malignant), {len(measured['changes'])} small changes each.",
        "changed answers: share of the photos, right among them:",
    ]
    for row in measured["rows"]:
        m = row["measures"]
        lines.append(f"  {row['n_changed']}: {_shown(m['share'])} ({row['n']}), {_shown(m.get('accuracy'))}")
    lines.append(f"Limit: {limit['value']}, {limit['rule']}.")
    m = limit["measures"]
    lines.append(
        f"Above it: {_shown(m['made_unsure'])} of the answered photos, {_shown(m['made_unsure_malignant'])} of the "
        f"malignant ones; right above it {_shown(m.get('accuracy_above'))}, within it {_shown(m.get('accuracy_within'))}."
    )
    return lines


def _shown(estimate: Mapping[str, float | None] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "undefined"
    if estimate["low"] is None or estimate["high"] is None:
        return f"{estimate['value']:.1%}"
    return f"{estimate['value']:.1%} ({estimate['low']:.1%} to {estimate['high']:.1%})"
