"""The comparison page is what its files say: our figures from the evaluations, the others' from one table of sources."""

import re

import pytest

from dermascan_core.evaluation.comparison import MEASURES, build_comparison, load_published, render_comparison
from dermascan_core.evaluation.report import build_metrics
from dermascan_core.services.performance import load_comparison
from tests.contract.tree import ROOT
from tests.evaluation.results_by_hand import MANIFEST, random_results


def test_committed_page_is_what_the_generator_prints():
    page = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")

    assert page == render_comparison(load_comparison()), (
        "Run: python -m dermascan_core comparison --out docs/comparison.md"
    )


def test_all_five_systems_are_there_and_each_says_whether_and_why():
    systems = load_published()["systems"]

    assert [system["id"] for system in systems] == ["000", "001", "002", "003", "004"]
    for system in systems:
        assert system["comparable"] in ("yes", "partly", "no")
        assert set(system["values"]) <= set(MEASURES)
        assert all(system[key] for key in ("network", "data", "split", "prevalence", "why"))


def test_every_reader_and_benchmark_has_a_source():
    published = load_published()

    for one in (*published["readers"], *published["benchmarks"]):
        assert re.search(r"\((19|20)\d\d\)|https://", one["source"])


def test_readers_context_is_shown_with_its_source():
    page = render_comparison(load_comparison())

    for figure in ("AUC .79", "AUC .82", "AUC .86", "https://doi.org/10.1093/annonc/mdy166", "specificity 64.1 %"):
        assert figure in page


def test_figures_of_ours_are_those_of_the_evaluation():
    metrics = build_metrics(random_results(1, 60), MANIFEST, engine="fake", use_metadata=True, n_resamples=20)

    comparison = build_comparison([{"which": "cross-validation", "metrics": metrics}])

    (ours,) = comparison["ours"]
    assert ours["values"]["macro_auc"] == metrics["summary"]["macro_auc"]
    assert ours["values"]["melanoma_f1"] == metrics["classes"]["mel"]["f1"]
    assert (ours["n"], ours["which"]) == (60, "cross-validation")
    assert "fake 0.0.1, folds, held out" in render_comparison(comparison)


@pytest.mark.parametrize("key", ["melanoma_auc", "macro_auc"])
def test_file_of_an_earlier_version_still_fills_its_column(key):
    metrics = build_metrics(random_results(1, 60), MANIFEST, engine="fake", use_metadata=True, n_resamples=20)
    auc = metrics["summary"].pop("melanoma_auc")

    (ours,) = build_comparison([{"which": "test", "metrics": metrics}])["ours"]

    assert ours["values"]["melanoma_auc"] == auc
    assert "melanoma_vs_nv_bkl_auc" in ours["values"]


def test_system_built_again_on_our_photos_has_a_column_of_its_own():
    auc = {"value": 0.9, "low": 0.85, "high": 0.94}
    unit = {
        "recipe": {"backbone": "inception_v3"}, "sha256": "ab" * 32, "n_parameters": 21_804_833,
        "n_trained_parameters": 2_049,
        "test": {"n": 50, "n_positive": 10, "n_lesions": 40, "values": {"melanoma_vs_nv_bkl_auc": auc}},
    }  # fmt: skip

    comparison = build_comparison([], units=[unit, unit | {"test": None}])
    page = render_comparison(comparison)

    (ours,) = comparison["ours"]
    assert ours["values"]["melanoma_vs_nv_bkl_auc"] == auc
    assert "003 built here, frozen inception_v3, test split" in page
    assert "2,049 of 21,804,833 parameters trained" in page
    assert "50 photos of 40 lesions | by lesion | 20% melanoma" in page
    assert "0.900 (0.850 to 0.940)" in page
