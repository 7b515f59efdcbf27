"""The odd one out: z-scores by hand, the local outlier factor against scikit-learn, and what ranks first."""

import numpy as np
import pytest
from sklearn.neighbors import LocalOutlierFactor

from dermascan_core.trust.ugly_duckling import (
    Z_LIMIT,
    default_neighbours,
    find_odd_one_out,
    joint_distances,
    local_outlier_factor,
    robust_z_scores,
)

COLOURS = ("colour", "colour")
UNKNOWN = float("nan")


@pytest.mark.parametrize(("n_moles", "n_neighbours"), [(3, 2), (6, 3), (12, 6), (30, 10)])
def test_local_outlier_factor_equals_scikit_learn_s(n_moles: int, n_neighbours: int) -> None:
    points = np.random.default_rng(n_moles).normal(size=(n_moles, 4))
    distances = np.linalg.norm(points[:, None] - points, axis=2)

    factor = local_outlier_factor(distances, n_neighbours=n_neighbours)

    oracle = LocalOutlierFactor(n_neighbors=n_neighbours, metric="precomputed").fit(distances)
    assert factor == pytest.approx(-oracle.negative_outlier_factor_)


def test_photos_of_one_picture_are_nothing_odd() -> None:
    assert local_outlier_factor(np.zeros((4, 4)), n_neighbours=2) == pytest.approx(np.ones(4))


@pytest.mark.parametrize("n_neighbours", [0, 3])
def test_local_outlier_factor_needs_more_samples_than_neighbours(n_neighbours: int) -> None:
    with pytest.raises(ValueError, match=r"`n_neighbours`\. Expected 1 to 2\. Received: "):
        local_outlier_factor(np.zeros((3, 3)), n_neighbours=n_neighbours)


def test_z_scores_by_hand() -> None:
    # Median 3; absolute deviations 2 1 0 1 7 with median 1: a spread of 1.4826.
    z_scores = robust_z_scores([[1.0], [2.0], [3.0], [4.0], [10.0]])

    assert z_scores.ravel() == pytest.approx([-2 / 1.4826, -1 / 1.4826, 0, 1 / 1.4826, 7 / 1.4826])


def test_spread_is_never_under_the_floor() -> None:
    assert robust_z_scores([[5.0], [5.1], [7.0]], floors=[2.0]).ravel() == pytest.approx([-0.05, 0, 0.95])


def test_unknown_features_stay_unknown_and_move_nobody_else() -> None:
    z_scores = robust_z_scores([[1.0, UNKNOWN], [2.0, UNKNOWN], [UNKNOWN, UNKNOWN], [3.0, UNKNOWN]])

    assert z_scores[[0, 1, 3], 0] == pytest.approx([-1 / 1.4826, 0, 1 / 1.4826])
    assert np.isnan(z_scores[2, 0])
    assert np.isnan(z_scores[:, 1]).all()


def test_column_without_spread_has_zeros() -> None:
    assert robust_z_scores([[4.0], [4.0], [4.0]]).tolist() == [[0.0], [0.0], [0.0]]


def test_pictures_and_traits_count_the_same_and_families_too() -> None:
    embeddings = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])  # squared distances 2, 4, 2: a median of 2
    z_scores = np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 3.0], [2.0, 2.0, 0.0]])

    distances = joint_distances(embeddings, z_scores, families=("colour", "colour", "size"))

    # Traits squared: pair 0-1 (1 + 9) / 2 = 5, pair 0-2 (4 + 0) / 2 = 2, pair 1-2 (1 + 9) / 2 = 5: a median of 5.
    assert distances[0, 1] ** 2 == pytest.approx((1 + 1) / 2)
    assert distances[0, 2] ** 2 == pytest.approx((2 + 0.4) / 2)
    assert distances == pytest.approx(distances.T)
    assert np.diag(distances).tolist() == [0.0, 0.0, 0.0]


def test_length_of_an_embedding_does_not_count() -> None:
    moles = np.random.default_rng(0).normal(size=(5, 3))
    traits = np.zeros((5, 2))

    assert joint_distances(moles, traits, families=COLOURS) == pytest.approx(
        joint_distances(moles * np.array([[1], [2], [3], [4], [5]]), traits, families=COLOURS)
    )


def test_mole_unlike_the_others_ranks_first() -> None:
    rng = np.random.default_rng(3)
    embeddings = rng.normal(1, 0.05, size=(9, 16))
    features = rng.normal(50, 2, size=(9, 2))
    embeddings[4] = rng.normal(0, 1, size=16)
    features[4] = [20, 50]

    odd = find_odd_one_out(embeddings, features, floors=[1.0, 1.0], families=COLOURS)

    assert odd.ranks[4] == 1
    assert sorted(odd.ranks) == list(range(1, 10))
    assert odd.outlier_factor[4] > 1.5
    assert odd.z_scores[4, 0] < -5
    assert odd.outlier_factor[odd.ranks.argsort()] == pytest.approx(sorted(odd.outlier_factor, reverse=True))


def test_traits_alone_find_the_odd_one_where_pictures_are_alike() -> None:
    features = np.array([[50.0, 0.0], [51.0, 0.0], [49.0, 0.0], [30.0, 0.0]])

    odd = find_odd_one_out(np.ones((4, 3)), features, floors=[1.0, 1.0], families=COLOURS)

    assert odd.ranks[3] == 1


def test_mole_without_traits_is_compared_by_its_picture() -> None:
    embeddings = np.array([[1.0, 0.0], [1.0, 0.1], [1.0, -0.1], [1.0, 0.05], [-1.0, 1.0]])
    features = np.array([[50.0], [52.0], [48.0], [50.0], [UNKNOWN]])

    odd = find_odd_one_out(embeddings, features, floors=[1.0], families=("colour",))

    assert odd.ranks[4] == 1
    assert np.isnan(odd.z_scores[4, 0])


def test_order_of_the_photos_does_not_matter() -> None:
    rng = np.random.default_rng(8)
    embeddings, features, turned = rng.normal(size=(7, 5)), rng.normal(size=(7, 2)), rng.permutation(7)

    here = find_odd_one_out(embeddings, features, floors=[0, 0], families=COLOURS)
    there = find_odd_one_out(embeddings[turned], features[turned], floors=[0, 0], families=COLOURS)

    assert there.outlier_factor == pytest.approx(here.outlier_factor[turned])
    assert there.ranks.tolist() == here.ranks[turned].tolist()


def test_one_wild_trait_does_not_decide_alone() -> None:
    wild, wilder = (
        joint_distances(np.eye(3), np.array([[0.0], [1.0], [z]]), families=("size",)) for z in (Z_LIMIT, 1000.0)
    )

    assert wild == pytest.approx(wilder)


def test_two_moles_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="Expected 3 moles or more"):
        find_odd_one_out(np.eye(2), np.zeros((2, 1)), floors=[0], families=("size",))


def test_default_neighbours_are_never_all_the_others() -> None:
    assert all(1 <= default_neighbours(n) < n - 1 for n in range(3, 31))


def test_odd_one_of_three_moles_is_found() -> None:
    odd = find_odd_one_out([[1, 0], [1, 0.1], [0, 1]], np.full((3, 1), UNKNOWN), floors=[1.0], families=("size",))

    assert odd.ranks.tolist().index(1) == 2
    assert odd.outlier_factor[2] > 1.5
