"""The closed form against TensorFlow's own gradients."""

import keras
import numpy as np
import pytest

from dermascan_core.model.dual_branch import serving_model
from dermascan_core.model.gradcam import average_heat_map, grad_cam, grad_cam_plus_plus
from dermascan_core.model.head import Head


@pytest.fixture(scope="module")
def passed(tiny_network):
    """One forward pass of four random photos: (images, metadata, logits, embedding, feature_map)."""
    rng = np.random.default_rng(3)
    images = rng.uniform(0, 255, (4, 64, 64, 3)).astype(np.float32)
    metadata = rng.normal(size=(4, tiny_network.inputs[1].shape[1])).astype(np.float32)
    outputs = serving_model(tiny_network).predict_on_batch([images, metadata])
    return images, metadata, *(np.asarray(o) for o in outputs)


def test_head_repeats_the_networks_logits(tiny_network, passed):
    _, metadata, logits, embedding, _ = passed

    np.testing.assert_allclose(Head.of(tiny_network).logits(embedding, metadata), logits, atol=1e-5)


@pytest.mark.parametrize("class_index", [0, 5])
def test_heat_map_equals_gradcam_by_gradient_tape(tiny_network, passed, class_index):
    tf = pytest.importorskip("tensorflow")
    _, metadata, _, embedding, feature_map = passed
    tail_in = keras.Input(feature_map.shape[1:])
    meta_in = keras.Input(metadata.shape[1:])
    x = tiny_network.get_layer("joined")(
        [tiny_network.get_layer("embedding")(tail_in), tiny_network.get_layer("metadata_branch")(meta_in)]
    )
    tail = keras.Model([tail_in, meta_in], tiny_network.get_layer("logits")(tiny_network.get_layer("fusion")(x)))

    with tf.GradientTape() as tape:
        maps = tf.convert_to_tensor(feature_map)
        tape.watch(maps)
        logit = tail([maps, tf.convert_to_tensor(metadata)], training=False)[:, class_index]
    weights = tape.gradient(logit, maps).numpy().mean(axis=(1, 2))
    expected = np.maximum((feature_map * weights[:, None, None, :]).sum(-1), 0)
    found = grad_cam(feature_map, embedding, metadata, Head.of(tiny_network), class_index)

    n_cells = feature_map.shape[1] * feature_map.shape[2]
    np.testing.assert_allclose(found / n_cells, expected, rtol=1e-3, atol=1e-6)


def test_gradcam_plus_plus_equals_its_definition_by_nested_tapes():
    """A slow second writing: the three derivatives of exp(logit) by place and channel, each by TensorFlow."""
    tf = pytest.importorskip("tensorflow")
    rng = np.random.default_rng(5)
    fusion = (rng.normal(0, 0.5, (3, 6)), rng.normal(0, 0.1, 6))
    fusion = (np.abs(fusion[0]) * [[1], [-0.3], [1]], fusion[1])  # one channel speaks against the class
    head = Head(None, fusion, logits_layer=(rng.uniform(0, 0.5, (6, 2)), rng.normal(0, 0.1, 2)))
    feature_map, metadata = rng.uniform(0, 2, (1, 2, 2, 3)), np.zeros((1, 1))

    def score(maps):
        hidden = tf.nn.relu(tf.reduce_mean(maps, axis=(0, 1))[None] @ tf.constant(fusion[0]) + fusion[1])
        return tf.exp((hidden @ tf.constant(head.logits_layer[0]) + head.logits_layer[1])[0, 1])

    def derivatives(place):
        step = tf.Variable(0.0, dtype=tf.float64)
        direction = np.zeros((2, 2, 3))
        direction[place] = 1
        with tf.GradientTape() as third, tf.GradientTape() as second, tf.GradientTape() as first:
            value = score(tf.constant(feature_map[0]) + step * direction)
            one = first.gradient(value, step)
            two = second.gradient(one, step)
        return float(one), float(two), float(third.gradient(two, step))

    weights = np.zeros(3)
    for k in range(3):
        found = np.array([[derivatives((i, j, k)) for j in range(2)] for i in range(2)])  # (2, 2, 3 derivatives)
        alpha = found[..., 1] / (2 * found[..., 1] + (feature_map[0, ..., k] * found[..., 2]).sum())
        weights[k] = (alpha * np.maximum(found[..., 0], 0)).sum()
    expected = np.maximum((feature_map[0] * weights).sum(-1), 0)
    found = grad_cam_plus_plus(feature_map, feature_map.mean(axis=(1, 2)), metadata, head, 1)[0]

    np.testing.assert_allclose(found / found.max(), expected / expected.max(), rtol=1e-6)


