"""The reference engine: the Keras model itself, compiled once, one caller at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .checkpoint import load_weights
from .ensemble import OUTPUTS_A_MEMBER, members_of
from .head import Head
from .manifest import Manifest
from .metadata_branch import MetadataEncoder

if TYPE_CHECKING:
    import keras


class KerasEngine:
    """Runs a loaded Keras model; see ``predictor.Engine``."""

    name = "keras"

    def __init__(self, model: keras.Model) -> None:
        self.heads = tuple(Head.of(member) for member in members_of(model))
        self._model = model
        self._lock = threading.Lock()

    @classmethod
    def load(cls, manifest: Manifest, weights: Path) -> KerasEngine:
        """Load, check and warm up: the first call compiles, so it is made here and not in front of a person.

        Raises:
            WeightsError: See ``checkpoint.load_weights``.
        """
        engine = cls(load_weights(manifest, weights))
        side, width = manifest.preprocess.input_px, MetadataEncoder(manifest.metadata_fields).width
        engine.run(
            np.zeros((manifest.n_views, side, side, 3), np.float32), np.zeros((manifest.n_views, width), np.float32)
        )
        return engine

    def run(
        self, images: npt.NDArray[np.float32], metadata: npt.NDArray[np.float32]
    ) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]]:
        """Return (logits, embedding, feature_map) of every member."""
        with self._lock:
            outputs = self._model.predict_on_batch([images, metadata])
        arrays = [np.asarray(output) for output in outputs]
        return [
            (arrays[start], arrays[start + 1], arrays[start + 2]) for start in range(0, len(arrays), OUTPUTS_A_MEMBER)
        ]
