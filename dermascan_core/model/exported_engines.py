"""Exported networks behind the ``Engine`` protocol: which there are, whether a file may be trusted, and how each is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import EngineError
from .head import Head
from .head_file import heads_file, load_heads
from .manifest import Manifest, file_sha256
from .predictor import Engine

FORMATS = ("litert", "onnx", "openvino")
PRECISIONS = ("float32", "float16", "int8", "integer")
# What each needs besides the weights, as pip and as Python name it.
PACKAGES: Mapping[str, tuple[str, str]] = {
    "litert": ("ai-edge-litert", "ai_edge_litert"),
    "onnx": ("onnxruntime", "onnxruntime"),
    "openvino": ("openvino", "openvino"),
}
# Tried in this order where nobody chose (docs/decisions/0035-litert-answers.md), and only where the answers are Keras' own.
FASTEST_FIRST = ("litert", "openvino", "onnx")
_AGAIN = "Restore it from the release, or export it again."
MAX_DIFFERENCE = 1e-3  # of a probability, between an engine that answers by default and Keras


def engine_name(format: str, precision: str) -> str:
    """Return what an engine is called.

    >>> engine_name("litert", "float32"), engine_name("litert", "int8")
    ('litert', 'litert-int8')
    """
    return format if precision == "float32" else f"{format}-{precision}"


def agrees(record: Mapping[str, Any]) -> bool:
    """Say whether an engine may answer in Keras' place: same probabilities, and the same next step for every photo."""
    measured = record.get("agreement", {})
    difference = measured.get("max_probability_difference")
    return difference is not None and difference < MAX_DIFFERENCE and measured.get("n_next_steps_differing") == 0


def open_engine(manifest: Manifest, weights: Path, name: str, *, n_threads: int | None = None) -> Engine:
    """Open an exported engine of a model.

    Args:
        manifest: Names the engines that were exported and measured, with the SHA-256 of each file.
        weights: The ``.keras`` file; exported files lie beside it.
        name: A key of ``manifest.engines``.
        n_threads: How many views LiteRT answers at once; by default one a core, eight at most. The others share the
            cores by themselves.

    Raises:
        EngineError: If the engine was not exported, its package is not installed, or its file is missing, altered, of
            another version, or of another network.
    """
    record = manifest.engines.get(name)
    format = name.partition("-")[0]
    if record is None or format not in PACKAGES:
        known = ", ".join(("keras", *manifest.engines))
        raise EngineError(
            f"Expected one of the engines of '{manifest.name}': {known}. Received '{name}'. "
            "Make one with: python -m dermascan_core export --help"
        )
    pip_name, module = PACKAGES[format]
    if find_spec(module) is None:
        raise EngineError(
            f"The engine '{name}' needs the package {pip_name}. It is not installed. Use: pip install {pip_name}"
        )
    paths = check_engine_files(weights, record)
    heads = load_heads(heads_file(weights), sha256=manifest.sha256)
    if format == "litert":
        from .litert_engine import LiteRTEngine

        return LiteRTEngine(paths[0], manifest, heads, name, n_threads=n_threads)
    return _opener(format)(paths[0], manifest, heads, name)


def check_engine_files(weights: Path, record: Mapping[str, Any]) -> list[Path]:
    """Return the files of an engine, the one that is opened first.

    Raises:
        EngineError: If one is missing, or its SHA-256 is another one.
    """
    paths = []
    for file_name, expected in record["files"].items():
        path = weights.with_name(file_name)
        if not path.is_file():
            raise EngineError(f"Expected the engine's file '{file_name}' beside the weights. It is missing. {_AGAIN}")
        found = file_sha256(path)
        if found != expected:
            raise EngineError(
                f"The engine's file '{file_name}' differs from the manifest: expected sha256 {expected[:12]}, "
                f"found {found[:12]}. {_AGAIN}"
            )
        paths.append(path)
    return paths


def _opener(format: str) -> Callable[[Path, Manifest, tuple[Head, ...], str], Engine]:
    if format == "onnx":
        from .onnx_engine import OnnxEngine

        return OnnxEngine
    from .openvino_engine import OpenVINOEngine

    return OpenVINOEngine
