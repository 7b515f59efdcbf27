"""Melanoma's own measures and the macro averages against scikit-learn, on random answers and on tables done by hand."""

from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as sk

from dermascan_core.domain import ImageType
from dermascan_core.evaluation.melanoma import SCORE_OF_THREE
from dermascan_core.evaluation.report import build_metrics
from dermascan_core.evaluation.results import make_table
from dermascan_core.evaluation.summary import summary_lines
from dermascan_core.model.manifest import CLINICAL_FIELDS
from dermascan_core.taxonomy import HAM_CODES
from tests.evaluation.results_by_hand import MANIFEST, random_results, result
from tests.fakes import fake_manifest


def _report(results):
    return build_metrics(results, MANIFEST, engine="fake", use_metadata=True, n_resamples=20)


@pytest.fixture(scope="module")
def sample():
    results = random_results(5, 240)
    return make_table(results), _report(results)


def _best_sensitivity(is_one, score, specificity):
    fpr, tpr, _ = sk.roc_curve(is_one, score, drop_intermediate=False)
    return max(tpr[1 - fpr >= specificity - 1e-12])


def test_melanoma_against_all_agrees_with_scikit_learn(sample):
    table, metrics = sample
    is_melanoma, score = table.y_true == HAM_CODES.index("mel"), table.y_prob[:, HAM_CODES.index("mel")]

    summary = metrics["summary"]
    assert summary["melanoma_auc"]["value"] == pytest.approx(sk.roc_auc_score(is_melanoma, score), abs=1e-6)
    assert summary["melanoma_sensitivity_at_97_specificity"]["value"] == pytest.approx(
        _best_sensitivity(is_melanoma, score, 0.97), abs=1e-6
    )
    point = metrics["melanoma"]["against_all"]["at_97_specificity"]
    assert point["sensitivity"] == summary["melanoma_sensitivity_at_97_specificity"]["value"]
    assert point["specificity"] >= 0.97
    said = score >= point["threshold"] - 1e-6
    assert point["precision"] == pytest.approx(sk.precision_score(is_melanoma, said), abs=1e-4)
    assert point["f1"] == pytest.approx(sk.f1_score(is_melanoma, said), abs=1e-4)
    assert point["accuracy"] == pytest.approx(sk.accuracy_score(is_melanoma, said), abs=1e-4)


def test_melanoma_against_nevus_and_keratosis_counts_those_three_alone(sample):
    table, metrics = sample
    mel, nv, bkl = (HAM_CODES.index(code) for code in ("mel", "nv", "bkl"))
    rows = np.isin(table.y_true, (mel, nv, bkl))
    is_one = table.y_true[rows] == mel
    three = table.y_prob[rows][:, [mel, nv, bkl]]
    score = three[:, 0] / three.sum(axis=1)

    summary, described = metrics["summary"], metrics["melanoma"]["against_nv_bkl"]
    assert (described["n"], described["score"]) == (rows.sum(), SCORE_OF_THREE)
    assert summary["melanoma_vs_nv_bkl_auc"]["value"] == pytest.approx(sk.roc_auc_score(is_one, score), abs=1e-6)
    assert summary["melanoma_vs_nv_bkl_sensitivity_at_89_specificity"]["value"] == pytest.approx(
        _best_sensitivity(is_one, score, 0.89), abs=1e-6
    )
    fpr, tpr, _ = sk.roc_curve(is_one, score, drop_intermediate=False)
    assert summary["melanoma_vs_nv_bkl_specificity_at_85_sensitivity"]["value"] == pytest.approx(
        max(1 - fpr[tpr >= 0.85]), abs=1e-6
    )
    assert described["at_85_sensitivity"]["specificity"] == pytest.approx(max(1 - fpr[tpr >= 0.85]), abs=1e-6)


def test_operating_points_of_a_table_done_by_hand():
    results = [result(f"m{i}", "mel", {"mel": 0.5 + i / 100}) for i in range(20)]
    results += [result(f"n{i}", "nv", {"mel": i / 100}) for i in range(60)]

    metrics = _report(results)

    # Nine moles reach 0.51 and more. At 97 % specificity one mole of 60 may lie above: from 0.59 ten melanomas are left.
    assert metrics["melanoma"]["against_all"]["at_97_specificity"]["sensitivity"] == pytest.approx(11 / 20)
    # At 85 % sensitivity 17 melanomas must be found: from 0.53 up, with the seven moles from there.
    assert metrics["melanoma"]["against_nv_bkl"]["at_85_sensitivity"]["specificity"] == pytest.approx(53 / 60, abs=1e-6)


