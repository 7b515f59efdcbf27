"""Turns a finished run into ``weights/NAME.keras`` and its manifest: calibrated, given a threshold and sets, hashed.

Everything is fitted on the run's validation fold; the ``test`` split is only looked at afterwards, by ``evaluate``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..domain import Metadata, Prediction
from ..errors import DatasetError
from ..evaluation.metrics import balanced_accuracy, macro_auc, roc_auc
from ..imaging.preprocess import PreprocessConfig
from ..model.checkpoint import save_weights
from ..model.dual_branch import serving_model
from ..model.keras_engine import KerasEngine
from ..model.manifest import Manifest, file_sha256, save_manifest
from ..model.metadata_branch import MetadataEncoder
from ..model.predictor import ham_matrix, make_prediction
from ..model.views import N_VIEWS, make_views
from ..tables import LabelledPhoto
from ..taxonomy import HAM_CODES, HAM_MALIGNANT, ham_code
from ..trust.calibration import calibrate_logits, fit_temperature
from ..trust.conformal import fit_set_thresholds
from .averaging import RunningAverage, Weights
from .data import Dataset, load_dataset, load_squares, targets
from .fit import split_fold

Array = npt.NDArray[np.floating]
SENSITIVITY_GOAL = 0.95
WEIGHTS_LICENCE = "CC BY-NC 4.0 (non-commercial, as the HAM10000 photos they were trained on)"
HAM10000_PROVENANCE = {
    "name": "HAM10000",
    "source": "Tschandl et al. (2018), https://doi.org/10.1038/sdata.2018.161",
    "licence": "CC BY-NC 4.0",
}
OWN_DATA = {"source": "the trainer's own", "licence": "not stated"}
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
    """Write the weights and the manifest of what a run offers and validates best; see ``candidate_weights``.

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
    y_true = targets(photos, codes).argmax(axis=1)
    kept, measured, logits = _keep_best_weights(
        model,
        candidate_weights(run, model.get_weights(), best_epoch=state["best_epoch"]),
        lambda name: view_logits(
            model, squares, [p.metadata for p in photos], encoder=encoder, on_progress=partial(on_progress, name)
        ),
        lambda found: measure_candidate(found, y_true, codes, shares),
    )
    temperature = fit_temperature(logits, y_true, class_shares=shares[0], sampling_shares=shares[1])
    no_sets = dict.fromkeys(HAM_CODES, 0.0)
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
        conformal={"90": no_sets, "95": no_sets},
        n_views=N_VIEWS,
        licence=WEIGHTS_LICENCE if dataset.is_shipped_split else "that of the data they were trained on",
        sha256="",
    )
    predictions = [make_prediction(one, draft) for one in logits]
    point = choose_threshold(predictions, photos)
    manifest = replace(
        draft,
        threshold=point.threshold,
        threshold_rule=point.rule,
        conformal=_fit_sets(predictions, photos),
        data=_describe_data(record, dataset, photos, point),
        training={
            "recipe": record["preset"],
            "best_epoch": state["best_epoch"],
            "kept": kept,
            "candidates": measured,
            "epochs": _read_epochs(run),
            **{key: record[key] for key in ("app_version", "keras_version", "backend")},
        },
    )
    weights_dir.mkdir(parents=True, exist_ok=True)
    path = weights_dir / f"{name}.keras"
    save_weights(model, path, manifest)
    manifest = replace(manifest, sha256=file_sha256(path))
    save_manifest(manifest, weights_dir / f"{name}.json")
    return manifest


def _keep_best_weights(
    model: keras.Model,
    candidates: Mapping[str, Weights],
    predict: Callable[[str], Array],
    measure: Callable[[Array], dict[str, float]],
) -> tuple[str, dict[str, dict[str, float]], Array]:
    """Try every candidate and leave the one with the highest mean measure in the model.

    Returns:
        Its name, every candidate's measures, and its logits.
    """
    measured, logits = {}, {}
    for name, weights in candidates.items():
        model.set_weights(weights)
        logits[name] = predict(name)
        measured[name] = measure(logits[name])
    kept = max(measured, key=lambda name: float(np.mean(list(measured[name].values()))))
    model.set_weights(candidates[kept])
    return kept, measured, logits[kept]


