"""What lies over or beside the skin in a square without being skin: hair, ink, a ruler, dark corners, glare.

Each is found by plain image rules, can be painted over, and is only a reason to look twice: nothing is refused for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .steps import find_glare, find_hairs

Square = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
_WORK_SIDE_PX = 150  # the archive's detail, as for the lesion's mask; every length below is in these pixels
_AROUND_PX = 41  # what lies around a stroke or a highlight
_MIN_INK_SATURATION = 25  # of 255
_MIN_INK_BLUER, _MIN_INK_DARKER = 5, 4  # OpenCV's 8-bit CIELAB
_MAX_STROKE_PX, _MIN_STROKE_AREA_PX = 12, 40
_MIN_INK_RADIUS = 0.28  # of the side, from the square's middle: the lesion lies there
_MIN_GLARE_BRIGHTER = 20  # grey levels
_RULER_DEPTH_PX = 22
_MIN_TICK_CONTRAST = 4.0  # grey levels: standard deviation along the band
_MIN_TICKS, _MAX_TICK_GAP_PX = 8, 18
_MIN_SPAN, _MIN_EVEN_SHARE = 0.6, 0.8


@dataclass(frozen=True, slots=True)
class ArtefactKind:
    """One kind of artefact.

    Attributes:
        name: Stable key of files.
        find: (uint8 square at working size) -> its mask, booleans of the same size.
        min_share: Share of the square from which on it is flagged. Set on train photos and drawn artefacts; see
            docs/evaluation.md.
    """

    name: str
    find: Callable[[Square], Mask]
    min_share: float


def find_ink(rgb: Square) -> Mask:
    """Return the strokes of a marker: violet, blue or green against the skin, thin, and away from the middle.

    A blue nevus and a blue-white veil have ink's colours too; they are no strokes, and lie in the middle.
    """
    hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
    hue, saturation = hsv[..., 0], hsv[..., 1]  # hue in half degrees
    is_cold = (hue > 35) & (hue < 165) & (saturation > _MIN_INK_SATURATION) & (hsv[..., 2] > 40)
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    # Against the skin around it: violet shade and blue light change slowly, a stroke does not.
    around = cv2.medianBlur(lab, _AROUND_PX)
    darker, bluer = (around[..., i].astype(np.float32) - lab[..., i] for i in (0, 2))
    mask = (is_cold & (bluer > _MIN_INK_BLUER) & (darker > _MIN_INK_DARKER)).astype(np.uint8)
    mask = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.uint8)
    n_parts, labels = cv2.connectedComponents(mask)
    radius = _radius(rgb.shape[0])
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3)  # half the width of a stroke
    kept = np.zeros(mask.shape, bool)
    for part in range(1, n_parts):
        is_part = labels == part
        is_thin = depth[is_part].max() <= _MAX_STROKE_PX / 2
        if is_thin and np.median(radius[is_part]) >= _MIN_INK_RADIUS and is_part.sum() >= _MIN_STROKE_AREA_PX:
            kept |= is_part
    return kept


def find_highlights(rgb: Square) -> Mask:
    """Return small highlights that stand out from what lies around them: white skin is no glare."""
    value = np.asarray(rgb.max(axis=2), np.uint8)
    around = cv2.medianBlur(value, _AROUND_PX)
    return np.asarray(find_glare(rgb) & (value.astype(np.int16) - around > _MIN_GLARE_BRIGHTER))


def find_ruler(rgb: Square) -> Mask:
    """Return the bands along the sides in which dark ticks follow each other at equal distances."""
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    mask = np.zeros(grey.shape, bool)
    for quarter in range(4):
        band = np.ascontiguousarray(np.rot90(grey, quarter)[:_RULER_DEPTH_PX])
        if _has_ticks(band):
            turned = np.rot90(mask, quarter)  # a view: what is written lands in the mask
            turned[:_RULER_DEPTH_PX] = True
    return mask


def _has_ticks(band: npt.NDArray[np.uint8]) -> bool:
    """Whether dark upright lines stand in a band (depth, length) at equal distances, along most of it."""
    ticks = cv2.morphologyEx(band, cv2.MORPH_BLACKHAT, np.ones((1, 5), np.uint8)).astype(np.float32)
    profile = ticks.mean(axis=0)
    if profile.std() < _MIN_TICK_CONTRAST:
        return False
    middle = profile[1:-1]
    is_peak = (middle > profile.mean()) & (middle >= profile[:-2]) & (middle > profile[2:])
    places = np.flatnonzero(is_peak)
    if len(places) < _MIN_TICKS or places[-1] - places[0] < _MIN_SPAN * len(profile):
        return False
    gaps = np.diff(places)
    usual = np.median(gaps)
    is_even = np.abs(gaps - usual) <= max(1.0, 0.15 * usual)
    return bool(usual <= _MAX_TICK_GAP_PX and is_even.mean() >= _MIN_EVEN_SHARE)


def find_dark_corners(rgb: Square) -> Mask:
    """Return dark areas that reach a corner: the round stop of a dermatoscope, or light that falls off."""
    lightness = cv2.cvtColor(cv2.medianBlur(rgb, 5), cv2.COLOR_RGB2LAB)[..., 0]
    _, labels = cv2.connectedComponents((lightness < 70).astype(np.uint8))
    corners = {labels[0, 0], labels[0, -1], labels[-1, 0], labels[-1, -1]} - {0}
    return np.asarray(np.isin(labels, list(corners)) & (_radius(rgb.shape[0]) > 0.38))


def _radius(side: int) -> npt.NDArray[np.float64]:
    """Distance of each pixel (side, side) from the middle, in sides."""
    along = (np.arange(side) - (side - 1) / 2) / side
    return np.asarray(np.hypot(along[:, None], along[None, :]), np.float64)


_KINDS = (
    ArtefactKind("hair", find_hairs, 0.02),
    ArtefactKind("ink", find_ink, 0.005),
    ArtefactKind("ruler", find_ruler, 0.05),
    ArtefactKind("dark_corners", find_dark_corners, 0.02),
    ArtefactKind("glare", find_highlights, 0.0015),
)
ARTEFACTS: dict[str, ArtefactKind] = {kind.name: kind for kind in _KINDS}


@dataclass(frozen=True, slots=True)
class ArtefactReport:
    """What was found in one square.

    Attributes:
        shares: Name of ``ARTEFACTS`` -> share of the square that it covers, in [0, 1].
        flagged: Names of those that cover enough to look twice, in the order of ``ARTEFACTS``.
        mask: What the flagged ones cover, booleans of the square's size.
    """

    shares: Mapping[str, float]
    flagged: tuple[str, ...]
    mask: Mask


def find_artefacts(square: Square, *, names: Sequence[str] = tuple(ARTEFACTS)) -> ArtefactReport:
    """Look for every kind of artefact in the square that the network sees.

    Args:
        square: Array (side, side, 3), uint8.
        names: Which kinds to look for.
    """
    small = np.asarray(cv2.resize(square, (_WORK_SIDE_PX, _WORK_SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)
    masks = {name: ARTEFACTS[name].find(small) for name in names}
    if "ink" in masks and "hair" in masks:  # the edge of a stroke is a dark line too
        masks["hair"] = masks["hair"] & ~_grown(masks["ink"])
    shares = {name: float(mask.mean()) for name, mask in masks.items()}
    flagged = tuple(name for name in names if shares[name] >= ARTEFACTS[name].min_share)
    covered = np.zeros(small.shape[:2], bool)
    for name in flagged:
        covered |= masks[name]
    size = (square.shape[1], square.shape[0])
    full = cv2.resize(covered.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return ArtefactReport(shares, flagged, np.asarray(full))


def _grown(mask: Mask) -> Mask:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0)
