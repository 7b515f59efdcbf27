"""What can be named of a lesion in a photo: its colour, alone and against its skin, its size, symmetry and border.

Measured at the working size of ``thumbnail.py`` inside the mask of ``segment.py``. A lesion that the photo cuts has
colours, but no size, symmetry or border.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

import cv2
import numpy as np
import numpy.typing as npt

from .segment import find_dark_corners, segment_lesion
from .skin_ring import find_skin_ring
from .thumbnail import shrink_to_work_size

_MAX_CUT_SHARE = 0.03  # of the photo's border: more, and part of the lesion lies outside
_MARGIN_PX = 4
_N_SMOOTHED_PX = 5  # teeth of single pixels are the grid's, not the lesion's


@dataclass(frozen=True, slots=True)
class LesionFeatures:
    """Features of one lesion; NaN where a feature cannot be measured.

    Attributes:
        lightness, redness, yellowness: Median L* [0, 100], a* and b* (CIELAB, D65) of the lesion.
        lightness_against_skin, redness_against_skin, yellowness_against_skin: The same, less the median of the ring of
            skin around the lesion.
        colour_variety: Root mean square distance of its pixels from its mean colour, in CIELAB units; 0 is one colour.
        size_share: Diameter of a disc of the same area, as a share of the photo's short side. Photos taken from
            different distances do not compare.
        asymmetry: Share of its area without a counterpart across its two main axes, mean of both, in [0, 1]; 0 for a
            disc, an ellipse or a rectangle.
        border_irregularity: Perimeter over that of a disc of the same area; about 1 for a disc, more for a ragged edge.
    """

    lightness: float
    redness: float
    yellowness: float
    lightness_against_skin: float
    redness_against_skin: float
    yellowness_against_skin: float
    colour_variety: float
    size_share: float
    asymmetry: float
    border_irregularity: float

    def as_array(self) -> npt.NDArray[np.float64]:
        """Return the features in the order of ``FEATURE_NAMES``."""
        return np.array(astuple(self), np.float64)


FEATURE_NAMES: tuple[str, ...] = tuple(field.name for field in fields(LesionFeatures))
# About what a feature differs by between two photos of one lesion, one standard deviation: docs/lesion-features.md.
NOISE_FLOORS: dict[str, float] = {
    "lightness": 4.0,
    "redness": 2.5,
    "yellowness": 2.7,
    "lightness_against_skin": 2.8,
    "redness_against_skin": 1.8,
    "yellowness_against_skin": 2.1,
    "colour_variety": 1.0,
    "size_share": 0.16,
    "asymmetry": 0.012,
    "border_irregularity": 0.018,
}
# Which belong together: in a comparison families count the same, not features.
FEATURE_FAMILIES: dict[str, str] = {
    "lightness": "colour",
    "redness": "colour",
    "yellowness": "colour",
    "lightness_against_skin": "colour against the skin",
    "redness_against_skin": "colour against the skin",
    "yellowness_against_skin": "colour against the skin",
    "colour_variety": "variety of colours",
    "size_share": "size",
    "asymmetry": "outline",
    "border_irregularity": "outline",
}
NO_FEATURES = LesionFeatures(*[float("nan")] * len(FEATURE_NAMES))


def measure_lesion(rgb: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_] | None = None) -> LesionFeatures:
    """Measure the lesion in a photo.

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.
        mask: The lesion, booleans of the working size (``shrink_to_work_size``); None finds it.

    Returns:
        The features; all NaN (``NO_FEATURES``) where no lesion stands out.
    """
    thumbnail = shrink_to_work_size(rgb)
    if mask is None:
        mask = segment_lesion(thumbnail)
    if mask is None or not mask.any():
        return NO_FEATURES
    colours = _measure_colours(thumbnail, mask)
    border = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    is_cut = border.mean() > _MAX_CUT_SHARE
    shape = [float("nan")] * 3 if is_cut else [_size_share(mask), _asymmetry(mask), _border_irregularity(mask)]
    return LesionFeatures(*colours, *shape)


def _measure_colours(thumbnail: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_]) -> list[float]:
    lab = cv2.cvtColor(thumbnail.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lesion = lab[_without_margin(mask)]  # (n, 3)
    colour = np.median(lesion, axis=0)
    ring = find_skin_ring(mask) & ~find_dark_corners(thumbnail)
    against = colour - np.median(lab[ring], axis=0) if ring.any() else np.full(3, np.nan)
    variety = np.sqrt(((lesion - lesion.mean(axis=0)) ** 2).sum(axis=1).mean())
    return [float(value) for value in (*colour, *against, variety)]


def _without_margin(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The mask reaches a little into the skin; its margin would count as a colour of the lesion."""
    size = 2 * _MARGIN_PX + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    inner = np.asarray(cv2.erode(mask.astype(np.uint8), kernel) > 0, bool)
    return inner if inner.any() else mask


def _size_share(mask: npt.NDArray[np.bool_]) -> float:
    return float(np.sqrt(4 * mask.sum() / np.pi) / min(mask.shape))


def _asymmetry(mask: npt.NDArray[np.bool_]) -> float:
    """Turn the lesion's main axis level, lay it over its mirror images, and take what does not overlap.

    Reference: the asymmetry of the ABCD rule of dermoscopy (Stolz et al. 1994), of the outline alone.
    """
    rows, columns = np.nonzero(mask)
    points = np.stack([columns - columns.mean(), rows - rows.mean()])  # (2, n)
    _, axes = np.linalg.eigh(np.cov(points))
    along = axes[:, 1]  # of the larger spread
    side = 2 * int(np.ceil(np.linalg.norm(points, axis=0).max())) + 5
    middle = (side - 1) / 2
    turn = np.array([along, [-along[1], along[0]]])
    offset = np.array([middle, middle]) - turn @ np.array([columns.mean(), rows.mean()])
    level = cv2.warpAffine(mask.astype(np.float32), np.column_stack([turn, offset]), (side, side)) > 0.5
    area = max(int(level.sum()), 1)
    return float(np.mean([(level & ~np.flip(level, axis)).sum() / area for axis in (0, 1)]))


def _border_irregularity(mask: npt.NDArray[np.bool_]) -> float:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=len)[:, 0].astype(np.float64)  # (n, 2)
    weights = np.ones(_N_SMOOTHED_PX) / _N_SMOOTHED_PX
    around = np.concatenate([outline[-(_N_SMOOTHED_PX // 2) :], outline, outline[: _N_SMOOTHED_PX // 2]])
    smooth = np.stack([np.convolve(around[:, axis], weights, mode="valid") for axis in (0, 1)], axis=1)
    perimeter = np.linalg.norm(smooth - np.roll(smooth, 1, axis=0), axis=1).sum()
    x, y = smooth.T
    area = abs(float((x * np.roll(y, 1) - y * np.roll(x, 1)).sum())) / 2
    return float(perimeter / (2 * np.sqrt(np.pi * area))) if area > 0 else float("nan")
