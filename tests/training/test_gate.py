"""Fitting the gate: what it must tell apart on clouds of points whose answer is known, and its regression by oracle."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dermascan_core.domain import ImageType
from dermascan_core.errors import DatasetError
from dermascan_core.evaluation.non_lesions import FAMILIES
from dermascan_core.model.manifest import load_manifest
from dermascan_core.tables import read_split, shipped_splits
from dermascan_core.training import gate as fitting
from dermascan_core.training.gate import (
    FITTED_DAMAGES,
    FITTED_FAMILIES,
    GateSample,
    fit_gate,
    fit_kinds,
    fit_limits,
    make_gate,
)
from tests.datasets.making import write_folder

SHIPPED_WEIGHTS = Path(__file__).resolve().parents[2] / "weights"


def _cloud(rng, n, *, at, classes, kind):
    labels = rng.integers(0, classes, n)
    features = rng.normal(0, 1, (n, 12)) + np.eye(12)[labels] * 6
    features[:, 11] += at
    is_real = kind < 2
    return GateSample(features, np.full(n, kind, np.intp), labels if is_real else np.full(n, -1, np.intp))


def _join(*samples):
    return fitting._join(samples)


def test_gate_keeps_real_photos_and_refuses_other_pictures():
    rng = np.random.default_rng(0)
    training = _join(_cloud(rng, 600, at=0, classes=3, kind=0), _cloud(rng, 200, at=9, classes=3, kind=2))
    validation = _cloud(rng, 400, at=0, classes=3, kind=0)

    gate = fit_gate(training, validation, sha256="x", n_coordinates=8)

    new = _cloud(rng, 500, at=0, classes=3, kind=0)
    other = _cloud(rng, 200, at=9, classes=3, kind=2)
    refused = np.mean([gate.judge(one, ImageType.DERMOSCOPIC).refusal is not None for one in new.features])
    caught = np.mean([gate.judge(one, ImageType.DERMOSCOPIC).refusal is not None for one in other.features])
    assert refused < 0.03
    assert caught > 0.97


def test_photo_like_nothing_seen_is_refused_by_its_distance():
    rng = np.random.default_rng(1)
    training = _join(_cloud(rng, 600, at=0, classes=3, kind=0), _cloud(rng, 200, at=9, classes=3, kind=2))
    gate = fit_gate(training, _cloud(rng, 400, at=0, classes=3, kind=0), sha256="x", n_coordinates=8)

    scores = gate.judge(np.eye(12)[0] * 40, ImageType.DERMOSCOPIC)

    assert scores.refusal is not None
    assert scores.distance > scores.max_distance


def test_regression_of_kinds_agrees_with_scikit_learn():
    rng = np.random.default_rng(2)
    kinds = np.repeat([0, 1, 2], [120, 40, 60])
    place = rng.normal(0, 1, (220, 4)) + np.eye(4)[kinds] * 1.5

    weights, bias = fit_kinds(place, kinds)

    oracle = LogisticRegression(C=1 / fitting._PENALTY, class_weight="balanced", tol=1e-8, max_iter=2000).fit(
        place, kinds
    )
    ours = place @ weights + bias
    ours = np.exp(ours - ours.max(axis=1, keepdims=True))
    assert ours / ours.sum(axis=1, keepdims=True) == pytest.approx(oracle.predict_proba(place), abs=2e-3)


def test_kind_without_pictures_is_never_found():
    rng = np.random.default_rng(3)
    kinds = np.repeat([0, 2], [50, 50])

    weights, bias = fit_kinds(rng.normal(0, 1, (100, 3)) + np.eye(3)[kinds] * 3, kinds)

    logits = rng.normal(0, 50, (200, 3)) @ weights + bias
    assert (logits.argmax(axis=1) != 1).all()


def test_limits_of_a_kind_with_few_photos_reach_beyond_the_furthest():
    rng = np.random.default_rng(4)
    training = _join(_cloud(rng, 300, at=0, classes=3, kind=0), _cloud(rng, 100, at=9, classes=3, kind=2))
    gate = fit_gate(training, _cloud(rng, 300, at=0, classes=3, kind=0), sha256="x", n_coordinates=6)
    few = _cloud(rng, 20, at=0, classes=3, kind=1)

    distance, other = fit_limits(gate, few)

    furthest = max(gate.judge(one, ImageType.CLINICAL).distance for one in few.features)
    assert distance.tolist() == [np.inf, pytest.approx(1.25 * furthest)]
    assert (other >= 0.5).all()


def test_families_that_fit_and_that_score_are_both_there():
    damages = {"inverted lesion", "black and white lesion", "lesion out of focus", "lesion with a colour filter"}

    assert set(FITTED_FAMILIES) < set(FAMILIES)
    assert len(set(FAMILIES) - set(FITTED_FAMILIES)) >= 9
    assert set(FITTED_DAMAGES) < damages


def test_limits_are_not_set_on_photos_that_the_network_learnt_from(tmp_path):
    manifest = load_manifest(SHIPPED_WEIGHTS / "dermascan.json")
    learnt = next(row for path in shipped_splits() for row in read_split(path) if row.fold == "3")
    rows = [
        {"image_id": learnt.image_id, "lesion_id": learnt.lesion_id, "dx": "nv", "split": "train", "fold": 0},
        {"image_id": "another", "lesion_id": "other", "dx": "nv", "split": "train", "fold": 1},
    ]

    with pytest.raises(DatasetError, match=f"has not learnt from. It knows 1 of their lesions, {learnt.lesion_id}"):
        make_gate(
            SimpleNamespace(manifest=manifest),
            data=write_folder(tmp_path, rows),
            weights=tmp_path / "dermascan.keras",
        )
    assert not list(tmp_path.glob("*.npz"))
