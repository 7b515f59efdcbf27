"""Weights files: saved for serving, and loaded only when they agree with their manifest."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WeightsError
from .manifest import DECISION_FIELDS, Manifest, file_sha256
from .metadata_branch import MetadataEncoder

if TYPE_CHECKING:
    import keras


_DECISIONS_FILE = "dermascan.json"  # inside the .keras archive, beside Keras' own files


def save_weights(model: keras.Model, path: Path, manifest: Manifest) -> None:
    """Write the network with its serving outputs and without optimizer state, whole or not at all.

    The manifest's decision fields go into the archive, so that neither file can be changed alone.
    """
    from .dual_branch import serving_model

    partial = path.with_name(f"partial-{path.name}")
    serving_model(model).save(partial)
    with zipfile.ZipFile(partial, "a") as archive:
        archive.writestr(_DECISIONS_FILE, json.dumps(_decisions(manifest)))
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
    found |= _read_decisions(path)
    expected = {
        "input_px": manifest.preprocess.input_px,
        "metadata columns": MetadataEncoder(manifest.metadata_fields).width,
        "classes": len(manifest.codes),
    } | _decisions(manifest)
    differing = [
        f"{name}: manifest {expected[name]}, weights {found.get(name)}"
        for name in expected
        if expected[name] != found.get(name)
    ]
    if differing:
        raise WeightsError(
            f"The weights '{path.name}' disagree with their manifest ({'; '.join(differing)}). "
            "Restore both from the same release."
        )
    return model


def _decisions(manifest: Manifest) -> dict[str, Any]:
    """The decision fields as they come back from JSON."""
    values = manifest.to_dict()
    plain: dict[str, Any] = json.loads(json.dumps({name: values[name] for name in DECISION_FIELDS}))
    return plain


def _read_decisions(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        if _DECISIONS_FILE not in archive.namelist():
            return {}
        decisions: dict[str, Any] = json.loads(archive.read(_DECISIONS_FILE))
        return decisions
