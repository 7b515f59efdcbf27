"""Image branches with attention: a small transformer of our own, and transformer blocks on top of a convolutional network.

Built of Keras' own layers alone, so that a file of such a network loads like any other. There is no position embedding: the
convolutions before the blocks, padded with zeros, tell where a token lies.
"""

from __future__ import annotations

from typing import Any

WIDTH, N_BLOCKS, N_HEADS = 128, 6, 4
_TOKENIZER = (32, 64, WIDTH)  # filters of convolutions that halve the grid each: one token for 8 x 8 px


def compact_transformer(
    *, weights: str | None = None, include_top: bool = False, input_shape: tuple[int, int, int]
) -> Any:
    """Build a compact convolutional transformer, to be called as the networks of ``keras.applications`` are.

    Args:
        weights: None alone: nobody trained this one on ImageNet.
        include_top: False alone.
        input_shape: (height, width, 3), at least 8 px each.

    Returns:
        A model from scaled images to feature maps (n, height / 8, width / 8, 128).

    Raises:
        ValueError: If weights or a classifier are asked for.

    Reference: Hassani et al. (2021), https://arxiv.org/abs/2104.05704
    """
    import keras
    from keras import layers

    if weights is not None or include_top:
        raise ValueError(
            "There are no ImageNet weights and no classifier for compact_transformer; it starts from random"
        )
    image = keras.Input(input_shape)
    x = image
    for index, filters in enumerate(_TOKENIZER):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False, name=f"tokens_{index}")(x)
        x = layers.BatchNormalization(name=f"tokens_{index}_bn")(x)
        x = layers.ReLU(name=f"tokens_{index}_relu")(x)
    return keras.Model(image, add_blocks(x, N_BLOCKS), name="compact_transformer")


def add_blocks(feature_map: Any, n_blocks: int) -> Any:
    """Return a feature map of the same shape in which every place has looked at every other, n_blocks times.

    Pre-norm encoder blocks: attention, then two dense layers, each added to what came in.

    Args:
        feature_map: Keras tensor (n, h, w, channels), channels a multiple of 4.
        n_blocks: How many.

    Reference: Dosovitskiy et al. (2021), https://arxiv.org/abs/2010.11929
    """
    from keras import layers

    height, width, channels = feature_map.shape[1:]
    x = layers.Reshape((height * width, channels), name="grid_to_tokens")(feature_map)
    for index in range(n_blocks):
        name = f"block_{index}"
        looked = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_1")(x)
        # Heads of the compact transformer's own size at most: a wide map of a large network would else cost more than it.
        attention = layers.MultiHeadAttention(N_HEADS, min(channels, WIDTH) // N_HEADS, name=f"{name}_attention")
        x = layers.Add(name=f"{name}_add_1")([x, attention(looked, looked)])
        thought = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm_2")(x)
        thought = layers.Dense(2 * min(channels, WIDTH), activation="gelu", name=f"{name}_dense_1")(thought)
        thought = layers.Dense(channels, name=f"{name}_dense_2")(thought)
        x = layers.Add(name=f"{name}_add_2")([x, thought])
    x = layers.LayerNormalization(epsilon=1e-6, name="tokens_norm")(x)
    return layers.Reshape((height, width, channels), name="tokens_to_grid")(x)
