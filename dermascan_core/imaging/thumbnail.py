"""The common working size for measuring a photo, so that a 200x150 archive photo and a 12-megapixel upload compare."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

WORK_SIDE_PX = 150  # the archive's short side: the detail that the network is shown


def shrink_to_work_size(rgb: npt.NDArray[np.uint8], *, side_px: int = WORK_SIDE_PX) -> npt.NDArray[np.uint8]:
    """Return the photo with a short side of ``side_px``: area-averaged when larger, interpolated when smaller.

    Args:
        rgb: Array (height, width, 3), uint8.
        side_px: Short side of the result in px.

    >>> shrink_to_work_size(np.zeros((450, 600, 3), np.uint8)).shape
    (150, 200, 3)
    """
    height, width = rgb.shape[:2]
    scale = side_px / min(height, width)
    if scale == 1:
        return rgb
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR), np.uint8)
