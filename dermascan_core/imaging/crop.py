"""Where the network looks: a lesion-centred square of the photo, brought to the archive's detail."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..domain import CropBox
from .segment import LesionSight, look_for_lesion

# A lesion smaller than this share of the short side is brought closer; 95 % of the archive's are larger.
MIN_LESION_EXTENT = 0.30
MAX_ZOOM = 2.5


def find_crop(rgb: npt.NDArray[np.uint8], *, sight: LesionSight | None = None) -> CropBox:
    """Return the square that training, evaluation and serving all use.

    Its side is the photo's short side, slid along the long side towards the lesion. Only where the lesion is
    smaller than 30 % of the short side does the square shrink, by 2.5 times at most. Without a visible lesion it is
    the centre square.

    Args:
        rgb: Array (height, width, 3), uint8.
        sight: What ``look_for_lesion`` found in this photo; None looks anew.
    """
    height, width = rgb.shape[:2]
    mask = (sight or look_for_lesion(rgb)).mask
    if mask is None:
        return centre_crop(rgb)
    # The mask at the photo's size is its own rows and columns, each repeated: to count its pixels, none need be made.
    rows, columns = _nearest(mask.shape[0], height), _nearest(mask.shape[1], width)
    pixels = mask.astype(np.float64)  # whole numbers still, and so multiplied by BLAS
    n_in_column = (np.bincount(rows, minlength=mask.shape[0]) @ pixels)[columns]
    n_in_row = (pixels @ np.bincount(columns, minlength=mask.shape[1]))[rows]
    return _crop_around(n_in_column, n_in_row)


def _nearest(n: int, n_enlarged: int) -> npt.NDArray[np.integer]:
    """Return which of n places each of n_enlarged shows, as OpenCV's nearest neighbour chooses them."""
    places = np.arange(n, dtype=np.float32)[np.newaxis]
    return np.asarray(cv2.resize(places, (n_enlarged, 1), interpolation=cv2.INTER_NEAREST)[0], np.intp)


def centre_crop(rgb: npt.NDArray[np.uint8]) -> CropBox:
    """Return the largest centred square."""
    height, width = rgb.shape[:2]
    side = min(height, width)
    return CropBox((width - side) // 2, (height - side) // 2, side, "centre")


def crop_around_mask(mask: npt.NDArray[np.bool_]) -> CropBox:
    """Return the square for a lesion mask of shape (height, width) with at least one pixel set."""
    return _crop_around(mask.sum(axis=0), mask.sum(axis=1))


def _crop_around(n_in_column: npt.NDArray[Any], n_in_row: npt.NDArray[Any]) -> CropBox:
    """Return the square from how many pixels of the lesion each column (width,) and each row (height,) has."""
    width, height = len(n_in_column), len(n_in_row)
    short, n_pixels = min(height, width), n_in_row.sum()
    columns, rows = np.flatnonzero(n_in_column), np.flatnonzero(n_in_row)
    extent = max(columns[-1] - columns[0], rows[-1] - rows[0]) + 1
    zoom = min(max(MIN_LESION_EXTENT * short / extent, 1.0), MAX_ZOOM)
    side = round(short / zoom)
    # The centre of mass, not of the box: one stray hair at the mask's edge must not move the crop.
    centre_x = (np.arange(width) * n_in_column).sum() / n_pixels
    centre_y = (np.arange(height) * n_in_row).sum() / n_pixels
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
