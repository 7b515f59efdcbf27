"""Folds measured as one data set, each photo answered by a network that did not see it."""

import csv
import json

import numpy as np
import pytest

from dermascan_core.errors import DatasetError
from dermascan_core.evaluation.folds import evaluate_folds, write_fold_evaluation
from dermascan_core.evaluation.report import build_metrics
from tests.evaluation.results_by_hand import MANIFEST, random_results, result


@pytest.fixture(scope="module")
def folds():
    return {str(k): random_results(k, 60, prefix=f"f{k}_") for k in range(3)}


def _evaluate(folds, **options):
    return evaluate_folds(folds, MANIFEST, engine="fake", use_metadata=True, n_resamples=20, **options)


def test_pooled_figures_are_those_of_one_data_set(folds):
    pooled = [one for results in folds.values() for one in results]

    metrics = _evaluate(folds)
    alone = build_metrics(pooled, MANIFEST, engine="fake", use_metadata=True, n_resamples=20)

    assert metrics["summary"] == alone["summary"]
    assert metrics["classes"] == alone["classes"]
    assert metrics["data"]["split"] == "out of fold"
    assert metrics["data"]["overlap"]["n_photos"] == 0


def test_each_fold_has_its_row_and_their_mean_and_deviation_are_those_of_numpy(folds):
    metrics = _evaluate(folds, thresholds={"0": 0.1, "1": 0.2})

    rows = metrics["folds"]["rows"]
    alone = build_metrics(folds["1"], MANIFEST, engine="fake", use_metadata=True, n_resamples=20)
    assert [(row["fold"], row["n"], row["threshold"]) for row in rows] == [
        ("0", 60, 0.1),
        ("1", 60, 0.2),
        ("2", 60, None),
    ]
    assert rows[1]["summary"] == {name: one["value"] for name, one in alone["summary"].items()}
    assert rows[1]["classes"]["mel"]["auc"] == alone["classes"]["mel"]["auc"]["value"]
    values = [row["summary"]["macro_auc"] for row in rows]
    assert metrics["folds"]["mean"]["summary"]["macro_auc"] == pytest.approx(np.mean(values), abs=1e-6)
    assert metrics["folds"]["sd"]["summary"]["macro_auc"] == pytest.approx(np.std(values, ddof=1), abs=1e-6)


def test_threshold_of_each_folds_own_network_counts():
    calm, alarmed = result("a", "mel", {"mel": 0.25}), result("b", "mel", {"mel": 0.9})
    folds = {"0": [calm, result("c", "nv", {"mel": 0.0})], "1": [alarmed, result("d", "nv", {"mel": 0.0})]}

    metrics = _evaluate(folds)

    assert metrics["malignant"]["operating_point"]["true_positives"] == 1
    assert [row["summary"]["sensitivity_at_threshold"] for row in metrics["folds"]["rows"]] == [0.0, 1.0]


def test_measure_undefined_in_one_fold_is_averaged_over_the_others():
    folds = {
        "0": [result("a", "mel", {"mel": 0.9}), result("b", "nv", {})],
        "1": [result("c", "nv", {}), result("d", "nv", {})],
        "2": [result("e", "mel", {"mel": 0.1}), result("f", "nv", {"mel": 0.5})],
    }

    metrics = _evaluate(folds)

    assert [row["summary"]["melanoma_auc"] for row in metrics["folds"]["rows"]] == [1.0, None, 0.0]
    assert metrics["folds"]["mean"]["summary"]["melanoma_auc"] == 0.5


@pytest.mark.parametrize(
    ("folds", "sentence"),
    [
        ({"0": [result("a", "mel", {})]}, "Expected the results of at least two folds. Received 1."),
        (
            {"0": [result("a", "mel", {})], "1": []},
            "Expected answered photos in every fold. Fold '1' has none. Check its photos.",
        ),
        (
            {"0": [result("a", "mel", {})], "1": [result("A", "mel", {})]},
            "Expected each photo, lesion and patient in one fold only. 'a' is in the folds '0' and '1'. "
            "Split again by lesion or patient.",
        ),
        (
            {"0": [result("a", "mel", {}, lesion_id="L")], "1": [result("b", "mel", {}, lesion_id="L")]},
            "Expected each photo, lesion and patient in one fold only. 'L' is in the folds '0' and '1'. "
            "Split again by lesion or patient.",
        ),
        (
            {"0": [result("a", "mel", {})] * 2, "1": [result("b", "mel", {})]},
            "Expected each photo once. Fold '0' names 'a' twice. Drop one of them.",
        ),
    ],
    ids=["one fold", "empty fold", "photo in two", "lesion in two", "photo twice"],
)
def test_folds_that_leak_or_are_empty_are_refused(folds, sentence):
    with pytest.raises(DatasetError) as error:
        _evaluate(folds)

    assert str(error.value) == sentence


def test_files_name_the_fold_of_every_photo(folds, tmp_path):
    small = {name: results[:8] for name, results in folds.items()}

    metrics = write_fold_evaluation(small, MANIFEST, out=tmp_path, engine="fake", use_metadata=True)

    with (tmp_path / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["fold"] for row in rows] == ["0"] * 8 + ["1"] * 8 + ["2"] * 8
    assert list(rows[0])[-3:] == ["disagreement", "calmest_step", "fold"]
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert (tmp_path / "roc.png").read_bytes().startswith(b"\x89PNG")
