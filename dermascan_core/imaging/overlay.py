"""Pictures about pictures: the crop drawn on a photo, and a heat map laid over the square the network saw."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..domain import CropBox

Photo = npt.NDArray[np.uint8]


def shrink_photo(rgb: Photo, *, max_side_px: int) -> Photo:
    """Return the photo with its long side at most ``max_side_px``, area-averaged; never enlarged."""
    height, width = rgb.shape[:2]
    scale = max_side_px / max(height, width)
    if scale >= 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def outline_crop(preview: Photo, crop: CropBox, *, photo_width_px: int) -> Photo:
    """Darken what lies outside the square, and draw its edge.

    Args:
        preview: The photo, possibly shrunk: (height, width, 3), uint8.
        crop: The square in pixels of the full photo.
        photo_width_px: Width of the full photo, to scale the square to the preview.
    """
    height, width = preview.shape[:2]
    scale = width / photo_width_px
    left, top = (
        min(max(round(value * scale), 0), limit - 1) for value, limit in ((crop.left_px, width), (crop.top_px, height))
    )
    right = min(left + max(1, round(crop.side_px * scale)), width)
    bottom = min(top + max(1, round(crop.side_px * scale)), height)
    shown = (preview * 0.45).astype(np.uint8)
    shown[top:bottom, left:right] = preview[top:bottom, left:right]
    thickness = max(2, width // 250)
    for colour, extra in (((0, 0, 0), 2), ((255, 214, 0), 0)):  # a dark rim keeps the yellow visible on pale skin
        cv2.rectangle(shown, (left, top), (right - 1, bottom - 1), colour, thickness + extra)
    return shown


def blend_heat_map(square: Photo, heat_map: npt.NDArray[np.floating], *, opacity: float) -> Photo:
    """Lay a heat map over the square; where the map is 0 the photo stays as it is.

    Args:
        square: Array (side, side, 3), uint8.
        heat_map: Array (h, w) in [0, 1] of any size; brought to the square's size.
        opacity: 0 shows the photo alone, 1 hides the photo where the map is 1.

    Raises:
        ValueError: If the opacity lies outside [0, 1].
    """
    if not 0 <= opacity <= 1:
        raise ValueError(f"Invalid value received for argument `opacity`. Expected 0 to 1. Received: {opacity}")
    size = (square.shape[1], square.shape[0])
    heat = np.clip(cv2.resize(heat_map.astype(np.float32), size, interpolation=cv2.INTER_CUBIC), 0, 1)
    colours = cv2.applyColorMap(np.round(heat * 255).astype(np.uint8), cv2.COLORMAP_TURBO)[..., ::-1]
    weight = (opacity * heat)[..., None]  # (side, side, 1)
    return np.round(square * (1 - weight) + colours * weight).astype(np.uint8)


def heat_inside(heat_map: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Return the share of a heat map that lies inside a mask, and the share of the square that the mask covers.

    The second is what a look at every place alike would have inside. The map is coarse: of each of its cells, the share
    that lies in the mask weighs its heat.

    Args:
        heat_map: Array (h, w), not negative, over the whole square.
        mask: Booleans (height, width) over the same square, of any size.

    Returns:
        Two shares in [0, 1]; the first is NaN where the map is zero everywhere.

    >>> heat_inside(np.array([[3.0, 1.0]]), np.array([[True, False]]))
    (0.75, 0.5)
    """
    share = float(mask.mean())
    if not heat_map.sum() > 0:
        return float("nan"), share
    size = (heat_map.shape[1], heat_map.shape[0])
    cells = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return float((heat_map * cells).sum() / heat_map.sum()), share
