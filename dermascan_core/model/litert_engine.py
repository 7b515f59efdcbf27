"""The network as a LiteRT file: loaded in a tenth of a second, and as many views at once as there are cores."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import EngineError
from ..native_output import without_chatter
from .ensemble import OUTPUTS_A_MEMBER
from .head import Head
from .manifest import Manifest
from .metadata_branch import MetadataEncoder

MAX_THREADS = 8  # a photo's views; more interpreters wait, unless several photos are answered at once
Array = npt.NDArray[Any]


def n_cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LiteRTEngine:
    """Runs an exported network; see ``predictor.Engine``.

    One interpreter a core, each on one thread and one view: views of one photo, and of several callers, are handed out in
    the order they came. A batch inside LiteRT is hardly faster (docs/decisions/0035-litert-answers.md), and a batch that
    nobody waits for keeps memory flat.

    Args:
        path: The ``.tflite`` file.
        manifest: Of the model.
        heads: Of its members.
        name: Of the engine.
        n_threads: Interpreters; by default one a core, eight at most.

    Raises:
        EngineError: If the file cannot be opened, or is of another network than the manifest says.
    """

    takes_any_batch = True

    def __init__(
        self,
        path: Path,
        manifest: Manifest,
        heads: tuple[Head, ...],
        name: str = "litert",
        *,
        n_threads: int | None = None,
    ) -> None:
        self.name, self.heads = name, heads
        self.n_threads = n_threads or min(MAX_THREADS, n_cores())
        self._idle: SimpleQueue[_Interpreter] = SimpleQueue()
        for _ in range(self.n_threads):
            self._idle.put(_Interpreter(path, manifest, len(heads)))
        self._pool = ThreadPoolExecutor(self.n_threads, thread_name_prefix=f"engine-{name}")
        self._lock = threading.Lock()

    def run(
        self, images: npt.NDArray[np.float32], metadata: npt.NDArray[np.float32]
    ) -> list[tuple[Array, Array, Array]]:
        """Return (logits, embedding, feature_map) of every member, for any number of views."""
        answers = list(self._pool.map(self._run_one, images, metadata))
        arrays = [np.stack(several) for several in zip(*answers, strict=True)]
        return [
            (arrays[start], arrays[start + 1], arrays[start + 2]) for start in range(0, len(arrays), OUTPUTS_A_MEMBER)
        ]

    def _run_one(self, image: npt.NDArray[np.float32], metadata: npt.NDArray[np.float32]) -> list[Array]:
        interpreter = self._idle.get()
        try:
            return interpreter.run(image, metadata)
        finally:
            self._idle.put(interpreter)


class _Interpreter:
    """One interpreter, which one caller may use at a time."""

    def __init__(self, path: Path, manifest: Manifest, n_members: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            with without_chatter():
                self._interpreter = Interpreter(str(path), num_threads=1)
                self._interpreter.allocate_tensors()
            signature = self._interpreter.get_signature_runner()
            inputs, outputs = signature.get_input_details(), signature.get_output_details()
            shapes = {name: tuple(int(n) for n in detail["shape"]) for name, detail in inputs.items()}
        except (ValueError, RuntimeError) as error:
            raise EngineError(
                f"The engine's file '{path.name}' cannot be opened: {error}. Restore it, or export it again."
            ) from error
        side, width = manifest.preprocess.input_px, MetadataEncoder(manifest.metadata_fields).width
        expected = {"image": (1, side, side, 3), "metadata": (1, width)}
        if shapes != expected or len(outputs) != n_members * OUTPUTS_A_MEMBER:
            raise EngineError(
                f"The engine's file '{path.name}' is of another network: expected inputs {expected} and "
                f"{n_members * OUTPUTS_A_MEMBER} outputs, found {shapes} and {len(outputs)}. Export it again."
            )
        self._image, self._metadata = inputs["image"], inputs["metadata"]
        self._outputs = [outputs[f"output_{place}"] for place in range(len(outputs))]

    def run(self, image: npt.NDArray[np.float32], metadata: npt.NDArray[np.float32]) -> list[Array]:
        for detail, values in ((self._image, image), (self._metadata, metadata)):
            self._interpreter.set_tensor(detail["index"], quantized(values[np.newaxis], detail))
        self._interpreter.invoke()
        return [dequantized(self._interpreter.get_tensor(one["index"])[0], one) for one in self._outputs]


def quantized(values: npt.NDArray[np.float32], detail: Mapping[str, Any]) -> Array:
    """Return values as an input takes them: as they are, or as whole numbers at the input's scale.

    >>> quantized(np.array([0.0, 255.0, 300.0], np.float32), {"dtype": np.int8, "quantization": (1.0, -128)}).tolist()
    [-128, 127, 127]
    """
    kind = np.dtype(detail["dtype"])
    if kind.kind == "f":
        return values
    scale, zero = detail["quantization"]
    ends = np.iinfo(kind)
    return np.asarray(np.clip(np.round(values / scale) + zero, ends.min, ends.max), kind)


def dequantized(values: Array, detail: Mapping[str, Any]) -> Array:
    """Return what an output means: as it is, or whole numbers at the output's scale.

    >>> dequantized(np.array([-128, 127], np.int8), {"dtype": np.int8, "quantization": (0.5, -128)}).tolist()
    [0.0, 127.5]
    """
    if np.dtype(detail["dtype"]).kind == "f":
        return values
    scale, zero = detail["quantization"]
    return np.asarray((values.astype(np.float32) - zero) * np.float32(scale), np.float32)
