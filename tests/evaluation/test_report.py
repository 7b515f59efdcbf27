"""The report's parts on tables small enough to check by eye."""

import csv
import hashlib

import numpy as np
import pytest

from dermascan_core.domain import Metadata, NextStep, Reason, Status
from dermascan_core.evaluation.overlap import training_overlap
from dermascan_core.evaluation.report import build_metrics
from dermascan_core.evaluation.results import PhotoResult
from dermascan_core.evaluation.subgroups import age_band
from dermascan_core.model.predictor import prediction_from_views
from dermascan_core.tables import LabelledPhoto
from tests.fakes import CODES, fake_manifest

MANIFEST = fake_manifest(threshold=0.3)


def _result(image_id, dx, p_mel, *, metadata=None, lesion_id="", status=Status.ANSWERED, refusal=None):
    probabilities = np.full(len(CODES), (1 - p_mel) / 100)
    probabilities[CODES.index("mel")] = p_mel
    probabilities[CODES.index("nv")] += 1 - probabilities.sum()
    prediction = prediction_from_views(probabilities[np.newaxis], MANIFEST)
    photo = LabelledPhoto(image_id, dx, dx == "mel", metadata or Metadata(), lesion_id=lesion_id)
    return PhotoResult(photo, prediction, status, refusal, NextStep.SEE_DOCTOR)


def _report(results, **options):
    return build_metrics(results, MANIFEST, engine="fake", use_metadata=True, n_resamples=50, **options)


def test_operating_point_counts_every_photo_once():
    metrics = _report(
        [_result("a", "mel", 0.9), _result("b", "mel", 0.1), _result("c", "nv", 0.5), _result("d", "nv", 0.0)]
    )

    assert metrics["malignant"]["operating_point"] == {
        "threshold": 0.3,
        "true_positives": 1,
        "false_positives": 1,
        "false_negatives": 1,
        "true_negatives": 1,
    }
    assert metrics["malignant"]["prevalence"] == 0.5
    assert metrics["summary"]["melanoma_sensitivity_at_threshold"]["value"] == 0.5
    assert metrics["summary"]["malignant_share_below_threshold"]["value"] == 0.5


def test_score_equal_to_the_threshold_counts_as_above():
    metrics = _report([_result("a", "mel", 0.3), _result("b", "nv", 0.1)])

    assert metrics["malignant"]["operating_point"]["true_positives"] == 1


def test_specificity_at_95_sensitivity_is_read_off_the_samples_own_roc():
    results = [_result(f"m{i}", "mel", 0.4 + i / 100) for i in range(20)]
    results += [_result(f"n{i}", "nv", 0.02 * i) for i in range(30)]

    metrics = _report(results)

    # 19 of 20 melanomas reach 0.41 and more; the moles from 0.42 up are the nine false alarms.
    at_95 = metrics["malignant"]["at_95_sensitivity"]
    assert at_95["sensitivity"] == 0.95
    assert at_95["specificity"] == metrics["summary"]["specificity_at_95_sensitivity"]["value"] == 0.7


def test_mistakes_are_listed_with_the_most_confident_first():
    metrics = _report([_result("a", "nv", 0.6), _result("b", "nv", 0.95), _result("c", "mel", 0.9)])

    assert [(m["image_id"], m["dx"], m["predicted"]) for m in metrics["confident_mistakes"]] == [
        ("b", "nv", "mel"),
        ("a", "nv", "mel"),
    ]
    assert metrics["confident_mistakes"][0]["p_predicted"] == 0.95


def test_malignant_photos_below_the_threshold_are_listed_calmest_first():
    metrics = _report([_result("a", "mel", 0.2), _result("b", "mel", 0.05), _result("c", "mel", 0.9)])

    assert [m["image_id"] for m in metrics["missed_malignancies"]] == ["b", "a"]


def test_refused_and_unsure_photos_are_counted_with_their_reasons():
    dark = Reason("too_dark", "Too dark.")
    metrics = _report(
        [
            _result("a", "mel", 0.9, status=Status.REFUSED, refusal=dark),
            _result("b", "nv", 0.1, status=Status.UNSURE),
            _result("c", "nv", 0.1),
            _result("d", "nv", 0.1),
        ]
    )

    assert metrics["abstention"] == {
        "refused": {"n": 1, "share": 0.25, "n_malignant": 1, "reasons": {"too_dark": 1}},
        "unsure": {"n": 1, "share": 0.25, "n_malignant": 0},
    }


def test_group_with_too_few_cases_has_its_size_and_no_numbers():
    women = [_result(f"w{i}", "mel" if i < 5 else "nv", 0.5, metadata=Metadata(sex="female")) for i in range(20)]
    men = [_result(f"m{i}", "mel" if i < 4 else "nv", 0.5, metadata=Metadata(sex="male")) for i in range(30)]

    rows = {(g["kind"], g["name"]): g for g in _report(women + men)["groups"]["rows"]}

    assert rows["sex", "female"]["too_few"] is False
    assert rows["sex", "female"]["measures"]["malignant_auc"]["value"] == 0.5
    assert rows["sex", "male"] == {
        "kind": "sex",
        "name": "male",
        "n": 30,
        "n_malignant": 4,
        "too_few": True,
        "measures": None,
    }


