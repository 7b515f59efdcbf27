"""A screening as a row, as CSV and as JSON. No pixels and nothing of the photo's EXIF ever leave through here."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..domain import PhotoScreening, Prediction, Reason, Screening, Status
from ..tables import safe_cell
from ..taxonomy import CLASSES, HAM_CODES
from ..triage.refusals import step_words
from ..triage.two_kinds import fusion_words
from ..triage.wording import (
    BARS_CAPTION,
    DISCLAIMER,
    HEAT_MAP_CAPTION,
    Voice,
    calm_rate_words,
    not_checked,
    report_sentences,
    step_title,
    tested_on,
)

SCHEMA_VERSION = "1.0"
_N_SIMILAR = 3
_HEAD = ("image", "status", "reason")
_TAIL = ("predicted", "set", "next_step", "model", "model_sha256", "elapsed_ms", "image_type", "changed_answers")


def screen_columns(codes: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the columns of ``screen --out`` for a model with these class codes.

    HAM10000's seven always come first, so that files of different models can be read by the same script; the
    model's own finer codes follow in taxonomy order.

    >>> screen_columns(["nv", "scc", "ak"])[3:13]
    ('p_akiec', 'p_bcc', 'p_bkl', 'p_df', 'p_mel', 'p_nv', 'p_vasc', 'p_ak', 'p_scc', 'p_malignant')
    """
    known = set(codes)
    finer = tuple(c.code for c in CLASSES if c.code in known and c.code not in HAM_CODES)
    return (*_HEAD, *(f"p_{code}" for code in (*HAM_CODES, *finer)), "p_malignant", *_TAIL)


SCREEN_COLUMNS: tuple[str, ...] = screen_columns()


def photo_row(photo: PhotoScreening, screening: Screening) -> dict[str, str]:
    """Return one photo as the cells of ``screen --out``: every column of its model, all text, one physical line.

    Args:
        photo: A photo of the screening; refused, its probabilities, ``predicted`` and ``set`` are empty.
        screening: The record that it belongs to.
    """
    cells = {
        "image": safe_cell(photo.name),
        "status": photo.status.value,
        "reason": safe_cell("" if photo.reason is None else str(photo.reason)),
        "next_step": photo.next_step.value,
        "model": safe_cell(screening.model),
        "model_sha256": screening.model_sha256,
        "elapsed_ms": f"{photo.elapsed_ms:.1f}",
        "image_type": screening.type_of(photo).value,
    }
    if photo.prediction is not None and photo.status is not Status.REFUSED:
        cells |= {column: f"{p:.6f}" for column, p in _probability_columns(photo.prediction).items()}
        cells |= {"predicted": photo.prediction.predicted, "set": "|".join(photo.prediction.set_90)}
    if photo.repeatability is not None and photo.status is not Status.REFUSED:
        cells["changed_answers"] = str(photo.repeatability.n_changed)
    columns = screen_columns(() if photo.prediction is None else photo.prediction.codes)
    return {column: cells.get(column, "") for column in columns}


def photo_record(photo: PhotoScreening, screening: Screening, codes: Sequence[str]) -> dict[str, Any]:
    """Return one photo as a line of ``screen --out x.jsonl``: the same columns, with numbers, lists and nulls.

    The name stays exactly as given, since JSON escapes what a line must not hold.
    """
    record: dict[str, Any] = dict.fromkeys(screen_columns(codes))
    record |= {
        "image": photo.name,
        "status": photo.status.value,
        "reason": None if photo.reason is None else str(photo.reason),
        "next_step": photo.next_step.value,
        "model": screening.model,
        "model_sha256": screening.model_sha256,
        "elapsed_ms": round(photo.elapsed_ms, 1),
        "image_type": screening.type_of(photo).value,
    }
    if photo.prediction is not None and photo.status is not Status.REFUSED:
        record |= {column: round(p, 6) for column, p in _probability_columns(photo.prediction).items()}
        record |= {"predicted": photo.prediction.predicted, "set": list(photo.prediction.set_90)}
    if photo.repeatability is not None and photo.status is not Status.REFUSED:
        record["changed_answers"] = photo.repeatability.n_changed
    return record


