"""Referring at another prevalence: held against a slow second writing, photo by photo."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.errors import TableError
from dermascan_core.evaluation.decision_curve import (
    best_policies,
    compare_policies,
    decision_curve,
    describe_decisions,
    harm_ratio_of,
    line_for,
    policy_rows,
)
from dermascan_core.evaluation.referrals import Referrals, at_prevalence, estimate, rates_of, read_referrals

HEADER = "image_id,p_malignant,set,set_95,dx,lesion_id\n"
ROWS = (
    "a,0.9,mel,mel|nv,mel,L1\n"
    "b,0.2,nv|mel,nv|mel,mel,L1\n"
    "c,0.6,bcc,bcc,bcc,L2\n"
    "d,0.3,nv,nv|mel,nv,L3\n"
    "e,0.01,nv,nv,nv,L4\n"
    "f,0.05,bkl,bkl,bkl,\n"
)


def make_referrals(seed: int = 0, n: int = 200, prevalence: float = 0.2) -> Referrals:
    """Return answers that are mostly right, one photo a lesion."""
    rng = np.random.default_rng(seed)
    is_malignant = rng.random(n) < prevalence
    p = 1 / (1 + np.exp(-(rng.normal(size=n) + np.where(is_malignant, 1.0, -3.0))))
    none = tuple(frozenset[str]() for _ in range(n))
    return Referrals(is_malignant, p, none, none, tuple(f"L{i}" for i in range(n)))


def slow_policy(referrals: Referrals, line: float, prevalence: float, harm_ratio: float) -> dict[str, float]:
    """The same by a weighted population of single photos, as Vickers and Elkin write it."""
    n_malignant = sum(referrals.is_malignant)
    n_others = len(referrals.is_malignant) - n_malignant
    true_positives = false_positives = false_negatives = true_negatives = 0.0
    for is_malignant, p in zip(referrals.is_malignant, referrals.p_malignant, strict=True):
        weight = prevalence / n_malignant if is_malignant else (1 - prevalence) / n_others
        if p >= line:
            true_positives += weight * is_malignant
            false_positives += weight * (not is_malignant)
        else:
            false_negatives += weight * is_malignant
            true_negatives += weight * (not is_malignant)
    worth_it = 1 / (1 + harm_ratio)
    return {
        "net_benefit": 1000 * (true_positives - false_positives * worth_it / (1 - worth_it)),
        "n_referred": 1000 * (true_positives + false_positives),
        "n_missed": 1000 * false_negatives,
        "n_unneeded": 1000 * false_positives,
        "ppv": true_positives / (true_positives + false_positives),
        "npv": true_negatives / (true_negatives + false_negatives),
        "sensitivity": true_positives / prevalence,
        "specificity": true_negatives / (1 - prevalence),
    }


@pytest.mark.parametrize(("prevalence", "harm_ratio"), [(0.01, 50), (0.2, 4), (0.5, 1)])
@pytest.mark.parametrize("seed", [0, 1])
def test_each_measure_agrees_with_a_second_writing(seed, prevalence, harm_ratio):
    referrals = make_referrals(seed)

    policies = compare_policies(referrals, prevalence=prevalence, harm_ratio=harm_ratio, threshold=0.1, n_resamples=20)

    for policy in policies[2:]:
        slow = slow_policy(referrals, policy.line, prevalence, harm_ratio)
        for name, value in slow.items():
            assert getattr(policy, name).value == pytest.approx(value), name


def test_moved_line_refers_whom_the_adjusted_probability_makes_worth_it():
    referrals = make_referrals()

    line = line_for(referrals, prevalence=0.03, harm_ratio=20)

    adjusted = at_prevalence(referrals.p_malignant, measured=referrals.prevalence, prevalence=0.03)
    assert ((adjusted >= 1 / 21) == (referrals.p_malignant >= line)).all()
    assert harm_ratio_of(referrals, line, prevalence=0.03) == pytest.approx(20)


def test_referring_everybody_and_nobody_follow_from_the_prevalence_alone():
    everybody, nobody, _ = compare_policies(make_referrals(), prevalence=0.1, harm_ratio=9, n_resamples=20)

    assert everybody.net_benefit.value == pytest.approx(1000 * (0.1 - 0.9 / 9))
    assert (everybody.n_referred.value, everybody.n_missed.value) == (pytest.approx(1000), 0)
    assert (nobody.net_benefit.value, nobody.n_missed.value) == (0, pytest.approx(100))
    assert math.isnan(nobody.ppv.value)
    assert math.isnan(everybody.npv.value)
    assert math.isnan(everybody.net_benefit.low)


def test_curve_holds_the_same_net_benefit_as_the_table():
    referrals = make_referrals()

    curves = decision_curve(referrals, prevalence=0.05, harm_ratios=[5, 30], threshold=0.1, n_resamples=50)

    for k, ratio in enumerate([5, 30]):
        policies = compare_policies(referrals, prevalence=0.05, harm_ratio=ratio, threshold=0.1, n_resamples=50)
        for policy in policies:
            assert curves[policy.code][k].value == pytest.approx(policy.net_benefit.value)


def test_no_miss_in_the_test_is_not_told_as_no_miss_ever():
    referrals = make_referrals()
    low = 1e-9  # every cancer lies above it

    *_, own, _ = compare_policies(referrals, prevalence=0.02, harm_ratio=20, threshold=low)

    n_cancers = int(referrals.is_malignant.sum())
    assert own.n_missed.value == 0
    # Jeffreys' upper end for 0 of n, near 2.5 / n.
    assert own.n_missed.high == pytest.approx(1000 * 0.02 * 2.5 / n_cancers, rel=0.1)


def test_intervals_of_many_lesions_agree_with_the_binomial_s():
    referrals = make_referrals(n=4000)
    chosen = (referrals.p_malignant >= 0.3)[:, None]

    among_malignant, _ = rates_of(referrals, chosen, n_resamples=1000)

    one = estimate(among_malignant[:, 0])
    n = int(referrals.is_malignant.sum())
    half = 1.96 * math.sqrt(one.value * (1 - one.value) / n)
    assert one.low == pytest.approx(one.value - half, abs=0.01)
    assert one.high == pytest.approx(one.value + half, abs=0.01)


def test_best_policies_name_what_may_be_chance():
    policies = compare_policies(make_referrals(), prevalence=0.2, harm_ratio=4, threshold=1e-9, n_resamples=100)

    # A line that refers everybody is the same as referring everybody.
    assert best_policies(policies)[0] == "moved_line"
    assert "none" not in best_policies(policies)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prevalence": 0.0, "harm_ratio": 20}, "Expected a prevalence above 0 and below 1. Received 0."),
        ({"prevalence": 1.0, "harm_ratio": 20}, "Expected a prevalence above 0 and below 1. Received 1."),
        ({"prevalence": 0.1, "harm_ratio": 0.5}, "Expected a harm ratio from 1 to 1,000. Received 0.5."),
        ({"prevalence": 0.1, "harm_ratio": 2000}, "Expected a harm ratio from 1 to 1,000. Received 2000."),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        compare_policies(make_referrals(), **options)


def test_predictions_are_read_by_lesion_where_one_is_named(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text(HEADER + ROWS + "g,,,,nv,L9\nh,0.4,nv,nv,,L9\n", encoding="utf-8")

    referrals = read_referrals(path)

    assert referrals.groups == ("L1", "L1", "L2", "L3", "L4", "f")
    assert referrals.is_malignant.tolist() == [True, True, True, False, False, False]
    assert referrals.set_95[3] == {"nv", "mel"}
    assert referrals.prevalence == 0.5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_id,dx\na,mel\n", r"lacks: p_malignant, set, set_95\. Name another file\."),
        (HEADER + "a,0.9,mel,mel,mel,L1\n", r"There are 1, 1 of them with\. Evaluate a larger set\."),
        (HEADER + "a,1.9,mel,mel,mel,L1\n", r"p_malignant 1\.9 is outside 0 to 1\. Evaluate again\."),
        (HEADER + "a,high,mel,mel,mel,L1\n", r"could not convert string to float: 'high'\. Evaluate again\."),
    ],
)
def test_other_files_are_refused_with_what_to_do(tmp_path, text, message):
    path = tmp_path / "predictions.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(TableError, match=message):
        read_referrals(path)


def run(*arguments: object):
    return CliRunner().invoke(cli.app, ["decision-curve", *map(str, arguments)])


def test_command_prints_the_table_with_the_line_of_the_metrics_beside(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text(HEADER + ROWS, encoding="utf-8")
    metrics = {"malignant": {"operating_point": {"threshold": 0.25}}}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")

    done = run("--predictions", path, "--prevalence", 0.03, "--harm-ratio", 20)

    assert done.exit_code == 0, done.stderr
    referrals = read_referrals(path)
    policies = compare_policies(referrals, prevalence=0.03, harm_ratio=20, threshold=0.25)
    said = describe_decisions(policies, referrals, prevalence=0.03, harm_ratio=20)
    assert done.stdout.splitlines() == said
    assert "  Model, its own line (from p_malignant 0.2500)" in said
    assert len(policy_rows(policies)) == 4


def test_command_without_a_line_compares_the_moved_one_only(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text(HEADER + ROWS, encoding="utf-8")

    done = run("--predictions", path, "--prevalence", 0.03, "--harm-ratio", 20)

    assert done.exit_code == 0
    assert "its own line" not in done.stdout
    assert "Refer nobody" in done.stdout


def test_command_names_a_wrong_number_and_a_damaged_metrics_file(tmp_path):
    path = tmp_path / "predictions.csv"
    path.write_text(HEADER + ROWS, encoding="utf-8")

    wrong = run("--predictions", path, "--prevalence", 3, "--harm-ratio", 20)
    (tmp_path / "metrics.json").write_text("{}", encoding="utf-8")
    damaged = run("--predictions", path, "--prevalence", 0.03, "--harm-ratio", 20)

    assert wrong.exit_code == 2
    assert "Expected a prevalence above 0 and below 1. Received 3." in " ".join(wrong.stderr.split())
    assert damaged.exit_code == 1
    assert "or name the line by --threshold" in damaged.stderr