@pytest.mark.parametrize(("n_benign", "is_measured"), [(4, False), (5, True)])
def test_group_with_hardly_a_benign_photo_has_a_sensitivity_alone(n_benign, is_measured):
    women = [_result(f"w{i}", "nv" if i < n_benign else "mel", 0.5, metadata=Metadata(sex="female")) for i in range(20)]

    (group,) = [g for g in _report(women)["groups"]["rows"] if g["kind"] == "sex"]

    assert group["measures"]["sensitivity_at_threshold"]["value"] == 1.0
    assert ("malignant_auc" in group["measures"]) is is_measured
    assert ("specificity_at_threshold" in group["measures"]) is is_measured


def test_prediction_sets_are_measured_for_each_class():
    metrics = _report([_result("a", "mel", 0.9), _result("b", "mel", 0.01), _result("c", "nv", 0.5)])

    assert metrics["classes"]["mel"]["sets"]["90"]["coverage"]["value"] == 0.5
    assert metrics["sets"]["90"]["coverage"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert metrics["sets"]["95"]["mean_size"]["value"] >= 1


@pytest.mark.parametrize(("age", "band"), [(0, "under 30"), (29.9, "under 30"), (60, "60 to 74"), (75, "75 and over")])
def test_age_bands_meet_without_gap(age, band):
    assert age_band(age) == band


def _write_split(folder, rows):
    folder.mkdir()
    with (folder / "ham.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image_id", "lesion_id", "split", "fold"], *rows])
    return folder


def test_overlap_with_training_is_found_by_photo_and_by_lesion(tmp_path):
    splits = _write_split(tmp_path / "splits", [["ISIC_1", "L1", "train", "0"], ["ISIC_2", "L2", "test", ""]])
    photos = [
        LabelledPhoto("ISIC_1", "nv", False, lesion_id="L1"),
        LabelledPhoto("ISIC_9", "nv", False, lesion_id="L1"),
        LabelledPhoto("ISIC_2", "nv", False, lesion_id="L2"),
    ]

    overlap = training_overlap(photos, fake_manifest(), splits_dir=splits)

    assert overlap == {
        "n_photos": 1,
        "n_lesions": 1,
        "photos": ["ISIC_1"],
        "lesions": ["L1"],
        "against": ["ham"],
        "is_the_models_split": None,
    }


def test_overlap_says_whether_the_model_was_trained_on_the_shipped_split(tmp_path):
    splits = _write_split(tmp_path / "splits", [["ISIC_1", "L1", "train", "0"]])
    trained_elsewhere = fake_manifest(data={"split_sha256": "f" * 64})

    assert training_overlap([], trained_elsewhere, splits_dir=splits)["is_the_models_split"] is False


def test_overlap_with_an_unknown_training_split_is_unknown_and_not_zero(tmp_path):
    splits = _write_split(tmp_path / "splits", [["ISIC_1", "L1", "train", "0"]])
    of_the_split = hashlib.sha256(b"ISIC_1,L1,train,0").hexdigest()
    photos = [LabelledPhoto("ISIC_9", "nv", False, lesion_id="L9")]

    elsewhere, here = (
        training_overlap(photos, fake_manifest(data={"split_sha256": sha256}), splits_dir=splits)
        for sha256 in ("f" * 64, of_the_split)
    )

    assert (elsewhere["n_photos"], elsewhere["n_lesions"]) == (None, None)
    assert (here["n_photos"], here["n_lesions"], here["is_the_models_split"]) == (0, 0, True)


def test_model_of_two_archives_is_known_by_both_of_their_splits(tmp_path):
    splits = _write_split(tmp_path / "splits", [["ISIC_1", "L1", "train", "0"]])
    (splits / "pad.csv").write_text(
        "image_id,lesion_id,patient_id,split,fold\nPAT_1,L2,P1,train,1\nPAT_2,L3,P2,test,\n"
    )
    both = hashlib.sha256(b"ISIC_1,L1,train,0\nPAT_1,P1,train,1\nPAT_2,P2,test,").hexdigest()
    photos = [LabelledPhoto("PAT_2", "mel", True, lesion_id="L3"), LabelledPhoto("PAT_1", "nv", False, lesion_id="L2")]

    overlap = training_overlap(photos, fake_manifest(data={"split_sha256": both}), splits_dir=splits)

    assert overlap["is_the_models_split"] is True
    assert (overlap["photos"], overlap["lesions"]) == (["PAT_1"], ["L2"])
    assert overlap["against"] == ["ham", "pad"]
