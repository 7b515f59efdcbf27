"""The ring of skin around a lesion: what its colour is compared with, and what a skin's tone is read from."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

_GAP_SHARE, _RING_SHARE = 0.04, 0.12  # of the short side: left out around the mask, and then taken for skin
_MIN_RING_PX = 50


def find_skin_ring(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the pixels around a lesion that are taken for its skin.

    Args:
        mask: The lesion, booleans (height, width).

    Returns:
        Booleans (height, width). Where the lesion leaves no ring, all that is not lesion; that may be nothing.

    >>> mask = np.zeros((100, 100), bool)
    >>> mask[40:60, 40:60] = True
    >>> ring = find_skin_ring(mask)
    >>> ring[50, 50], ring[50, 62], ring[50, 70], ring[50, 90]
    (np.False_, np.False_, np.True_, np.False_)
    """
    short = min(mask.shape)
    near, far = (_grown(mask, round(share * short)) for share in (_GAP_SHARE, _GAP_SHARE + _RING_SHARE))
    ring = far & ~near
    return ring if ring.sum() >= _MIN_RING_PX else ~mask


def _grown(mask: npt.NDArray[np.bool_], by_px: int) -> npt.NDArray[np.bool_]:
    size = 2 * max(1, by_px) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0, bool)
