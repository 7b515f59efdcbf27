"""Where the network looks: a lesion-centred square of the photo, brought to the archive's detail."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..domain import CropBox
from .segment import segment_lesion

# A lesion smaller than this share of the short side is brought closer; 95 % of the archive's are larger.
MIN_LESION_EXTENT = 0.30
MAX_ZOOM = 2.5


def find_crop(rgb: npt.NDArray[np.uint8]) -> CropBox:
    """Return the square that training, evaluation and serving all use.

    Its side is the photo's short side, slid along the long side towards the lesion. Only where the lesion is
    smaller than 30 % of the short side does the square shrink, by 2.5 times at most. Without a visible lesion it is
    the centre square.

    Args:
        rgb: Array (height, width, 3), uint8.
    """
    mask = segment_lesion(rgb)
    return centre_crop(rgb) if mask is None else crop_around_mask(mask)


def centre_crop(rgb: npt.NDArray[np.uint8]) -> CropBox:
    """Return the largest centred square."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    return CropBox((width - side) // 2, (height - side) // 2, side, "centre")


def crop_around_mask(mask: npt.NDArray[np.bool_]) -> CropBox:
    """Return the square for a lesion mask of shape (height, width) with at least one pixel set."""
    height, width = mask.shape
    short = min(height, width)
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    extent = max(columns[-1] - columns[0], rows[-1] - rows[0]) + 1
    zoom = min(max(MIN_LESION_EXTENT * short / extent, 1.0), MAX_ZOOM)
    side = round(short / zoom)
    # The centre of mass, not of the box: one stray hair at the mask's edge must not move the crop.
    centre_x = (np.arange(width) * mask.sum(axis=0)).sum() / mask.sum()
    centre_y = (np.arange(height) * mask.sum(axis=1)).sum() / mask.sum()
    left = min(max(round(centre_x - side / 2), 0), width - side)
    top = min(max(round(centre_y - side / 2), 0), height - side)
    return CropBox(left, top, side, "lesion")


def clamp_crop(crop: CropBox, *, width_px: int, height_px: int) -> CropBox:
    """Return the nearest square that lies inside the photo (for crops set by hand)."""
    side = min(max(crop.side_px, 32), width_px, height_px)
    left = min(max(crop.left_px, 0), width_px - side)
    top = min(max(crop.top_px, 0), height_px - side)
    return CropBox(left, top, side, crop.source)


def extract_square(
    rgb: npt.NDArray[np.uint8], crop: CropBox, *, input_px: int, detail_px: int
) -> npt.NDArray[np.uint8]:
    """Cut the square and bring it to the network's size at the archive's effective resolution.

    Area averaging down to ``detail_px`` first, so that a 12-megapixel upload carries no more detail than the
    training photos; then bilinear interpolation to ``input_px``.

    Returns:
        Array (input_px, input_px, 3), uint8.
    """
    height, width = rgb.shape[:2]
    box = clamp_crop(crop, width_px=width, height_px=height)
    square: npt.NDArray[Any] = rgb[box.top_px : box.top_px + box.side_px, box.left_px : box.left_px + box.side_px]
    if box.side_px > detail_px:
        square = cv2.resize(square, (detail_px, detail_px), interpolation=cv2.INTER_AREA)
    if square.shape[0] != input_px:
        shrinks = square.shape[0] > input_px
        square = cv2.resize(square, (input_px, input_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.ascontiguousarray(square, dtype=np.uint8)
