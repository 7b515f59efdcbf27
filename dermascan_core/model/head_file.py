"""The heads of a network in a small file of their own, so that an exported engine explains without Keras."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

import numpy as np

from ..errors import EngineError
from .head import Dense, Head

_SHA256 = "model_sha256"
_AGAIN = "Export the engine again: python -m dermascan_core export --help"


def heads_file(weights: Path) -> Path:
    """Return where the heads of a ``.keras`` file lie."""
    return weights.with_suffix(".heads.npz")


def save_heads(path: Path, heads: Sequence[Head], *, sha256: str) -> None:
    """Write the heads of all members, whole or not at all; arrays that float16 holds exactly take half the space.

    Args:
        path: From ``heads_file``.
        heads: One a member, in order.
        sha256: Of the weights that they belong to.
    """
    arrays = {_SHA256: np.array(sha256)}
    for member, head in enumerate(heads):
        for field in fields(Head):
            for place, (kernel, bias) in enumerate(_layers(getattr(head, field.name))):
                arrays[f"{member}.{field.name}.{place}.kernel"] = _narrow(np.asarray(kernel))
                arrays[f"{member}.{field.name}.{place}.bias"] = np.asarray(bias)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(buffer.getvalue())
    os.replace(partial, path)


def load_heads(path: Path, *, sha256: str) -> tuple[Head, ...]:
    """Read the heads.

    Raises:
        EngineError: If the file is missing, damaged, or belongs to other weights.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as data:
            arrays = {name: np.asarray(data[name]) for name in data.files}
        found = str(arrays.pop(_SHA256))
        if found != sha256:
            raise EngineError(
                f"Expected '{path.name}' to belong to the weights {sha256[:12]}. It belongs to {found[:12]}. {_AGAIN}"
            )
        n_members = 1 + max(int(name.partition(".")[0]) for name in arrays)
        return tuple(_head(arrays, member) for member in range(n_members))
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise EngineError(
            f"Expected the network's heads in '{path.name}'. They cannot be read ({error}). {_AGAIN}"
        ) from error


def _layers(part: Dense | tuple[Dense, Dense] | None) -> list[Dense]:
    """One layer as a list of one; FiLM's two as they are."""
    if part is None:
        return []
    return list(part) if isinstance(part[0], tuple) else [part]


def _head(arrays: dict[str, np.ndarray], member: int) -> Head:
    def layer(name: str, place: int = 0) -> Dense:
        start = f"{member}.{name}.{place}"
        return arrays[f"{start}.kernel"].astype(np.float32), arrays[f"{start}.bias"].astype(np.float32)

    has = {name.split(".")[1] for name in arrays if name.startswith(f"{member}.")}
    return Head(
        metadata_branch=layer("metadata_branch") if "metadata_branch" in has else None,
        fusion=layer("fusion"),
        logits_layer=layer("logits_layer"),
        gate=layer("gate") if "gate" in has else None,
        film=(layer("film", 0), layer("film", 1)) if "film" in has else None,
    )


def _narrow(values: np.ndarray) -> np.ndarray:
    half = values.astype(np.float16)
    return half if np.array_equal(half.astype(values.dtype), values) else values
