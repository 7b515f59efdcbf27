"""The same batches through tf.data: squares cached in memory, photos augmented in parallel, batched and prefetched."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from ..errors import TrainingError
from ..model.dual_branch import IMAGE_INPUT, METADATA_INPUT
from .presets import Preset
from .sampling import BalancedBatches

# A training set larger than this stays on disk and is read through the operating system's own cache.
MAX_CACHE_BYTES = 3 * 2**30


def as_tf_data(batches: BalancedBatches, preset: Preset) -> Any:
    """Return a ``tf.data.Dataset`` that holds, in every epoch, exactly what the batches hold.

    Stages: cache (squares are read into memory once), shuffle (the epoch's seeded draw, so that a resumed run repeats
    it), map (each photo augmented by itself, several at a time), batch (and mix), prefetch. Every new pass holds the
    epoch at which the batches then are (``BalancedBatches.go_to``): Keras moves on only its own data sets by itself.

    Args:
        batches: From ``sampling.make_batches``.
        preset: The recipe that they were made by.

    Raises:
        TrainingError: If Keras does not run on TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise TrainingError(
            f"Expected TensorFlow as Keras' backend for pipeline=tf_data. Received {keras.backend.backend()}. "
            "Set pipeline=pydataset, which gives the same batches, or KERAS_BACKEND=tensorflow."
        )
    import tensorflow as tf

    if batches.squares.nbytes <= MAX_CACHE_BYTES:
        batches.squares = np.asarray(batches.squares).copy()
    shapes, spec = _shapes(batches), (tf.uint8, tf.float32, tf.float32, tf.float32)

    def draw_photo(position: Any) -> Any:
        # numpy_function hands over NumPy values; the draw releases Python's lock where OpenCV works.
        parts = tf.numpy_function(lambda place: _typed(batches.draw_photo(int(place))), [position], spec)
        return tuple(tf.ensure_shape(part, shape) for part, shape in zip(parts, shapes, strict=True))

    def assemble(index: Any, parts: Any) -> Any:
        def join(number: Any, *columns: Any) -> list[Any]:
            inputs, target = batches.assemble(list(zip(*columns, strict=True)), int(number))
            classes, masks = target if isinstance(target, tuple) else (target, np.zeros(0, np.float32))
            return [inputs[IMAGE_INPUT], inputs[METADATA_INPUT], classes, masks]

        image, metadata, classes, masks = tf.numpy_function(join, [index, *parts], [tf.float32] * 4)
        size = preset.batch_size
        inputs = {
            IMAGE_INPUT: tf.ensure_shape(image, (size, *shapes[0])),
            METADATA_INPUT: tf.ensure_shape(metadata, (size, *shapes[1])),
        }
        classes = tf.ensure_shape(classes, (size, *shapes[2]))
        if batches.masks is None:
            return inputs, classes
        grid = batches.masks.grid
        return inputs, (classes, tf.ensure_shape(masks, (size, grid, grid, 1)))

    photos = (
        tf.data.Dataset.range(len(batches) * preset.batch_size)
        .map(draw_photo, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(preset.batch_size, drop_remainder=True)
    )
    return photos.enumerate().map(assemble, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(2)


def _shapes(batches: BalancedBatches) -> tuple[tuple[int, ...], ...]:
    mask = (0,) if batches.masks is None else batches.masks.squares.shape[1:]
    return batches.squares.shape[1:], (batches.encoder.width,), batches.targets.shape[1:], mask


def _typed(parts: tuple[Any, ...]) -> list[Any]:
    return [parts[0], *(np.asarray(part, np.float32) for part in parts[1:])]
