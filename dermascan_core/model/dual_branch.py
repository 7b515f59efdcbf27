"""The dual-branch network: image features and metadata features, joined before the class head.

Layer names are a contract with heat maps and engines: ``feature_map``, ``embedding``, ``metadata_branch`` (absent where
the image answers alone), ``fusion``, ``logits``; ``gate``, or ``film_scale`` and ``film_shift``; and ``mask`` in training.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .backbones import build_backbone, scale_input

if TYPE_CHECKING:
    import keras

IMAGE_INPUT, METADATA_INPUT = "image", "metadata"
FUSIONS = ("concatenate", "gate", "film", "none")
GATE_TOP = 2.0  # a gate's factor lies in (0, 2), so that one half open changes nothing


def build_dual_branch(
    backbone_name: str,
    *,
    input_px: int,
    metadata_width: int,
    n_classes: int,
    pretrained: str | Path | None = None,
    metadata_units: int = 32,
    fusion_units: int = 256,
    dropout: float = 0.3,
    fusion: str = "concatenate",
    mask_head: bool = False,
) -> keras.Model:
    """Build the network.

    Args:
        backbone_name: A key of ``backbones.BACKBONES``.
        input_px: Side of the square photo.
        metadata_width: Columns of the metadata input.
        n_classes: Size of the class head.
        pretrained: Starting weights of the image branch; see ``build_backbone``.
        metadata_units: Width of the metadata branch.
        fusion_units: Width of the layer that sees both branches.
        dropout: Share of features dropped before and after the fusion layer in training.
        fusion: How the answers meet the image features: ``concatenate`` (side by side), ``gate`` (a factor in (0, 2)
            for each channel), ``film`` (a factor and a shift for each channel), or ``none`` (the image alone; the
            metadata input stays and is not read). Gate and film start out changing nothing.
        mask_head: Also answer with the lesion's mask on the feature grid, for training with masks.

    Returns:
        A model from ``image`` (n, input_px, input_px, 3) in [0, 255] and ``metadata`` (n, metadata_width) to class
        logits (n, n_classes); with ``mask_head`` to a list of these and mask logits (n, h, w, 1).

    Raises:
        ValueError: If the backbone or the fusion is not known.

    Reference: FiLM: Perez et al. (2018), https://arxiv.org/abs/1709.07871
    """
    import keras
    from keras import layers

    if fusion not in FUSIONS:
        raise ValueError(
            f"Invalid value received for argument `fusion`. Expected one of {', '.join(FUSIONS)}. Received: {fusion!r}"
        )

    image = keras.Input((input_px, input_px, 3), name=IMAGE_INPUT)
    metadata = keras.Input((metadata_width,), name=METADATA_INPUT)

    backbone = build_backbone(backbone_name, input_px=input_px, weights=pretrained)
    backbone.name = "backbone"
    feature_map = layers.Identity(name="feature_map")(backbone(scale_input(backbone_name, image)))
    embedding = layers.GlobalAveragePooling2D(name="embedding")(feature_map)  # (n, channels)
    joined = _join(embedding, metadata, fusion=fusion, metadata_units=metadata_units)
    fused = layers.Dense(fusion_units, activation="relu", name="fusion")(layers.Dropout(dropout)(joined))
    logits = layers.Dense(n_classes, dtype="float32", name="logits")(layers.Dropout(dropout)(fused))
    outputs = logits
    if mask_head:
        outputs = [logits, layers.Conv2D(1, 1, dtype="float32", name="mask")(feature_map)]
    return keras.Model([image, metadata], outputs, name=f"dermascan_{backbone_name}")


def _join(
    embedding: keras.KerasTensor, metadata: keras.KerasTensor, *, fusion: str, metadata_units: int
) -> keras.KerasTensor:
    """Let the answers act on the image features (n, channels)."""
    from keras import layers

    if fusion == "none":
        return embedding
    channels = embedding.shape[-1]
    answers = layers.Dense(metadata_units, activation="relu", name="metadata_branch")(metadata)
    if fusion == "concatenate":
        return layers.Concatenate(name="joined")([embedding, answers])
    if fusion == "gate":
        gate = layers.Dense(channels, activation="sigmoid", kernel_initializer="zeros", name="gate")(answers)
        return layers.Rescaling(GATE_TOP, name="joined")(layers.Multiply(name="gated")([embedding, gate]))
    scale = layers.Dense(channels, kernel_initializer="zeros", bias_initializer="ones", name="film_scale")(answers)
    shift = layers.Dense(channels, kernel_initializer="zeros", name="film_shift")(answers)
    return layers.Add(name="joined")([layers.Multiply(name="scaled")([embedding, scale]), shift])


def serving_model(model: keras.Model) -> keras.Model:
    """Return the same network with outputs (logits, embedding, feature_map)."""
    import keras

    outputs = [model.get_layer(name).output for name in ("logits", "embedding", "feature_map")]
    return keras.Model(model.inputs, outputs, name=model.name)


def classifier(model: keras.Model) -> keras.Model:
    """Return the same network with the class logits as its only output: without a mask head where it has one."""
    import keras

    return keras.Model(model.inputs, model.get_layer("logits").output, name=model.name)


def head_model(model: keras.Model) -> keras.Model:
    """Return the part after the image branch, with the same layers: (embedding, metadata) to logits."""
    import keras

    return keras.Model([model.get_layer("embedding").output, model.inputs[1]], model.get_layer("logits").output)
