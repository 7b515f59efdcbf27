"""Turns finished runs into ``weights/NAME.keras`` and its manifest: calibrated, given a threshold and sets, hashed.

Everything is fitted on the runs' validation fold; the ``test`` split is only looked at afterwards, by ``publish``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..domain import Prediction
from ..errors import DatasetError
from ..evaluation.metrics import balanced_accuracy, macro_auc, roc_auc
from ..imaging.preprocess import PreprocessConfig
from ..model.checkpoint import save_weights
from ..model.ensemble import join_members
from ..model.manifest import Manifest, file_sha256, save_manifest
from ..model.predictor import ham_matrix, make_prediction
from ..model.views import N_VIEWS
from ..tables import LabelledPhoto
from ..taxonomy import HAM_CODES, HAM_MALIGNANT, ham_code
from ..trust.calibration import calibrate_logits, fit_temperature
from ..trust.conformal import fit_set_thresholds
from .data import Dataset, load_dataset, load_squares, targets
from .finished_run import FinishedRun, check_same_data, load_network, read_run, view_logits
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
    folders: Path | Sequence[Path],
    *,
    data: Path | Sequence[Path],
    name: str,
    weights_dir: Path,
    version: str = "1",
    on_progress: Progress = lambda what, done, total: None,
) -> Manifest:
    """Write the weights and the manifest of one run, or of several as an ensemble that averages probabilities.

    Args:
        folders: Of finished runs with the same fold, classes and metadata.
        data: The data set that they were trained on.
        name: Of the model; the files are ``<name>.keras`` and ``<name>.json``.
        weights_dir: Where they go.
        version: Release version.
        on_progress: Called with (what, done, total).

    Raises:
        DatasetError: If a run is not finished, the runs do not belong together, or the data's split is not the one
            that they were trained on.
    """
    runs = [read_run(folder) for folder in ([folders] if isinstance(folders, Path) else folders)]
    dataset = load_dataset(data)
    for run in runs:
        check_same_data(run, dataset)
    check_fit_together(runs)
    first = runs[0]
    _, photos = split_fold(dataset, first.fold)
    config = common_preprocess(runs)
    squares = load_squares(dataset, photos, config, cache_dir=first.folder / "cache")
    networks = [load_network(run) for run in runs]
    members = [align_priors(model, run, first) for (model, _), run in zip(networks, runs, strict=True)]
    y_true = targets(photos, first.codes).argmax(axis=1)
    logits, _ = view_logits(
        members,
        squares,
        [p.metadata for p in photos],
        encoder=first.encoder,
        on_progress=partial(on_progress, "validation"),
    )
    draft = draft_manifest(runs, logits, y_true, name=name, version=version)
    predictions = [make_prediction(one, draft) for one in logits]
    point = choose_threshold(predictions, photos)
    manifest = replace(
        draft,
        threshold=point.threshold,
        threshold_rule=point.rule,
        conformal=fit_sets(predictions, photos),
        licence=WEIGHTS_LICENCE if dataset.is_shipped_split else "that of the data they were trained on",
        data=_describe_data(first.record, dataset, photos, point),
        training=_describe_training(runs, [kept for _, kept in networks], logits, y_true),
    )
    weights_dir.mkdir(parents=True, exist_ok=True)
    path = weights_dir / f"{name}.keras"
    save_weights(join_members(members, input_px=config.input_px), path, manifest)
    manifest = replace(manifest, sha256=file_sha256(path))
    save_manifest(manifest, weights_dir / f"{name}.json")
    return manifest


def check_fit_together(runs: Sequence[FinishedRun]) -> None:
    """Raise unless the runs can answer as one.

    Raises:
        DatasetError: If fold, classes, metadata, detail or imaging steps differ; names them.
    """
    traits: dict[str, list[Any]] = {
        "fold": [run.fold for run in runs],
        "classes": [run.codes for run in runs],
        "metadata": [run.encoder.fields for run in runs],
        "detail and steps": [(run.preprocess.detail_px, run.preprocess.steps) for run in runs],
    }
    for name, values in traits.items():
        if len(set(values)) > 1:
            raise DatasetError(
                f"Expected runs with the same {name}. Received {'; '.join(map(str, values))}. Train them alike."
            )


def common_preprocess(runs: Sequence[FinishedRun]) -> PreprocessConfig:
    """Return the square that all runs can be given: their own where they agree, else one at the archive's detail."""
    config = runs[0].preprocess
    same = all(run.preprocess == config for run in runs)
    return config if same else replace(config, input_px=config.detail_px)


def align_priors(model: keras.Model, run: FinishedRun, first: FinishedRun) -> keras.Model:
    """Move a member's class biases to the sampling shares of the first run, so that one correction serves all."""
    offset = np.log(first.shares[1]) - np.log(run.shares[1])
    bias = model.get_layer("logits").bias
    bias.assign(np.asarray(bias) + offset.astype(np.float32))
    return model


def draft_manifest(
    runs: Sequence[FinishedRun], logits: Array, y_true: npt.NDArray[np.integer], *, name: str, version: str
) -> Manifest:
    """Return a manifest with the temperature fitted, and with neither threshold nor sets yet.

    Args:
        runs: The members.
        logits: Array (n_photos, n_views, n_classes), of photos that no member was trained on.
        y_true: Labels (n_photos,), positions in the runs' codes.
        name, version: Of the model.
    """
    first = runs[0]
    no_sets = dict.fromkeys(HAM_CODES, 0.0)
    class_shares, sampling_shares = first.shares
    return Manifest(
        name=name,
        version=version,
        backbone=" + ".join(str(run.preset["backbone"]) for run in runs),
        codes=first.codes,
        preprocess=common_preprocess(runs),
        metadata_fields=first.encoder.fields,
        class_shares=tuple(first.record["class_shares"]),
        sampling_shares=tuple(first.record["sampling_shares"]),
        temperature=fit_temperature(logits, y_true, class_shares=class_shares, sampling_shares=sampling_shares),
        threshold=0.5,
        threshold_rule="not chosen yet",
        conformal={"90": no_sets, "95": no_sets},
        n_views=N_VIEWS,
        licence="",
        sha256="",
    )


def _describe_training(
    runs: Sequence[FinishedRun], kept: Sequence[str], logits: Array, y_true: npt.NDArray[np.integer]
) -> dict[str, Any]:
    first = runs[0]
    measured = {}
    for index, (run, weights) in enumerate(zip(runs, kept, strict=True)):
        own = logits[:, index * N_VIEWS : (index + 1) * N_VIEWS]
        measured[f"{run.preset['backbone']}, {weights}"] = measure_candidate(own, y_true, first.codes, first.shares)
    if len(runs) > 1:
        measured["all, probabilities averaged"] = measure_candidate(logits, y_true, first.codes, first.shares)
    return {
        "recipe": first.preset,
        "best_epoch": first.best_epoch,
        "kept": "; ".join(kept),
        "candidates": measured,
        "epochs": list(first.epochs),
        "members": [
            {"recipe": run.preset, "kept": weights, "epochs": list(run.epochs)}
            for run, weights in zip(runs, kept, strict=True)
        ],
        **{key: first.record[key] for key in ("app_version", "keras_version", "backend")},
    }


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


def fit_sets(predictions: Sequence[Prediction], photos: Sequence[LabelledPhoto]) -> dict[str, Mapping[str, float]]:
    """Return the limits of the 90 % and 95 % prediction sets, fitted on these photos."""
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
