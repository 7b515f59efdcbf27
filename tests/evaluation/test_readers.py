"""Two readers: agreement and Cohen's kappa against scikit-learn and against counting."""

import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from dermascan_core.evaluation.metrics import of_sample
from dermascan_core.evaluation.readers import compare_readers, kappa
from tests.reference import kappa_by_counting, repeat


def random_readings(seed, n, answers=("mel", "nv", "bcc", "unknown")):
    rng = np.random.default_rng(seed)
    first = rng.choice(answers, n)
    second = np.where(rng.random(n) < 0.6, first, rng.choice(answers, n))
    return [str(a) for a in first], [str(a) for a in second]


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_scikit_learn_and_of_counting(seed):
    first, second = random_readings(seed, 60)

    found = of_sample(kappa(first, second), 60)

    assert found == pytest.approx(cohen_kappa_score(first, second))
    assert found == pytest.approx(kappa_by_counting(first, second))


def test_weighted_kappa_is_that_of_the_sample_written_out():
    first, second = random_readings(3, 12)
    times = [2, 0, 1, 1, 3, 0, 1, 1, 1, 0, 2, 1]

    found = kappa(first, second)(np.array([times], float))[0]

    assert found == pytest.approx(kappa_by_counting(repeat(first, times), repeat(second, times)))


def test_agreement_by_hand():
    # 20 agree on yes, 15 on no, 5 and 10 differ: observed 0.7, by chance 0.5 (Cohen's textbook table).
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15

    found = compare_readers(first, second, [str(i) for i in range(50)])

    assert (found.n, found.n_same) == (50, 35)
    assert found.share.value == pytest.approx(0.7)
    assert found.kappa.value == pytest.approx(0.4)
    assert found.kappa.low < 0.4 < found.kappa.high
    assert found.share.low < 0.7 < found.share.high


def test_bootstrap_interval_of_kappa_is_near_the_analytic_one():
    first = (["yes"] * 25 + ["no"] * 25) * 4
    second = (["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15) * 4

    found = compare_readers(first, second, [str(i) for i in range(200)])

    # Cohen's large-sample error of kappa: sqrt(p_o (1 - p_o) / n) / (1 - p_e).
    error = math.sqrt(0.7 * 0.3 / 200) / 0.5
    assert found.kappa.low == pytest.approx(0.4 - 1.96 * error, abs=0.02)
    assert found.kappa.high == pytest.approx(0.4 + 1.96 * error, abs=0.02)


def test_lesions_of_one_person_widen_the_interval():
    first, second = random_readings(1, 100)

    each_alone = compare_readers(first, second, [str(i) for i in range(100)])
    ten_people = compare_readers(first * 10, second * 10, [str(i) for i in range(100)] * 10)

    assert ten_people.share.high - ten_people.share.low == pytest.approx(
        each_alone.share.high - each_alone.share.low, abs=1e-9
    )


def test_one_and_the_same_answer_throughout_has_no_kappa():
    found = compare_readers(["nv"] * 12, ["nv"] * 12, [str(i) for i in range(12)])

    assert found.share.value == 1
    assert found.share.low == pytest.approx(0.735, abs=0.001)
    assert math.isnan(found.kappa.value)


def test_nine_cases_are_too_few_to_show_a_share():
    readings = random_readings(2, 9)

    assert not compare_readers(*readings, list("abcdefghi")).is_enough


def test_no_case_read_by_both_is_no_failure():
    found = compare_readers([], [], [])

    assert (found.n, found.n_same) == (0, 0)
    assert math.isnan(found.share.value)
    assert math.isnan(found.kappa.value)


def test_answers_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match=r"Expected as many answers of both as cases\. Received 2, 1 and 2\."):
        compare_readers(["mel", "nv"], ["mel"], ["a", "b"])
