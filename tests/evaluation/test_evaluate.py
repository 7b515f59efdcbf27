"""What ``evaluate`` writes, row by row and number by number, with a predictor that looks at colours only."""

import csv
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as sk

from dermascan_core.domain import ImageType, Metadata
from dermascan_core.errors import DatasetError, OutputError
from dermascan_core.evaluation.evaluate import evaluate_photos
from dermascan_core.evaluation.results import predictions_csv
from dermascan_core.evaluation.summary import evaluation_warnings
from dermascan_core.tables import LabelledPhoto
from dermascan_core.taxonomy import HAM_CODES
from tests.fakes import FakePredictor, fake_manifest, fake_photo, photo_bytes

DARK, BROWN, PALE = (40, 25, 20), (120, 70, 50), (190, 140, 115)
CASES = [("mel", DARK), ("mel", PALE), ("nv", BROWN), ("nv", PALE), ("scc", DARK), ("bkl", BROWN)]


@pytest.fixture
def labelled(tmp_path):
    """Twelve photos of six lesions: (photos, image_id -> file)."""
    photos, files = [], {}
    for number, (dx, colour) in enumerate(CASES * 2):
        image_id = f"ISIC_{number}"
        path = tmp_path / f"{image_id}.jpg"
        path.write_bytes(photo_bytes(fake_photo(width=300, height=225, lesion=colour), quality=95))
        metadata = Metadata(age_approx=40 + 3 * number, sex=("female", "male")[number % 2], anatom_site="back")
        is_malignant = dx in ("mel", "scc")
        photos.append(LabelledPhoto(image_id, dx, is_malignant, metadata, lesion_id=f"HAM_{number % 6}"))
        files[image_id] = path
    return photos, files


