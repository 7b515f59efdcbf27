"""A kept record back as a ``Screening``, so that what was answered once is shown as it was shown then.

Pixels are not part of a record: ``with_squares`` cuts them again from the kept photos.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from ..domain import (
    Answers,
    CalmRate,
    CropBox,
    ImageType,
    Metadata,
    Neighbour,
    NextStep,
    PhoneTest,
    PhotoScreening,
    Prediction,
    QualityReport,
    Reason,
    Repeatability,
    Screening,
    Status,
)
from ..errors import PhotoError, StorageError
from ..imaging.decode import decode_photo
from ..imaging.preprocess import preprocess
from ..model.manifest import Manifest
from ..taxonomy import HAM_CODES

_READ_ERRORS = (ValueError, KeyError, TypeError, AttributeError)


def read_screening(text: str, *, phone_test: PhoneTest | None = None) -> Screening:
    """Return the screening that ``reports.export.screening_to_json`` wrote.

    Not in a record, and so not read back: pixels, what lies over the skin, how far views differ in nats.

    Args:
        text: The record.
        phone_test: Of the model that answered, from its manifest: a record holds its words alone.

    Raises:
        StorageError: If it is no such record.
    """
    try:
        record: dict[str, Any] = json.loads(text)
        return Screening(
            photos=tuple(_photo(photo, record) for photo in record["photos"]),
            metadata=_metadata(record["metadata"]),
            answers=_known(Answers, record["answers"]),
            image_type=ImageType(record["image_type"]),
            next_step=NextStep(record["next_step"]),
            step_reasons=tuple(record["step_reasons"]),
            disagreement=record["disagreement"],
            model=record["model"],
            model_sha256=record["model_sha256"],
            engine=record["engine"],
            app_version=record["app_version"],
            screened_at=record["screened_at"],
            calm_rate=None if record["calm_rate"] is None else CalmRate(**record["calm_rate"]),
            phone_test=phone_test,
            threshold=record.get("threshold"),
        )
    except _READ_ERRORS as error:
        msg = (
            "A kept record cannot be read: expected the fields of a screening, and one is missing or of another kind. "
            "It was written by another version of this program, or altered. Restore a backup, or screen the photo again."
        )
        raise StorageError(msg) from error


def _known(kind: Any, values: Mapping[str, Any]) -> Any:
    """A field that this version does not know any more is left out; one that it knows newly is unknown."""
    names = {field.name for field in fields(kind)}
    return kind(**{name: value for name, value in values.items() if name in names})


def _metadata(values: Mapping[str, Any]) -> Metadata:
    kind = values.get("image_type")
    metadata: Metadata = _known(Metadata, {**values, "image_type": None if kind is None else ImageType(kind)})
    return metadata


def _photo(photo: Mapping[str, Any], record: Mapping[str, Any]) -> PhotoScreening:
    return PhotoScreening(
        name=photo["name"],
        status=Status(photo["status"]),
        reason=_reason(photo["reason"]),
        quality=_quality(photo["quality"]),
        crop=None if photo["crop"] is None else CropBox(**photo["crop"]),
        prediction=_prediction(photo["prediction"]),
        prediction_without_metadata=_prediction(photo["prediction_without_metadata"]),
        next_step=NextStep(photo["next_step"]),
        heat_maps={code: np.array(rows, np.float32) for code, rows in photo.get("heat_maps", {}).items()},
        elapsed_ms=photo["elapsed_ms"],
        similar=tuple(Neighbour(**one) for one in photo["similar_photos"]),
        repeatability=_repeatability(photo["repeatability"]),
        metadata_effects=photo.get("metadata_effects", {}),
        gate_scores=photo.get("gate_scores", {}),
        image_type=ImageType(photo.get("image_type", record["image_type"])),
        threshold=photo.get("threshold", record.get("threshold")),
    )


def _reason(value: Mapping[str, str] | None) -> Reason | None:
    return None if value is None else Reason(value["code"], value["sentence"])


def _quality(value: Mapping[str, Any] | None) -> QualityReport | None:
    if value is None:
        return None
    measures = {name: float("nan") if number is None else number for name, number in value["measures"].items()}
    failures, warnings = (
        tuple(Reason(one["code"], one["sentence"]) for one in value[name]) for name in ("failures", "warnings")
    )
    return QualityReport(measures, failures, warnings)


def _prediction(value: Mapping[str, Any] | None) -> Prediction | None:
    if value is None:
        return None
    return Prediction(
        codes=tuple(value["probabilities"]),
        probabilities=np.array(list(value["probabilities"].values()), np.float64),
        ham_probabilities=np.array([value["ham_probabilities"][code] for code in HAM_CODES], np.float64),
        predicted=value["predicted"],
        p_malignant=value["p_malignant"],
        set_90=tuple(value["set_90"]),
        set_95=tuple(value["set_95"]),
        views_agreeing=value["views_agreeing"],
        n_views=value["n_views"],
        is_above_threshold=value["is_above_threshold"],
        is_above_calm_line=value.get("is_above_calm_line", True),
    )


def _repeatability(value: Mapping[str, Any] | None) -> Repeatability | None:
    if value is None:
        return None
    lists = {name: tuple(value[name]) for name in ("changes", "other_class", "other_advice")}
    return Repeatability(**lists, limit=value["limit"])


def with_squares(screening: Screening, photos: Sequence[bytes], manifest: Manifest) -> Screening:
    """Return the screening with the squares that the network saw, cut again from the kept photos.

    Args:
        screening: From ``read_screening``.
        photos: Its photos' bytes, in its order.
        manifest: Of a model that takes squares as the one that answered did; of the same weights, pixel for pixel.
    """
    pairs = zip(screening.photos, photos, strict=True)
    return replace(screening, photos=tuple(_with_square(photo, data, manifest) for photo, data in pairs))


def _with_square(photo: PhotoScreening, data: bytes, manifest: Manifest) -> PhotoScreening:
    if photo.crop is None or photo.prediction is None:
        return photo
    try:
        rgb = decode_photo(data)
    except PhotoError:
        return photo  # it was read once; without its pixels the answer still stands
    return replace(photo, square=preprocess(rgb, manifest.preprocess, crop=photo.crop))
