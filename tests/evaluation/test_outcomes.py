"""Calls against outcomes, by hand and against scipy; nothing undefined is shown as a figure."""

import numpy as np
import pytest
from scipy.stats import binomtest

from dermascan_core.evaluation.outcomes import Call, measure_calls, measure_change, proportion


def calls(text):
    """``M+`` is malignant and called so, ``m-`` missed, ``n?`` harmless without an answer."""
    words = text.split()
    return [
        Call(f"case {i}", word[0].lower() == "m", {"+": True, "-": False, "?": None}[word[1]])
        for i, word in enumerate(words)
    ]


def test_sensitivity_and_specificity_by_hand():
    found = measure_calls(calls("m+ m+ m+ m- n- n- n+"))

    assert (found.sensitivity.n_true, found.sensitivity.n) == (3, 4)
    assert (found.specificity.n_true, found.specificity.n) == (2, 3)
    assert found.missed == ("case 3",)
    assert found.false_alarms == ("case 6",)


def test_an_unanswered_cancer_is_neither_found_nor_missed_and_is_named():
    found = measure_calls(calls("m+ m? n? n-"))

    assert (found.sensitivity.n_true, found.sensitivity.n) == (1, 1)
    assert found.missed == ()
    assert found.unanswered_malignant == ("case 1",)
    assert found.n_unanswered == 2


@pytest.mark.parametrize(("n_true", "n"), [(0, 12), (5, 12), (12, 12), (40, 44)])
def test_interval_is_the_exact_one_of_scipy(n_true, n):
    found = proportion(n_true, n)

    exact = binomtest(n_true, n).proportion_ci(method="exact")
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


def test_without_cases_there_is_no_share_and_no_interval():
    found = measure_calls([])

    assert found.sensitivity.value is None
    assert (found.sensitivity.low, found.sensitivity.high) == (None, None)
    assert not found.sensitivity.is_enough


def test_nine_outcomes_are_too_few_and_ten_are_enough():
    assert not proportion(9, 9).is_enough
    assert proportion(9, 10).is_enough


def test_a_lesion_that_counts_twice_is_refused():
    with pytest.raises(ValueError, match=r"Expected every case once\. Received case 0 more than once\."):
        measure_calls([Call("case 0", True, True), Call("case 0", True, False)])


def test_a_second_look_that_helps_once_and_hurts_once():
    before = calls("m- m+ n- n+")
    after = calls("m+ m+ n+ n+")

    found = measure_change(before, after)

    assert (found.n, found.n_changed) == (4, 2)
    assert found.helped == ("case 0",)
    assert found.hurt == ("case 2",)
    assert found.p_value == 1


@pytest.mark.parametrize(("helped", "hurt"), [(0, 0), (8, 1), (3, 3), (0, 6), (20, 9)])
def test_mcnemar_is_the_exact_binomial_test(helped, hurt):
    before = calls(" ".join(["m-"] * helped + ["m+"] * hurt + ["n-"]))
    after = calls(" ".join(["m+"] * helped + ["m-"] * hurt + ["n-"]))

    found = measure_change(before, after)

    expected = binomtest(helped, helped + hurt).pvalue if helped + hurt else 1.0
    assert found.p_value == pytest.approx(expected)


def test_a_case_without_a_first_opinion_changes_nothing():
    found = measure_change(calls("m? m-"), calls("m+ m+"))

    assert (found.n, found.n_changed) == (1, 1)


def test_other_cases_before_and_after_are_refused():
    with pytest.raises(ValueError, match="Expected the same cases in the same order"):
        measure_change(calls("m+ m+"), calls("m+"))


def test_random_calls_count_up_to_all_cases():
    rng = np.random.default_rng(5)
    made = [Call(str(i), bool(rng.integers(2)), [True, False, None][rng.integers(3)]) for i in range(500)]

    found = measure_calls(made)

    assert found.sensitivity.n + found.specificity.n + found.n_unanswered == 500
    assert len(found.missed) == found.sensitivity.n - found.sensitivity.n_true
    assert len(found.false_alarms) == found.specificity.n - found.specificity.n_true
