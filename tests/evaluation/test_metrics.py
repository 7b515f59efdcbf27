"""Metrics against scikit-learn, against slow second writings, and against tables that can be done by hand."""

import math

import numpy as np
import pytest
import sklearn.metrics as sk

from dermascan_core.evaluation import metrics
from tests import reference


def _sample(seed: int, *, n: int = 60, n_classes: int = 4, ties: bool = True):
    rng = np.random.default_rng(seed)
    y_prob = rng.dirichlet(np.ones(n_classes), n)
    if ties:
        y_prob = np.round(y_prob, 1)
    y_true = np.array([rng.choice(n_classes, p=row) for row in rng.dirichlet(np.ones(n_classes), n)])
    return y_true, y_prob


@pytest.mark.parametrize("seed", range(5))
def test_binary_measures_agree_with_scikit_learn_with_ties(seed):
    y_true, y_prob = _sample(seed)
    positive, score = y_true == 0, y_prob[:, 0]

    assert metrics.roc_auc(positive, score) == pytest.approx(sk.roc_auc_score(positive, score))
    assert metrics.average_precision(positive, score) == pytest.approx(sk.average_precision_score(positive, score))
    fpr, tpr, _ = sk.roc_curve(positive, score, drop_intermediate=False)
    assert metrics.specificity_at_sensitivity(positive, score) == pytest.approx(max(1 - fpr[tpr >= 0.95]))


@pytest.mark.parametrize("seed", range(5))
def test_binary_measures_agree_with_their_definitions(seed):
    y_true, y_prob = _sample(seed, n=25)
    positive, score = [int(t == 1) for t in y_true], [float(s) for s in y_prob[:, 1]]

    assert metrics.roc_auc(positive, score) == pytest.approx(reference.auc_by_pairs(positive, score))
    assert metrics.average_precision(positive, score) == pytest.approx(
        reference.average_precision_by_steps(positive, score)
    )
    for sensitivity in (0.5, 0.95, 1.0):
        assert metrics.specificity_at_sensitivity(positive, score, sensitivity=sensitivity) == pytest.approx(
            reference.specificity_at_sensitivity_by_trying(positive, score, sensitivity)
        )


def against_rest(y_true, y_pred, label):
    """Return each measure of one class, every photo counting once."""
    measures = metrics.one_against_rest(y_true, y_pred, label)
    return {name: metrics.of_sample(measure, len(y_true)) for name, measure in measures.items()}


def test_class_measures_agree_with_scikit_learn():
    y_true, y_prob = _sample(3, ties=False)
    y_pred = y_prob.argmax(axis=1)

    measured = [against_rest(y_true, y_pred, k) for k in range(4)]

    precision, recall, f1, _ = sk.precision_recall_fscore_support(y_true, y_pred, zero_division=np.nan)
    assert [m["precision"] for m in measured] == pytest.approx(list(precision), nan_ok=True)
    assert [m["sensitivity"] for m in measured] == pytest.approx(list(recall))
    assert [m["f1"] for m in measured] == pytest.approx(list(f1))
    assert [m["specificity"] for m in measured] == pytest.approx(
        [sk.recall_score(y_true != k, y_pred != k) for k in range(4)]
    )
    assert metrics.balanced_accuracy(y_true, y_pred) == pytest.approx(sk.balanced_accuracy_score(y_true, y_pred))
    assert (
        metrics.confusion_matrix(y_true, y_pred, n_classes=4).tolist() == sk.confusion_matrix(y_true, y_pred).tolist()
    )


def test_class_that_is_never_predicted_has_no_precision_rather_than_zero():
    absent = against_rest([0, 0, 1], [0, 0, 0], 1)

    assert math.isnan(absent["precision"])
    assert (absent["sensitivity"], absent["f1"]) == (0.0, 0.0)


def test_measures_are_undefined_where_one_class_is_absent():
    assert math.isnan(metrics.roc_auc([1, 1], [0.2, 0.3]))
    assert math.isnan(metrics.average_precision([0, 0], [0.2, 0.3]))
    assert math.isnan(metrics.specificity_at_sensitivity([1, 1], [0.2, 0.3]))
    assert math.isnan(metrics.specificity_at_sensitivity([0, 0], [0.2, 0.3]))
    assert math.isnan(metrics.macro_auc([0, 0], [[0.5, 0.5], [0.4, 0.6]]))


def test_measures_are_undefined_without_samples():
    nothing = np.empty((0, 2))

    assert math.isnan(metrics.balanced_accuracy([], []))
    assert math.isnan(metrics.expected_calibration_error([], nothing))
    assert metrics.squared_distance([], nothing).shape == (0,)
    assert math.isnan(metrics.average_precision([], []))


@pytest.mark.parametrize("n_bins", [5, 15])
def test_calibration_error_agrees_with_its_definition(n_bins):
    y_true, y_prob = _sample(11, n=200)

    measured = metrics.expected_calibration_error(y_true, y_prob, n_bins=n_bins)

    assert measured == pytest.approx(reference.calibration_error_by_bins(list(y_true), y_prob.tolist(), n_bins))


def test_brier_of_two_classes_is_twice_scikit_learns():
    rng = np.random.default_rng(5)
    y_true, p = rng.integers(0, 2, 50), rng.random(50)

    measured = metrics.squared_distance(y_true, np.column_stack([1 - p, p])).mean()

    assert measured == pytest.approx(2 * sk.brier_score_loss(y_true, p))


def test_log_loss_agrees_with_scikit_learns_also_where_the_truth_was_given_no_chance():
    y_true, y_prob = _sample(7, n=100, ties=False)
    y_prob[3] = np.roll(np.eye(y_prob.shape[1])[y_true[3]], 1)

    measured = metrics.cross_entropy(y_true, y_prob)

    assert measured.mean() == pytest.approx(sk.log_loss(y_true, y_prob, labels=range(y_prob.shape[1])))
    assert measured[3] == measured.max() > 30


def test_reliability_bins_hold_every_photo_once():
    bins = metrics.reliability_bins([0, 1, 1, 0], [0.0, 0.1, 0.95, 1.0], n_bins=10)

    assert [b.n for b in bins] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert (bins[0].confidence, bins[0].accuracy) == (0.05, 0.5)
    assert math.isnan(bins[1].accuracy)


def test_renaming_the_classes_changes_nothing():
    y_true, y_prob = _sample(9, ties=False)
    order = np.array([2, 0, 3, 1])
    renamed = np.argsort(order)[y_true]

    assert metrics.macro_auc(renamed, y_prob[:, order]) == pytest.approx(metrics.macro_auc(y_true, y_prob))
    assert metrics.expected_calibration_error(renamed, y_prob[:, order]) == pytest.approx(
        metrics.expected_calibration_error(y_true, y_prob)
    )
