"""The network as an ONNX file, run by ONNX Runtime: on TensorRT or CUDA where there is one, else on the processor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import EngineError
from .ensemble import OUTPUTS_A_MEMBER
from .head import Head
from .litert_engine import n_cores
from .manifest import Manifest

Array = npt.NDArray[Any]
# The first that is there runs. CUDA multiplies with 10-bit mantissas (TF32) unless told otherwise.
PROVIDERS: dict[str, dict[str, Any]] = {
    "TensorrtExecutionProvider": {},
    "CUDAExecutionProvider": {"use_tf32": 0},
    "CPUExecutionProvider": {},
}


def available_providers() -> list[str]:
    """Return what this ONNX Runtime was built with, the fastest first; whether a driver is there shows only when it runs."""
    import onnxruntime

    return [name for name in PROVIDERS if name in onnxruntime.get_available_providers()]


class OnnxEngine:
    """Runs an exported network; see ``predictor.Engine``. A session may be called by many threads.

    Attributes:
        provider: What ONNX Runtime took, as it names it: it falls back in silence where a driver is missing.

    Raises:
        EngineError: If the file cannot be opened.
    """

    takes_any_batch = True

    def __init__(self, path: Path, manifest: Manifest, heads: tuple[Head, ...], name: str = "onnx") -> None:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as failures

        self.name, self.heads = name, heads
        session = onnxruntime.SessionOptions()
        session.intra_op_num_threads = n_cores()
        # Threads that wait by spinning starve everybody else on a machine with two cores.
        session.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = [(provider, PROVIDERS[provider]) for provider in available_providers()]
        try:
            self._session = onnxruntime.InferenceSession(path, session, providers=providers)
        except (failures.Fail, failures.InvalidProtobuf, failures.InvalidGraph, failures.NotImplemented) as error:
            raise EngineError(
                f"The engine's file '{path.name}' cannot be opened: {error}. Restore it, or export it again."
            ) from error
        self.provider: str = self._session.get_providers()[0]
        self._inputs = [one.name for one in self._session.get_inputs()]

    def run(
        self, images: npt.NDArray[np.float32], metadata: npt.NDArray[np.float32]
    ) -> list[tuple[Array, Array, Array]]:
        """Return (logits, embedding, feature_map) of every member, for any number of views."""
        arrays = self._session.run(None, dict(zip(self._inputs, (images, metadata), strict=True)))
        return [
            (arrays[start], arrays[start + 1], arrays[start + 2]) for start in range(0, len(arrays), OUTPUTS_A_MEMBER)
        ]
