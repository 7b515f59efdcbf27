"""Risk against coverage: by hand, against a slow second writing, and that doubt is told apart from chance."""

import numpy as np
import pytest

from dermascan_core.domain import Metadata, NextStep, Status
from dermascan_core.evaluation.results import PhotoResult, make_table
from dermascan_core.evaluation.selective import area_under_risk, describe_selective, doubts, risk_coverage
from dermascan_core.model.predictor import mutual_information, prediction_from_views
from dermascan_core.tables import LabelledPhoto
from tests.fakes import CODES, fake_manifest

MANIFEST = fake_manifest(threshold=0.3)


def _result(name, dx, views, status=Status.ANSWERED):
    by_view = np.full((len(views), len(CODES)), 0.01)
    for row, (code, share) in zip(by_view, views, strict=True):
        row[CODES.index(code)] = share
    by_view /= by_view.sum(axis=1, keepdims=True)
    photo = LabelledPhoto(name, dx, dx == "mel", Metadata())
    return PhotoResult(photo, prediction_from_views(by_view, MANIFEST), status, None, NextStep.SEE_DOCTOR)


def test_risk_of_the_most_certain_is_counted_first():
    risk = risk_coverage(np.array([False, True, False, True]), np.array([0.1, 0.9, 0.2, 0.3]))

    assert risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])


def test_equal_doubt_counts_as_the_mean_of_its_photos_in_any_order():
    is_wrong, doubt = np.array([True, False, False, True]), np.array([0.5, 0.5, 0.1, 0.5])

    turned = risk_coverage(is_wrong[::-1], doubt[::-1])

    assert risk_coverage(is_wrong, doubt).tolist() == pytest.approx(turned.tolist())
    assert turned.tolist() == pytest.approx([0, 1 / 3, 4 / 9, 1 / 2])


def test_risk_equals_a_slow_second_writing():
    rng = np.random.default_rng(0)
    is_wrong, doubt = rng.random(200) < 0.3, rng.permutation(200) / 200

    slow = [is_wrong[np.argsort(doubt)[:k]].mean() for k in range(1, 201)]

    assert risk_coverage(is_wrong, doubt) == pytest.approx(slow)
    assert area_under_risk(is_wrong, doubt) == pytest.approx(np.mean(slow))


def test_area_is_smallest_where_doubt_knows_what_is_wrong():
    is_wrong = np.array([True] * 20 + [False] * 80)

    assert area_under_risk(is_wrong, is_wrong.astype(float)) < area_under_risk(is_wrong, 1.0 - is_wrong)
    assert np.isnan(area_under_risk(np.zeros(0, bool), np.zeros(0)))


def test_views_that_differ_carry_information_and_equal_ones_none():
    same = np.tile([0.7, 0.2, 0.1], (8, 1))
    apart = np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])

    assert mutual_information(same) == pytest.approx(0, abs=1e-12)
    assert mutual_information(apart) == pytest.approx(np.log(3))


def test_curves_say_what_remains_wrong_and_how_many_cancers_are_missed():
    results = [
        _result("a", "mel", [("mel", 0.9)] * 2),
        _result("b", "nv", [("nv", 0.95)] * 2),
        _result("c", "mel", [("nv", 0.6), ("bcc", 0.5)], Status.UNSURE),
        _result("d", "nv", [("nv", 0.9)] * 2),
    ]
    table = make_table(results)

    found = describe_selective(table)

    assert set(found["doubts"]) == set(doubts(table)) == {"top", "entropy", "set_size", "disagreement"}
    first, *_, last = found["doubts"]["disagreement"]["points"]
    assert (first["coverage"], first["n"], first["n_malignant"], first["n_missed"]) == (1.0, 4, 2, 0)
    assert first["error"] == 0.25
    assert (last["n"], last["error"]) == (1, 0.0)
    assert found["as_served"] == {"coverage": 0.75, "n": 3, "error": 0.0, "n_malignant": 1, "n_missed": 0}


def test_table_without_photos_has_no_points():
    found = describe_selective(make_table([]))

    assert found["as_served"] is None
    assert all(curve == {"area": None, "points": []} for curve in found["doubts"].values())