def records_of_saved(saved: Mapping[str, Any], codes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the records of ``photo_record`` from what ``screening_to_json`` wrote of the same screening."""
    return [_record_of_saved(photo, saved, codes) for photo in saved["photos"]]


def _record_of_saved(photo: Mapping[str, Any], saved: Mapping[str, Any], codes: Sequence[str]) -> dict[str, Any]:
    record: dict[str, Any] = dict.fromkeys(screen_columns(codes))
    record |= {name: saved[name] for name in ("model", "model_sha256")}
    record["image_type"] = photo.get("image_type", saved["image_type"])
    record |= {name: photo[name] for name in ("status", "next_step", "elapsed_ms")}
    record["image"] = photo["name"]
    record["reason"] = None if photo["reason"] is None else "{code}: {sentence}".format(**photo["reason"])
    prediction = photo["prediction"]
    if prediction is not None:
        finer = {code: p for code, p in prediction["probabilities"].items() if code not in HAM_CODES}
        record |= {f"p_{code}": round(p, 6) for code, p in (prediction["ham_probabilities"] | finer).items()}
        record |= {"p_malignant": round(prediction["p_malignant"], 6), "predicted": prediction["predicted"]}
        record["set"] = prediction["set_90"]
    if photo["repeatability"] is not None and prediction is not None:
        record["changed_answers"] = photo["repeatability"]["n_changed"]
    return record


def record_to_row(record: Mapping[str, Any]) -> dict[str, str]:
    """Return a record of ``photo_record`` as the cells that ``photo_row`` gives of the same photo."""
    return {column: _cell(column, value) for column, value in record.items()}


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column.startswith("p_"):
        return f"{value:.6f}"
    if column == "elapsed_ms":
        return f"{value:.1f}"
    if isinstance(value, list):
        return "|".join(value)
    return safe_cell(str(value))


def screening_to_csv(screening: Screening) -> str:
    """Return the screening as CSV text: a header and one physical line a photo.

    Where the photos were taken in two ways, a last column ``fusion`` says what became of that.
    """
    codes = {code for photo in screening.photos if photo.prediction is not None for code in photo.prediction.codes}
    buffer = io.StringIO()
    fusion = {} if (words := fusion_words(screening)) is None else {"fusion": safe_cell(words)}
    writer = csv.DictWriter(buffer, (*screen_columns(codes), *fusion), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(photo_row(photo, screening) | fusion for photo in screening.photos)
    return buffer.getvalue()


def screening_to_json(screening: Screening, *, with_heat_maps: bool = False) -> str:
    """Return the whole screening as JSON text: what was asked, answered and advised, with its limits.

    Photos are named, not contained. A measure that is not a finite number becomes null.

    Args:
        screening: The record.
        with_heat_maps: Also say where the network looked, on its own coarse grid, and what each answer changed.
    """
    step, said = screening.next_step, step_words(screening, Voice.REPORT)
    record = {
        "schema_version": SCHEMA_VERSION,
        "disclaimer": DISCLAIMER,
        "screened_at": screening.screened_at,
        "app_version": screening.app_version,
        "model": screening.model,
        "model_sha256": screening.model_sha256,
        "engine": screening.engine,
        "threshold": screening.threshold,
        "image_type": screening.image_type.value,
        "metadata": asdict(screening.metadata),
        "answers": asdict(screening.answers),
        "next_step": step.value,
        "next_step_title": step_title(step, Voice.REPORT),
        "next_step_text": said.text,
        "how_soon": said.how_soon,
        "step_reasons": list(screening.step_reasons),
        "report": list(report_sentences(screening)),
        "disagreement": screening.disagreement,
        "fusion": fusion_words(screening),
        "not_checked": list(not_checked(screening)),
        "probabilities_mean": BARS_CAPTION,
        "tested_on": tested_on(screening.phone_test),
        "calm_rate": None if screening.calm_rate is None else asdict(screening.calm_rate),
        "photos": [
            _photo_to_dict(photo)
            | {
                "image_type": screening.type_of(photo).value,
                "threshold": screening.as_of(photo).threshold,
            }
            | {"calm_rate_text": calm_rate_words(screening, photo)}
            | (_explanation_to_dict(photo) if with_heat_maps else {})
            for photo in screening.photos
        ],
    }
    return json.dumps(_finite(record), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _probability_columns(prediction: Prediction) -> dict[str, float]:
    ham = zip(HAM_CODES, prediction.ham_probabilities, strict=True)
    own = zip(prediction.codes, prediction.probabilities, strict=True)
    columns = {f"p_{code}": float(p) for code, p in ham}
    columns |= {f"p_{code}": float(p) for code, p in own if code not in HAM_CODES}
    return {**columns, "p_malignant": float(prediction.p_malignant)}


def _photo_to_dict(photo: PhotoScreening) -> dict[str, Any]:
    is_shown = photo.status is not Status.REFUSED
    return {
        "name": photo.name,
        "status": photo.status.value,
        "reason": _reason_to_dict(photo.reason),
        "next_step": photo.next_step.value,
        "quality": None
        if photo.quality is None
        else {
            "measures": {name: float(value) for name, value in photo.quality.measures.items()},
            "failures": [_reason_to_dict(reason) for reason in photo.quality.failures],
            "warnings": [_reason_to_dict(reason) for reason in photo.quality.warnings],
        },
        "gate_scores": {name: float(value) for name, value in photo.gate_scores.items()},
        "crop": None if photo.crop is None else asdict(photo.crop),
        # No class of a refused photo, whatever was computed.
        "prediction": _prediction_to_dict(photo.prediction) if is_shown else None,
        "prediction_without_metadata": _prediction_to_dict(photo.prediction_without_metadata) if is_shown else None,
        "prediction_without_artefacts": _prediction_to_dict(photo.artefacts.prediction)
        if is_shown and photo.artefacts is not None
        else None,
        "repeatability": None
        if photo.repeatability is None
        else asdict(photo.repeatability) | {"n_changed": photo.repeatability.n_changed},
        "similar_photos": [asdict(one) for one in photo.similar[:_N_SIMILAR]] if is_shown else [],
        "elapsed_ms": round(float(photo.elapsed_ms), 1),
    }


def _explanation_to_dict(photo: PhotoScreening) -> dict[str, Any]:
    is_shown = photo.status is not Status.REFUSED
    maps = photo.heat_maps if is_shown else {}
    return {
        "heat_maps": {
            code: [[round(float(value), 3) for value in row] for row in heat_map] for code, heat_map in maps.items()
        },
        "heat_maps_mean": HEAT_MAP_CAPTION,
        "metadata_effects": dict(photo.metadata_effects) if is_shown else {},
    }


def _reason_to_dict(reason: Reason | None) -> dict[str, str] | None:
    return None if reason is None else {"code": reason.code, "sentence": reason.sentence}


def _prediction_to_dict(prediction: Prediction | None) -> dict[str, Any] | None:
    if prediction is None:
        return None
    return {
        "probabilities": {code: float(p) for code, p in zip(prediction.codes, prediction.probabilities, strict=True)},
        "ham_probabilities": {code: float(p) for code, p in zip(HAM_CODES, prediction.ham_probabilities, strict=True)},
        "predicted": prediction.predicted,
        "p_malignant": float(prediction.p_malignant),
        "is_above_threshold": bool(prediction.is_above_threshold),
        "is_above_calm_line": bool(prediction.is_above_calm_line),
        "set_90": list(prediction.set_90),
        "set_95": list(prediction.set_95),
        "views_agreeing": int(prediction.views_agreeing),
        "n_views": int(prediction.n_views),
        "is_unsure": bool(prediction.is_unsure),
    }


def _finite(value: Any) -> Any:
    """Return the value with every number that JSON cannot hold replaced by null, at any depth."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
