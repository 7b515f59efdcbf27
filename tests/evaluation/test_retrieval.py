"""What the similar labelled photos are worth, by an example that can be counted by hand, and against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from dermascan_core.domain import Neighbour
from dermascan_core.evaluation.retrieval import (
    Query,
    describe_retrieval,
    malignant_level,
    measure_retrieval,
    similarity_quantiles,
    vote,
    vote_score,
)
from dermascan_core.model.predictor import prediction_from_views
from dermascan_core.tables import LabelledPhoto
from dermascan_core.taxonomy import HAM_CODES, HAM_MALIGNANT
from tests.fakes import CODES, fake_manifest


def query(image_id, dx, *found, p_mel=None):
    """A photo with neighbours of these diagnoses, similarity falling from 0.9; its melanoma share where the network says."""
    neighbours = tuple(Neighbour(f"n{i}", f"L{i}", code, 0.9 - 0.1 * i) for i, code in enumerate(found))
    prediction = None
    if p_mel is not None:
        row = np.zeros(len(CODES))
        row[CODES.index("mel")], row[CODES.index("nv")] = p_mel, 1 - p_mel
        prediction = prediction_from_views(row[np.newaxis], fake_manifest(threshold=0.3))
    photo = LabelledPhoto(image_id, dx, dx in HAM_MALIGNANT, lesion_id=f"lesion {image_id}")
    return Query(photo, neighbours, prediction)


FOUR = [
    query("a", "mel", "mel", "mel", "nv", p_mel=0.9),
    query("b", "mel", "nv", "mel", "nv", p_mel=0.1),
    query("c", "nv", "nv", "nv", "nv", p_mel=0.1),
    query("d", "nv", "mel", "bcc", "nv", p_mel=0.5),
]


def test_measures_can_be_counted_by_hand():
    measured = measure_retrieval(FOUR, k=3, n_resamples=50)

    summary = {name: one["value"] for name, one in measured["summary"].items()}
    assert measured["n"] == 4
    assert (measured["n_lesions"], measured["n_malignant"], measured["depths"]) == (4, 2, [1, 3, 5])
    assert summary["precision_at_1"] == pytest.approx(2 / 4)
    assert summary["precision_at_3"] == pytest.approx((2 / 3 + 1 / 3 + 1 + 1 / 3) / 4, abs=1e-6)
    assert summary["macro_precision_at_1"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert summary["any_right"] == 1
    # Votes: a mel (1.7 to 0.7), b nv (1.6 to 0.8), c nv, d mel (0.9 to 0.8 and 0.7).
    assert summary["vote_balanced_accuracy"] == pytest.approx(0.5)
    assert summary["vote_accuracy"] == pytest.approx(0.5)
    assert measured["classes"]["mel"]["precision_at_3"]["value"] == pytest.approx(0.5)
    assert measured["classes"]["df"] == {
        "n": 0,
        **{
            name: {"value": None, "low": None, "high": None}
            for name in ("precision_at_1", "precision_at_3", "precision_at_5", "any_right")
        },
    }


def test_photos_are_counted_by_what_network_and_neighbours_say():
    cells = measure_retrieval(FOUR, k=3, n_resamples=50)["beside_network"]

    counted = {(c["network"], c["neighbours"]): (c["n"], c["n_malignant"]) for c in cells}
    assert counted == {
        ("above", "none"): (0, 0),
        ("above", "some"): (0, 0),
        ("above", "most"): (2, 1),
        ("below", "none"): (1, 0),
        ("below", "some"): (1, 1),
        ("below", "most"): (0, 0),
    }
    assert next(c for c in cells if c["n"] == 0)["malignant_share"]["value"] is None


def test_without_a_network_nothing_is_said_of_one():
    measured = measure_retrieval([query("a", "mel", "mel"), query("b", "nv", "nv")], k=1, n_resamples=10)

    assert measured["beside_network"] == []
    assert "network_accuracy" not in measured["summary"]


def test_photos_of_one_lesion_are_drawn_together():
    both = [
        Query(LabelledPhoto(f"{lesion}{i}", "nv", False, lesion_id=lesion), neighbours)
        for lesion, neighbours in (("wrong", FOUR[0].neighbours), ("right", FOUR[2].neighbours))
        for i in range(20)
    ]

    nearest = measure_retrieval(both, k=3, n_resamples=100)["summary"]["precision_at_1"]

    assert (nearest["value"], nearest["low"], nearest["high"]) == (0.5, 0.0, 1.0)


def test_vote_score_is_scikit_learn_s_balanced_accuracy():
    rng = np.random.default_rng(0)
    codes = np.array(HAM_CODES)
    queries = [query(str(i), rng.choice(codes), *rng.choice(codes, 5)) for i in range(200)]

    for k in (1, 3, 5):
        voted = [vote(q.neighbours[:k]) for q in queries]
        assert vote_score(queries, k) == pytest.approx(balanced_accuracy_score([q.photo.dx for q in queries], voted))


def test_vote_is_weighted_by_similarity_and_ties_go_to_the_nearer():
    assert vote(query("a", "nv", "mel", "nv").neighbours) == "mel"
    assert vote(query("a", "nv", "mel", "nv", "nv").neighbours) == "nv"
    assert vote([Neighbour("a", "A", "bcc", -0.1), Neighbour("b", "B", "nv", -0.2)]) == "bcc"


@pytest.mark.parametrize(
    ("codes", "level"),
    [(("nv", "nv"), "none"), (("nv", "mel", "nv"), "some"), (("nv", "akiec"), "most"), (("bcc",), "most")],
)
def test_level_says_how_much_of_the_neighbours_is_malignant(codes, level):
    assert malignant_level(query("a", "nv", *codes).neighbours) == level


def test_usual_similarity_is_that_of_the_nearest():
    queries = [
        Query(FOUR[0].photo, (Neighbour("n", "L", "nv", s), Neighbour("m", "M", "nv", 0))) for s in (0.2, 0.4, 0.6)
    ]

    assert similarity_quantiles(queries) == {"5": 0.22, "25": 0.3, "50": 0.4}


def test_what_was_measured_is_told_in_lines():
    lines = describe_retrieval(measure_retrieval(FOUR, k=3, n_resamples=50))

    assert lines[0].startswith("nearest photo has the right label: 0.500 (")
    assert [line.partition(":")[0] for line in lines[1:4]] == [
        "share of the 3 nearest with the right label",
        "the same, mean over classes",
        "at least one of the 3 has the right label",
    ]
