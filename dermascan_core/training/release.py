"""Turns a finished run into ``weights/NAME.keras`` and its manifest: calibrated, given a threshold and sets, hashed.

Everything is fitted on the run's validation fold; the ``test`` split is only looked at afterwards, by ``evaluate``.
"""

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

from ..domain import Metadata, Prediction
from ..errors import DatasetError
from ..imaging.preprocess import PreprocessConfig
from ..model.checkpoint import save_weights
from ..model.dual_branch import serving_model
from ..model.keras_engine import KerasEngine
from ..model.manifest import Manifest, file_sha256, save_manifest
from ..model.metadata_branch import MetadataEncoder
from ..model.predictor import make_prediction
from ..model.views import N_VIEWS, make_views
from ..tables import LabelledPhoto
from ..taxonomy import HAM_CODES, HAM_MALIGNANT, ham_code
from ..trust.calibration import fit_temperature
from ..trust.conformal import fit_set_thresholds
from .data import load_dataset, load_squares, targets
from .fit import split_fold

Array = npt.NDArray[np.floating]
SENSITIVITY_GOAL = 0.95
WEIGHTS_LICENCE = "CC BY-NC 4.0 (non-commercial, as the HAM10000 photos they were trained on)"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold on ``p_malignant`` and what it reached where it was chosen."""

    threshold: float
    rule: str
    malignant_sensitivity: float
    melanoma_sensitivity: float
    specificity: float


def make_release(
    run: Path,
    *,
    data: Path | Sequence[Path],
    name: str,
    weights_dir: Path,
    version: str = "1",
    on_progress: Progress = lambda what, done, total: None,
) -> Manifest:
    """Write the weights and the manifest of a run's best epoch.

    Args:
        run: Folder of a finished ``train``.
        data: The data set that it was trained on.
        name: Of the model; the files are ``<name>.keras`` and ``<name>.json``.
        weights_dir: Where they go.
        version: Release version.
        on_progress: Called with (what, done, total).

    Raises:
        DatasetError: If the run is not finished, or the data's split is not the one that the run was trained on.
    """
    record, state = _read_run(run)
    dataset = load_dataset(data)
    if dataset.split_sha256 != record["split_sha256"]:
        raise DatasetError(
            f"The run was trained on the split {record['split_sha256'][:12]}; '{data}' holds {dataset.split_sha256[:12]}. "
            "Release it with the data set that trained it."
        )
    _, photos = split_fold(dataset, int(record["fold"]))
    codes, shares = tuple(record["codes"]), (np.array(record["class_shares"]), np.array(record["sampling_shares"]))
    config = PreprocessConfig(record["preset"]["input_px"], record["preset"]["detail_px"])
    squares = load_squares(dataset, photos, config, cache_dir=run / "cache")
    model = keras.saving.load_model(run / "best.keras", compile=False)
    encoder = MetadataEncoder(tuple(record["metadata_fields"]))
    logits = view_logits(model, squares, [p.metadata for p in photos], encoder=encoder, on_progress=on_progress)

    temperature = fit_temperature(
        logits, targets(photos, codes).argmax(axis=1), class_shares=shares[0], sampling_shares=shares[1]
    )
    draft = Manifest(
        name=name,
        version=version,
        backbone=record["preset"]["backbone"],
        codes=codes,
        preprocess=config,
        metadata_fields=encoder.fields,
        class_shares=tuple(record["class_shares"]),
        sampling_shares=tuple(record["sampling_shares"]),
        temperature=temperature,
        threshold=0.5,
        threshold_rule="not chosen yet",
        conformal={"90": dict.fromkeys(HAM_CODES, 0.0), "95": dict.fromkeys(HAM_CODES, 0.0)},
        n_views=N_VIEWS,
        licence=WEIGHTS_LICENCE,
        sha256="",
    )
    predictions = [make_prediction(one, draft) for one in logits]
    point = choose_threshold(predictions, photos)
    weights_dir.mkdir(parents=True, exist_ok=True)
    weights = weights_dir / f"{name}.keras"
    save_weights(model, weights)
    manifest = Manifest(
        **{field: getattr(draft, field) for field in Manifest.__slots__}
        | {
            "threshold": point.threshold,
            "threshold_rule": point.rule,
            "conformal": _fit_sets(predictions, photos),
            "sha256": file_sha256(weights),
            "data": _describe_data(record, dataset.split_sha256, photos, point),
            "training": {"recipe": record["preset"], "best_epoch": state["best_epoch"], "epochs": _read_epochs(run)}
            | {key: record[key] for key in ("app_version", "keras_version", "backend")},
        }
    )
    save_manifest(manifest, weights_dir / f"{name}.json")
    return manifest


def view_logits(
    model: keras.Model,
    squares: npt.NDArray[np.uint8],
    metadata: Sequence[Metadata],
    *,
    encoder: MetadataEncoder,
    on_progress: Progress = lambda what, done, total: None,
) -> Array:
    """Return the logits of every photo's eight views: array (n_photos, 8, n_classes)."""
    engine = KerasEngine(serving_model(model))
    encoded = encoder.encode(metadata)
    logits = []
    for index, square in enumerate(squares):
        images = make_views(np.asarray(square)).astype(np.float32)
        logits.append(engine.run(images, np.repeat(encoded[index : index + 1], N_VIEWS, axis=0))[0])
        on_progress("validation", index + 1, len(squares))
    return np.stack(logits)


