"""What turns a network's logits into decisions: temperature, threshold and prediction sets, fitted for each image type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import ImageType, Prediction
from ..errors import DatasetError
from ..model.manifest import Manifest
from ..model.predictor import make_prediction
from ..tables import LabelledPhoto
from ..taxonomy import HAM_CODES, ham_code
from ..trust.calibration import fit_temperature
from ..trust.conformal import fit_set_thresholds
from .data import targets

Array = npt.NDArray[np.floating]
SENSITIVITY_GOAL = 0.95
CALM_SENSITIVITY, CALM_MELANOMA_SENSITIVITY = 0.995, 0.99
_NEVER = 2.0  # no probability reaches it: a class that these photos do not have is in no set
_NO_SETS: dict[str, Mapping[str, float]] = {level: dict.fromkeys(HAM_CODES, 0.0) for level in ("90", "95")}


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold on ``p_malignant`` and what it reached where it was chosen."""

    threshold: float
    rule: str
    malignant_sensitivity: float
    melanoma_sensitivity: float
    specificity: float

    def reached(self) -> dict[str, float]:
        """Return the measures alone."""
        return {name: value for name, value in asdict(self).items() if name not in ("threshold", "rule")}


def shares_by_type(record: Mapping[str, Any]) -> dict[ImageType, tuple[Array, Array]]:
    """Return class shares of the archive and of what the loss saw, for each image type that a run learnt from.

    Args:
        record: ``run.json``.
    """
    plain = {"dermoscopic": {name: record[name] for name in ("class_shares", "sampling_shares")}}
    found: Mapping[str, Mapping[str, Any]] = record.get("shares_by_type") or plain
    return {
        ImageType(kind): (np.array(shares["class_shares"]), np.array(shares["sampling_shares"]))
        for kind, shares in found.items()
    }


def fit_decisions(
    draft: Manifest,
    logits: Array,
    photos: Sequence[LabelledPhoto],
    shares: Mapping[ImageType, tuple[Array, Array]],
    *,
    where: str,
) -> tuple[Manifest, OperatingPoint]:
    """Return the manifest with everything fitted that decides, for dermoscopic and, where learnt, for clinical photos.

    Args:
        draft: Names, codes and preprocessing.
        logits: Array (n_photos, n_views, n_classes), of photos that no network was trained on.
        photos: Their labels.
        shares: Of ``shares_by_type``.
        where: Which photos these are, in words, for the threshold's rule.

    Returns:
        The manifest, and its operating point for dermoscopic photos.

    Raises:
        DatasetError: If there is no dermoscopic melanoma among the photos.
    """
    kinds = np.array([p.metadata.image_type is ImageType.CLINICAL for p in photos])
    is_clinical = kinds if ImageType.CLINICAL in shares else np.zeros(len(photos), bool)
    main, point = _fit_type(draft, logits, photos, ~is_clinical, shares[ImageType.DERMOSCOPIC], where)
    if not any(photo.dx == "mel" for photo, own in zip(photos, is_clinical, strict=True) if own):
        return main, point
    own, own_point = _fit_type(draft, logits, photos, is_clinical, shares[ImageType.CLINICAL], where)
    clinical = {
        "class_shares": list(own.class_shares),
        "sampling_shares": list(own.sampling_shares),
        "temperature": own.temperature,
        "threshold": own.threshold,
        "threshold_rule": own.threshold_rule,
        "calm_threshold": own.calm_threshold,
        "conformal": own.conformal,
        "validation_at_threshold": own_point.reached(),
        "n_photos": int(is_clinical.sum()),
    }
    return replace(main, clinical=clinical), point


