"""Every weights file that ships agrees with the manifest beside it."""

import hashlib
import json
import math
from pathlib import Path

import pytest

from dermascan_core.taxonomy import CLASS_BY_CODE, CLASSES, HAM_CODES
from tests.contract.tree import ROOT

WEIGHTS = ROOT / "weights"
MANIFESTS = sorted(WEIGHTS.glob("*.json"))
FIELDS = {
    "name",
    "version",
    "backbone",
    "codes",
    "preprocess",
    "metadata_fields",
    "class_shares",
    "sampling_shares",
    "temperature",
    "threshold",
    "threshold_rule",
    "conformal",
    "n_views",
    "data",
    "metrics",
    "training",
    "licence",
    "sha256",
}


def test_weights_ship_with_the_project() -> None:
    assert [path.name for path in MANIFESTS] != []


def test_every_weights_file_has_a_manifest() -> None:
    assert [p.name for p in sorted(WEIGHTS.glob("*.keras")) if not p.with_suffix(".json").is_file()] == []


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.stem)
def test_manifest_holds_every_field_of_the_contract(path: Path) -> None:
    manifest = json.loads(path.read_text(encoding="utf-8"))

    assert FIELDS - set(manifest) == set()
    assert manifest["name"] == path.stem


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.stem)
def test_manifest_sha256_is_that_of_the_weights(path: Path) -> None:
    manifest = json.loads(path.read_text(encoding="utf-8"))

    weights = path.with_suffix(".keras")

    assert manifest["sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.stem)
def test_manifest_classes_are_the_taxonomy_s_in_its_order(path: Path) -> None:
    codes = json.loads(path.read_text(encoding="utf-8"))["codes"]

    assert codes == [c.code for c in CLASSES if c.code in codes]
    assert {CLASS_BY_CODE[code].ham_code for code in codes} == set(HAM_CODES)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.stem)
def test_manifest_numbers_are_possible(path: Path) -> None:
    manifest = json.loads(path.read_text(encoding="utf-8"))

    assert math.isclose(sum(manifest["class_shares"]), 1, abs_tol=1e-6)
    assert math.isclose(sum(manifest["sampling_shares"]), 1, abs_tol=1e-6)
    assert len(manifest["class_shares"]) == len(manifest["sampling_shares"]) == len(manifest["codes"])
    assert manifest["temperature"] > 0
    assert 0 < manifest["threshold"] < 1
    assert manifest["n_views"] >= 1
    assert {set_name: set(limits) for set_name, limits in manifest["conformal"].items()} == {
        "90": set(HAM_CODES),
        "95": set(HAM_CODES),
    }


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.stem)
def test_manifest_carries_the_data_s_terms(path: Path) -> None:
    assert "CC BY-NC" in json.loads(path.read_text(encoding="utf-8"))["licence"]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.stem)
def test_exported_engines_are_the_files_that_were_compared_with_keras(path: Path) -> None:
    manifest = json.loads(path.read_text(encoding="utf-8"))

    for record in manifest.get("engines", {}).values():
        for name, sha256 in record["files"].items():
            assert hashlib.sha256((WEIGHTS / name).read_bytes()).hexdigest() == sha256
        assert record["agreement"]["of"] == "test"
        assert record["agreement"]["n_photos"] == manifest["metrics"]["test"]["data"]["n_predicted"]


def test_default_model_answers_without_keras() -> None:
    engines = json.loads((WEIGHTS / "dermascan.json").read_text(encoding="utf-8"))["engines"]

    agreement = engines["litert"]["agreement"]
    assert agreement["max_probability_difference"] < 1e-3
    assert agreement["n_next_steps_differing"] == 0
