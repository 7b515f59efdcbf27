"""What stands inside a ``.tflite`` file: its kernels, its operators, and small files packed behind the network."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import EngineError

Array = npt.NDArray[np.floating]
_CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}  # of their kernels
_KERNEL_INPUT = 1  # for each of these, input 0 is what it looks at and input 2 its bias
# What the Edge TPU compiler maps to the chip, each under conditions of its own, as its makers list it:
# https://coral.ai/docs/edgetpu/models-intro/#supported-operations
EDGE_TPU_OPERATORS = frozenset(
    {
        *("ADD", "AVERAGE_POOL_2D", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "EXPAND_DIMS", "FULLY_CONNECTED"),
        *("L2_NORMALIZATION", "LOGISTIC", "LSTM", "MAXIMUM", "MAX_POOL_2D", "MEAN", "MINIMUM", "MUL", "PACK", "PAD"),
        *("PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "RELU", "RELU6", "RELU_N1_TO_1", "RESHAPE"),
        *("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "RSQRT", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT"),
        *("SQUARED_DIFFERENCE", "SQUEEZE", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE", "TRANSPOSE_CONV"),
    }
)


def operators(path: Path) -> dict[str, int]:
    """Return how often each operator of a network occurs, by name.

    Raises:
        EngineError: If the file is no network.
    """
    network, tools = _read(path.read_bytes(), path.name)
    found = [
        tools.opcode_to_name(network, operator.opcodeIndex)
        for graph in network.subgraphs
        for operator in graph.operators
    ]
    return dict(sorted(Counter(found).items()))


def change_kernels(data: bytes, change: Callable[[Array], Array]) -> bytes:
    """Return a float32 network with every kernel changed; biases stay.

    The kernels are those that run, with batch normalisation folded in. It leaves one channel of a kernel hundreds of times
    larger than another, and both may matter alike: so a change sees every channel scaled to a largest weight of 1.

    Args:
        data: A ``.tflite`` file; files packed behind it are not kept.
        change: From a scaled kernel (output channels, weights a channel) to another of the same shape.

    Raises:
        EngineError: If it is no network.
    """
    network, tools = _read(data, "network")
    changed: set[int] = set()
    for graph in network.subgraphs:
        for operator in graph.operators:
            axis = _CHANNEL_AXIS.get(tools.opcode_to_name(network, operator.opcodeIndex) or "")
            if axis is None:
                continue
            tensor = graph.tensors[operator.inputs[_KERNEL_INPUT]]
            buffer = network.buffers[tensor.buffer]
            if tensor.type == tools.TensorType.FLOAT32 and buffer.data is not None and tensor.buffer not in changed:
                changed.add(tensor.buffer)  # two operators may share one
                kernel = np.frombuffer(bytes(buffer.data), "<f4").reshape(tensor.shape)
                new = _by_channel(kernel, axis, change)
                buffer.data = np.frombuffer(new.astype("<f4").tobytes(), np.uint8)
    return bytes(tools.convert_object_to_bytearray(network))


def _by_channel(kernel: Array, axis: int, change: Callable[[Array], Array]) -> Array:
    first = np.moveaxis(kernel, axis, 0)
    rows = first.reshape(len(first), -1)  # (channels, weights)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    scale = np.where(largest > 0, largest, 1)
    return np.moveaxis((change(rows / scale) * scale).reshape(first.shape), 0, axis)


def _read(data: bytes, name: str) -> tuple[Any, Any]:
    from ai_edge_litert.tools import flatbuffer_utils

    if data[4:8] != b"TFL3":
        raise EngineError(f"Expected a LiteRT network in '{name}'. It is none. Export it again.")
    return flatbuffer_utils.read_model_from_bytearray(bytearray(data)), flatbuffer_utils


def zipped_bytes(data: bytes) -> int:
    """Return how many bytes a file takes when it is compressed as an app's package is (deflate)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_entry("network"), data)
    return len(buffer.getvalue())


def pack_files(path: Path, files: Mapping[str, bytes]) -> None:
    """Put small files behind a network, as LiteRT's metadata does: a zip archive after the network's last byte.

    An interpreter reads the network from the front and does not see them; any reader of zip files sees them alone.

    Args:
        path: The ``.tflite`` file; files that were packed before stay.
        files: Name -> contents.

    Reference: https://ai.google.dev/edge/litert/models/metadata
    """
    with zipfile.ZipFile(path, "a") as archive:
        for name, content in files.items():
            archive.writestr(_entry(name), content)


def packed_files(path: Path) -> dict[str, bytes]:
    """Return what was packed behind a network; nothing where nothing was."""
    if not zipfile.is_zipfile(path):
        return {}
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # dated 1980: the same contents give the same hash
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry
