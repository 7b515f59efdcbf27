"""How much a lesion stands out from the skin around it: what low-pigment melanomas lack."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..imaging.segment import segment_lesion

_GAP_SHARE, _RING_SHARE = 0.04, 0.12  # of the short side: left out around the mask, and then taken for skin
_MIN_RING_PX = 50


def lesion_contrast(rgb: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_] | None = None) -> float:
    """Return the CIELAB distance (Delta E 1976) between the median colours of the lesion and of the skin around it.

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.
        mask: The lesion, booleans (height, width); None finds it.

    Returns:
        0 where no lesion stands out at all; about 10 for a pale one, 40 for a dark mole.
    """
    if mask is None:
        mask = segment_lesion(rgb)
    if mask is None or not mask.any():
        return 0.0
    short = min(mask.shape)
    near, far = (_grown(mask, round(share * short)) for share in (_GAP_SHARE, _GAP_SHARE + _RING_SHARE))
    ring = far & ~near
    if ring.sum() < _MIN_RING_PX:  # the lesion fills the photo: the skin is what is not lesion
        ring = ~mask
    if not ring.any():
        return 0.0
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return float(np.linalg.norm(np.median(lab[mask], axis=0) - np.median(lab[ring], axis=0)))


def _grown(mask: npt.NDArray[np.bool_], by_px: int) -> npt.NDArray[np.bool_]:
    size = 2 * max(1, by_px) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), kernel) > 0, bool)