def _rows(folder):
    with (folder / "predictions.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def _metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_predictions_have_the_contracts_columns_in_its_order(labelled, tmp_path):
    evaluate_photos(FakePredictor(), *labelled, out=tmp_path / "out")

    seven = ["p_akiec", "p_bcc", "p_bkl", "p_df", "p_mel", "p_nv", "p_vasc"]
    assert list(_rows(tmp_path / "out")[0]) == [
        *["image_id", *seven, "p_ak", "p_scc", "p_pbk", "p_malignant", "predicted", "refused", "refusal_reason"],
        *["set", "set_95", "next_step", "dx", "lesion_id", "disagreement", "calmest_step"],
    ]


def test_every_number_can_be_computed_again_from_the_predictions(labelled, tmp_path):
    evaluate_photos(FakePredictor(), *labelled, out=tmp_path / "out")

    rows, summary = _rows(tmp_path / "out"), _metrics(tmp_path / "out")["summary"]
    y_true = [{"scc": "akiec"}.get(r["dx"], r["dx"]) for r in rows]
    y_prob = np.array([[float(r[f"p_{code}"]) for code in HAM_CODES] for r in rows])
    p_malignant = np.array([float(r["p_malignant"]) for r in rows])
    malignant = np.array([t in ("mel", "akiec", "bcc") for t in y_true])
    assert y_prob.sum(axis=1) == pytest.approx(1)
    assert p_malignant == pytest.approx(y_prob[:, [0, 1, 4]].sum(axis=1))
    aucs = [
        sk.roc_auc_score([t == code for t in y_true], y_prob[:, k])
        for k, code in enumerate(HAM_CODES)
        if code in y_true
    ]
    predicted = [r["predicted"] for r in rows]
    assert summary["macro_auc"]["value"] == pytest.approx(np.mean(aucs), abs=1e-6)
    assert summary["malignant_auc"]["value"] == pytest.approx(sk.roc_auc_score(malignant, p_malignant), abs=1e-6)
    assert summary["accuracy"]["value"] == pytest.approx(sk.accuracy_score(y_true, predicted), abs=1e-6)
    recalls = sk.recall_score(y_true, predicted, labels=sorted(set(y_true)), average=None, zero_division=0)
    assert summary["balanced_accuracy"]["value"] == pytest.approx(recalls.mean(), abs=1e-6)
    assert summary["sensitivity_at_threshold"]["value"] == pytest.approx(
        (p_malignant[malignant] >= 0.2).mean(), abs=1e-6
    )


def test_evaluating_twice_writes_the_same_bytes(labelled, tmp_path):
    evaluate_photos(FakePredictor(), *labelled, out=tmp_path / "a")
    evaluate_photos(FakePredictor(), *labelled, out=tmp_path / "b")

    for name in ("predictions.csv", "metrics.json", "roc.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_plots_are_written_as_png(labelled, tmp_path):
    evaluate_photos(FakePredictor(), *labelled, out=tmp_path / "out")

    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        *["calibration.png", "confusion.png", "metrics.json", "precision-recall.png", "predictions.csv", "roc.png"],
    ]
    assert (tmp_path / "out" / "confusion.png").read_bytes().startswith(b"\x89PNG")


def test_missing_and_corrupt_photos_become_empty_rows_and_are_counted(labelled, tmp_path):
    photos, files = labelled
    del files["ISIC_1"]
    files["ISIC_2"].write_bytes(b"\xff\xd8\xff this is no JPEG")

    evaluate_photos(FakePredictor(), photos, files, out=tmp_path / "out")

    rows, data = _rows(tmp_path / "out"), _metrics(tmp_path / "out")["data"]
    assert len(rows) == 12
    assert [(r["image_id"], r["refused"], r["refusal_reason"], r["p_mel"], r["predicted"]) for r in rows[1:3]] == [
        ("ISIC_1", "1", "missing", "", ""),
        ("ISIC_2", "1", "unreadable", "", ""),
    ]
    assert rows[1]["next_step"] == "not_assessed"
    assert (data["n_rows"], data["n_predicted"], data["n_missing"], data["n_unreadable"]) == (12, 10, 1, 1)
    assert data["not_predicted"] == [
        {"image_id": "ISIC_1", "reason": "missing"},
        {"image_id": "ISIC_2", "reason": "unreadable"},
    ]


def test_photo_named_by_several_rows_counts_once_and_it_is_said(labelled, tmp_path):
    photos, files = labelled
    again = replace(photos[0], image_id="isic_0", dx="nv", is_malignant=False)

    done = evaluate_photos(FakePredictor(), [*photos, again, photos[1]], files, out=tmp_path / "out")

    data = _metrics(tmp_path / "out")["data"]
    assert (data["n_rows"], data["n_predicted"], data["n_duplicates"]) == (12, 12, 2)
    assert [row["dx"] for row in _rows(tmp_path / "out") if row["image_id"].lower() == "isic_0"] == ["mel"]
    assert tuple(evaluation_warnings(done.metrics)) == (
        "2 rows name a photo that an earlier row names. The first one counts.",
        "The model was trained on another split than the one that ships, so how many of these photos it was trained on "
        "cannot be known. If it was on any, such numbers are too good.",
    )


def test_photo_that_a_screening_refuses_is_predicted_all_the_same(labelled, tmp_path):
    photos, files = labelled
    black = np.zeros((225, 300, 3), np.uint8)
    files["ISIC_0"].write_bytes(photo_bytes(black))

    evaluate_photos(FakePredictor(), photos, files, out=tmp_path / "out")

    row = _rows(tmp_path / "out")[0]
    assert row["refused"] == "1"
    assert row["refusal_reason"] != ""
    assert float(row["p_mel"]) > 0
    assert row["set"] != ""
    assert row["set_95"] != ""
    assert row["next_step"] == "not_assessed"


def test_person_under_18_is_marked_as_refused_and_predicted(labelled, tmp_path):
    photos, files = labelled
    child = LabelledPhoto("ISIC_0", "nv", False, Metadata(age_approx=12), lesion_id="HAM_0")

    evaluate_photos(FakePredictor(), [child, *photos[1:]], files, out=tmp_path / "out")

    row = _rows(tmp_path / "out")[0]
    assert (row["refused"], row["refusal_reason"]) == ("1", "not_tested_under_18")
    assert row["predicted"] != ""


def test_without_metadata_the_model_is_told_nothing(labelled, tmp_path):
    photos, files = labelled
    old = [LabelledPhoto(p.image_id, p.dx, p.is_malignant, Metadata(age_approx=85)) for p in photos]

    evaluate_photos(FakePredictor(), old, files, out=tmp_path / "with")
    evaluate_photos(FakePredictor(), old, files, out=tmp_path / "without", use_metadata=False)

    told, untold = (float(_rows(tmp_path / name)[2]["p_mel"]) for name in ("with", "without"))
    assert told == pytest.approx(untold + 0.1, abs=1e-6)
    assert _metrics(tmp_path / "without")["data"]["use_metadata"] is False


def test_calmest_step_is_what_calm_answers_leave_and_the_calm_line_decides_it(labelled, tmp_path):
    for name, line in (("plain", None), ("strict", 0.005)):
        manifest = fake_manifest(
            calm_threshold=line, conformal={level: dict.fromkeys(HAM_CODES, 0.5) for level in ("90", "95")}
        )
        evaluate_photos(FakePredictor(manifest=manifest), *labelled, out=tmp_path / name)

    plain, strict = (_rows(tmp_path / name) for name in ("plain", "strict"))
    pale = [row for row in plain if float(row["p_malignant"]) < 0.2 and row["refused"] == "0"]
    assert pale
    assert {row["next_step"] for row in pale} == {"routine_check"}
    assert {row["calmest_step"] for row in pale} == {"watch"}
    assert "watch" not in {row["calmest_step"] for row in strict}
    assert [row["next_step"] for row in strict] == [row["next_step"] for row in plain]
    counts = _metrics(tmp_path / "plain")["calmest_steps"]
    assert counts["watch"]["n"] == len(pale)
    assert counts["watch"]["n_malignant"] == sum(row["dx"] in ("mel", "scc") for row in pale) > 0


def test_table_that_says_how_a_photo_was_taken_beats_the_option(labelled, tmp_path):
    photos, files = labelled
    mixed = [replace(photos[0], metadata=Metadata(image_type=ImageType.CLINICAL)), *photos[1:]]

    done = evaluate_photos(FakePredictor(), mixed, files, out=tmp_path / "out", image_type=ImageType.DERMOSCOPIC)

    assert [result.image_type for result in done.results] == [ImageType.CLINICAL, *[ImageType.DERMOSCOPIC] * 11]


def test_targets_alone_give_the_malignant_measures_only(labelled, tmp_path):
    photos, files = labelled
    targets = [LabelledPhoto(p.image_id, "", p.is_malignant) for p in photos]

    evaluate_photos(FakePredictor(), targets, files, out=tmp_path / "out")

    metrics = _metrics(tmp_path / "out")
    assert metrics["summary"]["malignant_auc"]["value"] is not None
    assert "macro_auc" not in metrics["summary"]
    assert (metrics["classes"], metrics["confusion"], metrics["sets"]) == ({}, None, {})
    assert metrics["intervals"]["resampled"] == "photo"
    assert not (tmp_path / "out" / "confusion.png").exists()


def test_class_without_photos_is_undefined_and_not_zero(labelled, tmp_path):
    evaluate_photos(FakePredictor(), *labelled, out=tmp_path / "out")

    vascular = _metrics(tmp_path / "out")["classes"]["vasc"]
    assert (vascular["n"], vascular["auc"]["value"], vascular["sensitivity"]["value"]) == (0, None, None)
    assert vascular["roc"] == {"false_positive_rate": [], "sensitivity": [], "threshold": []}


def test_other_files_in_the_folder_stay(labelled, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    (tmp_path / "out" / "metrics.json").write_text("old")

    evaluate_photos(FakePredictor(), *labelled, out=tmp_path / "out")

    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert _metrics(tmp_path / "out")["schema"] == 1
    assert not list((tmp_path / "out").glob(".*"))


def test_progress_reaches_the_total(labelled, tmp_path):
    seen = []

    evaluate_photos(
        FakePredictor(), *labelled, out=tmp_path / "out", on_progress=lambda done, total: seen.append((done, total))
    )

    assert seen[-1] == (12, 12)


def test_no_photo_at_all_is_an_error_that_names_the_folder_option(labelled, tmp_path):
    photos, _ = labelled

    with pytest.raises(DatasetError) as error:
        evaluate_photos(FakePredictor(), photos, {}, out=tmp_path / "out")

    assert str(error.value) == (
        "Expected photos for the 12 rows of the labels table. None of them could be read (the first: missing: "
        "Expected a photo of this name in the folder. There is none.). Check --images."
    )


def test_folder_that_cannot_be_made_is_found_before_the_first_prediction(labelled, tmp_path):
    (tmp_path / "file").write_text("")
    predictor = FakePredictor()

    with pytest.raises(OutputError) as error:
        evaluate_photos(predictor, *labelled, out=tmp_path / "file" / "out")

    assert str(error.value) == (
        f"Expected a folder that can be made at '{tmp_path / 'file' / 'out'}': Not a directory. Choose another."
    )
    assert predictor.n_calls == 0


def test_metrics_hold_no_number_that_json_lacks(labelled, tmp_path):
    evaluation = evaluate_photos(FakePredictor(), *labelled, out=tmp_path / "out")

    def walk(value):
        if isinstance(value, dict):
            return all(walk(v) for v in value.values())
        if isinstance(value, list):
            return all(walk(v) for v in value)
        return not isinstance(value, float) or math.isfinite(value)

    assert walk(evaluation.metrics)
    assert predictions_csv(evaluation.results, FakePredictor().manifest.codes).count("\n") == 13
