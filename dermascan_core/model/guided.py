"""Guided backpropagation: which pixels speak for a class, by a backward pass in which a ReLU lets only support through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[np.floating]


def guided_copy(network: keras.Model) -> keras.Model | None:
    """Return a copy of a network, with its weights, whose ReLUs pass back only positive gradients.

    Returns:
        None where the network has no ReLU before its head (a swish or GELU network): guided backpropagation is defined
        for ReLU alone.

    Reference: Springenberg et al. (2015), https://arxiv.org/abs/1412.6806
    """
    import keras

    n_replaced = 0

    def copy(layer: keras.layers.Layer) -> keras.layers.Layer:
        nonlocal n_replaced
        top = _relu_top(layer)
        if top is None:
            return layer.__class__.from_config(layer.get_config())
        if isinstance(layer, (keras.layers.ReLU, keras.layers.Activation)):
            n_replaced += 1
            return keras.layers.Activation(_guided_relu(top), name=layer.name)
        made = layer.__class__.from_config(layer.get_config())
        made.activation = _guided_relu(top)
        return made

    copied = keras.models.clone_model(network, clone_function=copy, recursive=True)
    if not n_replaced:
        return None
    copied.set_weights(network.get_weights())
    return copied


def guided_gradient(copied: keras.Model, image: Array, metadata: Array, class_index: int) -> Array:
    """Return d logit[class_index] / d image by guided backpropagation, of shape (side, side, 3).

    Args:
        copied: From ``guided_copy`` of a serving network; its first output are the logits.
        image: Array (side, side, 3) in [0, 255].
        metadata: Encoded metadata (width,).
        class_index: Position of the class among the logits.
    """
    import tensorflow as tf

    pixels, answers = (tf.convert_to_tensor(one[np.newaxis], tf.float32) for one in (image, metadata))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        logit = copied([pixels, answers], training=False)[0][0, class_index]
    return np.asarray(tape.gradient(logit, pixels)[0])


def _relu_top(layer: Any) -> float | None:
    """Return where a layer's ReLU is cut off: infinity for a plain one; None where the layer has none."""
    import keras

    if isinstance(layer, keras.layers.ReLU):
        is_plain = layer.negative_slope == 0 and layer.threshold == 0
        return (float("inf") if layer.max_value is None else float(layer.max_value)) if is_plain else None
    return {"relu": float("inf"), "relu6": 6.0}.get(getattr(getattr(layer, "activation", None), "__name__", ""))


def _guided_relu(top: float) -> Any:
    import tensorflow as tf

    @tf.custom_gradient  # type: ignore[untyped-decorator, unused-ignore]
    def relu(x: Any) -> Any:
        def backward(upstream: Any) -> Any:
            is_open = tf.logical_and(x > 0, x < top)
            return tf.where(tf.logical_and(is_open, upstream > 0), upstream, tf.zeros_like(upstream))

        return tf.minimum(tf.nn.relu(x), top), backward

    return relu
