"""A screening as a FHIR R4 Bundle: valid, the JSON export's own numbers, nobody's name, and no verdict."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dermascan_core.domain import Answers, ImageType, Metadata, NextStep, Reason, Repeatability, Screening, Status
from dermascan_core.interop.fhir_out import SNOMED_CLASSES, SNOMED_SITES, screening_to_bundle
from dermascan_core.reports.export import screening_to_json
from dermascan_core.taxonomy import HAM_CODES, SITES
from dermascan_core.triage.wording import BARS_CAPTION, DISCLAIMER, not_checked
from tests.interop.fhir_rules import problems_of
from tests.reports.test_export import ANSWERED, CODES, REFUSED, SCREENING
from tests.triage.test_forbidden_words import CLASS_NAMES, FORBIDDEN

MEASURED = replace(
    ANSWERED,
    name="Jane Doe 1970-01-01.jpg",
    gate_scores={"distance": 1.1, "max_distance": 2.2},
    prediction_without_metadata=replace(ANSWERED.prediction, p_malignant=0.61),
    repeatability=Repeatability(("turned", "darker"), ("turned",), (), 5),
)
UNSURE = replace(MEASURED, status=Status.UNSURE, reason=Reason("unsure", "The model is unsure about this photo."))
WITHHELD = replace(MEASURED, status=Status.REFUSED, reason=REFUSED.reason)  # computed, and not to be shown
FULL = replace(
    SCREENING,
    photos=(MEASURED, REFUSED),
    metadata=Metadata(61.5, "female", "back", 6.5, True, False, None, None, 3, ImageType.DERMOSCOPIC, itch=True),
    threshold=0.2,
)
UNSURE_ONE, WITHHELD_ONE = replace(FULL, photos=(UNSURE,)), replace(FULL, photos=(WITHHELD,))
BARE = replace(
    SCREENING, photos=(REFUSED,), metadata=Metadata(), answers=Answers(), image_type=ImageType.CLINICAL, step_reasons=()
)
ALL = {"full": FULL, "unsure": UNSURE_ONE, "withheld": WITHHELD_ONE, "bare": BARE, "none": replace(FULL, photos=())}


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in bundle["entry"] if entry["resource"]["resourceType"] == kind]


def observations(bundle: dict[str, Any], code: str) -> list[dict[str, Any]]:
    return [one for one in resources(bundle, "Observation") if one["code"]["coding"][0]["code"] == code]


def components(observation: dict[str, Any]) -> dict[str, Any]:
    """Code of each component -> its value, or None where it has none."""
    return {
        part["code"]["coding"][0]["code"]: next((v for k, v in part.items() if k.startswith("value")), None)
        for part in observation["component"]
    }


def shares(bundle: dict[str, Any]) -> dict[str, float]:
    return {
        components(one)["class"]["coding"][0]["code"]: one["valueQuantity"]["value"]
        for one in observations(bundle, "class-share")
    }


def texts_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts_in(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts_in(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("screening", ALL.values(), ids=ALL)
@pytest.mark.parametrize("step", list(NextStep))
def test_bundle_keeps_every_rule_of_r4(screening: Screening, step: NextStep) -> None:
    bundle = screening_to_bundle(replace(screening, next_step=step), model_version="2")

    assert problems_of(bundle) == []
    assert (bundle["type"], bundle["timestamp"]) == ("collection", "2026-03-01T10:20:30+00:00")


@pytest.mark.parametrize(
    ("kind", "change", "problem"),
    [
        ("DiagnosticReport", {"status": "done"}, "'done' is no code of diagnostic-report-status"),
        ("DiagnosticReport", {"conclusionCode": []}, "conclusionCode: not an element of DiagnosticReport"),
        ("Observation", {"code": {}}, "ele-1, empty"),
        ("Observation", {"dataAbsentReason": {"text": "none"}}, "obs-6, a reason for absence beside a value"),
        ("Observation", {"device": {"reference": "urn:uuid:0"}}, "refers to None, expected Device"),
        ("Media", {"content": None}, "expected Attachment, received None"),
        ("Device", {"version": []}, "expected a list with something in it"),
        ("QuestionnaireResponse", {"authored": "yesterday"}, "expected dateTime, received 'yesterday'"),
    ],
)
def test_the_rules_catch_what_they_are_for(kind: str, change: dict[str, Any], problem: str) -> None:
    bundle = screening_to_bundle(FULL)
    resources(bundle, kind)[0].update(change)

    assert any(problem in line for line in problems_of(bundle))


@pytest.mark.parametrize("screening", ALL.values(), ids=ALL)
def test_bundle_comes_back_from_json_unchanged(screening: Screening) -> None:
    bundle = screening_to_bundle(screening)

    assert json.loads(json.dumps(bundle, allow_nan=False)) == bundle


def test_the_same_screening_gives_the_same_addresses_and_another_gives_others() -> None:
    first, again, other = (screening_to_bundle(one) for one in (FULL, replace(FULL), replace(FULL, threshold=0.3)))

    assert first == again
    assert not {entry["fullUrl"] for entry in first["entry"]} & {entry["fullUrl"] for entry in other["entry"]}


def test_numbers_are_those_of_the_json_export() -> None:
    bundle, record = screening_to_bundle(FULL), json.loads(screening_to_json(FULL))
    saved = record["photos"][0]
    finer = {code: p for code, p in saved["prediction"]["probabilities"].items() if code not in HAM_CODES}

    assert shares(bundle) == saved["prediction"]["ham_probabilities"] | finer
    assert set(shares(bundle)) == {*HAM_CODES, *CODES}
    malignant = observations(bundle, "p-malignant")[0]
    parts = components(malignant)
    assert malignant["valueQuantity"]["value"] == saved["prediction"]["p_malignant"]
    assert parts["threshold"]["value"] == record["threshold"]
    assert parts["p_malignant_without_metadata"]["value"] == saved["prediction_without_metadata"]["p_malignant"]
    for name in ("is_above_threshold", "is_above_calm_line", "views_agreeing", "n_views"):
        assert parts[name] == saved["prediction"][name]
    assert (parts["set_90"], parts["set_95"]) == ("mel|nv", "bcc|mel|nv")
    assert (parts["n_changed"], parts["n_changes"]) == (1, 2)
    assert parts["predicted"]["coding"][0]["code"] == saved["prediction"]["predicted"]
    assert parts["next_step"]["coding"][0]["code"] == saved["next_step"]
    quality, gate = observations(bundle, "photo-quality")[0], observations(bundle, "gate-scores")[0]
    measured = {name: value and value["value"] for name, value in components(quality).items()}
    assert measured == saved["quality"]["measures"] == {"sharpness": 12.5, "contrast": None}
    assert {name: value["value"] for name, value in components(gate).items()} == saved["gate_scores"]


def test_numpy_numbers_are_plain_ones() -> None:
    prediction = replace(ANSWERED.prediction, p_malignant=np.float32(0.5), ham_probabilities=np.ones(7, np.float32) / 8)
    screening = replace(FULL, photos=(replace(MEASURED, prediction=prediction),))

    assert problems_of(screening_to_bundle(screening)) == []


def test_report_is_preliminary_and_names_no_condition() -> None:
    bundle = screening_to_bundle(FULL)
    report = resources(bundle, "DiagnosticReport")[0]

    assert report["status"] == "preliminary"
    assert {one["status"] for one in resources(bundle, "Observation")} == {"preliminary", "cancelled"}
    assert "conclusionCode" not in report
    assert report["conclusion"].startswith(DISCLAIMER)
    assert [words for words in not_checked(FULL) if words not in report["conclusion"]] == []
    disorders = set(SNOMED_CLASSES.values())
    for one in resources(bundle, "Observation"):
        told = [*one["code"]["coding"], *one.get("valueCodeableConcept", {}).get("coding", [])]
        assert not {coding["code"] for coding in told} & disorders


def test_share_names_its_class_by_snomed_only_where_a_code_was_checked() -> None:
    coded = {
        codings[0]["code"]: [coding["code"] for coding in codings[1:]]
        for one in observations(screening_to_bundle(FULL), "class-share")
        if (codings := components(one)["class"]["coding"])
    }

    assert {code: found[0] for code, found in coded.items() if found} == SNOMED_CLASSES
    assert coded["akiec"] == coded["bkl"] == coded["scc"] == coded["df"] == coded["vasc"] == []
    assert set(SNOMED_SITES) < set(SITES)


def test_every_share_says_what_it_is_not() -> None:
    for one in observations(screening_to_bundle(FULL), "class-share"):
        assert {DISCLAIMER, BARS_CAPTION} <= {note["text"] for note in one["note"]}
        assert "not a probability of disease" in one["code"]["text"]


def test_unsure_answer_is_flagged_wherever_it_is_told() -> None:
    bundle = screening_to_bundle(UNSURE_ONE)
    told = [*observations(bundle, "class-share"), *observations(bundle, "p-malignant")]

    assert len(told) == 1 + len({*HAM_CODES, *CODES})
    for one in told:
        assert one["interpretation"][0]["coding"][0]["code"] == "IND"
        assert one["note"][0]["text"] == "The model is unsure about this photo."
    assert not any("interpretation" in one for one in resources(screening_to_bundle(FULL), "Observation"))


@pytest.mark.parametrize("screening", [WITHHELD_ONE, BARE], ids=["withheld", "nothing computed"])
def test_refused_photo_has_no_share_even_if_one_was_computed(screening: Screening) -> None:
    bundle = screening_to_bundle(screening)
    malignant = observations(bundle, "p-malignant")[0]

    assert observations(bundle, "class-share") == []
    assert malignant["status"] == "cancelled"
    assert malignant["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    assert "Do not use this as reassurance." in malignant["note"][0]["text"]
    assert not {"valueQuantity", "component"} & set(malignant)


def test_nobody_and_no_picture_goes_out() -> None:
    bundle = screening_to_bundle(FULL)
    text = json.dumps(bundle)

    assert resources(bundle, "Patient") == []
    assert not re.search(r'"(subject|patient|performer|author|source|data|url)"', text)
    assert "Jane" not in text
    assert "1970" not in text
    assert [one["content"] for one in resources(bundle, "Media")] == [
        {"title": "Photo 1 of 2"},
        {"title": "Photo 2 of 2"},
    ]


def test_device_names_model_release_and_checksum() -> None:
    device = resources(screening_to_bundle(FULL, model_version="2"), "Device")[0]

    assert device["deviceName"] == [{"name": "dermascan", "type": "model-name"}]
    assert device["identifier"][0]["value"] == "ab" * 32
    assert {one["type"]["text"]: one["value"] for one in device["version"]} == {
        "weights": "2",
        "program": "0.1.0",
        "engine": "keras",
    }
    unknown = resources(screening_to_bundle(FULL), "Device")[0]
    assert [one["type"]["text"] for one in unknown["version"]] == ["program", "engine"]


def test_what_the_person_said_stands_apart_from_what_stayed_open() -> None:
    items = resources(screening_to_bundle(FULL), "QuestionnaireResponse")[0]["item"]
    said = {item["linkId"]: item["answer"][0] for item in items if "answer" in item}

    assert said == {
        "changing": {"valueBoolean": True},
        "worried": {"valueBoolean": False},
        "age_approx": {"valueDecimal": 61.5},
        "sex": {"valueString": "female"},
        "anatom_site": {"valueString": "back"},
        "clin_size_long_diam_mm": {
            "valueQuantity": {"value": 6.5, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm"}
        },
        "fitzpatrick_skin_type": {"valueInteger": 3},
        "personal_hx_skin_cancer": {"valueBoolean": True},
        "family_hx_skin_cancer": {"valueBoolean": False},
        "itch": {"valueBoolean": True},
    }
    assert {"linkId": "new", "text": "Is it new, and does it grow?"} in items
    assert observations(screening_to_bundle(FULL), "seven-point-score")[0]["valueInteger"] == 2


@pytest.mark.parametrize("screening", ALL.values(), ids=ALL)
@pytest.mark.parametrize("step", list(NextStep))
def test_no_word_of_it_is_a_verdict(screening: Screening, step: NextStep) -> None:
    said = texts_in(screening_to_bundle(replace(screening, next_step=step)))
    told = [re.sub(CLASS_NAMES, "", text, flags=re.IGNORECASE) for text in said]

    assert [(text, p) for text in told for p in FORBIDDEN if re.search(p, text, re.IGNORECASE)] == []


def test_signs_that_fhir_forbids_in_a_text_are_left_out() -> None:
    bundle = screening_to_bundle(replace(FULL, model="a\x00b\udcff ", step_reasons=("<script>alert(1)</script>",)))

    assert problems_of(bundle) == []
    assert resources(bundle, "Device")[0]["deviceName"][0]["name"] == "ab"
    assert "<script>" not in resources(bundle, "DiagnosticReport")[0]["text"]["div"]


def test_each_photo_of_two_kinds_has_its_own_kind_and_threshold() -> None:
    phone = replace(ANSWERED, image_type=ImageType.CLINICAL, threshold=0.1)
    scope = replace(ANSWERED, image_type=ImageType.DERMOSCOPIC, threshold=0.25)
    both = replace(SCREENING, photos=(phone, scope), image_type=ImageType.CLINICAL, threshold=0.1)

    bundle = screening_to_bundle(both)

    assert [components(one)["threshold"]["value"] for one in observations(bundle, "p-malignant")] == [0.1, 0.25]
    assert [one["modality"]["text"] for one in resources(bundle, "Media")] == [
        "Photo taken with a phone or camera",
        "Photo taken with a dermatoscope",
    ]
    assert problems_of(bundle) == []
