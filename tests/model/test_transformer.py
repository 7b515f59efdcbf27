import keras
import numpy as np
import pytest

from dermascan_core.errors import WeightsError
from dermascan_core.model.backbones import build_backbone
from dermascan_core.model.dual_branch import build_dual_branch
from dermascan_core.model.transformer import add_blocks


def _slow_block(x, block):
    """One pre-norm encoder block of a photo's tokens (n_tokens, channels), head by head."""

    def norm(x, layer):
        gamma, beta = (np.asarray(w) for w in layer.weights)
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * gamma + beta

    def gelu(x):
        return np.asarray(keras.ops.gelu(x, approximate=False))

    looked = norm(x, block["norm_1"])
    wq, bq, wk, bk, wv, bv, wo, bo = (np.asarray(w) for w in block["attention"].weights)
    added = np.zeros_like(x)
    for head in range(wq.shape[1]):
        query, key = looked @ wq[:, head] + bq[head], looked @ wk[:, head] + bk[head]
        score = query @ key.T / np.sqrt(wq.shape[2])
        share = np.exp(score - score.max(-1, keepdims=True))
        share /= share.sum(-1, keepdims=True)
        added += share @ (looked @ wv[:, head] + bv[head]) @ wo[head]
    x = x + added + bo
    (w1, b1), (w2, b2) = (map(np.asarray, block[name].weights) for name in ("dense_1", "dense_2"))
    return x + gelu(norm(x, block["norm_2"]) @ w1 + b1) @ w2 + b2


def test_block_equals_its_slow_definition():
    keras.utils.set_random_seed(0)
    grid = keras.Input((3, 2, 8))
    model = keras.Model(grid, add_blocks(grid, 1))
    rng = np.random.default_rng(0)
    for weight in model.weights:  # biases and norms too, which start at 0 and 1
        weight.assign(np.asarray(weight) + rng.normal(0, 0.3, weight.shape))
    photo = rng.normal(0, 1, (3, 2, 8)).astype(np.float32)
    names = ("norm_1", "attention", "norm_2", "dense_1", "dense_2")
    tokens = _slow_block(photo.reshape(6, 8), {name: model.get_layer(f"block_0_{name}") for name in names})
    gamma, beta = (np.asarray(w) for w in model.get_layer("tokens_norm").weights)
    expected = (tokens - tokens.mean(-1, keepdims=True)) / np.sqrt(tokens.var(-1, keepdims=True) + 1e-6) * gamma + beta

    np.testing.assert_allclose(np.asarray(model(photo[None]))[0], expected.reshape(3, 2, 8), atol=1e-4)


def test_every_place_sees_every_other():
    """A convolution of this depth would not reach from corner to corner."""
    grid = keras.Input((12, 12, 16))
    model = keras.Model(grid, add_blocks(grid, 1))
    photo = np.random.default_rng(0).normal(0, 1, (1, 12, 12, 16)).astype(np.float32)
    other = photo.copy()
    other[0, 0, 0] += np.arange(16) % 3

    change = np.abs(np.asarray(model(photo)) - np.asarray(model(other)))[0]

    assert change[-1, -1].max() > 1e-5


@pytest.mark.parametrize(
    ("name", "shape"), [("compact_transformer", (None, 8, 8, 128)), ("mobilenet_v2_attention", (None, 2, 2, 1280))]
)
def test_network_with_attention_has_the_feature_map_that_heat_maps_need(name, shape, tmp_path):
    network = build_dual_branch(name, input_px=64, metadata_width=3, n_classes=8)
    inputs = [np.full((1, 64, 64, 3), 99, np.float32), np.ones((1, 3), np.float32)]
    network.save(tmp_path / "net.keras")

    loaded = keras.saving.load_model(tmp_path / "net.keras", compile=False, safe_mode=True)

    assert network.get_layer("feature_map").output.shape == shape
    for a, b in zip(loaded(inputs), network(inputs), strict=True):
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-5)


def test_transformer_says_that_it_has_no_starting_weights():
    with pytest.raises(WeightsError, match=r"no ImageNet weights .* for compact_transformer"):
        build_backbone("compact_transformer", input_px=64, weights="imagenet")


def test_blocks_on_top_leave_room_for_the_local_weights_of_what_is_below(tmp_path):
    below = build_backbone("mobilenet_v2", input_px=64, weights=None)
    below.save_weights(tmp_path / "below.weights.h5")

    network = build_backbone("mobilenet_v2_attention", input_px=64, weights=tmp_path / "below.weights.h5")

    pixels = np.random.default_rng(0).normal(0, 1, (1, 64, 64, 3)).astype(np.float32)
    to_grid = keras.Model(network.input, network.get_layer("out_relu").output)
    np.testing.assert_allclose(np.asarray(to_grid(pixels)), np.asarray(below(pixels)), atol=1e-5)
