"""Weights files: saved for serving, and loaded only when they agree with their manifest."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import WeightsError
from .manifest import Manifest, file_sha256
from .metadata_branch import MetadataEncoder

if TYPE_CHECKING:
    import keras


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the network with its serving outputs and without optimizer state, whole or not at all."""
    from .dual_branch import serving_model

    partial = path.with_name(f"partial-{path.name}")
    serving_model(model).save(partial)
    os.replace(partial, path)


def check_weights_file(manifest: Manifest, path: Path) -> None:
    """Raise unless the file is the one that the manifest names.

    Raises:
        WeightsError: If it is missing or its SHA-256 differs; names both hashes.
    """
    if not path.is_file():
        raise WeightsError(f"Expected the weights '{path.name}' beside their manifest. They are missing. Restore them.")
    found = file_sha256(path)
    if found != manifest.sha256:
        raise WeightsError(
            f"The weights '{path.name}' differ from their manifest: expected sha256 {manifest.sha256}, "
            f"found {found}. Restore both from the same release."
        )


def load_weights(manifest: Manifest, path: Path) -> keras.Model:
    """Load a weights file after checking it.

    Returns:
        A model from (image, metadata) to (logits, embedding, feature_map).

    Raises:
        WeightsError: If the file is missing, altered, unreadable, or of another shape than the manifest says.
    """
    check_weights_file(manifest, path)
    import keras

    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"The weights '{path.name}' cannot be loaded: {error}. Restore them.") from error
    image_shape, metadata_shape = (tuple(i.shape) for i in model.inputs)
    found = {
        "input_px": image_shape[1],
        "metadata columns": metadata_shape[-1],
        "classes": model.outputs[0].shape[-1],
    }
    expected = {
        "input_px": manifest.preprocess.input_px,
        "metadata columns": MetadataEncoder(manifest.metadata_fields).width,
        "classes": len(manifest.codes),
    }
    differing = [
        f"{name}: manifest {expected[name]}, weights {found[name]}"
        for name in expected
        if expected[name] != found[name]
    ]
    if differing:
        raise WeightsError(
            f"The weights '{path.name}' disagree with their manifest ({'; '.join(differing)}). "
            "Restore both from the same release."
        )
    return model
