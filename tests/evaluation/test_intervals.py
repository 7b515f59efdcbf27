"""Weighted measures must equal the plain ones on the sample written out in full; intervals must draw whole lesions."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from dermascan_core.evaluation import metrics, weighted
from dermascan_core.evaluation.intervals import bootstrap, exact_interval, resample_weights
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


@pytest.mark.parametrize(("n_true", "n"), [(0, 1), (1, 1), (5, 5), (0, 40), (3, 17), (39, 40)])
def test_exact_interval_is_scipys(n_true, n):
    expected = binomtest(n_true, n).proportion_ci(confidence_level=0.95, method="exact")

    assert exact_interval(n_true, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize(("n_true", "n"), [(0, 0), (4, 3), (-1, 3)])
def test_exact_interval_of_no_cases_is_a_programming_mistake(n_true, n):
    with pytest.raises(ValueError, match=f"Received {n_true} of {n}"):
        exact_interval(n_true, n)


@pytest.mark.parametrize(("found", "value", "ends"), [(True, 1.0, (0.478176, 1.0)), (False, 0.0, (0.0, 0.521824))])
def test_share_of_all_or_none_has_the_exact_interval_of_its_lesions(found, value, ends):
    """Ten photos of five cancers, all found (or none): the bootstrap would say 100 to 100 of a hundred."""
    is_cancer = np.repeat([True, False], [10, 90])
    groups = [f"lesion {i // 2}" for i in range(100)]

    estimate = bootstrap({"s": weighted.share(np.full(100, found), is_cancer)}, groups)["s"]

    assert estimate.value == value
    assert (estimate.low, estimate.high) == pytest.approx(ends, abs=1e-6)


def test_share_within_some_photos_counts_their_lesions_alone():
    members = np.array([True] * 4 + [False] * 6)
    measure = weighted.within(members, weighted.share(np.array([True] * 4), np.array([True, True, True, False])))

    estimate = bootstrap({"s": measure}, [str(i) for i in range(10)])["s"]

    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert estimate.low == pytest.approx(binomtest(3, 3).proportion_ci(method="exact").low)


def test_interval_without_width_is_none():
    """A perfect AUC, a mean that never differs, and one lesion alone: no resample can say how sure they are."""
    cases = {
        "auc": weighted.auc([1, 1, 0, 0], [0.9, 0.8, 0.2, 0.1]),
        "size": weighted.share([1, 1, 1, 1]),
    }

    found = bootstrap(cases, list("abcd")) | bootstrap({"one lesion": weighted.share([True, True, False])}, list("aaa"))

    assert {name: (one.value, math.isnan(one.low)) for name, one in found.items()} == {
        "auc": (1.0, True),
        "size": (1.0, True),
        "one lesion": (pytest.approx(2 / 3), True),
    }


def test_interval_of_nothing_is_undefined():
    assert bootstrap({"auc": weighted.auc([], [])}, [])["auc"].to_dict() == {"value": None, "low": None, "high": None}