def candidate_weights(run: Path, best: Weights, *, best_epoch: int) -> dict[str, Weights]:
    """Return what a run offers for release: its best epoch, the mean of its last ones, and the midpoint of both.

    Reference: Izmailov et al. (2018), https://arxiv.org/abs/1803.05407; Wortsman et al. (2022),
    https://arxiv.org/abs/2203.05482
    """
    candidates: dict[str, Weights] = {f"epoch {best_epoch}": best}
    average = RunningAverage(run / "average.npz")
    if len(average.epochs) > 1:
        mean, span = average.mean(), f"epochs {average.epochs[0]} to {average.epochs[-1]}"
        candidates[f"mean of {span}"] = mean
        candidates[f"midpoint of epoch {best_epoch} and the mean of {span}"] = [
            np.asarray((a + b) / 2, np.float32) for a, b in zip(best, mean, strict=True)
        ]
    return candidates


def measure_candidate(
    logits: Array, y_true: npt.NDArray[np.integer], codes: Sequence[str], shares: tuple[Array, Array]
) -> dict[str, float]:
    """Return macro AUC, malignant AUC and balanced accuracy as served: views averaged, in the seven codes.

    Args:
        logits: Array (n_photos, n_views, n_classes).
        y_true: Labels (n_photos,), positions in ``codes``.
        codes: Class codes of the logits.
        shares: Class shares of the archive, and of the training draws.
    """
    by_view = calibrate_logits(logits, temperature=1.0, class_shares=shares[0], sampling_shares=shares[1])
    to_ham = ham_matrix(codes)
    ham, truth = by_view.mean(axis=1) @ to_ham, to_ham[y_true].argmax(axis=1)
    ham_shares = shares[0] @ to_ham
    weight = np.divide(1.0, ham_shares, out=np.zeros_like(ham_shares), where=ham_shares > 0)
    is_malignant = np.array([code in HAM_MALIGNANT for code in HAM_CODES])
    return {
        "macro_auc": macro_auc(truth, ham),
        "malignant_auc": roc_auc(is_malignant[truth], ham[:, is_malignant].sum(axis=1)),
        "balanced_accuracy": balanced_accuracy(truth, (ham * weight).argmax(axis=1)),
    }


def view_logits(
    model: keras.Model,
    squares: npt.NDArray[np.uint8],
    metadata: Sequence[Metadata],
    *,
    encoder: MetadataEncoder,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Array:
    """Return the logits of every photo's eight views: array (n_photos, 8, n_classes)."""
    engine = KerasEngine(serving_model(model))
    encoded = encoder.encode(metadata)
    logits = []
    for index, square in enumerate(squares):
        images = make_views(np.asarray(square)).astype(np.float32)
        logits.append(engine.run(images, np.repeat(encoded[index : index + 1], N_VIEWS, axis=0))[0])
        on_progress(index + 1, len(squares))
    return np.stack(logits)


def choose_threshold(predictions: Sequence[Prediction], photos: Sequence[LabelledPhoto]) -> OperatingPoint:
    """Return the stricter (lower) of the thresholds that keep 95 % of malignant and 95 % of melanoma photos.

    Raises:
        DatasetError: If the photos hold no melanoma.
    """
    p_malignant = np.array([p.p_malignant for p in predictions])
    is_malignant = np.array([p.is_malignant for p in photos])
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
    record: Mapping[str, Any], dataset: Dataset, validation: Sequence[LabelledPhoto], point: OperatingPoint
) -> dict[str, Any]:
    # Only the shipped split is known to be HAM10000; of any other data nothing is claimed but its folder names.
    provenance = HAM10000_PROVENANCE if dataset.is_shipped_split else OWN_DATA | {"name": ", ".join(record["data"])}
    return {
        **provenance,
        "split_sha256": dataset.split_sha256,
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
