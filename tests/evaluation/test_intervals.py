"""Weighted measures must equal the plain ones on the sample written out in full; intervals must draw whole lesions."""

import math

import numpy as np
import pytest

from dermascan_core.evaluation import metrics, weighted
from dermascan_core.evaluation.intervals import bootstrap, resample_weights
from tests import reference

RNG = np.random.default_rng(8)
Y_PROB = np.round(RNG.dirichlet(np.ones(3), 40), 2)
Y_TRUE = RNG.integers(0, 3, 40)
Y_PRED = Y_PROB.argmax(axis=1)
POSITIVE, SCORE = (Y_TRUE == 0).astype(int), Y_PROB[:, 0]

MEASURES = {
    "auc": (weighted.auc(POSITIVE, SCORE), lambda i: reference.auc_by_pairs(list(POSITIVE[i]), list(SCORE[i]))),
    "specificity": (
        weighted.specificity_at_sensitivity(POSITIVE, SCORE, 0.9),
        lambda i: reference.specificity_at_sensitivity_by_trying(list(POSITIVE[i]), list(SCORE[i]), 0.9),
    ),
    "average_precision": (
        weighted.average_precision(POSITIVE, SCORE),
        lambda i: reference.average_precision_by_steps(list(POSITIVE[i]), list(SCORE[i])),
    ),
    "macro_auc": (weighted.macro_auc(Y_TRUE, Y_PROB), lambda i: metrics.macro_auc(Y_TRUE[i], Y_PROB[i])),
    "balanced_accuracy": (
        weighted.balanced_accuracy(Y_TRUE, Y_PRED, n_classes=3),
        lambda i: metrics.balanced_accuracy(Y_TRUE[i], Y_PRED[i]),
    ),
    "ece": (
        weighted.expected_calibration_error(Y_PRED == Y_TRUE, Y_PROB.max(axis=1), n_bins=15),
        lambda i: reference.calibration_error_by_bins(list(Y_TRUE[i]), Y_PROB[i].tolist(), 15),
    ),
    "accuracy": (weighted.share(Y_PRED == Y_TRUE), lambda i: (Y_PRED[i] == Y_TRUE[i]).mean()),
    "f1": (weighted.f1(Y_TRUE == 1, Y_PRED == 1), lambda i: _f1(Y_TRUE[i] == 1, Y_PRED[i] == 1)),
}


def _f1(truth, said):
    return 2 * (truth & said).sum() / (truth.sum() + said.sum())


@pytest.mark.parametrize("name", MEASURES)
def test_weighted_measure_equals_the_plain_one_on_the_sample_written_out(name):
    measure, slow = MEASURES[name]
    weights = np.random.default_rng(1).integers(0, 4, (6, 40))

    values = measure(weights.astype(np.float64))

    expected = [slow(np.array(reference.repeat(range(40), row))) for row in weights.tolist()]
    assert values == pytest.approx(expected)


@pytest.mark.parametrize("name", ["auc", "specificity", "average_precision"])
def test_weighted_measure_is_undefined_when_a_resample_lacks_a_class(name):
    only_negatives = (1 - POSITIVE)[np.newaxis].astype(np.float64)

    assert math.isnan(MEASURES[name][0](only_negatives)[0])


def test_photos_of_one_lesion_are_drawn_together():
    groups = ["a", "b", "a", "c"]

    weights = np.concatenate(list(resample_weights(groups, n_resamples=50, seed=3)))

    assert weights.shape == (50, 4)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(axis=1) == 3).all()  # as many lesions as there are


def test_interval_does_not_depend_on_the_order_of_the_photos():
    groups = np.array([f"lesion {i // 2}" for i in range(40)])
    turned = np.arange(40)[::-1]

    straight = bootstrap({"auc": weighted.auc(POSITIVE, SCORE)}, list(groups), seed=4)["auc"]
    reverse = bootstrap({"auc": weighted.auc(POSITIVE[turned], SCORE[turned])}, list(groups[turned]), seed=4)["auc"]

    assert (straight.low, straight.high) == pytest.approx((reverse.low, reverse.high))
    assert straight.low < straight.value < straight.high


def test_interval_of_a_share_is_the_binomial_one():
    counted = np.repeat([1, 0], [300, 700])

    estimate = bootstrap({"share": weighted.share(counted)}, [str(i) for i in range(1000)])["share"]

    half_width = 1.96 * math.sqrt(0.3 * 0.7 / 1000)
    assert estimate.value == 0.3
    assert (estimate.low, estimate.high) == pytest.approx((0.3 - half_width, 0.3 + half_width), abs=0.004)


def test_interval_is_absent_where_the_measure_is_mostly_undefined():
    one_positive_lesion = [1, *[0] * 9]
    never = bootstrap({"auc": weighted.auc([0] * 10, np.arange(10))}, [str(i) for i in range(10)])["auc"]

    some = bootstrap({"auc": weighted.auc(one_positive_lesion, np.arange(10))}, [str(i) for i in range(10)])["auc"]

    assert never.to_dict() == {"value": None, "low": None, "high": None}
    assert some.value == 0.0


def test_interval_of_nothing_is_undefined():
    assert bootstrap({"auc": weighted.auc([], [])}, [])["auc"].to_dict() == {"value": None, "low": None, "high": None}
