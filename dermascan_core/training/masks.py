"""A second task: the lesion's mask on the feature grid, learnt beside the classes and left out of the served network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from ..domain import CropBox
from ..errors import DatasetError
from ..imaging.crop import find_crop
from ..imaging.decode import read_photo
from ..imaging.preprocess import PreprocessConfig
from ..tables import LabelledPhoto
from .data import Dataset, find_mask


@dataclass(frozen=True, slots=True)
class LesionMasks:
    """The archive's masks on the network's squares.

    Attributes:
        squares: Array (n, side, side), uint8, 0 outside and 255 inside the lesion.
        is_known: Which photos have one, (n,).
        grid: Cells a side of the network's feature map.
    """

    squares: npt.NDArray[np.uint8]
    is_known: npt.NDArray[np.bool_]
    grid: int


def feature_grid(model: keras.Model) -> int:
    """Return how many cells a side the feature map of a dual-branch network has."""
    return int(model.get_layer("feature_map").output.shape[1])


def load_masks(
    dataset: Dataset,
    photos: Sequence[LabelledPhoto],
    config: PreprocessConfig,
    *,
    grid: int,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> LesionMasks:
    """Read the photos' masks from ``masks/`` beside ``images/`` and cut the same squares out of them.

    The square is the one that the photo itself gives in serving (``imaging.crop.find_crop``), never one chosen by the
    mask.

    Args:
        dataset: Where the photos are.
        photos: Which ones, in order.
        config: The photos' preprocessing; imaging steps do not move anything, so they do not count here.
        grid: From ``feature_grid``.
        on_progress: Called with (done, total).

    Raises:
        DatasetError: If no photo has a mask, or one cannot be read or has another shape than its photo.
    """
    squares = np.zeros((len(photos), config.input_px, config.input_px), np.uint8)
    is_known = np.zeros(len(photos), bool)
    for index, photo in enumerate(photos):
        file = dataset.files[photo.image_id]
        mask_file = find_mask(file)
        if mask_file is not None:
            squares[index] = _read_square(file, mask_file, config)
            is_known[index] = True
        on_progress(index + 1, len(photos))
    if not is_known.any():
        raise DatasetError(
            "Expected the lesions' masks as masks/IMAGE_ID.png beside images/. None of the photos has one. "
            "Add them, or train with mask_weight=0."
        )
    return LesionMasks(squares, is_known, grid)


def _read_square(photo: Path, mask_file: Path, config: PreprocessConfig) -> npt.NDArray[np.uint8]:
    mask = cv2.imread(str(mask_file), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise DatasetError(f"The mask '{mask_file.name}' cannot be read. Replace it, or take it out.")
    rgb = read_photo(photo)
    height, width = rgb.shape[:2]
    if abs(mask.shape[0] * width - mask.shape[1] * height) > max(height, width):
        raise DatasetError(
            f"Expected the mask '{mask_file.name}' in its photo's shape, {width}x{height} px. "
            f"Received {mask.shape[1]}x{mask.shape[0]} px. Replace it, or take it out."
        )
    binary = np.where(mask > 127, 255, 0).astype(np.uint8)
    whole = cv2.resize(binary, (width, height), interpolation=cv2.INTER_NEAREST)
    return _cut(np.asarray(whole, np.uint8), find_crop(rgb), config.input_px)


def _cut(mask: npt.NDArray[np.uint8], box: CropBox, side: int) -> npt.NDArray[np.uint8]:
    square = mask[box.top_px : box.top_px + box.side_px, box.left_px : box.left_px + box.side_px]
    shrinks = box.side_px > side
    return np.asarray(
        cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8
    )


def to_grid(masks: npt.NDArray[np.float32], grid: int) -> npt.NDArray[np.float32]:
    """Return the share of each cell of the feature grid that the lesion covers.

    Args:
        masks: Array (n, side, side) in [0, 1]; -1 throughout where unknown.
        grid: Cells a side.

    Returns:
        Array (n, grid, grid, 1), float32 in [0, 1]; -1 where unknown.
    """
    cells = [cv2.resize(mask, (grid, grid), interpolation=cv2.INTER_AREA) for mask in masks]
    return np.asarray(np.stack(cells)[..., np.newaxis], np.float32)


@keras.saving.register_keras_serializable("dermascan")
class MaskLoss(keras.losses.Loss):
    """Binary cross entropy between a mask's logits and covered shares, cells of -1 left out; mean over a photo's cells."""

    def __init__(self, name: str = "mask_loss", reduction: str = "sum_over_batch_size", **kwargs: Any) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one loss a photo.

        Args:
            y_true: Shares (n, h, w, 1) in [0, 1], or -1.
            y_pred: Logits of the same shape.
        """
        logits, shares = ops.cast(y_pred, "float32"), ops.cast(y_true, "float32")
        is_known = ops.cast(shares >= 0, "float32")
        # max(z, 0) - z y + log(1 + exp(-|z|)): never overflows
        cells = ops.maximum(logits, 0) - logits * shares + ops.log1p(ops.exp(-ops.abs(logits)))
        return ops.mean(cells * is_known, axis=(1, 2, 3))
