"""The dual-branch network: image features and metadata features, joined before the class head.

Layer names are a contract with heat maps and engines: ``feature_map``, ``embedding``, ``fusion``, ``logits``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .backbones import build_backbone, scale_input

if TYPE_CHECKING:
    import keras

IMAGE_INPUT, METADATA_INPUT = "image", "metadata"


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

    Returns:
        A model from ``image`` (n, input_px, input_px, 3) in [0, 255] and ``metadata`` (n, metadata_width) to class
        logits (n, n_classes).
    """
    import keras
    from keras import layers

    image = keras.Input((input_px, input_px, 3), name=IMAGE_INPUT)
    metadata = keras.Input((metadata_width,), name=METADATA_INPUT)

    backbone = build_backbone(backbone_name, input_px=input_px, weights=pretrained)
    backbone.name = "backbone"
    feature_map = layers.Identity(name="feature_map")(backbone(scale_input(backbone_name, image)))
    embedding = layers.GlobalAveragePooling2D(name="embedding")(feature_map)  # (n, channels)
    answers = layers.Dense(metadata_units, activation="relu", name="metadata_branch")(metadata)

    joined = layers.Dropout(dropout)(layers.Concatenate(name="joined")([embedding, answers]))
    fusion = layers.Dense(fusion_units, activation="relu", name="fusion")(joined)
    logits = layers.Dense(n_classes, dtype="float32", name="logits")(layers.Dropout(dropout)(fusion))
    return keras.Model([image, metadata], logits, name=f"dermascan_{backbone_name}")


def serving_model(model: keras.Model) -> keras.Model:
    """Return the same network with outputs (logits, embedding, feature_map)."""
    import keras

    outputs = [model.get_layer(name).output for name in ("logits", "embedding", "feature_map")]
    return keras.Model(model.inputs, outputs, name=model.name)
