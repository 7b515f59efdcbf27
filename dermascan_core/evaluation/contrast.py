"""How much a lesion stands out from the skin around it: what low-pigment melanomas lack."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..imaging.segment import segment_lesion
from ..imaging.skin_ring import find_skin_ring


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
    ring = find_skin_ring(mask)
    if not ring.any():
        return 0.0
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    return float(np.linalg.norm(np.median(lab[mask], axis=0) - np.median(lab[ring], axis=0)))