def choose_threshold(predictions: Sequence[Prediction], photos: Sequence[LabelledPhoto]) -> OperatingPoint:
    """Return the stricter (lower) of the thresholds that keep 95 % of malignant and 95 % of melanoma photos.

    Raises:
        DatasetError: If the photos hold no melanoma.
    """
    p_malignant = np.array([p.p_malignant for p in predictions])
    is_malignant = np.array([ham_code(p.dx) in HAM_MALIGNANT for p in photos])
    is_melanoma = np.array([p.dx == "mel" for p in photos])
    if not is_melanoma.any():
        raise DatasetError("Expected melanoma photos in the validation fold, to choose a threshold. There are none.")
    threshold = min(_threshold_for(p_malignant[is_malignant]), _threshold_for(p_malignant[is_melanoma]))
    is_above = p_malignant >= threshold
    return OperatingPoint(
        threshold=threshold,
        rule="stricter of 95 % malignant and 95 % melanoma sensitivity on the validation fold",
        malignant_sensitivity=float(is_above[is_malignant].mean()),
        melanoma_sensitivity=float(is_above[is_melanoma].mean()),
        specificity=float((~is_above[~is_malignant]).mean()),
    )


def _threshold_for(p_malignant: Array) -> float:
    """The highest threshold that at least 95 % of these reach."""
    missed = int(np.floor((1 - SENSITIVITY_GOAL) * len(p_malignant) + 1e-9))
    return float(np.sort(p_malignant)[missed])


def _fit_sets(predictions: Sequence[Prediction], photos: Sequence[LabelledPhoto]) -> dict[str, Mapping[str, float]]:
    y_true = [ham_code(p.dx) for p in photos]
    ham = np.stack([p.ham_probabilities for p in predictions])
    return {level: fit_set_thresholds(y_true, ham, coverage=int(level) / 100) for level in ("90", "95")}


def _describe_data(
    record: Mapping[str, Any], split_sha256: str, validation: Sequence[LabelledPhoto], point: OperatingPoint
) -> dict[str, Any]:
    return {
        "name": "HAM10000",
        "source": "Tschandl et al. (2018), https://doi.org/10.1038/sdata.2018.161",
        "licence": "CC BY-NC 4.0",
        "split_sha256": split_sha256,
        "validation_fold": record["fold"],
        "n_train": record["n_train"],
        "n_validation": record["n_validation"],
        "n_validation_malignant": sum(p.is_malignant for p in validation),
        "class_counts": record["class_counts"],
        "validation_at_threshold": {
            "malignant_sensitivity": point.malignant_sensitivity,
            "melanoma_sensitivity": point.melanoma_sensitivity,
            "specificity": point.specificity,
        },
    }


def _read_run(run: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        state = json.loads((run / "state.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(
            f"Expected a run with run.json and state.json in '{run}'. They are not there. Train first."
        ) from error
    if "best_epoch" not in state or not (run / "best.keras").is_file():
        raise DatasetError(f"The run in '{run}' has not finished one epoch yet. Wait, or go on with --resume.")
    return record, state


def _read_epochs(run: Path) -> list[dict[str, float]]:
    with (run / "epochs.csv").open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
