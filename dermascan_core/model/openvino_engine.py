"""The network as an OpenVINO model (``.xml`` and ``.bin``)."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import EngineError
from .ensemble import OUTPUTS_A_MEMBER
from .head import Head
from .manifest import Manifest

Array = npt.NDArray[Any]


class OpenVINOEngine:
    """Runs an exported network; see ``predictor.Engine``. One request at a time.

    Raises:
        EngineError: If the files cannot be opened.
    """

    takes_any_batch = True

    def __init__(self, path: Path, manifest: Manifest, heads: tuple[Head, ...], name: str = "openvino") -> None:
        import openvino

        self.name, self.heads = name, heads
        # Unasked, OpenVINO computes in bfloat16 where the processor can: probabilities then differ by up to 0.04.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        try:
            compiled = openvino.Core().compile_model(path, "CPU", settings)
        except RuntimeError as error:
            raise EngineError(
                f"The engine's file '{path.name}' cannot be opened: {error}. Restore it, or export it again."
            ) from error
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()

    def run(
        self, images: npt.NDArray[np.float32], metadata: npt.NDArray[np.float32]
    ) -> list[tuple[Array, Array, Array]]:
        """Return (logits, embedding, feature_map) of every member, for any number of views."""
        with self._lock:
            found = self._request.infer([images, metadata])
            arrays = [np.array(value) for value in found.values()]
        return [
            (arrays[start], arrays[start + 1], arrays[start + 2]) for start in range(0, len(arrays), OUTPUTS_A_MEMBER)
        ]
