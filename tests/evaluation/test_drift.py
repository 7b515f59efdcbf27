from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.domain import Neighbour, NextStep, PhotoScreening, Status
from dermascan_core.evaluation.drift import SIGNALS, Signal, decay, has_drifted, measure_drift
from dermascan_core.evaluation.outcomes import proportion
from dermascan_core.model.predictor import prediction_from_views
from tests.fakes import fake_manifest

USUAL = {"refused": proportion(20, 1000), "unsure": proportion(60, 1000), "unlike": proportion(50, 1000)}


def photo(status=Status.ANSWERED, *, similarity=0.97, p_melanoma=0.01):
    shares = np.array([p_melanoma, 1 - p_melanoma, *[0.0] * 6])
    prediction = None if status is Status.REFUSED else prediction_from_views(np.tile(shares, (8, 1)), fake_manifest())
    one = PhotoScreening("a.jpg", status, None, None, None, prediction, None, NextStep.ROUTINE_CHECK)
    return one if status is Status.REFUSED else replace(one, similar=(Neighbour("x", "y", "nv", similarity),))


def by_name(signals):
    return {signal.name: signal for signal in signals}


def test_each_signal_counts_its_own_photos():
    photos = [
        *[photo(Status.REFUSED)] * 10,
        *[photo(Status.UNSURE, p_melanoma=0.3)] * 4,
        *[photo(similarity=0.5)] * 6,
        *[photo()] * 30,
    ]

    found = by_name(measure_drift(photos, USUAL, alike_limit=0.9))

    assert list(found) == list(SIGNALS)
    assert {name: (s.share.n_true, s.share.n) for name, s in found.items()} == {
        "refused": (10, 50), "unsure": (4, 40), "unlike": (6, 40), "above": (4, 40),
    }  # fmt: skip
    assert (found["refused"].verdict, found["unsure"].verdict) == ("more", "as usual")
    assert found["above"].verdict == "too few"  # nobody knows what is usual
    assert has_drifted(list(found.values()))


def test_photos_are_not_compared_where_nobody_knows_what_is_usual():
    assert "unlike" not in by_name(measure_drift([photo()] * 40, USUAL, alike_limit=None))


@pytest.mark.parametrize(
    ("share", "usual", "verdict"),
    [
        (proportion(5, 20), proportion(20, 1000), "too few"),
        (proportion(10, 100), proportion(1, 29), "too few"),
        (proportion(30, 300), proportion(20, 1000), "more"),
        (proportion(3, 300), proportion(200, 1000), "fewer"),
        (proportion(300, 1000), proportion(200, 1000), "as usual"),  # surely more, and not twice as many
        (proportion(1, 200), proportion(0, 53), "as usual"),  # of 53 none is no proof that none is usual
    ],
)
def test_verdict_needs_photos_and_a_difference_that_is_no_chance_and_no_trifle(share, usual, verdict):
    assert Signal("refused", share, usual).verdict == verdict


def test_another_mix_of_lesions_alone_is_no_drift():
    assert not has_drifted([Signal("above", proportion(90, 100), proportion(100, 1000))])
    assert has_drifted([Signal("unlike", proportion(90, 100), proportion(50, 1000))])


def test_decay_is_worse_only_where_luck_cannot_explain_it():
    assert decay(proportion(4, 9), 0.95) == "too few"
    assert decay(proportion(12, 20), 0.95) == "worse"
    assert decay(proportion(17, 20), 0.95) == "lower"
    assert decay(proportion(19, 20), 0.95) == "as usual"
