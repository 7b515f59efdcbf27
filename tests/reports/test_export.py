"""Rows, CSV and JSON of a screening: the contract's columns, safe names, no pixels."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.domain import (
    Answers,
    ArtefactCheck,
    CalmRate,
    CropBox,
    ImageType,
    Metadata,
    NextStep,
    PhotoScreening,
    Prediction,
    QualityReport,
    Reason,
    Repeatability,
    Screening,
    Status,
)
from dermascan_core.reports.export import (
    SCREEN_COLUMNS,
    photo_record,
    photo_row,
    record_to_row,
    records_of_saved,
    screen_columns,
    screening_to_csv,
    screening_to_json,
)
from dermascan_core.tables import safe_cell

CODES = ("mel", "nv", "bcc", "ak", "scc", "pbk", "df", "vasc")
PREDICTION = Prediction(
    codes=CODES,
    probabilities=np.array([0.5, 0.2, 0.1, 0.02, 0.03, 0.1, 0.03, 0.02]),
    ham_probabilities=np.array([0.05, 0.1, 0.1, 0.03, 0.5, 0.2, 0.02]),
    predicted="mel",
    p_malignant=0.65,
    set_90=("mel", "nv"),
    set_95=("bcc", "mel", "nv"),
    views_agreeing=7,
    n_views=8,
    is_above_threshold=True,
)
ANSWERED = PhotoScreening(
    name="mole.jpg",
    status=Status.ANSWERED,
    reason=None,
    quality=QualityReport({"sharpness": 12.5, "contrast": float("nan")}, warnings=(Reason("glare", "Some glare."),)),
    crop=CropBox(10, 20, 300, "lesion"),
    prediction=PREDICTION,
    prediction_without_metadata=PREDICTION,
    next_step=NextStep.URGENT_2_WEEKS,
    heat_maps={"mel": np.ones((5, 5))},
    square=np.zeros((224, 224, 3), np.uint8),
    elapsed_ms=123.456,
)
REFUSED = PhotoScreening(
    name="blurred.jpg",
    status=Status.REFUSED,
    reason=Reason("too_blurry", "The photo is not sharp. Hold the phone still."),
    quality=None,
    crop=None,
    prediction=None,
    prediction_without_metadata=None,
    next_step=NextStep.NOT_ASSESSED,
)
SCREENING = Screening(
    photos=(ANSWERED, REFUSED),
    metadata=Metadata(age_approx=61, sex="female", anatom_site="back"),
    answers=Answers(changing=True, worried=False),
    image_type=ImageType.DERMOSCOPIC,
    next_step=NextStep.URGENT_2_WEEKS,
    step_reasons=("It has changed.",),
    disagreement=None,
    model="dermascan",
    model_sha256="ab" * 32,
    engine="keras",
    app_version="0.1.0",
    screened_at="2026-03-01T10:20:30+00:00",
)


def test_screen_columns_are_the_contract_s():
    assert SCREEN_COLUMNS == (
        "image",
        "status",
        "reason",
        "p_akiec",
        "p_bcc",
        "p_bkl",
        "p_df",
        "p_mel",
        "p_nv",
        "p_vasc",
        "p_malignant",
        "predicted",
        "set",
        "next_step",
        "model",
        "model_sha256",
        "elapsed_ms",
        "image_type",
        "changed_answers",
    )


def test_finer_classes_of_a_model_follow_the_seven():
    assert screen_columns(CODES)[3:14] == (
        "p_akiec",
        "p_bcc",
        "p_bkl",
        "p_df",
        "p_mel",
        "p_nv",
        "p_vasc",
        "p_ak",
        "p_scc",
        "p_pbk",
        "p_malignant",
    )


def test_answered_row_holds_shares_set_and_step():
    row = photo_row(ANSWERED, SCREENING)

    assert row == {
        "image": "mole.jpg",
        "status": "answered",
        "reason": "",
        "p_akiec": "0.050000",
        "p_bcc": "0.100000",
        "p_bkl": "0.100000",
        "p_df": "0.030000",
        "p_mel": "0.500000",
        "p_nv": "0.200000",
        "p_vasc": "0.020000",
        "p_ak": "0.020000",
        "p_scc": "0.030000",
        "p_pbk": "0.100000",
        "p_malignant": "0.650000",
        "predicted": "mel",
        "set": "mel|nv",
        "next_step": "urgent_2_weeks",
        "model": "dermascan",
        "model_sha256": "ab" * 32,
        "elapsed_ms": "123.5",
        "image_type": "dermoscopic",
        "changed_answers": "",
    }


def test_unsure_row_keeps_its_probabilities():
    row = photo_row(replace(ANSWERED, status=Status.UNSURE, reason=Reason("unsure", "Unsure.")), SCREENING)

    assert (row["status"], row["reason"], row["p_mel"]) == ("unsure", "unsure: Unsure.", "0.500000")


@pytest.mark.parametrize("photo", [REFUSED, replace(ANSWERED, status=Status.REFUSED, reason=REFUSED.reason)])
def test_refused_row_names_the_reason_and_no_class(photo):
    row = photo_row(photo, SCREENING)

    assert row["reason"] == "too_blurry: The photo is not sharp. Hold the phone still."
    assert {row[column] for column in row if column.startswith("p_") or column in ("predicted", "set")} == {""}


def test_jsonl_record_holds_numbers_lists_and_nulls():
    answered, refused = (photo_record(photo, SCREENING, CODES) for photo in SCREENING.photos)

    assert (answered["p_mel"], answered["set"], answered["elapsed_ms"]) == (0.5, ["mel", "nv"], 123.5)
    assert (refused["p_mel"], refused["set"], refused["predicted"]) == (None, None, None)
    assert tuple(answered) == tuple(refused) == screen_columns(CODES)


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("mole.jpg", "mole.jpg"),
        ("=1+1.jpg", "'=1+1.jpg"),
        ("+1.jpg", "'+1.jpg"),
        ("-1.jpg", "'-1.jpg"),
        ("@SUM(A1).jpg", "'@SUM(A1).jpg"),
        (" =1.jpg", "' =1.jpg"),
        ("\t=1.jpg", "'\\t=1.jpg"),
        ("\r=1.jpg", "'\\r=1.jpg"),
        ("＝1.jpg", "'＝1.jpg"),
        ("a\nb.jpg", "a\\nb.jpg"),
        ("a\u2028b\x85c\x0bd.jpg", "a\\u2028b\\x85c\\x0bd.jpg"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("bad\udcff.jpg", "bad\\udcff.jpg"),
        ("Übergröße (2), 日本.jpg", "Übergröße (2), 日本.jpg"),
    ],
)
def test_names_stay_one_line_and_run_in_no_spreadsheet(name, cell):
    assert safe_cell(name) == cell


def test_csv_has_a_header_and_one_physical_line_a_photo():
    nasty = replace(ANSWERED, name='=cmd|"\n/c calc"\u2028,x.jpg')

    text = screening_to_csv(replace(SCREENING, photos=(nasty, REFUSED)))

    assert len(text.splitlines()) == 3
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["image"] for row in rows] == ['\'=cmd|"\\n/c calc"\\u2028,x.jpg', "blurred.jpg"]
    assert tuple(rows[0]) == screen_columns(CODES)
    assert rows[1]["p_mel"] == ""


def test_json_holds_the_whole_screening():
    record = json.loads(screening_to_json(SCREENING))

    assert record["schema_version"] == "1.0"
    assert record["disclaimer"].startswith("Not a medical device. Not a diagnosis.")
    assert record["metadata"]["age_approx"] == 61
    assert record["answers"]["changing"] is True
    assert record["answers"]["new"] is None
    assert record["next_step"] == "urgent_2_weeks"
    assert record["model_sha256"] == "ab" * 32
    answered, refused = record["photos"]
    assert answered["prediction"]["probabilities"]["scc"] == 0.03
    assert answered["prediction"]["ham_probabilities"]["akiec"] == 0.05
    assert answered["prediction"]["p_malignant"] == 0.65
    assert answered["crop"] == {"left_px": 10, "top_px": 20, "side_px": 300, "source": "lesion"}
    assert answered["quality"]["warnings"] == [{"code": "glare", "sentence": "Some glare."}]
    assert refused["reason"]["code"] == "too_blurry"
    assert refused["prediction"] is None


def test_json_tells_how_often_low_answers_were_wrong_where_it_was_measured():
    low = replace(ANSWERED, prediction=replace(ANSWERED.prediction, is_above_threshold=False))
    rate = CalmRate(0.012, None, None, prevalence=0.2)

    record = json.loads(screening_to_json(replace(SCREENING, photos=(low, ANSWERED, REFUSED), calm_rate=rate)))

    assert record["calm_rate"] == {"share": 0.012, "low": None, "high": None, "prevalence": 0.2}
    assert [photo["calm_rate_text"] for photo in record["photos"]] == [
        "Of 100 test photos whose answer was below the line for a doctor, as here, 1.2 were cancer or pre-cancer all the same. "
        "In the whole test it was 20 of 100; everyday life has far fewer.",
        None,
        None,
    ]
    assert json.loads(screening_to_json(SCREENING))["calm_rate"] is None


def test_json_turns_an_undefined_measure_into_null():
    record = json.loads(screening_to_json(SCREENING))

    assert record["photos"][0]["quality"]["measures"] == {"sharpness": 12.5, "contrast": None}


def test_json_holds_no_pixels():
    text = screening_to_json(SCREENING)

    assert "square" not in text
    assert "heat_map" not in text
    assert len(text) < 10_000


def test_json_of_a_refused_photo_holds_no_class_even_if_one_was_computed():
    refused = replace(ANSWERED, status=Status.REFUSED, reason=REFUSED.reason)

    record = json.loads(screening_to_json(replace(SCREENING, photos=(refused,))))

    assert record["photos"][0]["prediction"] is None
    assert record["photos"][0]["prediction_without_metadata"] is None
    assert record["photos"][0]["prediction_without_artefacts"] is None


def test_json_holds_the_answer_with_hair_painted_over_which_may_have_set_the_step():
    again = replace(ANSWERED.prediction, p_malignant=0.61)
    haired = replace(ANSWERED, artefacts=ArtefactCheck({"hair": 0.2}, ("hair",), again))

    photos = json.loads(screening_to_json(replace(SCREENING, photos=(haired, ANSWERED))))["photos"]

    assert photos[0]["prediction_without_artefacts"]["p_malignant"] == 0.61
    assert photos[1]["prediction_without_artefacts"] is None


@pytest.mark.parametrize(
    "photo",
    [ANSWERED, REFUSED, replace(ANSWERED, name="=1,2\n.jpg", repeatability=Repeatability(("a",), ("a",), (), 5))],
    ids=["answered", "refused", "repeated"],
)
def test_record_read_back_gives_the_same_cells_as_the_photo(photo):
    record = json.loads(json.dumps(photo_record(photo, SCREENING, CODES)))

    expected = dict.fromkeys(screen_columns(CODES), "") | photo_row(photo, SCREENING)
    assert record_to_row(record) == expected


@pytest.mark.parametrize(
    "photo",
    [ANSWERED, REFUSED, replace(ANSWERED, repeatability=Repeatability(("a",), ("a",), (), 5))],
    ids=["answered", "refused", "repeated"],
)
def test_saved_screening_gives_the_records_that_its_photos_gave(photo):
    screening = replace(SCREENING, photos=(photo,))
    saved = json.loads(screening_to_json(screening, with_heat_maps=True))

    assert records_of_saved(saved, CODES) == [photo_record(photo, screening, CODES)]


def test_json_says_where_the_network_looked_only_where_asked_for():
    plain = json.loads(screening_to_json(SCREENING))["photos"]
    answered, refused = json.loads(screening_to_json(SCREENING, with_heat_maps=True))["photos"]

    assert "heat_maps" not in plain[0]
    assert answered["heat_maps"] == {"mel": [[1.0] * 5] * 5}
    assert answered["heat_maps_mean"] == "Where the network looked, for this class. Not where disease is."
    assert (refused["heat_maps"], refused["metadata_effects"]) == ({}, {})


def test_each_photo_of_two_kinds_is_named_with_its_own_kind_and_threshold():
    phone = replace(ANSWERED, name="phone.jpg", image_type=ImageType.CLINICAL, threshold=0.1)
    scope = replace(ANSWERED, image_type=ImageType.DERMOSCOPIC, threshold=0.2)
    screening = replace(SCREENING, photos=(phone, scope), image_type=ImageType.CLINICAL, threshold=0.1)

    record = json.loads(screening_to_json(screening))
    rows = list(csv.DictReader(io.StringIO(screening_to_csv(screening))))

    assert [(photo["image_type"], photo["threshold"]) for photo in record["photos"]] == [
        ("clinical", 0.1),
        ("dermoscopic", 0.2),
    ]
    assert record["fusion"].endswith("no such pairs were at hand.")
    assert [row["image_type"] for row in rows] == ["clinical", "dermoscopic"]
    assert [row["fusion"] for row in rows] == [record["fusion"]] * 2
    assert tuple(rows[0]) == (*screen_columns(CODES), "fusion")
    assert [one["image_type"] for one in records_of_saved(record, CODES)] == ["clinical", "dermoscopic"]


def test_photos_of_one_kind_have_no_fusion():
    record = json.loads(screening_to_json(SCREENING))

    assert record["fusion"] is None
    assert [photo["image_type"] for photo in record["photos"]] == ["dermoscopic", "dermoscopic"]
