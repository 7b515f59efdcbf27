import numpy as np
import pytest
import sklearn.metrics as sk

from dermascan_core.evaluation.curves import precision_recall_curve, roc_curve


def test_roc_curve_agrees_with_scikit_learn():
    rng = np.random.default_rng(2)
    y_true, y_score = rng.integers(0, 2, 80), np.round(rng.random(80), 1)

    curve = roc_curve(y_true, y_score)

    fpr, tpr, thresholds = sk.roc_curve(y_true, y_score, drop_intermediate=False)
    assert curve.x == pytest.approx(fpr)
    assert curve.y == pytest.approx(tpr)
    assert curve.thresholds == pytest.approx(thresholds)


def test_precision_recall_curve_agrees_with_scikit_learn():
    rng = np.random.default_rng(4)
    y_true, y_score = rng.integers(0, 2, 80), np.round(rng.random(80), 1)

    curve = precision_recall_curve(y_true, y_score)

    precision, recall, thresholds = sk.precision_recall_curve(y_true, y_score)
    assert curve.x == pytest.approx(recall[:-1][::-1])
    assert curve.y == pytest.approx(precision[:-1][::-1])
    assert curve.thresholds == pytest.approx(thresholds[::-1])


def test_thinned_curve_keeps_its_ends_and_its_area():
    rng = np.random.default_rng(6)
    y_true = rng.integers(0, 2, 5000)
    y_score = y_true + rng.normal(0, 1.5, 5000)

    curve = roc_curve(y_true, y_score)

    assert len(curve.x) <= 200
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(sk.roc_auc_score(y_true, y_score), abs=2e-3)


def test_curve_of_one_class_alone_has_no_points():
    assert len(roc_curve([1, 1], [0.1, 0.2]).x) == 0
    assert len(precision_recall_curve([0, 0], [0.1, 0.2]).x) == 0
    assert len(roc_curve([], []).x) == 0
