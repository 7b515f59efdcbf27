"""Finds the lesion in a photo: a mask from colour contrast with the surrounding skin. No network, no training.

Crops for training, evaluation and serving all come from here; the archive's own masks only score it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from .thumbnail import shrink_to_work_size

_AS_STRONG, _AS_LARGE = 0.6, 0.2  # what a second spot has of the lesion's contrast and area, at least
MIN_CONTRAST = 5.0  # CIELAB units (OpenCV's 8-bit scale) between lesion and skin; less is noise or bare skin


def segment_lesion(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_] | None:
    """Return the lesion's mask, or None when nothing stands out from the skin.

    The skin's colour is the median of a ring near the border, dark corners left out. Distance from it in
    CIELAB, blurred and weighted towards the centre, is split by Otsu's threshold; the region with the most
    weight is kept and its holes are filled.

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.

    Returns:
        A boolean array (height, width), or None.
    """
    height, width = rgb.shape[:2]
    mask = look_for_lesion(rgb).mask
    if mask is None:
        return None
    full = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(full, dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class LesionSight:
    """What stands out in a photo, found once: its square, its quality and its size all ask for it.

    Attributes:
        thumbnail: The photo at working size (h, w, 3), uint8.
        mask: Of the lesion there, booleans (h, w); None when nothing stands out from the skin.
        n_lesions: How many spots stand out alike; see ``count_lesions``.
    """

    thumbnail: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_] | None
    n_lesions: int


def look_for_lesion(rgb: npt.NDArray[np.uint8]) -> LesionSight:
    """Look for the lesion at working size; see ``segment_lesion``.

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.
    """
    thumbnail = shrink_to_work_size(rgb)
    found = _find_parts(thumbnail)
    mask = _best_part(found)
    n_lesions = 0 if found is None or mask is None else 1 + _count_others(found, mask)
    return LesionSight(thumbnail, mask, n_lesions)


def count_lesions(rgb: npt.NDArray[np.uint8]) -> int:
    """Return how many spots stand out alike: the lesion, and others as strong, a fifth as large, and off the border.

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.

    Returns:
        0 where nothing stands out; 1 for one lesion.
    """
    return look_for_lesion(rgb).n_lesions


def _count_others(found: _Parts, mask: npt.NDArray[np.bool_]) -> int:
    # Without the pull towards the centre that chooses the lesion: a second one may lie anywhere.
    strong = (found.distance > _AS_STRONG * found.distance[mask].mean()).astype(np.uint8)
    strong = cv2.morphologyEx(strong, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    n_parts, labels = cv2.connectedComponents(np.asarray(strong, np.uint8))
    around = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    least_px, n_others = _AS_LARGE * np.count_nonzero(mask), 0
    for part in range(1, n_parts):
        own = labels == part
        # Small ones first: hair and noise leave many.
        if (
            np.count_nonzero(own) > least_px
            and not (own & around).any()
            and not _meets_border(own)
            and _is_compact(own)
        ):
            n_others += 1
    return n_others


def _meets_border(part: npt.NDArray[np.bool_]) -> bool:
    return bool(part[0].any() or part[-1].any() or part[:, 0].any() or part[:, -1].any())


def _is_compact(part: npt.NDArray[np.bool_]) -> bool:
    """Whether a part is a spot and no hair, crease or vessel: it fills a good share of its own circle."""
    (_, radius) = cv2.minEnclosingCircle(np.argwhere(part).astype(np.float32))
    return bool(part.sum() > 0.35 * np.pi * max(radius, 1.0) ** 2)


@dataclass(frozen=True, slots=True)
class _Parts:
    """Regions that stand out from the skin, at working size.

    Attributes:
        labels: (height, width), 0 for skin.
        weights: How much each label stands out, pulled towards the centre; 0 for skin.
        distance: Contrast with the skin, (height, width), CIELAB units.
    """

    labels: npt.NDArray[np.int32]
    weights: npt.NDArray[np.floating]
    distance: npt.NDArray[np.floating]


def _find_parts(rgb: npt.NDArray[np.uint8]) -> _Parts | None:
    height, width = rgb.shape[:2]
    lab = np.asarray(cv2.cvtColor(cv2.medianBlur(rgb, 7), cv2.COLOR_RGB2LAB), np.uint8)  # (h, w, 3)
    radius = _distance_from_centre(height, width)
    is_corner = _dark_corners(lab[..., 0], radius)
    ring = (radius > 0.40) & ~is_corner
    if np.count_nonzero(ring) < 50:
        return None
    distance = cv2.GaussianBlur(_contrast(lab, _skin_colour(lab, ring)), (0, 0), 3.0)
    distance[is_corner] = 0
    weighted = distance * np.exp(-0.5 * (radius / 0.30) ** 2)
    level = np.round(weighted * (255.0 / max(float(weighted.max()), 1e-6))).astype(np.uint8)
    otsu, _ = cv2.threshold(level[~is_corner].reshape(-1, 1), 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    binary = (level > 0.65 * otsu).astype(np.uint8)
    binary = np.asarray(
        cv2.morphologyEx(binary, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))), np.uint8
    )
    n_parts, labels = cv2.connectedComponents(binary)
    if n_parts < 2:
        return None
    places = np.flatnonzero(binary > 0)
    part_weights = np.bincount(labels.ravel()[places], weights=weighted.ravel()[places], minlength=n_parts)
    return _Parts(np.asarray(labels, np.int32), np.asarray(part_weights), np.asarray(distance))


def _skin_colour(lab: npt.NDArray[np.uint8], ring: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Median colour (3,) of the lighter three fifths of a ring: the lesion may reach it, and is darker."""
    darkest = _values_at(lab, 0, ring, [-(-2 * (np.count_nonzero(ring) - 1) // 5)])
    is_light = ring & (lab[..., 0] >= darkest)
    n_light = np.count_nonzero(is_light)
    middle = [_values_at(lab, channel, is_light, [(n_light - 1) // 2, n_light // 2]) for channel in range(3)]
    return np.asarray(np.mean(middle, axis=1), np.float32)


def _values_at(
    lab: npt.NDArray[np.uint8], channel: int, where: npt.NDArray[np.bool_], places: npt.ArrayLike
) -> npt.NDArray[np.integer]:
    """The values at some places, from 0, of a channel's sorted pixels: counted, which is several times as fast as sorting."""
    counts = cv2.calcHist([lab], [channel], where.astype(np.uint8), [256], [0, 256])
    return np.searchsorted(counts.cumsum(dtype=np.float64), places, side="right")


def _contrast(lab: npt.NDArray[np.uint8], skin: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Distance of each pixel from the skin's colour, (h, w): worked out for 256 values a channel, then looked up."""
    difference = np.arange(256, dtype=np.float32)[:, np.newaxis] - skin  # (256, 3)
    # Lesions are nearly always darker than skin; lighter pixels (glare, scale) count half. Hue counts more than
    # lightness, which shading changes.
    difference[:, 0] *= np.where(difference[:, 0] > 0, 0.35, 0.7)
    square = cv2.LUT(lab, (difference * difference)[np.newaxis])  # (h, w, 3)
    # Written out: NumPy sums an axis of three ten times slower, and to the same bits.
    return np.asarray(np.sqrt(square[..., 0] + square[..., 1] + square[..., 2]), np.float32)


def _best_part(found: _Parts | None) -> npt.NDArray[np.bool_] | None:
    """Return the mask of the part with the most weight, holes filled; None where it is too faint, small or large."""
    if found is None:
        return None
    best = 1 + int(np.argmax(found.weights[1:]))
    contours, _ = cv2.findContours((found.labels == best).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(found.labels.shape, np.uint8)
    cv2.drawContours(filled, contours, -1, 1, thickness=cv2.FILLED)
    is_lesion = filled > 0
    if not 0.005 <= is_lesion.mean() <= 0.90 or found.distance[is_lesion].mean() < MIN_CONTRAST:
        return None
    return is_lesion


def find_dark_corners(thumbnail: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return the dermatoscope's round stop in a photo at working size (``shrink_to_work_size``): no skin, no lesion.

    Args:
        thumbnail: Array (height, width, 3), uint8, sRGB.

    Returns:
        Booleans (height, width); all False where no dark area reaches a corner.
    """
    lightness = np.asarray(cv2.cvtColor(cv2.medianBlur(thumbnail, 7), cv2.COLOR_RGB2LAB)[..., 0], np.uint8)
    return _dark_corners(lightness, _distance_from_centre(*thumbnail.shape[:2]))


@lru_cache(maxsize=8)  # the photos of a batch mostly share one shape
def _distance_from_centre(height: int, width: int) -> npt.NDArray[np.float32]:
    """Distance of each pixel from the middle, in sides of the photo: 0.5 at edge middles. Shared, so never written to."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = np.asarray(np.hypot((y - (height - 1) / 2) / height, (x - (width - 1) / 2) / width), np.float32)
    distance.flags.writeable = False
    return distance


def _dark_corners(lightness: npt.NDArray[np.uint8], radius: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """Dark areas that reach a corner of the frame: the dermatoscope's round stop, not skin."""
    is_dark = lightness < 70
    if not is_dark[[0, 0, -1, -1], [0, -1, 0, -1]].any():
        return np.zeros(is_dark.shape, bool)
    _, labels = cv2.connectedComponents(is_dark.astype(np.uint8))
    corners = {labels[0, 0], labels[0, -1], labels[-1, 0], labels[-1, -1]} - {0}
    is_corner = np.isin(labels, list(corners)) & (radius > 0.38)
    return np.asarray(cv2.dilate(is_corner.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0)
