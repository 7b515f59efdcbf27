"""How light the skin around a lesion looks: the individual typology angle, a band and how much the light leaves in doubt.

An estimate of a photo's colours, not of a person: a lamp, a camera or a dermatoscope shifts it. It warns and sorts test
photos into groups; no score, class or next step depends on it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .segment import find_dark_corners, segment_lesion
from .skin_ring import find_skin_ring
from .thumbnail import shrink_to_work_size

# Band -> least angle in degrees, from light to dark (Chardon et al. 1991; the names of Del Bino et al. 2006).
BANDS: dict[str, float] = {
    "very light": 55.0,
    "light": 41.0,
    "intermediate": 28.0,
    "tan": 10.0,
    "brown": -30.0,
    "dark": -90.0,
}
NO_BAND = "no estimate"  # in place of a band, for counting
LIGHT_SD_DEGREES = 25.0  # between photos of one person: docs/skin-tone.md
_MIN_PX = 200
_N_SECTORS = 8
_LIGHTNESS_RANGE = (5.0, 98.0)  # darker is no light, lighter is clipped: neither has a colour


@dataclass(frozen=True, slots=True)
class SkinTone:
    """How light the skin in one photo looks.

    Attributes:
        ita_degrees: Individual typology angle, -90 to 90: higher is lighter.
        doubt_degrees: One standard deviation: of the ring's sectors and of the light between photos of one person.
        band: One of ``BANDS``.
        possible_bands: The bands within one standard deviation, from light to dark; ``band`` among them.
    """

    ita_degrees: float
    doubt_degrees: float
    band: str
    possible_bands: tuple[str, ...]


def estimate_skin_tone(rgb: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_] | None = None) -> SkinTone | None:
    """Estimate how light the skin around the lesion looks.

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.
        mask: The lesion, booleans of the working size (``shrink_to_work_size``); None finds it. Without a lesion all of
            the photo counts as skin.

    Returns:
        The estimate; None where too little skin is seen, or its light is so blue that the angle means nothing.
    """
    thumbnail = shrink_to_work_size(rgb)
    if mask is None:
        mask = segment_lesion(thumbnail)
    skin = np.ones(thumbnail.shape[:2], bool) if mask is None else find_skin_ring(mask)
    lab = np.asarray(cv2.cvtColor(thumbnail.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
    low, high = _LIGHTNESS_RANGE
    skin &= ~find_dark_corners(thumbnail) & (lab[..., 0] > low) & (lab[..., 0] < high)
    if skin.sum() < _MIN_PX:
        return None
    lightness, _, yellowness = np.median(lab[skin], axis=0)
    if yellowness <= 0:
        return None
    angle = individual_typology_angle(float(lightness), float(yellowness))
    doubt = math.hypot(LIGHT_SD_DEGREES, _spread_over_sectors(lab, skin))
    possible = tuple(band for band in BANDS if _reaches(band, angle - doubt, angle + doubt))
    return SkinTone(angle, doubt, band_of(angle), possible)


def individual_typology_angle(lightness: float, yellowness: float) -> float:
    """Return arctan((L* - 50) / b*) in degrees.

    Args:
        lightness: L*, 0 to 100.
        yellowness: b*, above 0.

    Reference: Chardon et al. (1991), https://doi.org/10.1111/j.1467-2494.1991.tb00561.x

    >>> round(individual_typology_angle(70, 20), 1), round(individual_typology_angle(40, 10), 1)
    (45.0, -45.0)
    """
    return math.degrees(math.atan((lightness - 50) / yellowness))


def band_of(ita_degrees: float) -> str:
    """Return the band of an angle.

    >>> [band_of(angle) for angle in (60, 55, 30, 10, -31)]
    ['very light', 'light', 'intermediate', 'brown', 'dark']
    """
    return next((band for band, least in BANDS.items() if ita_degrees > least), "dark")


def _reaches(band: str, low: float, high: float) -> bool:
    bands = list(BANDS)
    return bands.index(band_of(high)) <= bands.index(band) <= bands.index(band_of(low))


def _spread_over_sectors(lab: npt.NDArray[np.float32], skin: npt.NDArray[np.bool_]) -> float:
    """Standard deviation of the angle over eight sectors around the photo's middle: shade on one side is doubt."""
    height, width = skin.shape
    y, x = np.mgrid[0:height, 0:width]
    sector = ((np.arctan2(y - height / 2, x - width / 2) / np.pi + 1) * _N_SECTORS / 2).astype(int) % _N_SECTORS
    angles = []
    for number in range(_N_SECTORS):
        own = skin & (sector == number)
        if own.sum() >= _MIN_PX / _N_SECTORS:
            lightness, _, yellowness = np.median(lab[own], axis=0)
            angles.append(individual_typology_angle(float(lightness), max(float(yellowness), 0.1)))
    return float(np.std(angles)) if angles else 0.0
