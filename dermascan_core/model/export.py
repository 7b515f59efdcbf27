"""Writes a serving network for another engine. Every file is opened and compared afterwards, by whoever calls this."""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..errors import EngineError, OutputError
from ..native_output import without_chatter
from .compression import depthwise_sums_kept
from .exported_engines import FORMATS, PRECISIONS, engine_name
from .litert_file import pack_files

if TYPE_CHECKING:
    import keras

_ENDINGS = {"litert": ".tflite", "onnx": ".onnx", "openvino": ".xml"}
# What writing a format needs besides what running it needs.
_WRITERS = {
    "litert": ("tensorflow", "tensorflow-cpu"),
    "onnx": ("tf2onnx", "tf2onnx"),
    "openvino": ("openvino", "openvino"),
}
N_CALIBRATION = 128  # squares that show a quantiser the range of every layer
_IN_WHOLE_NUMBERS = ("int8", "integer")

Calibration = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def export_network(
    model: keras.Model,
    weights: Path,
    *,
    format: str,
    precision: str = "float32",
    calibration: Calibration | None = None,
    keep_sums: bool = True,
    packed: Mapping[str, bytes] | None = None,
) -> list[Path]:
    """Write a network for another engine, beside its weights, whole or not at all.

    Args:
        model: From ``checkpoint.load_weights``: (image, metadata) to (logits, embedding, feature_map) of each member.
        weights: Its ``.keras`` file.
        format: One of ``FORMATS``.
        precision: One of ``PRECISIONS``. ``float16`` stores weights in half the space; ``int8`` also computes in whole
            numbers, wherever the layer can; ``integer`` computes in nothing else, and takes and gives whole numbers.
        calibration: Squares (n, side, side, 3) in [0, 255] and encoded answers (n, width) of real photos; ``int8`` and
            ``integer`` need them.
        keep_sums: Whether whole-numbered depthwise kernels keep their sums (``compression.round_keeping_sums``); without,
            to measure what that is worth.
        packed: Files to put behind a ``litert`` network (``litert_file.pack_files``); other formats have no place for them.

    Returns:
        The files, the one that is opened first.

    Raises:
        EngineError: If the format cannot have this precision, or the package that writes it is not installed.
        OutputError: If the files cannot be written.
    """
    _check(format, precision, calibration)
    stem = weights.stem + engine_name("", precision)
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / f"{stem}{_ENDINGS[format]}"
        rounds = keep_sums and precision in _IN_WHOLE_NUMBERS
        with without_chatter(), depthwise_sums_kept(model) if rounds else nullcontext():
            _write(model, written, format, precision, calibration)
        if packed and format == "litert":
            pack_files(written, packed)
        files = sorted(Path(folder).iterdir(), key=lambda path: path != written)
        try:
            return [_move(path, weights.with_name(path.name)) for path in files]
        except OSError as error:
            raise OutputError(
                f"The engine cannot be written to '{weights.parent}': {error.strerror or error}."
            ) from error


def _check(format: str, precision: str, calibration: Calibration | None) -> None:
    if format not in FORMATS or precision not in PRECISIONS:
        raise EngineError(
            f"Expected a format of {', '.join(FORMATS)} and a precision of {', '.join(PRECISIONS)}. "
            f"Received '{format}' and '{precision}'."
        )
    if precision != "float32" and format != "litert":
        raise EngineError(f"Expected float32 for {format}. Received '{precision}'. Smaller files: --format litert.")
    if precision in _IN_WHOLE_NUMBERS and calibration is None:
        raise EngineError(
            f"Expected labelled photos for {precision}: without them the range of no layer is known. Name them with --data."
        )
    module, package = _WRITERS[format]
    if find_spec(module) is None:
        raise EngineError(
            f"Writing {format} needs the package {package}. It is not installed. Use: pip install {package}"
        )


def _write(model: keras.Model, path: Path, format: str, precision: str, calibration: Calibration | None) -> None:
    options: dict[str, Any] = {}
    if format == "litert":
        options = _litert_options(precision, calibration)
    model([np.zeros((1, *given.shape[1:]), np.float32) for given in model.inputs])  # Keras exports what was called once
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # tf2onnx asks NumPy for names that it will drop
        model.export(str(path), format=format, verbose=False, **options)


def _litert_options(precision: str, calibration: Calibration | None) -> dict[str, Any]:
    import tensorflow as tf

    builtins = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS]}  # no TensorFlow inside the file
    if precision == "float32":
        return {"target_spec": builtins}
    smaller: dict[str, Any] = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    if precision == "float16":
        return smaller | {"target_spec": builtins | {"supported_types": [tf.float16]}}
    assert calibration is not None  # seen to by _check
    images, answers = calibration

    def representative() -> Iterator[list[npt.NDArray[np.float32]]]:
        for image, row in zip(images, answers, strict=True):
            yield [image[np.newaxis], row[np.newaxis]]

    smaller |= {"representative_dataset": representative}
    if precision == "int8":
        return smaller | {"target_spec": builtins}
    whole = {"supported_ops": [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]}  # or fail: no layer in float
    return smaller | {"target_spec": whole, "inference_input_type": tf.int8, "inference_output_type": tf.int8}


def _move(path: Path, to: Path) -> Path:
    partial = to.with_name(f".{to.name}.partial")
    shutil.copyfile(path, partial)
    os.replace(partial, to)
    return to