def test_maps_change_when_the_network_s_weights_are_randomised(tiny_network, passed):
    """The sanity check of Adebayo et al. (2018), https://arxiv.org/abs/1810.03292: maps must depend on what was learnt."""
    images, metadata, *_ = passed
    random = keras.models.clone_model(serving_model(tiny_network))
    rng = np.random.default_rng(9)
    random.set_weights(serving_model(tiny_network).get_weights())
    last_conv = [one for one in random.get_layer("backbone").layers if isinstance(one, keras.layers.Conv2D)][-1]
    for layer in (last_conv, random.get_layer("fusion"), random.get_layer("logits")):  # from the top down, as there
        kernel, *bias = layer.get_weights()
        layer.set_weights([rng.permutation(kernel.ravel()).reshape(kernel.shape), *bias])

    correlations = {}
    for method in (grad_cam, grad_cam_plus_plus):
        shapes = []
        for network in (serving_model(tiny_network), random):
            _, embedding, feature_map = (np.asarray(o) for o in network.predict_on_batch([images, metadata]))
            head = Head.of(network)
            maps = [method(feature_map, embedding, metadata, head, k).reshape(4, -1) for k in range(8)]
            shapes.append(np.concatenate(maps))  # (8 classes x 4 photos, cells)
        is_told = np.all([one.std(axis=1) > 1e-9 for one in shapes], axis=0)
        pairs = zip(shapes[0][is_told], shapes[1][is_told], strict=True)
        correlations[method] = float(np.mean([np.corrcoef(one, other)[0, 1] for one, other in pairs]))

    # Grad-CAM++ keeps only what speaks for a class, so more of the picture itself stays in its map.
    assert abs(correlations[grad_cam]) < 0.5
    assert abs(correlations[grad_cam_plus_plus]) < 0.8


def test_heat_map_changes_when_the_head_is_randomised(tiny_network, passed):
    _, metadata, _, embedding, feature_map = passed
    head = Head.of(tiny_network)
    rng = np.random.default_rng(0)
    shuffled = Head(
        *((rng.permutation(kernel), bias) for kernel, bias in (head.metadata_branch, head.fusion, head.logits_layer))
    )

    before, after = (average_heat_map(feature_map, embedding, metadata, h, 0) for h in (head, shuffled))

    assert not np.allclose(before, after, atol=1e-3)


def test_heat_map_of_nothing_stays_zero(tiny_network, passed):
    _, metadata, _, embedding, feature_map = passed

    heat_map = average_heat_map(feature_map * 0, embedding, metadata, Head.of(tiny_network), 0)

    assert heat_map.shape == feature_map.shape[1:3]
    assert not heat_map.any()


def test_heat_map_is_turned_back_upright_before_averaging(tiny_network):
    head = Head.of(tiny_network)
    embedding = np.repeat(np.random.default_rng(2).uniform(0, 1, (1, 1280)).astype(np.float32), 8, axis=0)
    metadata = np.zeros((8, tiny_network.inputs[1].shape[1]), np.float32)
    weights = head.embedding_gradient(embedding, metadata, 0)[0]
    corner = np.zeros((2, 2, 1280), np.float32)
    corner[0, 1] = np.sign(weights)
    from dermascan_core.model.views import make_views

    heat_map = average_heat_map(make_views(corner), embedding, metadata, head, 0)

    assert heat_map.tolist() == [[0, 1], [0, 0]]
