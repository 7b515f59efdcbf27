"""Optional imaging steps by name, each a switch in the app and a choice in a training preset.

All take and return uint8 RGB arrays (height, width, 3) and leave a photo without the fault nearly as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Photo = npt.NDArray[np.uint8]
HAIR_DEPTH = 18  # grey levels that a hair is darker than the skin beside it


@dataclass(frozen=True, slots=True)
class ImagingStep:
    """One switchable step: its name in files, its label on screen, what it does, and the function."""

    name: str
    label: str
    description: str
    apply: Callable[[Photo], Photo]


def find_hairs(rgb: Photo) -> npt.NDArray[np.bool_]:
    """Return dark hairs, booleans (height, width): black-hat morphology finds thin dark lines, long ones are kept.

    Reference: Lee et al. (1997), DullRazor, https://doi.org/10.1016/S0010-4825(97)00020-6
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    length = _odd(min(rgb.shape[:2]) * 0.06)
    kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (length, length))
    black_hat = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel)
    return _keep_thin_lines((black_hat > HAIR_DEPTH).astype(np.uint8), min_length_px=length * 2) > 0


def remove_hair(rgb: Photo) -> Photo:
    """Paint over dark hairs; see ``find_hairs``."""
    return paint_over(rgb, find_hairs(rgb))


def find_glare(rgb: Photo) -> npt.NDArray[np.bool_]:
    """Return small, nearly white highlights of flash or immersion fluid, booleans (height, width)."""
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    glare = (hsv[..., 2] > 240) & (hsv[..., 1] < 40)
    if glare.mean() >= 0.15:  # a large white area is background, not glare
        return np.zeros(glare.shape, bool)
    return np.asarray(glare, bool)


def remove_glare(rgb: Photo) -> Photo:
    """Paint over small highlights; see ``find_glare``."""
    return paint_over(rgb, find_glare(rgb))


def paint_over(rgb: Photo, mask: npt.NDArray[np.bool_]) -> Photo:
    """Fill what the mask (height, width) marks, and its edge, from the pixels around it.

    Reference: Telea (2004), https://doi.org/10.1080/10867651.2004.10487596
    """
    if not mask.any():
        return rgb
    grown = np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8)
    return rgb if grown.all() else np.asarray(cv2.inpaint(rgb, grown, 3, cv2.INPAINT_TELEA), np.uint8)


def balance_colour(rgb: Photo) -> Photo:
    """Shades of Gray colour constancy: divide each channel by its Minkowski mean of order 6.

    Reference: Finlayson & Trezzi (2004); for dermoscopy Barata et al. (2015),
    https://doi.org/10.1109/JBHI.2014.2336473
    """
    pixels = rgb.astype(np.float32)
    illuminant = np.power(np.mean(np.power(pixels, 6), axis=(0, 1)), 1 / 6)  # (3,)
    gain = illuminant.mean() / np.maximum(illuminant, 1.0)
    return np.asarray(np.clip(np.round(pixels * gain), 0, 255), np.uint8)


def equalise_contrast(rgb: Photo) -> Photo:
    """CLAHE on the lightness channel: local contrast, clip limit 2, 8 x 8 tiles."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(lab[..., 0])
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def sharpen(rgb: Photo) -> Photo:
    """Laplacian sharpening: subtract half the 4-neighbour Laplacian."""
    pixels = rgb.astype(np.float32)
    return np.asarray(np.clip(np.round(pixels - 0.5 * cv2.Laplacian(pixels, cv2.CV_32F)), 0, 255), np.uint8)


def _odd(value: float) -> int:
    return max(3, round(value) // 2 * 2 + 1)


def _keep_thin_lines(mask: npt.NDArray[np.uint8], *, min_length_px: int) -> npt.NDArray[np.uint8]:
    """Keep connected parts that are long and thin; round blobs are pigment, not hair."""
    n_parts, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    keep = np.zeros(n_parts, np.uint8)
    for part in range(1, n_parts):
        width, height, area = (
            stats[part, cv2.CC_STAT_WIDTH],
            stats[part, cv2.CC_STAT_HEIGHT],
            stats[part, cv2.CC_STAT_AREA],
        )
        diagonal = float(np.hypot(width, height))
        keep[part] = diagonal >= min_length_px and area < 0.25 * diagonal**2
    return np.asarray(keep[labels], np.uint8)


STEPS: dict[str, ImagingStep] = {
    step.name: step
    for step in (
        ImagingStep("hair", "Remove hair", "Paints over thin dark hairs.", remove_hair),
        ImagingStep("glare", "Remove glare", "Paints over small white reflections.", remove_glare),
        ImagingStep("colour", "Balance colour", "Takes out the colour cast of the light.", balance_colour),
        ImagingStep("clahe", "Local contrast", "Evens out light and dark areas (CLAHE).", equalise_contrast),
        ImagingStep("sharpen", "Sharpen", "Strengthens edges (Laplacian).", sharpen),
    )
}


def apply_steps(rgb: Photo, names: Sequence[str]) -> Photo:
    """Apply the named steps in order.

    Raises:
        ValueError: If a name is not in ``STEPS``.
    """
    for name in names:
        if name not in STEPS:
            raise ValueError(f"Invalid value received for argument `names`. Expected {list(STEPS)}. Received: {name!r}")
        rgb = STEPS[name].apply(rgb)
    return rgb
