"""A network of three layers with the head of the real ones: written for another engine in a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dermascan_core.imaging.preprocess import PreprocessConfig
from dermascan_core.model.checkpoint import round_kernels, save_weights
from dermascan_core.model.dual_branch import IMAGE_INPUT, METADATA_INPUT, serving_model
from dermascan_core.model.manifest import Manifest, file_sha256, save_manifest
from dermascan_core.model.metadata_branch import MetadataEncoder
from tests.fakes import CODES, fake_manifest

SIDE_PX = 32


def build_small_network(*, side_px: int = SIDE_PX, seed: int = 3) -> Any:
    """A dual branch whose image branch is two convolutions."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(seed)
    image = keras.Input((side_px, side_px, 3), name=IMAGE_INPUT)
    metadata = keras.Input((MetadataEncoder(fake_manifest().metadata_fields).width,), name=METADATA_INPUT)
    seen = layers.ReLU()(layers.Conv2D(8, 5, strides=4)(layers.Rescaling(1 / 128, -1)(image)))
    feature_map = layers.Identity(name="feature_map")(layers.Conv2D(16, 3, strides=2, activation="relu")(seen))
    embedding = layers.GlobalAveragePooling2D(name="embedding")(feature_map)
    answers = layers.Dense(4, activation="relu", name="metadata_branch")(metadata)
    fused = layers.Dense(12, activation="relu", name="fusion")(layers.Concatenate()([embedding, answers]))
    return keras.Model([image, metadata], layers.Dense(len(CODES), name="logits")(fused))


def release_small_network(folder: Path, *, name: str = "small", **changes: Any) -> Manifest:
    """Write it as a release does: NAME.keras and NAME.json."""
    network = serving_model(build_small_network())
    round_kernels(network)
    manifest = fake_manifest(name=name, preprocess=PreprocessConfig(SIDE_PX, 150), **changes)
    path = folder / f"{name}.keras"
    save_weights(network, path, manifest)
    manifest = replace(manifest, sha256=file_sha256(path))
    save_manifest(manifest, folder / f"{name}.json")
    return manifest


def random_squares(n: int, *, side_px: int = SIDE_PX, seed: int = 0) -> np.ndarray:
    """n squares of noise."""
    return np.random.default_rng(seed).integers(0, 256, (n, side_px, side_px, 3)).astype(np.uint8)
