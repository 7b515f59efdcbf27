"""Pooled image features and encoded answers side by side: what the head, SMOTE and the curriculum work on."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from ..model.dual_branch import IMAGE_INPUT, METADATA_INPUT

_BATCH_SIZE = 64


def embed(
    model: keras.Model, squares: npt.NDArray[np.uint8], metadata: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """Return the image branch's pooled features with the answers behind them, (n, channels + width).

    Args:
        model: Of ``dual_branch.build_dual_branch``; nothing of it changes.
        squares: Array (n, side, side, 3), uint8.
        metadata: Encoded answers (n, width).
    """
    pooled = keras.Model(model.inputs, model.get_layer("embedding").output)
    parts = []
    for start in range(0, len(squares), _BATCH_SIZE):
        part = slice(start, start + _BATCH_SIZE)
        inputs = {IMAGE_INPUT: np.asarray(squares[part], np.float32), METADATA_INPUT: metadata[part]}
        parts.append(np.asarray(pooled.predict_on_batch(inputs), np.float32))
    return np.concatenate([np.concatenate(parts), metadata.astype(np.float32)], axis=1)