def test_macro_averages_agree_with_scikit_learn(sample):
    table, metrics = sample
    classes = sorted(set(table.y_true.tolist()))
    precision, sensitivity, f1, _ = sk.precision_recall_fscore_support(
        table.y_true, table.y_pred, labels=classes, average=None, zero_division=np.nan
    )
    specificity = [sk.recall_score(table.y_true != k, table.y_pred != k) for k in classes]

    for name, expected in (
        ("precision", np.nanmean(precision)),
        ("sensitivity", np.mean(sensitivity)),
        ("f1", np.mean(f1)),
        ("specificity", np.mean(specificity)),
    ):
        assert metrics["summary"][f"macro_{name}"]["value"] == pytest.approx(expected, abs=1e-6)
    assert metrics["summary"]["macro_sensitivity"] == metrics["summary"]["balanced_accuracy"]


def test_calibration_of_the_cancer_score_is_measured_with_its_brier_score(sample):
    table, metrics = sample
    gaps = 0.0
    for low in np.arange(15) / 15:
        inside = (table.p_malignant > low) & (table.p_malignant <= low + 1 / 15)
        inside |= (low == 0) & (table.p_malignant == 0)
        if inside.any():
            gaps += inside.mean() * abs(table.p_malignant[inside].mean() - table.is_malignant[inside].mean())

    assert metrics["summary"]["malignant_ece"]["value"] == pytest.approx(gaps, abs=1e-6)
    assert metrics["summary"]["malignant_brier"]["value"] == pytest.approx(
        sk.brier_score_loss(table.is_malignant, table.p_malignant), abs=1e-6
    )


def test_log_loss_of_the_seven_classes_is_measured(sample):
    table, metrics = sample

    assert metrics["summary"]["log_loss"]["value"] == pytest.approx(
        sk.log_loss(table.y_true, table.y_prob, labels=range(table.y_prob.shape[1])), abs=1e-5
    )


def test_targets_whose_cancers_are_known_to_be_melanoma_have_melanomas_measures_alone():
    results = [result(f"m{i}", "mel", {"mel": 0.5}) for i in range(3)]
    results += [result(f"b{i}", "", {"mel": 0.1}, is_malignant=False) for i in range(5)]

    metrics = _report(results)

    assert metrics["summary"]["melanoma_auc"]["value"] == 1.0
    assert metrics["summary"]["melanoma_sensitivity_at_threshold"]["value"] == 1.0
    assert metrics["melanoma"]["against_nv_bkl"] is None
    assert "macro_auc" not in metrics["summary"]
    assert any("melanoma AUC: 1.0000" in line for line in summary_lines(metrics["summary"]))


def test_targets_alone_do_not_tell_melanoma():
    metrics = _report([result("a", "", {"mel": 0.5}, is_malignant=True), result("b", "nv", {"mel": 0.1})])

    assert metrics["melanoma"] is None
    assert "melanoma_auc" not in metrics["summary"]


def test_without_a_melanoma_nothing_is_claimed():
    metrics = _report([result("a", "nv", {"mel": 0.5}), result("b", "bkl", {"mel": 0.1})])

    assert metrics["summary"]["melanoma_sensitivity_at_97_specificity"]["value"] is None
    assert metrics["melanoma"]["against_all"]["at_97_specificity"] is None


def test_threshold_told_is_the_one_that_answered_for_photos_of_this_kind():
    clinical = {name: getattr(MANIFEST, name) for name in CLINICAL_FIELDS} | {"threshold": 0.7}
    manifest = fake_manifest(threshold=0.3, clinical=clinical)
    photos = [result("a", "mel", {"mel": 0.5}), result("b", "nv", {"mel": 0.1})]
    of_a_phone = [replace(one, image_type=ImageType.CLINICAL) for one in photos]

    thresholds = [
        build_metrics(some, manifest, engine="fake", use_metadata=True, n_resamples=20)["model"]["threshold"]
        for some in (photos, of_a_phone, [photos[0], of_a_phone[1]])
    ]

    assert thresholds == [0.3, 0.7, 0.3]
