"""Drift: new photos beside those that a model was measured on, and its outcomes beside its test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..domain import Answers, ImageType, Metadata, PhotoScreening
from ..errors import DatasetError, WeightsError
from ..evaluation.drift import AS_USUAL as AS_USUAL
from ..evaluation.drift import Signal, decay, measure_drift
from ..evaluation.outcomes import AgainstOutcomes, Proportion, proportion
from ..model.manifest import Manifest
from ..model.predictor import Predictor
from .performance import load_evaluation
from .screening import screen_lesion
from .similar_cases import load_case_index
from .withholding import GIVEN

# What was measured with nothing known but how the photo was taken: new photos come without answers.
_MEASURED = {ImageType.DERMOSCOPIC: "test-no-metadata", ImageType.CLINICAL: "test-phone-no-metadata"}
_QUANTILE = "5"  # of the nearest similarity among photos that the network had not seen
_AGE = "not_tested_under_18"


def screen_for_drift(
    paths: Sequence[Path],
    predictor: Predictor,
    *,
    image_type: ImageType,
    on_progress: Callable[[int, int], object] = lambda done, total: None,
) -> list[PhotoScreening]:
    """Screen each photo by itself, without answers, and compare it with the labelled ones.

    Raises:
        DatasetError: If a file cannot be read; one that is no photo is refused like any other.
    """
    found = []
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DatasetError(
                f"Expected to read '{path}': {error.strerror}. Leave it out, or make it readable."
            ) from error
        screening = screen_lesion(
            [(path.name, data)],
            metadata=Metadata(),
            answers=Answers(),
            image_type=image_type,
            predictor=predictor,
            withheld=GIVEN,  # measured for whoever decides about the switch, and shown to nobody as an answer
        )
        found.append(screening.photos[0])
        on_progress(len(found), len(paths))
    return found


def find_drift(
    photos: Sequence[PhotoScreening], manifest: Manifest, *, image_type: ImageType, weights_dir: Path | None = None
) -> tuple[Signal, ...]:
    """Return each signal of drift among new photos beside its usual share.

    Args:
        photos: From ``screen_for_drift``.
        manifest: Of the model that answered.
        image_type: How the photos were taken.
        weights_dir: Folder of the weights; None for the one that ships.

    Raises:
        WeightsError: If the model ships no measurement of such photos: then nobody knows what is usual.
    """
    metrics = load_evaluation(manifest.name, _MEASURED[image_type], weights_dir=weights_dir)
    limit = _alike_limit(manifest, image_type, weights_dir)
    usual = usual_shares(metrics)
    if limit is not None:
        n = _n_validated(manifest, image_type)
        usual["unlike"] = proportion(round(n * float(_QUANTILE) / 100), n)
    return measure_drift(photos, usual, alike_limit=limit)


def usual_shares(metrics: Mapping[str, Any]) -> dict[str, Proportion]:
    """Return each signal's share in an evaluation.

    Args:
        metrics: Contents of ``metrics.json``.
    """
    n, abstained, malignant = metrics["data"]["n_predicted"], metrics["abstention"], metrics["data"]["n_malignant"]
    refused, unsure = abstained["refused"], abstained["unsure"]["n"]
    n_refused = refused["n"] - refused["reasons"].get(_AGE, 0)  # an age, which new photos do not tell
    sensitivity, specificity = (
        metrics["summary"][f"{name}_at_threshold"]["value"] for name in ("sensitivity", "specificity")
    )
    n_above = round(sensitivity * malignant + (1 - specificity) * (n - malignant))
    return {
        "refused": proportion(n_refused, n),
        "unsure": proportion(unsure, n - refused["n"]),
        "above": proportion(n_above, n),
    }


def _n_validated(manifest: Manifest, image_type: ImageType) -> int:
    """Return from how many photos that the network had not seen the usual similarity comes."""
    n_clinical = int((manifest.clinical or {}).get("n_photos", 0))
    return n_clinical if image_type is ImageType.CLINICAL else int(manifest.data.get("n_validation", 0)) - n_clinical


def _alike_limit(manifest: Manifest, image_type: ImageType, weights_dir: Path | None) -> float | None:
    try:
        index = load_case_index(manifest, weights_dir=weights_dir)
    except WeightsError:
        return None
    limit = index.measured.get("usual_similarity", {}).get(image_type.value, {}).get(_QUANTILE)
    return None if limit is None else float(limit)


def find_decay(
    measured: AgainstOutcomes, name: str, *, weights_dir: Path | None = None
) -> dict[str, tuple[str, float]]:
    """Return sensitivity and specificity -> (how they stand to the test, their value in the test); empty where none ships.

    Args:
        measured: Of the model's threshold, against outcomes.
        name: Of the model.
        weights_dir: Folder of the weights; None for the one that ships.
    """
    try:
        summary = load_evaluation(name, "test", weights_dir=weights_dir)["summary"]
    except WeightsError:
        return {}
    tested = {side: float(summary[f"{side}_at_threshold"]["value"]) for side in ("sensitivity", "specificity")}
    observed = {"sensitivity": measured.sensitivity, "specificity": measured.specificity}
    return {side: (decay(observed[side], tested[side]), tested[side]) for side in tested}