def _fit_type(
    draft: Manifest,
    logits: Array,
    photos: Sequence[LabelledPhoto],
    is_own: npt.NDArray[np.bool_],
    shares: tuple[Array, Array],
    where: str,
) -> tuple[Manifest, OperatingPoint]:
    own_photos = [photo for photo, own in zip(photos, is_own, strict=True) if own]
    own_logits = logits[is_own]
    y_true = targets(own_photos, draft.codes).argmax(axis=1)
    fitted = replace(
        draft,
        class_shares=tuple(float(share) for share in shares[0]),
        sampling_shares=tuple(float(share) for share in shares[1]),
        temperature=fit_temperature(own_logits, y_true, class_shares=shares[0], sampling_shares=shares[1]),
        conformal=_NO_SETS,
    )
    predictions = [make_prediction(one, fitted) for one in own_logits]
    point = choose_threshold(predictions, own_photos, where=where)
    calm = choose_calm_threshold(predictions, own_photos)
    fitted = replace(fitted, threshold=point.threshold, threshold_rule=point.rule, calm_threshold=calm)
    return replace(fitted, conformal=fit_sets(predictions, own_photos, fitted.ham_shares)), point


def choose_threshold(
    predictions: Sequence[Prediction], photos: Sequence[LabelledPhoto], *, where: str = "the validation fold"
) -> OperatingPoint:
    """Return the stricter (lower) of the thresholds that keep 95 % of malignant and 95 % of melanoma photos.

    Raises:
        DatasetError: If the photos hold no melanoma.
    """
    p_malignant = np.array([p.p_malignant for p in predictions])
    is_malignant = np.array([p.is_malignant for p in photos])
    is_melanoma = np.array([p.dx == "mel" for p in photos])
    if not is_melanoma.any():
        raise DatasetError(f"Expected melanoma photos in {where}, to choose a threshold. There are none.")
    threshold = _stricter(p_malignant, is_malignant, is_melanoma, goals=(SENSITIVITY_GOAL, SENSITIVITY_GOAL))
    is_above = p_malignant >= threshold
    return OperatingPoint(
        threshold=threshold,
        rule=f"stricter of 95 % malignant and 95 % melanoma sensitivity on {where}",
        malignant_sensitivity=float(is_above[is_malignant].mean()),
        melanoma_sensitivity=float(is_above[is_melanoma].mean()),
        specificity=float((~is_above[~is_malignant]).mean()),
    )


def choose_calm_threshold(predictions: Sequence[Prediction], photos: Sequence[LabelledPhoto]) -> float:
    """Return the line below which alone an answer may calm: the stricter of 99.5 % malignant and 99 % melanoma sensitivity.

    Args:
        predictions: One a photo.
        photos: Their labels; a melanoma is among them.
    """
    return _stricter(
        np.array([p.p_malignant for p in predictions]),
        np.array([p.is_malignant for p in photos]),
        np.array([p.dx == "mel" for p in photos]),
        goals=(CALM_SENSITIVITY, CALM_MELANOMA_SENSITIVITY),
    )


def _stricter(
    p_malignant: Array,
    is_malignant: npt.NDArray[np.bool_],
    is_melanoma: npt.NDArray[np.bool_],
    *,
    goals: tuple[float, float],
) -> float:
    return min(
        _threshold_for(p_malignant[own], goal) for own, goal in zip((is_malignant, is_melanoma), goals, strict=True)
    )


def _threshold_for(p_malignant: Array, goal: float) -> float:
    """The highest threshold that at least so large a share of these reach."""
    missed = int(np.floor((1 - goal) * len(p_malignant) + 1e-9))
    return float(np.sort(p_malignant)[missed])


def fit_sets(
    predictions: Sequence[Prediction], photos: Sequence[LabelledPhoto], ham_shares: Mapping[str, float]
) -> dict[str, Mapping[str, float]]:
    """Return the limits of the 90 % and 95 % prediction sets, fitted on these photos.

    A class with too few photos for the promise is always in the set; one that was not there to be learnt, never.

    Args:
        predictions: One a photo.
        photos: Their labels.
        ham_shares: HAM10000 code -> its share in the training archive.
    """
    y_true = [ham_code(p.dx) for p in photos]
    ham = np.stack([p.ham_probabilities for p in predictions])
    fitted = {level: fit_set_thresholds(y_true, ham, coverage=int(level) / 100) for level in ("90", "95")}
    return {
        level: {code: limit if ham_shares[code] > 0 else _NEVER for code, limit in limits.items()}
        for level, limits in fitted.items()
    }
