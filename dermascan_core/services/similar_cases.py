"""Similar labelled photos for a screening: the index that ships with a model, what it finds, and how it was measured."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import ImageType, Neighbour, PhotoScreening
from ..errors import WeightsError
from ..evaluation.retrieval import RETRIEVAL_FILE, RETRIEVAL_FOLDER, SCHEMA, malignant_level
from ..model.manifest import Manifest
from ..taxonomy import HAM_MALIGNANT
from ..trust.cases import CaseIndex, cases_file, label_mix, load_cases
from . import models

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SimilarPhotos:
    """What the labelled photos like one photo say, beside the network.

    Attributes:
        neighbours: The nearest first.
        label_mix: HAM10000 code -> its share among them.
        n_malignant: How many of them show cancer or pre-cancer.
        points_up: Whether half of them or more do, and the network's answer lies below its line.
        points_down: Whether none of them does, and the network's answer lies at or above its line.
        usual: What is usual for the nearest photo: percent -> quantile of its similarity; empty where not measured.
        measured: What ``cases build`` measured of photos taken like this one; None where none ships.
        measured_on: Which photos those are: ``test`` or ``validation fold``; empty where none.
        n_labelled: How many photos were compared with; 0 where their index is gone since.
        source, attribution, licence: Of these photos.
    """

    neighbours: tuple[Neighbour, ...]
    label_mix: dict[str, float]
    n_malignant: int
    points_up: bool
    points_down: bool
    usual: dict[str, float]
    measured: dict[str, Any] | None
    measured_on: str
    n_labelled: int
    source: str
    attribution: str
    licence: str


def find_similar(
    embedding: npt.NDArray[np.floating], manifest: Manifest, image_type: ImageType, *, weights_dir: Path | None = None
) -> tuple[Neighbour, ...]:
    """Return the labelled photos most like a photo, taken as it was, the nearest first.

    Args:
        embedding: ``PhotoOutput.embedding``.
        manifest: Of the model that made it.
        image_type: How the photo was taken.
        weights_dir: Folder of the weights; None for the one that ships.

    Returns:
        Empty where no index of these weights can be used, which ``why_none`` explains: a photo is screened all the same.
    """
    index = _index_or_reason(manifest.name, manifest.sha256, weights_dir or models.WEIGHTS_DIR)
    return () if isinstance(index, str) else index.search(embedding, image_type=image_type)


def why_none(manifest: Manifest, image_type: ImageType, *, weights_dir: Path | None = None) -> str:
    """Return one sentence on why a photo has no similar labelled photos beside it."""
    folder = weights_dir or models.WEIGHTS_DIR
    if not cases_file(folder, manifest.name).is_file():
        return "No labelled photos to compare with ship with this model."
    index = _index_or_reason(manifest.name, manifest.sha256, folder)
    if isinstance(index, str):
        return index
    if image_type.value not in index.image_types:
        return f"The labelled photos that ship with this model hold no {image_type.value} ones to compare with."
    return "This photo was not compared with labelled photos."


def describe_similar(
    photo: PhotoScreening, manifest: Manifest, image_type: ImageType, *, weights_dir: Path | None = None
) -> SimilarPhotos | None:
    """Return what the similar photos of an answered photo say; None where it has none."""
    if not photo.similar or photo.prediction is None:
        return None
    level, is_above = malignant_level(photo.similar), photo.prediction.is_above_threshold
    found = _index_or_reason(manifest.name, manifest.sha256, weights_dir or models.WEIGHTS_DIR)
    index = None if isinstance(found, str) else found
    retrieval = _retrieval_of(manifest, weights_dir)
    return SimilarPhotos(
        neighbours=photo.similar,
        label_mix=label_mix(photo.similar),
        n_malignant=sum(one.dx in HAM_MALIGNANT for one in photo.similar),
        points_up=level == "most" and not is_above,
        points_down=level == "none" and is_above,
        usual={} if index is None else index.measured.get("usual_similarity", {}).get(image_type.value, {}),
        measured=retrieval["types"].get(image_type.value) if retrieval else None,
        measured_on=retrieval["measured_on"] if retrieval else "",
        n_labelled=0 if index is None else int((index.image_types == image_type.value).sum()),
        source="" if index is None else index.source,
        attribution="" if index is None else index.attribution,
        licence="" if index is None else index.licence,
    )


def _retrieval_of(manifest: Manifest, weights_dir: Path | None) -> dict[str, Any] | None:
    try:
        found = load_retrieval(manifest.name, weights_dir=weights_dir)
    except WeightsError as error:
        _logger.warning("How good similar photos are cannot be shown: %s", error)
        return None
    return found if found is not None and found["model"]["sha256"] == manifest.sha256 else None


def load_case_index(manifest: Manifest, *, weights_dir: Path | None = None) -> CaseIndex:
    """Return the index of a model.

    Raises:
        WeightsError: If it is missing, damaged, or of other weights.
    """
    return load_cases(cases_file(weights_dir or models.WEIGHTS_DIR, manifest.name), model_sha256=manifest.sha256)


def load_retrieval(name: str = models.DEFAULT_MODEL, *, weights_dir: Path | None = None) -> dict[str, Any] | None:
    """Return what ``cases build`` measured of a model; the keys are in docs/evaluation.md.

    Args:
        name: Of the model.
        weights_dir: Folder of the weights; None for the one that ships.

    Returns:
        None where none ships.

    Raises:
        WeightsError: If it is damaged, of a schema that this program does not know, or of other weights.
    """
    folder = weights_dir or models.WEIGHTS_DIR
    path = folder / f"{name}.evaluation" / RETRIEVAL_FOLDER / RETRIEVAL_FILE
    if Path(name).name != name or not path.is_file():
        return None
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        schema, measured = found.get("schema"), found["model"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"What was measured of the similar photos of '{name}' cannot be read: {error}. Restore it from the release."
        ) from error
    if schema != SCHEMA:
        raise WeightsError(
            f"Expected schema {SCHEMA} in what was measured of the similar photos of '{name}'. Received {schema}. "
            "Measure again with this version."
        )
    has_manifest = (folder / f"{name}.json").is_file()
    if has_manifest and (expected := models.load_model_manifest(name, folder).sha256) != measured:
        raise WeightsError(
            f"Expected what was measured of the similar photos of '{name}' to be of its weights, sha256 {expected}. "
            f"It is of {measured}. Restore both from the same release, or measure again."
        )
    return found


def _index_or_reason(name: str, sha256: str, weights_dir: Path) -> CaseIndex | str:
    path = cases_file(weights_dir, name)
    # A file that was put right is read again without a new start.
    stamp = (stat.st_size, stat.st_mtime_ns) if path.is_file() and (stat := path.stat()) else None
    return _read(path, sha256, stamp)


@lru_cache(maxsize=4)  # a batch asks for each photo
def _read(path: Path, sha256: str, stamp: tuple[int, int] | None) -> CaseIndex | str:
    if stamp is None:
        return "No labelled photos to compare with ship with this model."
    try:
        return load_cases(path, model_sha256=sha256)
    except WeightsError as error:
        _logger.warning("Photos are screened without similar labelled ones: %s", error)
        return str(error)
