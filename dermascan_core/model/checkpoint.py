"""Weights files: saved for serving, and loaded only when they agree with their manifest."""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import WeightsError
from .manifest import DECISION_FIELDS, LATER_DECISION_FIELDS, Manifest, file_sha256
from .metadata_branch import MetadataEncoder

if TYPE_CHECKING:
    import keras


# Inside the .keras archive: ours, beside Keras' own.
_DECISIONS_FILE, _KERAS_WEIGHTS = "dermascan.json", "model.weights.h5"
# Smaller kernels are not rounded: the first convolutions and the depthwise ones, whose taps nearly cancel. They are a
# twentieth of MobileNetV2's space and made most of what rounding changed (decision 18).
FEWEST_ROUNDED = 20_000


def round_kernels(model: keras.Model) -> None:
    """Round every kernel (weights of two and more axes) of 20,000 values or more to the nearest float16; the rest stays.

    What is measured afterwards is what ``save_weights`` stores in half the space.
    """
    for weight in model.weights:
        if len(weight.shape) >= 2 and math.prod(weight.shape) >= FEWEST_ROUNDED:
            weight.assign(np.asarray(weight, np.float16).astype(np.float32))


def save_weights(model: keras.Model, path: Path, manifest: Manifest) -> None:
    """Write a serving network without optimizer state, whole or not at all.

    Kernels that float16 holds exactly (after ``round_kernels``, all large ones) are stored as float16; Keras widens them again.
    The manifest's decision fields go into the archive, so that neither file can be changed alone.

    Args:
        model: From ``dual_branch.serving_model`` or ``ensemble.join_members``.
        path: The ``.keras`` file.
        manifest: Of the model.
    """
    partial = path.with_name(f"partial-{path.name}")
    whole = path.with_name(f"whole-{path.name}")
    model.save(whole)
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in old.namelist():
            data = old.read(name)
            archive.writestr(name, _narrow(data) if name == _KERAS_WEIGHTS else data)
        archive.writestr(_DECISIONS_FILE, json.dumps(_decisions(manifest)))
    whole.unlink()
    os.replace(partial, path)


def _narrow(weights_h5: bytes) -> bytes:
    """Copy an HDF5 file, with every array of two and more axes that float16 holds exactly as float16."""
    import h5py

    narrowed = io.BytesIO()
    with h5py.File(io.BytesIO(weights_h5), "r") as source, h5py.File(narrowed, "w") as target:
        target.attrs.update(source.attrs)

        def copy(name: str, item: Any) -> None:
            if isinstance(item, h5py.Group):
                new: Any = target.require_group(name)
            else:
                values = np.asarray(item)
                half = values.astype(np.float16) if values.ndim >= 2 else values
                new = target.create_dataset(
                    name, data=half if np.array_equal(half.astype(values.dtype), values) else values
                )
            new.attrs.update(item.attrs)

        source.visititems(copy)
    return narrowed.getvalue()


def check_weights_file(manifest: Manifest, path: Path) -> None:
    """Raise unless the file is the one that the manifest names, and the manifest decides as the file was sealed.

    Whatever engine answers, it decides by the manifest: a threshold that was changed there must stop every one of them.

    Raises:
        WeightsError: If it is missing, its SHA-256 differs (names both hashes), or a decision field does (names both values).
    """
    if not path.is_file():
        raise WeightsError(f"Expected the weights '{path.name}' beside their manifest. They are missing. Restore them.")
    found = file_sha256(path)
    if found != manifest.sha256:
        raise WeightsError(
            f"The weights '{path.name}' differ from their manifest: expected sha256 {manifest.sha256}, "
            f"found {found}. Restore both from the same release."
        )
    sealed = _read_decisions(path)
    expected = _decisions(manifest)
    unsealed = [name for name in LATER_DECISION_FIELDS if name not in sealed]
    _refuse_differences(path, {name: expected[name] for name in expected if name not in unsealed}, sealed)


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
    _refuse_differences(path, expected, found)
    return model


def _refuse_differences(path: Path, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    differing = [first_difference(expected[name], found.get(name), name) for name in expected]
    if told := [f"{place}: manifest {ours}, weights {theirs}" for place, ours, theirs in filter(None, differing)]:
        raise WeightsError(
            f"The weights '{path.name}' disagree with their manifest ({'; '.join(told)}). "
            "Restore both from the same release."
        )


def first_difference(expected: Any, found: Any, place: str) -> tuple[str, str, str] | None:
    """Return where two values of plain data first differ: the place and both values there; None where they are equal.

    >>> first_difference({"90": {"mel": 0.1, "nv": 0.2}}, {"90": {"mel": 0.1, "nv": 0.3}}, "conformal")
    ('conformal 90 nv', '0.2', '0.3')
    >>> first_difference(["mel", "nv"], ["mel"], "codes")
    ('codes 2', 'nv', 'nothing')
    """
    if expected == found:
        return None
    pairs: list[tuple[Any, Any, Any]] = []
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        pairs = [(name, expected.get(name), found.get(name)) for name in dict.fromkeys((*expected, *found))]
    elif isinstance(expected, list) and isinstance(found, list):
        pairs = [(number, *pair) for number, pair in enumerate(zip_longest(expected, found), start=1)]
    for name, ours, theirs in pairs:
        if inner := first_difference(ours, theirs, f"{place} {name}"):
            return inner
    return place, _brief(expected), _brief(found)


def _brief(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping | list):
        return f"{len(value)} value{'s' if len(value) != 1 else ''}"
    return str(value)


def _decisions(manifest: Manifest) -> dict[str, Any]:
    """The decision fields as they come back from JSON."""
    values = manifest.to_dict()
    fields = (*DECISION_FIELDS, *LATER_DECISION_FIELDS)
    plain: dict[str, Any] = json.loads(json.dumps({name: values[name] for name in fields}))
    return plain


def _read_decisions(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            if _DECISIONS_FILE not in archive.namelist():
                return {}
            decisions: dict[str, Any] = json.loads(archive.read(_DECISIONS_FILE))
            return decisions
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise WeightsError(f"The weights '{path.name}' cannot be loaded: {error}. Restore them.") from error
