"""The clinician's report: one A4 page with every number behind the answer, and all the limits of the public one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dermascan_core.domain import NextStep, QualityReport, Reason, Repeatability, Screening, Status
from dermascan_core.reports.card import render_card
from dermascan_core.triage import wording
from dermascan_core.triage.wording import (
    BARS_CAPTION,
    DARK_SKIN_NOT_TESTED,
    DISCLAIMER,
    PHONE_NOT_TESTED,
    SEVEN_POINT_LIST,
    Voice,
    not_checked,
    step_text,
)
from tests.reports.test_card import LONGEST, PHOTO, PREDICTION, REFUSED, SCREENING, pixels_of, texts_of

MEASURES = {
    "sharpness": 12.5,
    "fine_detail": 300.2,
    "contrast": 0.3,
    "mean_luminance": 120,
    "bright_luminance": 200,
    "clipped_dark_share": 0,
    "clipped_bright_share": 0.01,
    "short_side_px": 450,
    "crop_side_px": 300,
    "lesion_share": 0.2,
    "n_lesions": 1,
    "edge_share": 0,
    "skin_score": 0.9,
}
GATE = {
    "distance": 1.1,
    "p_dermoscopic": 0.9,
    "p_clinical": 0.06,
    "p_other": 0.04,
    "max_distance": 2.2,
    "max_other": 0.5,
}
MEASURED = {
    "quality": QualityReport(MEASURES, warnings=(Reason("glare", "The photo has some glare."),)),
    "gate_scores": GATE,
    "repeatability": Repeatability(("turned",) * 10, ("turned",), (), 5),
}
REPORTED = replace(SCREENING, photos=(replace(PHOTO, **MEASURED),), threshold=0.2)
LONGEST_REPORTED = replace(
    LONGEST, photos=(replace(LONGEST.photos[0], **MEASURED), *[LONGEST.photos[1]] * 5), threshold=0.2
)


def report_of(screening: Screening, monkeypatch: pytest.MonkeyPatch, **options) -> str:
    return texts_of(screening, monkeypatch, voice=Voice.CLINICIAN, **options)


@pytest.mark.parametrize(
    ("screening", "step"),
    [*((REPORTED, step) for step in NextStep), (LONGEST_REPORTED, NextStep.ROUTINE_CHECK)],
)
def test_report_stays_on_one_page_inside_the_margins(screening: Screening, step: NextStep):
    pixels = pixels_of(render_card(replace(screening, next_step=step), voice=Voice.CLINICIAN))

    assert pixels.shape == (1754, 1240, 3)
    for border in (pixels[:, :76], pixels[:, -76:], pixels[:30], pixels[-30:]):
        assert (border == 255).all()


def test_report_speaks_of_the_referral_as_the_guideline_does(monkeypatch: pytest.MonkeyPatch):
    text = report_of(REPORTED, monkeypatch)

    assert "Skin photo check, report for the clinician, 1 March 2026, 10:20 UTC" in text
    assert "Suspected-cancer referral (within 2 weeks)" in text
    assert step_text(NextStep.URGENT_2_WEEKS, Voice.CLINICIAN) in text
    assert "See a doctor within 2 weeks" not in text


def test_report_holds_every_number_behind_the_answer(monkeypatch: pytest.MonkeyPatch):
    text = report_of(REPORTED, monkeypatch, model_version="2")

    for words in (
        "p(malignant) = 0.4500, at or above the operating threshold 0.2000.",
        "90 % prediction set: melanoma, nevus. 95 %: basal cell carcinoma, melanoma, nevus.",
        "p(malignant) is at or above the calm line. 8 of 8 flips and rotations show melanoma first.",
        "1 of 10 small changes of the photo changed the answer.",
        "Quality: sharpness 12.5, fine_detail 300, contrast 0.3,",
        "The photo has some glare.",
        "Gate: distance 1.1, p_dermoscopic 0.9, p_clinical 0.06, p_other 0.04, max_distance 2.2, max_other 0.5.",
        "Model dermascan 2, engine keras, DermaScan 0.1.0, 2026-03-01T10:20:30+00:00",
        "Weights sha256 " + "ab" * 32,
    ):
        assert words in text


def test_answer_below_the_threshold_is_said_to_be_below_it(monkeypatch: pytest.MonkeyPatch):
    low = replace(PREDICTION, p_malignant=0.0123, is_above_threshold=False, is_above_calm_line=False)
    alone = replace(PREDICTION, p_malignant=0.031, predicted="nv")
    photo = replace(PHOTO, prediction=low, prediction_without_metadata=alone)

    text = report_of(replace(SCREENING, photos=(photo,)), monkeypatch)

    assert "p(malignant) = 0.0123, below the operating threshold (value not recorded)." in text
    assert "p(malignant) is below the calm line." in text
    assert "From the photo alone: p(malignant) = 0.0310, nevus shown first." in text


def test_report_tells_what_the_person_answered_and_left_open(monkeypatch: pytest.MonkeyPatch):
    text = report_of(REPORTED, monkeypatch)

    assert (
        "Weighted 7-point score from the answers: 2 of 10, as a lower bound: change in size, shape or colour (2)."
        in text
    )
    assert "Said to be so: changed in size, shape or colour." in text
    assert "Not answered: bleeding that does not stop;" in text
    assert "age 61, female, back, 6.5 mm" in text


def test_report_keeps_every_limit_of_the_public_page(monkeypatch: pytest.MonkeyPatch):
    screening = replace(LONGEST_REPORTED, next_step=NextStep.WATCH)

    text = report_of(screening, monkeypatch)

    limits = (
        DISCLAIMER,
        BARS_CAPTION,
        PHONE_NOT_TESTED,
        DARK_SKIN_NOT_TESTED,
        wording.tested_on(None),
        *not_checked(screening),
    )
    assert [words for words in limits if words not in text] == []
    assert "Grey bars: the model is unsure." in text


def test_calm_report_names_the_signs_to_come_back_for(monkeypatch: pytest.MonkeyPatch):
    calm = replace(REPORTED, next_step=NextStep.WATCH)

    assert " ".join(SEVEN_POINT_LIST) in report_of(calm, monkeypatch)
    assert " ".join(SEVEN_POINT_LIST) not in report_of(REPORTED, monkeypatch)


def test_refused_photo_has_no_number_of_the_model(monkeypatch: pytest.MonkeyPatch):
    refused = replace(REFUSED, quality=MEASURED["quality"])

    text = report_of(replace(REPORTED, photos=(refused,), step_reasons=()), monkeypatch)

    assert "Could not assess this photo. The photo is not sharp. Do not use this as reassurance." in text
    assert "p(malignant)" not in text
    assert "nevus" not in text
    assert "Gate: no scores for this photo." in text


def test_report_of_one_photo_hides_none_of_the_others(monkeypatch: pytest.MonkeyPatch):
    photos = (PHOTO, replace(PHOTO, status=Status.UNSURE), replace(REFUSED, quality=None))

    text = report_of(replace(REPORTED, photos=photos), monkeypatch, photo_index=2)

    assert "Photo 1: p(malignant) = 0.4500, melanoma shown first." in text
    assert "Photo 2: p(malignant) = 0.4500, melanoma shown first. The model is unsure." in text
    assert "Photo 3: not assessed. The photo is not sharp." in text
    assert "Quality was not measured: the photo could not be read." in text
