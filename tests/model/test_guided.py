"""Guided backpropagation on networks small enough to be followed by hand, and Guided Grad-CAM on the tiny network."""

import keras
import numpy as np

from dermascan_core.domain import Metadata
from dermascan_core.model.dual_branch import serving_model
from dermascan_core.model.guided import guided_copy, guided_gradient


def _chain(activation):
    """Two inputs as the real networks have; logit = relu(x * 1) * 2 - relu(x * -1) * 3, pixel by pixel, summed."""
    image, answers = keras.Input((2, 2, 3)), keras.Input((1,))
    up = keras.layers.Activation(activation, name="up")(keras.layers.Rescaling(1.0)(image))
    down = keras.layers.Activation(activation, name="down")(keras.layers.Rescaling(-1.0)(image))
    joined = keras.layers.Subtract()([keras.layers.Rescaling(2.0)(up), keras.layers.Rescaling(3.0)(down)])
    pooled = keras.layers.Reshape((12,))(joined)
    logits = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="logits")(pooled)
    return keras.Model([image, answers], [logits, pooled])


def test_relu_lets_only_support_back():
    image = np.array([1.0, -1.0, 0.5] * 4, np.float32).reshape(2, 2, 3)

    gradient = guided_gradient(guided_copy(_chain("relu")), image, np.zeros(1, np.float32), 0)

    # A plain gradient is 2 where x > 0 and 3 where x < 0; the second comes through "minus", so it is held back.
    assert gradient[..., 0].tolist() == [[2, 2], [2, 2]]
    assert gradient[..., 1].tolist() == [[0, 0], [0, 0]]


def test_network_without_relu_has_no_guided_copy():
    assert guided_copy(_chain("silu")) is None


def test_copy_answers_as_the_network_does(tiny_network):
    rng = np.random.default_rng(0)
    inputs = [rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32), np.zeros((2, tiny_network.inputs[1].shape[1]))]
    network = serving_model(tiny_network)

    before, after = (np.asarray(one(inputs, training=False)[0]) for one in (network, guided_copy(network)))

    np.testing.assert_allclose(before, after, atol=1e-4)


def test_guided_gradcam_lies_where_the_heat_map_is_warm(tiny_predictor):
    square = np.random.default_rng(1).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    output = tiny_predictor.predict(square[np.newaxis], [Metadata()], explain=True)[0]
    left = np.zeros((2, 2), np.float32)
    left[:, 0] = 1

    found = tiny_predictor.guided_grad_cam(square, Metadata(), "akiec", prediction=output.prediction, heat_map=left)

    assert found.shape == (64, 64)
    assert found.max() == 1
    assert found.min() >= 0
    assert found[:, :16].sum() > 10 * found[:, 48:].sum()


def test_engine_without_gradients_has_no_guided_gradcam(tiny_predictor, monkeypatch):
    square = np.zeros((64, 64, 3), np.uint8)
    output = tiny_predictor.predict(square[np.newaxis], [Metadata()])[0]
    monkeypatch.delattr(type(tiny_predictor._engine), "guided_gradients")

    found = tiny_predictor.guided_grad_cam(
        square, Metadata(), "mel", prediction=output.prediction, heat_map=np.ones((2, 2), np.float32)
    )

    assert found is None
