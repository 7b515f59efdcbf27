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

from ..errors import DatasetError
from ..evaluation.served import measure_served
from ..imaging.preprocess import PreprocessConfig
from ..model.checkpoint import save_weights
from ..model.ensemble import join_members
from ..model.manifest import Manifest, file_sha256, save_manifest
from ..model.views import N_VIEWS
from ..tables import LabelledPhoto, read_split, shipped_splits
from ..taxonomy import HAM_CODES
from .data import Dataset, load_dataset, load_squares, targets
from .finished_run import FinishedRun, check_same_data, load_network, read_config, read_run, view_logits
from .fold_answers import FoldAnswers
from .operating import OperatingPoint, fit_decisions, shares_by_type
from .releases import NEW_TO_IT
from .rounding import rounding_effect
from .run_setup import split_fold

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class _Archive:
    """A public archive, known by how it names its lesions."""

    name: str
    lesion_prefix: str
    source: str
    licence: str


_ARCHIVES = (
    _Archive("HAM10000", "HAM_", "Tschandl et al. (2018), https://doi.org/10.1038/sdata.2018.161", "CC BY-NC 4.0"),
    _Archive("PAD-UFES-20", "PAT_", "Pacheco et al. (2020), https://doi.org/10.1016/j.dib.2020.106221", "CC BY 4.0"),
)
Progress = Callable[[str, int, int], None]


def make_release(
    folders: Path | Sequence[Path],
    *,
    data: Path | Sequence[Path],
    name: str,
    weights_dir: Path,
    version: str = "1",
    pooled: Sequence[FoldAnswers] | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> Manifest:
    """Write the weights and the manifest of one run, or of several as an ensemble that averages probabilities.

    Args:
        folders: Of finished runs with the same fold, classes and metadata.
        data: The data set that they were trained on.
        name: Of the model; the files are ``<name>.keras`` and ``<name>.json``.
        weights_dir: Where they go.
        version: Release version.
        pooled: Answers of the same recipes for every fold, from ``cross_validate``: temperature, threshold and sets are
            then fitted on all of them, five times as many photos as the one fold that validated these runs.
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
    _, _, exact = _answer(
        runs, squares, photos, rounded=False, on_progress=partial(on_progress, "validation, unrounded")
    )
    members, kept, logits = _answer(runs, squares, photos, on_progress=partial(on_progress, "validation"))
    draft = draft_manifest(first.record, [run.preset for run in runs], name=name, version=version)
    draft = replace(draft, preprocess=config)
    if pooled is None:
        manifest, point = fit_decisions(
            draft, logits, photos, shares_by_type(first.record), where="the validation fold"
        )
    else:
        by_id = {p.image_id: p for p in dataset.photos}
        seen = [by_id[image_id] for answers in pooled for image_id in answers.image_ids]
        told = np.concatenate([answers.told for answers in pooled])
        manifest, point = fit_decisions(
            draft, told, seen, shares_by_type(first.record), where=f"{len(pooled)} folds, {NEW_TO_IT}"
        )
    y_true = targets(photos, first.codes).argmax(axis=1)
    manifest = replace(
        manifest,
        licence=_weights_licence(dataset),
        data=_describe_data(first.record, dataset, photos, point),
        training=_describe_training(runs, kept, logits, y_true)
        | {"rounding": rounding_effect(logits, exact, photos, manifest)},
    )
    weights_dir.mkdir(parents=True, exist_ok=True)
    path = weights_dir / f"{name}.keras"
    save_weights(join_members(members, input_px=config.input_px), path, manifest)
    manifest = replace(manifest, sha256=file_sha256(path))
    save_manifest(manifest, weights_dir / f"{name}.json")
    return manifest


def _answer(
    runs: Sequence[FinishedRun],
    squares: npt.NDArray[np.uint8],
    photos: Sequence[LabelledPhoto],
    *,
    rounded: bool = True,
    on_progress: Callable[[int, int], None],
) -> tuple[list[keras.Model], list[str], Array]:
    """Return the runs' networks, which weights each offers, and their logits for the photos' views."""
    networks = [load_network(run, rounded=rounded) for run in runs]
    members = [align_priors(model, run, runs[0]) for (model, _), run in zip(networks, runs, strict=True)]
    metadata = [p.metadata for p in photos]
    logits, _ = view_logits(members, squares, metadata, encoder=runs[0].encoder, on_progress=on_progress)
    return members, [kept for _, kept in networks], logits


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
    record: Mapping[str, Any], presets: Sequence[Mapping[str, Any]], *, name: str, version: str
) -> Manifest:
    """Return a manifest in which nothing is fitted yet.

    Args:
        record: Of the first member's run.
        presets: The members' recipes.
        name, version: Of the model.
    """
    no_sets = dict.fromkeys(HAM_CODES, 0.0)
    return Manifest(
        name=name,
        version=version,
        backbone=" + ".join(str(preset["backbone"]) for preset in presets),
        codes=tuple(record["codes"]),
        preprocess=read_config(record["preset"]),
        metadata_fields=tuple(record["metadata_fields"]),
        class_shares=tuple(record["class_shares"]),
        sampling_shares=tuple(record["sampling_shares"]),
        temperature=1.0,
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
        measured[f"{run.preset['backbone']}, {weights}"] = measure_served(own, y_true, first.codes, first.shares)
    if len(runs) > 1:
        measured["all, probabilities averaged"] = measure_served(logits, y_true, first.codes, first.shares)
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


def _describe_data(
    record: Mapping[str, Any], dataset: Dataset, validation: Sequence[LabelledPhoto], point: OperatingPoint
) -> dict[str, Any]:
    archives = _archives_of(dataset)
    own = {"name": ", ".join(record["data"]), "source": "the trainer's own", "licence": "not stated"}
    known = {part: "; ".join(getattr(a, part) for a in archives) for part in ("name", "source", "licence")}
    return {
        **(known if archives else own),
        "split_sha256": dataset.split_sha256,
        "validation_fold": record["fold"],
        "n_train": record["n_train"],
        "n_validation": record["n_validation"],
        "n_validation_malignant": sum(p.is_malignant for p in validation),
        "class_counts": record["class_counts"],
        "validation_at_threshold": point.reached(),
    }


def _archives_of(dataset: Dataset) -> list[_Archive]:
    """Return the public archives that the photos are of; none where any photo is not: then nothing is claimed.

    Only photos of the shipped split are known to be HAM10000.
    """
    shipped = {row.image_id for path in shipped_splits() for row in read_split(path)}
    found = {}
    for photo in dataset.photos:
        archive = next((a for a in _ARCHIVES if photo.lesion_id.startswith(a.lesion_prefix)), None)
        if archive is None or (archive.name == "HAM10000" and photo.image_id not in shipped):
            return []
        found[archive.name] = archive
    return list(found.values())


def _weights_licence(dataset: Dataset) -> str:
    archives = _archives_of(dataset)
    if not archives:
        return "that of the data they were trained on"
    names = " and ".join(f"the {a.name} photos ({a.licence})" for a in archives)
    return f"CC BY-NC 4.0 (non-commercial, for {names} they were trained on)"
