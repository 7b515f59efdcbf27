"""The reference engine: the Keras model itself, compiled once, one caller at a time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import EngineError
from .checkpoint import load_weights
from .ensemble import OUTPUTS_A_MEMBER, members_of
from .guided import guided_copy, guided_gradient
from .head import Head
from .manifest import Manifest
from .metadata_branch import MetadataEncoder

if TYPE_CHECKING:
    import keras


class KerasEngine:
    """Runs a loaded Keras model; see ``predictor.Engine``."""

    name = "keras"
    takes_any_batch = False

    def __init__(self, model: keras.Model) -> None:
        self.heads = tuple(Head.of(member) for member in members_of(model))
        self._model = model
        self._guided: list[keras.Model | None] | None = None
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

    def input_gradient(
        self, images: npt.NDArray[np.float32], metadata: npt.NDArray[np.float32], target: npt.NDArray[np.floating]
    ) -> npt.NDArray[np.float32]:
        """Return how the log share of some classes changes with each pixel, summed over members.

        For tests of robustness alone: nothing that answers a person needs gradients.

        Args:
            images: (n, side, side, 3) in [0, 255].
            metadata: Encoded answers (n, width).
            target: 1 for each class that counts, else 0, (n_classes,).

        Returns:
            Array of the shape of ``images``.

        Raises:
            EngineError: If Keras runs on another backend than TensorFlow.
        """
        import keras

        if keras.backend.backend() != "tensorflow":
            raise EngineError(
                f"Expected Keras on TensorFlow for gradients. It runs on {keras.backend.backend()}. "
                "Set KERAS_BACKEND=tensorflow."
            )
        import tensorflow as tf

        with self._lock, tf.GradientTape() as tape:
            seen = tf.constant(images)
            tape.watch(seen)
            outputs = self._model([seen, tf.constant(metadata)], training=False)
            logits = outputs[::OUTPUTS_A_MEMBER]
            shares = [tf.reduce_sum(tf.nn.softmax(one) * tf.constant(target, one.dtype), axis=1) for one in logits]
            score = tf.add_n([tf.reduce_sum(tf.math.log(share + 1e-9)) for share in shares])
        return np.asarray(tape.gradient(score, seen), np.float32)

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

    def guided_gradients(
        self, image: npt.NDArray[np.float32], metadata: npt.NDArray[np.float32], class_index: int
    ) -> list[npt.NDArray[np.floating]] | None:
        """Return each member's guided gradient of a class logit with respect to the image, at the image's own size.

        The first call makes copies of the members, which takes seconds.

        Args:
            image: Array (side, side, 3) in [0, 255].
            metadata: Encoded metadata (width,).
            class_index: Position of the class among the logits.

        Returns:
            One array (side, side, 3) a member that has ReLUs; None where no member has.
        """
        with self._lock:
            if self._guided is None:
                self._guided = [guided_copy(member) for member in members_of(self._model)]
            copies = [copied for copied in self._guided if copied is not None]
            return [_gradient_at_size(copied, image, metadata, class_index) for copied in copies] or None


def _gradient_at_size(
    copied: keras.Model, image: npt.NDArray[np.float32], metadata: npt.NDArray[np.float32], class_index: int
) -> npt.NDArray[np.floating]:
    own_px, side = copied.inputs[0].shape[1], image.shape[0]
    if own_px == side:
        return guided_gradient(copied, image, metadata, class_index)
    seen = np.asarray(cv2.resize(image, (own_px, own_px), interpolation=cv2.INTER_LINEAR), np.float32)
    gradient = guided_gradient(copied, seen, metadata, class_index)
    return np.asarray(cv2.resize(gradient.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR))
