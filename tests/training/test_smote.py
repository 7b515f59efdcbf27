"""Filling up rare classes: where new points lie, and what refitting the head does."""

import keras
import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from dermascan_core.model.dual_branch import build_dual_branch
from dermascan_core.training.features import embed
from dermascan_core.training.smote import fill_up, refit_head


@pytest.fixture
def points():
    rng = np.random.default_rng(1)
    classes = np.repeat([0, 1, 2], [40, 9, 1])
    return rng.normal(size=(50, 6)).astype(np.float32), np.eye(4, dtype=np.float32)[classes]


def test_every_class_with_points_grows_to_the_largest(points):
    features, targets = fill_up(*points, seed=0)

    assert targets.sum(axis=0).tolist() == [40, 40, 40, 0]
    assert len(features) == len(targets) == 120
    assert np.array_equal(features[:50], points[0])


def test_new_points_lie_on_segments_between_neighbours_of_their_class(points):
    features, targets = fill_up(*points, seed=0, n_neighbours=3)

    own = points[0][points[1].argmax(axis=1) == 1]
    near = NearestNeighbors(n_neighbors=4).fit(own).kneighbors(own, return_distance=False)[:, 1:]
    new = features[50:][targets[50:, 1] == 1]
    assert len(new) == 31
    for point in new:
        gaps = []
        for i, neighbours in enumerate(near):
            for j in neighbours:
                along = own[j] - own[i]
                share = (point - own[i]) @ along / (along @ along)
                gaps.append(np.abs(own[i] + np.clip(share, 0, 1) * along - point).max())
        assert min(gaps) < 1e-5


def test_single_point_is_repeated(points):
    features, targets = fill_up(*points, seed=0)

    assert (features[targets[:, 2] == 1] == points[0][49]).all()


def test_soft_targets_are_mixed_with_their_points():
    features = np.array([[0], [1], [9], [9], [9]], np.float32)
    targets = np.array([[0.5, 0.5, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1], [0, 0, 1]], np.float32)

    filled, filled_targets = fill_up(features, targets, seed=3)

    new, new_target = filled[5:, 0], filled_targets[5:]
    np.testing.assert_allclose(new_target[:, 0], 0.5 + 0.5 * new, rtol=1e-5)
    np.testing.assert_allclose(new_target.sum(axis=1), 1, rtol=1e-5)


def test_same_seed_fills_up_the_same(points):
    one, same, other = (fill_up(*points, seed=s)[0] for s in (4, 4, 5))

    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return build_dual_branch("mobilenet", input_px=32, metadata_width=2, n_classes=3, fusion_units=16)


def test_features_are_the_embedding_with_the_answers_behind(network):
    rng = np.random.default_rng(0)
    squares, metadata = rng.integers(0, 255, (3, 32, 32, 3)).astype(np.uint8), np.eye(3, 2, dtype=np.float32)

    features = embed(network, squares, metadata)

    pooled = keras.Model(network.inputs, network.get_layer("embedding").output)
    np.testing.assert_allclose(features[:, :-2], pooled.predict_on_batch([squares.astype("f"), metadata]), atol=1e-5)
    assert np.array_equal(features[:, -2:], metadata)


def test_refitted_head_tells_the_rare_class_and_the_image_branch_stays(network):
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], [150, 20, 8])
    features = np.concatenate([rng.normal(size=(178, 1024)), np.zeros((178, 2))], axis=1).astype(np.float32)
    features[np.arange(178), classes] += 6
    targets = np.eye(3, dtype=np.float32)[classes]
    backbone = [w.copy() for w in network.get_layer("backbone").get_weights()]
    start = network.get_weights()
    results = []

    for _ in range(2):
        network.set_weights(start)
        shares = refit_head(network, features, targets, seed=7)
        results.append([w.copy() for w in network.get_weights()])

    from dermascan_core.model.head import Head

    predicted = Head.of(network).logits(features[:, :1024], features[:, 1024:]).argmax(axis=1)
    assert (predicted[classes == 2] == 2).mean() > 0.7
    np.testing.assert_allclose(shares, np.full(3, 1 / 3))
    assert all(np.array_equal(a, b) for a, b in zip(backbone, network.get_layer("backbone").get_weights(), strict=True))
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
