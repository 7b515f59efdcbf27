"""A second writing of HL7 FHIR R4 (4.0.1), as far as our Bundles use it: what must be there, what may, and which codes.

Reference: https://hl7.org/fhir/R4/bundle.html, diagnosticreport.html, observation.html, media.html, device.html,
questionnaireresponse.html, datatypes.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

# Primitive -> the whole of what R4 allows, as a pattern for text or a type for the rest.
PATTERNS = {
    "string": r"[\r\n\t\S ]+",
    "code": r"\S+( \S+)*",
    "uri": r"\S+",
    "dateTime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "instant": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)",
    "xhtml": r"(?s)<div xmlns=\"http://www\.w3\.org/1999/xhtml\">.+</div>",
}
NUMBERS = {"boolean": (bool,), "integer": (int,), "decimal": (int, float)}
# Type -> element -> (least, most, type). What is not here may not stand in our Bundles.
ONE, OPTIONAL, MANY, SOME = (1, 1), (0, 1), (0, None), (1, None)
ELEMENTS: dict[str, dict[str, tuple[tuple[int, int | None], str]]] = {
    "Bundle": {
        "identifier": (OPTIONAL, "Identifier"),
        "type": (ONE, "code:bundle-type"),
        "timestamp": (OPTIONAL, "instant"),
        "entry": (MANY, "Bundle.entry"),
    },
    "Bundle.entry": {"fullUrl": (OPTIONAL, "uri"), "resource": (OPTIONAL, "Resource")},
    "DiagnosticReport": {
        "text": (OPTIONAL, "Narrative"),
        "status": (ONE, "code:diagnostic-report-status"),
        "code": (ONE, "CodeableConcept"),
        "effectiveDateTime": (OPTIONAL, "dateTime"),
        "issued": (OPTIONAL, "instant"),
        "result": (MANY, "Reference:Observation"),
        "media": (MANY, "DiagnosticReport.media"),
        "conclusion": (OPTIONAL, "string"),
    },
    "DiagnosticReport.media": {"comment": (OPTIONAL, "string"), "link": (ONE, "Reference:Media")},
    "Observation": {
        "status": (ONE, "code:observation-status"),
        "code": (ONE, "CodeableConcept"),
        "effectiveDateTime": (OPTIONAL, "dateTime"),
        "issued": (OPTIONAL, "instant"),
        "valueQuantity": (OPTIONAL, "Quantity"),
        "valueCodeableConcept": (OPTIONAL, "CodeableConcept"),
        "valueInteger": (OPTIONAL, "integer"),
        "dataAbsentReason": (OPTIONAL, "CodeableConcept"),
        "interpretation": (MANY, "CodeableConcept"),
        "note": (MANY, "Annotation"),
        "device": (OPTIONAL, "Reference:Device"),
        "derivedFrom": (MANY, "Reference:Media|QuestionnaireResponse"),
        "component": (MANY, "Observation.component"),
    },
    "Observation.component": {
        "code": (ONE, "CodeableConcept"),
        "valueQuantity": (OPTIONAL, "Quantity"),
        "valueCodeableConcept": (OPTIONAL, "CodeableConcept"),
        "valueString": (OPTIONAL, "string"),
        "valueBoolean": (OPTIONAL, "boolean"),
        "valueInteger": (OPTIONAL, "integer"),
        "dataAbsentReason": (OPTIONAL, "CodeableConcept"),
    },
    "Media": {
        "status": (ONE, "code:event-status"),
        "type": (OPTIONAL, "CodeableConcept"),
        "modality": (OPTIONAL, "CodeableConcept"),
        "bodySite": (OPTIONAL, "CodeableConcept"),
        "content": (ONE, "Attachment"),
        "note": (MANY, "Annotation"),
    },
    "Device": {
        "identifier": (MANY, "Identifier"),
        "status": (OPTIONAL, "code:device-status"),
        "deviceName": (MANY, "Device.deviceName"),
        "type": (OPTIONAL, "CodeableConcept"),
        "version": (MANY, "Device.version"),
    },
    "Device.deviceName": {"name": (ONE, "string"), "type": (ONE, "code:device-nametype")},
    "Device.version": {"type": (OPTIONAL, "CodeableConcept"), "value": (ONE, "string")},
    "QuestionnaireResponse": {
        "status": (ONE, "code:questionnaire-answers-status"),
        "authored": (OPTIONAL, "dateTime"),
        "item": (MANY, "QuestionnaireResponse.item"),
    },
    "QuestionnaireResponse.item": {
        "linkId": (ONE, "string"),
        "text": (OPTIONAL, "string"),
        "answer": (MANY, "QuestionnaireResponse.item.answer"),
    },
    "QuestionnaireResponse.item.answer": {
        "valueBoolean": (OPTIONAL, "boolean"),
        "valueDecimal": (OPTIONAL, "decimal"),
        "valueInteger": (OPTIONAL, "integer"),
        "valueString": (OPTIONAL, "string"),
        "valueQuantity": (OPTIONAL, "Quantity"),
    },
    "Narrative": {"status": (ONE, "code:narrative-status"), "div": (ONE, "xhtml")},
    "CodeableConcept": {"coding": (MANY, "Coding"), "text": (OPTIONAL, "string")},
    "Coding": {"system": (OPTIONAL, "uri"), "code": (OPTIONAL, "code")},
    "Identifier": {"type": (OPTIONAL, "CodeableConcept"), "system": (OPTIONAL, "uri"), "value": (OPTIONAL, "string")},
    "Quantity": {
        "value": (OPTIONAL, "decimal"),
        "unit": (OPTIONAL, "string"),
        "system": (OPTIONAL, "uri"),
        "code": (OPTIONAL, "code"),
    },
    "Annotation": {"text": (ONE, "string")},
    "Attachment": {"title": (OPTIONAL, "string")},
    "Reference": {"reference": (OPTIONAL, "uri")},
}
REQUIRED_CODES = {
    "bundle-type": "document message transaction transaction-response batch batch-response history searchset collection",
    "diagnostic-report-status": "registered partial preliminary final amended corrected appended cancelled entered-in-error unknown",
    "observation-status": "registered preliminary final amended corrected cancelled entered-in-error unknown",
    "event-status": "preparation in-progress not-done on-hold stopped completed entered-in-error unknown",
    "device-status": "active inactive entered-in-error unknown",
    "device-nametype": "udi-label-name user-friendly-name patient-reported-name manufacturer-name model-name other",
    "questionnaire-answers-status": "in-progress completed amended entered-in-error stopped",
    "narrative-status": "generated extensions additional empty",
}
# Of HL7's own code systems, all that a Bundle of ours may name; of others, any.
HL7_CODES = {
    "http://terminology.hl7.org/CodeSystem/data-absent-reason": "not-a-number not-performed",
    "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation": "IND",
    "http://terminology.hl7.org/CodeSystem/media-type": "image video audio",
}


def problems_of(bundle: dict[str, Any]) -> list[str]:
    """Return what R4 forbids in a Bundle, one line each with its place; empty where it keeps every rule."""
    kinds = {entry["fullUrl"]: entry["resource"]["resourceType"] for entry in bundle["entry"]}
    found = list(_in_type("Bundle", bundle, "Bundle", kinds))
    if len(kinds) < len(bundle["entry"]):
        found.append("Bundle.entry: bdl-7, two entries have one fullUrl")
    return found


def _in_type(kind: str, value: Any, at: str, kinds: dict[str, str]) -> Iterator[str]:
    if kind == "Resource":
        kind = value.get("resourceType", "no resourceType")
    if kind not in ELEMENTS or not isinstance(value, dict):
        yield f"{at}: expected {kind}, received {value!r}"
        return
    known = ELEMENTS[kind]
    yield from (f"{at}.{name}: not an element of {kind}" for name in value if name not in {"resourceType", *known})
    if not value:
        yield f"{at}: ele-1, empty"
    for name, ((least, most), element) in known.items():
        if name not in value:
            yield from [f"{at}.{name}: required"] * least
            continue
        items = value[name] if most is None else [value[name]]
        if not isinstance(items, list) or not items:
            yield f"{at}.{name}: expected a list with something in it"
            continue
        for item in items:
            yield from _in_element(element, item, f"{at}.{name}", kinds)
    yield from _invariants(kind, value, at)


def _in_element(element: str, value: Any, at: str, kinds: dict[str, str]) -> Iterator[str]:
    kind, _, detail = element.partition(":")
    if kind in NUMBERS:
        if type(value) not in NUMBERS[kind]:
            yield f"{at}: expected {kind}, received {value!r}"
    elif kind in PATTERNS:
        if not isinstance(value, str) or not re.fullmatch(PATTERNS[kind], value):
            yield f"{at}: expected {kind}, received {value!r}"
        elif detail and value not in REQUIRED_CODES[detail].split():
            yield f"{at}: '{value}' is no code of {detail}"
        elif kind == "xhtml":
            ElementTree.fromstring(value)
    else:
        yield from _in_type(kind, value, at, kinds)
        if detail and kinds.get(value["reference"]) not in detail.split("|"):
            yield f"{at}: refers to {kinds.get(value['reference'])}, expected {detail}"


def _invariants(kind: str, value: dict[str, Any], at: str) -> Iterator[str]:
    given = [name for name in value if name.startswith("value") and name != "value"]
    if len(given) > 1:
        yield f"{at}: more than one value[x]: {given}"
    if "dataAbsentReason" in value and given:
        yield f"{at}: obs-6, a reason for absence beside a value"
    if kind == "Observation" and given and value["code"] in [part["code"] for part in value.get("component", ())]:
        yield f"{at}: obs-7, a component repeats the code beside a value"
    if kind == "Observation.component" and not given and "dataAbsentReason" not in value:
        yield f"{at}: neither a value nor why there is none"
    if kind == "Quantity" and "code" in value and "system" not in value:
        yield f"{at}: qty-3, a code without its system"
    if (
        kind == "Coding"
        and value.get("system") in HL7_CODES
        and value["code"] not in HL7_CODES[value["system"]].split()
    ):
        yield f"{at}: '{value['code']}' is not among the codes of {value['system']}"
    if kind == "CodeableConcept" and not value.get("text") and not value.get("coding"):
        yield f"{at}: neither words nor a code"
