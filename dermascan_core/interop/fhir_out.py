"""One screening as an HL7 FHIR R4 Bundle, for a clinic's records: shares, sets, limits and the model, and no person.

A pure function of the record. No photo, no file name and nothing that says whose skin it was goes out. A share is never
written as a condition: no Observation has a disease as its code or its value, and the report has no conclusion code.

Reference: HL7 FHIR R4 (4.0.1), https://hl7.org/fhir/R4/
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from html import escape
from typing import Any

from ..domain import ANSWER_FIELDS, ImageType, NextStep, PhotoScreening, Prediction, Screening, Status
from ..taxonomy import CLASS_BY_CODE, HAM_CODES
from ..triage.checklist import seven_point_score
from ..triage.refusals import step_words
from ..triage.told import HISTORY_NAMES, SYMPTOM_NAMES
from ..triage.wording import (
    BARS_CAPTION,
    DISCLAIMER,
    P_MALIGNANT_NAME,
    QUESTIONS,
    SIGN_QUESTIONS,
    UNSURE_SENTENCE,
    Voice,
    calm_rate_words,
    class_name,
    not_checked,
    phone_words,
    refusal_text,
    report_sentences,
    step_text,
    step_title,
    tested_on,
)
from .dicom_codes import CODE_OF_SITE

# Our own codes: what an Observation, a component or a class is.
OBSERVATIONS, CLASSES, STEPS = "urn:dermascan:observation", "urn:dermascan:class", "urn:dermascan:next-step"
MEASURES = "urn:dermascan:measure"
_SNOMED, _LOINC, _UCUM = "http://snomed.info/sct", "http://loinc.org", "http://unitsofmeasure.org"
_ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_MEDIA_TYPE = "http://terminology.hl7.org/CodeSystem/media-type"
# Only where one code means the whole class: ours of squamous cell carcinoma holds Bowen's disease too, the archive's akiec
# and bkl are two diseases each, and no code was checked for the others.
SNOMED_CLASSES = {"mel": "93655004", "bcc": "254701007", "ak": "201101007", "nv": "400096001"}
SNOMED_SITES = CODE_OF_SITE
_DERMATOSCOPY = "1237125003"  # as HL7 Switzerland's example of a dermatoscopy report is coded
_PHOTOGRAPH = "72170-4"
_ABOUT = {
    "age_approx": "Age in years",
    "sex": "Sex",
    "anatom_site": "Place on the body",
    "clin_size_long_diam_mm": "Longest diameter",
    "fitzpatrick_skin_type": "Skin type (Fitzpatrick, 1 to 6)",
    **{name: f"History: {text}" for name, text in HISTORY_NAMES.items()},
}
Resource = dict[str, Any]


def screening_to_bundle(screening: Screening, *, model_version: str | None = None) -> Resource:
    """Return the screening as a Bundle of type ``collection``, as plain data ready for JSON.

    It holds one DiagnosticReport (preliminary), the Device that answered, what the person said (QuestionnaireResponse), the
    7-point score and the next step (Observation), and of each photo its Media without content, its measures, the share of
    cancer or pre-cancer, and a share for each class. A refused photo has no share; those of an unsure one are marked
    ``IND`` (indeterminate) with a note. The same screening always gives the same Bundle, addresses included.

    Args:
        screening: The record, as ``reports.export.screening_to_json`` takes it.
        model_version: Release of the weights, which a screening does not hold; None where unknown.
    """
    resources = _resources(screening, model_version)
    # Addresses follow from the content: two exports of one screening are one record, not two.
    seed = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(resources, sort_keys=True, default=str))
    addresses = {key: f"urn:uuid:{uuid.uuid5(seed, key)}" for key in resources}
    return {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{seed}"},
        "type": "collection",
        "timestamp": screening.screened_at,
        "entry": [
            {"fullUrl": addresses[key], "resource": _finished(resource, addresses)}
            for key, resource in resources.items()
        ],
    }


def _resources(screening: Screening, model_version: str | None) -> dict[str, Resource]:
    """Every resource by a name that its references use; the report comes first."""
    parts: dict[str, Resource] = {
        "device": _device(screening, model_version),
        "answers": _questionnaire_response(screening),
        "seven-point-score": _observation(
            screening,
            "seven-point-score",
            "Weighted 7-point score from the answers, 0 to 10, a lower bound: unknown counts 0",
            valueInteger=seven_point_score(screening.answers, screening.metadata),
            derivedFrom=[_to("answers")],
        ),
        "next-step": _next_step(screening),
    }
    for number, photo in enumerate(screening.photos, start=1):
        parts |= _photo_resources(screening.as_of(photo), photo, number)
    return {"report": _report(screening, parts), **parts}


def _report(screening: Screening, parts: Mapping[str, Resource]) -> Resource:
    is_dermoscopic = screening.image_type is ImageType.DERMOSCOPIC
    said = [DISCLAIMER, *report_sentences(screening), screening.disagreement]
    said += [*screening.step_reasons, *not_checked(screening), tested_on(screening.phone_test)]
    sentences = [sentence for sentence in said if sentence]
    media = [key for key, part in parts.items() if part["resourceType"] == "Media"]
    return {
        "resourceType": "DiagnosticReport",
        "text": {"status": "generated", "div": _narrative(sentences)},
        "status": "preliminary",
        "code": {
            "coding": [{"system": _SNOMED, "code": _DERMATOSCOPY}] if is_dermoscopic else [],
            "text": "Skin photo check by software, not reviewed by a clinician",
        },
        "effectiveDateTime": screening.screened_at,
        "issued": screening.screened_at,
        "result": [_to(key) for key, part in parts.items() if part["resourceType"] == "Observation"],
        "media": [{"comment": f"Photo {number}", "link": _to(key)} for number, key in enumerate(media, start=1)],
        "conclusion": "\n".join(sentences),
    }


def _narrative(sentences: list[str]) -> str:
    paragraphs = "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    return f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>'


def _device(screening: Screening, model_version: str | None) -> Resource:
    versions = {"weights": model_version, "program": screening.app_version, "engine": screening.engine}
    return {
        "resourceType": "Device",
        "identifier": [{"type": {"text": "SHA-256 of the weights file"}, "value": screening.model_sha256}],
        "status": "active",
        "deviceName": [{"name": screening.model, "type": "model-name"}],
        "type": {"text": "Software: neural network for photos of the skin. Not a medical device."},
        "version": [{"type": {"text": name}, "value": value} for name, value in versions.items() if value],
    }


def _questionnaire_response(screening: Screening) -> Resource:
    answers, metadata = asdict(screening.answers), asdict(screening.metadata)
    asked = QUESTIONS | SIGN_QUESTIONS
    items = [_item(name, asked[name], answers[name]) for name in ANSWER_FIELDS]
    items += [_item(name, text, metadata[name]) for name, text in _ABOUT.items()]
    # No form asks for these, so nobody left them open.
    items += [
        _item(name, f"Noticed: {text}", metadata[name])
        for name, text in SYMPTOM_NAMES.items()
        if metadata[name] is not None
    ]
    return {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "authored": screening.screened_at,
        "item": items,
    }


def _item(name: str, text: str, value: Any) -> Resource:
    """An item without an answer was left open."""
    if value is None:
        return {"linkId": name, "text": text}
    answer: Resource
    if name == "clin_size_long_diam_mm":
        answer = {"valueQuantity": {"value": float(value), "unit": "mm", "system": _UCUM, "code": "mm"}}
    elif name == "age_approx":
        answer = {"valueDecimal": float(value)}
    else:
        answer = {{bool: "valueBoolean", int: "valueInteger"}.get(type(value), "valueString"): value}
    return {"linkId": name, "text": text, "answer": [answer]}


def _next_step(screening: Screening) -> Resource:
    step, said = screening.next_step, step_words(screening, Voice.REPORT)
    return _observation(
        screening,
        "next-step",
        "Next step that the program advises",
        valueCodeableConcept=_step_concept(step),
        note=_notes(said.text, f"How soon: {said.how_soon}.", *screening.step_reasons),
        derivedFrom=[_to("answers"), *(_to(f"media-{n}") for n in range(1, len(screening.photos) + 1))],
    )


def _photo_resources(screening: Screening, photo: PhotoScreening, number: int) -> dict[str, Resource]:
    sources = {"derivedFrom": [_to(f"media-{number}"), _to("answers")]}
    found = {f"media-{number}": _media(screening, photo, number)}
    if photo.quality is not None:
        noted = [reason.sentence for reason in (*photo.quality.failures, *photo.quality.warnings)]
        found[f"quality-{number}"] = _measures(
            screening, "photo-quality", "Measures of the photo, before any class", photo.quality.measures, noted, number
        )
    if photo.gate_scores:
        found[f"gate-{number}"] = _measures(
            screening, "gate-scores", "How far the photo is from what the network knows", photo.gate_scores, [], number
        )
    if photo.prediction is None or photo.status is Status.REFUSED:
        found[f"p-malignant-{number}"] = _not_assessed(screening, photo) | sources
        return found
    found[f"p-malignant-{number}"] = _p_malignant(screening, photo, photo.prediction) | sources
    for code, share in _shares(photo.prediction):
        found[f"share-{number}-{code}"] = _class_share(screening, photo, code, share) | sources
    return found


def _media(screening: Screening, photo: PhotoScreening, number: int) -> Resource:
    site, crop = screening.metadata.anatom_site, photo.crop
    is_dermoscopic = screening.image_type is ImageType.DERMOSCOPIC
    looked_at = None
    if crop is not None:
        looked_at = (
            f"The square looked at: {crop.left_px} px from the left, {crop.top_px} px from the top, "
            f"{crop.side_px} px wide; set by: {crop.source}."
        )
    return {
        "resourceType": "Media",
        "status": "completed",
        "type": _concept(_MEDIA_TYPE, "image"),
        "modality": {
            "coding": [{"system": _LOINC, "code": _PHOTOGRAPH}],
            "text": "Photo taken with a dermatoscope" if is_dermoscopic else "Photo taken with a phone or camera",
        },
        "bodySite": site and _concept(_SNOMED, SNOMED_SITES.get(site), site),
        # The photo stays where it is: a title says which one it was, in upload order.
        "content": {"title": f"Photo {number} of {len(screening.photos)}"},
        "note": _notes(looked_at),
    }


def _measures(
    screening: Screening, code: str, text: str, measures: Mapping[str, float], noted: list[str], number: int
) -> Resource:
    components = [
        {"code": _concept(MEASURES, name, name)}
        | (
            {"valueQuantity": {"value": float(value)}}
            if math.isfinite(value)
            else {"dataAbsentReason": _concept(_ABSENT, "not-a-number")}
        )
        for name, value in measures.items()
    ]
    return _observation(
        screening, code, text, component=components, note=_notes(*noted), derivedFrom=[_to(f"media-{number}")]
    )


def _not_assessed(screening: Screening, photo: PhotoScreening) -> Resource:
    said = step_text(NextStep.NOT_ASSESSED, Voice.REPORT) if photo.reason is None else refusal_text(photo.reason)
    return _observation(
        screening,
        "p-malignant",
        P_MALIGNANT_NAME,
        status="cancelled",
        dataAbsentReason=_concept(_ABSENT, "not-performed", "No class was computed for this photo"),
        note=_notes(said),
    )


def _p_malignant(screening: Screening, photo: PhotoScreening, prediction: Prediction) -> Resource:
    alone = photo.prediction_without_metadata
    repeated = photo.repeatability
    values = {
        "threshold": ("Operating threshold", "valueQuantity", _share(screening.threshold)),
        "is_above_threshold": ("At or above the operating threshold", "valueBoolean", prediction.is_above_threshold),
        "is_above_calm_line": ("At or above the calm line", "valueBoolean", prediction.is_above_calm_line),
        "predicted": ("Class shown first", "valueCodeableConcept", _class_concept(prediction.predicted)),
        "set_90": ("90 % prediction set", "valueString", "|".join(prediction.set_90)),
        "set_95": ("95 % prediction set", "valueString", "|".join(prediction.set_95)),
        "views_agreeing": ("Flips and rotations that agree", "valueInteger", int(prediction.views_agreeing)),
        "n_views": ("Flips and rotations looked at", "valueInteger", int(prediction.n_views)),
        "n_changed": ("Small changes that changed the answer", "valueInteger", repeated and repeated.n_changed),
        "n_changes": ("Small changes tried", "valueInteger", repeated and len(repeated.changes)),
        "p_malignant_without_metadata": (
            "The share from the photo alone",
            "valueQuantity",
            alone and _share(alone.p_malignant),
        ),
        "next_step": ("Next step for this photo", "valueCodeableConcept", _step_concept(photo.next_step)),
    }
    components = [
        {"code": _concept(OBSERVATIONS, name, text), kind: value}
        for name, (text, kind, value) in values.items()
        if value is not None
    ]
    return _observation(
        screening,
        "p-malignant",
        P_MALIGNANT_NAME,
        valueQuantity=_share(prediction.p_malignant),
        component=components,
        **_flagged(photo),
        note=_notes(*_cautions(screening, photo)),
    )


def _shares(prediction: Prediction) -> Iterator[tuple[str, float]]:
    """The archive's seven, then the model's finer codes; the finer are parts of the seven, so they are not to be added."""
    yield from zip(HAM_CODES, (float(p) for p in prediction.ham_probabilities), strict=True)
    for code, p in zip(prediction.codes, prediction.probabilities, strict=True):
        if code not in HAM_CODES:
            yield code, float(p)


def _class_share(screening: Screening, photo: PhotoScreening, code: str, share: float) -> Resource:
    name = class_name(code, Voice.REPORT)
    part_of = "" if code in HAM_CODES else f", a part of {class_name(CLASS_BY_CODE[code].ham_code, Voice.REPORT)}"
    of_class = _class_concept(code)
    if code in SNOMED_CLASSES:
        of_class["coding"].append({"system": _SNOMED, "code": SNOMED_CLASSES[code]})
    return _observation(
        screening,
        "class-share",
        f"Share among archive photos like this one, not a probability of disease: {name}{part_of}",
        valueQuantity=_share(share),
        component=[
            {
                "code": _concept(OBSERVATIONS, "class", "Class that the share is counted of; not a finding"),
                "valueCodeableConcept": of_class,
            }
        ],
        **_flagged(photo),
        note=_notes(*_cautions(screening, photo)),
    )


def _flagged(photo: PhotoScreening) -> Resource:
    if photo.status is not Status.UNSURE:
        return {}
    return {"interpretation": [_concept(_INTERPRETATION, "IND", "The model is unsure. Not to be read as a result.")]}


def _cautions(screening: Screening, photo: PhotoScreening) -> list[str | None]:
    unsure = None
    if photo.status is Status.UNSURE:
        unsure = UNSURE_SENTENCE if photo.reason is None else photo.reason.sentence
    on_phones = phone_words(screening.phone_test) if screening.image_type is ImageType.CLINICAL else None
    return [unsure, BARS_CAPTION, on_phones, calm_rate_words(screening, photo), DISCLAIMER]


def _observation(screening: Screening, code: str, text: str, *, status: str = "preliminary", **values: Any) -> Resource:
    return {
        "resourceType": "Observation",
        "status": status,
        "code": _concept(OBSERVATIONS, code, text),
        "effectiveDateTime": screening.screened_at,
        "issued": screening.screened_at,
        "device": _to("device"),
        **values,
    }


def _concept(system: str, code: str | None, text: str | None = None) -> Resource:
    return {"coding": [] if code is None else [{"system": system, "code": code}], "text": text}


def _class_concept(code: str) -> Resource:
    return _concept(CLASSES, code, class_name(code, Voice.REPORT))


def _step_concept(step: NextStep) -> Resource:
    return _concept(STEPS, step.value, step_title(step, Voice.REPORT))


def _share(value: float | None) -> Resource | None:
    return None if value is None else {"value": float(value), "unit": "1", "system": _UCUM, "code": "1"}


def _notes(*sentences: str | None) -> list[Resource]:
    return [{"text": sentence} for sentence in sentences if sentence]


def _to(key: str) -> Resource:
    return {"reference": key}


def _finished(value: Any, addresses: Mapping[str, str]) -> Any:
    """Return the value with addresses for names, and without what FHIR forbids: empty members and control signs."""
    if isinstance(value, dict):
        if set(value) == {"reference"}:
            return {"reference": addresses[value["reference"]]}
        members = {key: _finished(item, addresses) for key, item in value.items()}
        return {key: item for key, item in members.items() if item not in (None, "", [], {})}
    if isinstance(value, list):
        return [item for one in value if (item := _finished(one, addresses)) not in (None, "", [], {})]
    return _without_controls(value) if isinstance(value, str) else value


def _without_controls(text: str) -> str:
    return "".join(c for c in text if c in "\t\n" or (ord(c) >= 32 and not 0xD800 <= ord(c) <= 0xDFFF)).strip()
