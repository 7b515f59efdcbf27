"""How wide a spot is in mm, from something of known size that lies beside it in the photo: a coin, or a ruler.

Pure geometry. A person marks the coin or the ruler; the result is an estimate with its doubt, offered and never entered
by itself. What the doubt leaves out is said in ``DOUBT_SENTENCE``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..domain import SIZE_RANGE_MM
from .segment import segment_lesion

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Reference:
    """Something of known size: its name on screen, its width in mm, and whether it is a round coin."""

    name: str
    width_mm: float
    is_coin: bool = True


# Widths from the makers: Council Regulation (EC) 975/98 (euro); US Mint, Coin Specifications; The Royal Mint, Coin
# Design and Specifications. The pound has twelve sides: 23.43 mm from point to point.
REFERENCES: dict[str, Reference] = {
    "eur_001": Reference("1 cent (euro)", 16.25),
    "eur_002": Reference("2 cent (euro)", 18.75),
    "eur_005": Reference("5 cent (euro)", 21.25),
    "eur_010": Reference("10 cent (euro)", 19.75),
    "eur_020": Reference("20 cent (euro)", 22.25),
    "eur_050": Reference("50 cent (euro)", 24.25),
    "eur_100": Reference("1 euro", 23.25),
    "eur_200": Reference("2 euro", 25.75),
    "usd_001": Reference("Penny, 1 cent (US)", 19.05),
    "usd_005": Reference("Nickel, 5 cents (US)", 21.21),
    "usd_010": Reference("Dime, 10 cents (US)", 17.91),
    "usd_025": Reference("Quarter, 25 cents (US)", 24.26),
    "gbp_001": Reference("1 penny (UK)", 20.3),
    "gbp_002": Reference("2 pence (UK)", 25.9),
    "gbp_005": Reference("5 pence (UK)", 18.0),
    "gbp_010": Reference("10 pence (UK)", 24.5),
    "gbp_100": Reference("1 pound (UK)", 23.43),
    "ruler_10": Reference("10 mm on a ruler", 10.0, is_coin=False),
    "ruler_20": Reference("20 mm on a ruler", 20.0, is_coin=False),
    "ruler_50": Reference("50 mm on a ruler", 50.0, is_coin=False),
}

MIN_REFERENCE_PX = 20.0  # in the picture that was marked; under it one pixel is a twentieth of the result
_MARK_DOUBT_PX = 2.0  # how far off each of the two marks may be, in the picture that was marked
# The outline, as shares of the width, less and more: for 8 in 10 real spots it gives 0.80 to 1.01 of the width by a drawn
# outline (docs/spot-width.md), small ones up to 1.35. The view: 15 degrees askew, a width shrinks by 3.4 %; a coin 2 mm
# nearer to the camera than the skin looks 2 % larger from 10 cm.
_OUTLINE_DOUBT = (0.20, 0.25)
_VIEW_DOUBT = 0.05
_STEP_MM = 0.5
DOUBT_SENTENCE = (
    "It assumes that the photo was taken from straight above, and that the coin or ruler lies flat beside the spot, at the "
    "same height. On a curved place it is less certain. The outline tends to come out a little small. A ruler in your hand "
    "knows better."
)


@dataclass(frozen=True, slots=True)
class SizeEstimate:
    """How wide a spot is.

    Attributes:
        width_mm: Best guess, rounded to half a millimetre.
        low_mm, high_mm: What marking, outline and view leave open, rounded outwards to half a millimetre.
        ends_px: The two ends of the longest width, (x, y) in the picture that was measured.
    """

    width_mm: float
    low_mm: float
    high_mm: float
    ends_px: tuple[Point, Point]

    def may_reach(self, limit_mm: float) -> bool:
        """Whether the doubt reaches a limit that the best guess stays under."""
        return self.width_mm < limit_mm <= self.high_mm


def longest_width(mask: npt.NDArray[np.bool_]) -> tuple[float, tuple[Point, Point]]:
    """Return the largest distance between two points of a mask in px, and the two points as (x, y).

    A pixel counts as a square of 1 px, so that a row of ten pixels is 10 px long.

    Args:
        mask: Booleans (height, width) with at least one pixel set.

    Raises:
        ValueError: If no pixel is set.

    >>> round(longest_width(np.ones((3, 4), bool))[0], 3)
    5.0
    """
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        raise ValueError("Invalid value received for argument `mask`. Expected at least one pixel set. Received none.")
    centres = np.stack([columns, rows], axis=1).astype(np.float32)
    corners = np.concatenate([centres + shift for shift in ((0, 0), (1, 0), (0, 1), (1, 1))])
    hull = cv2.convexHull(corners.astype(np.float32)).reshape(-1, 2).astype(np.float64)  # (n, 2)
    distances = np.hypot(*(hull[:, None] - hull[None]).transpose(2, 0, 1))  # (n, n)
    first, second = np.unravel_index(int(distances.argmax()), distances.shape)
    ends = ((float(hull[first, 0]), float(hull[first, 1])), (float(hull[second, 0]), float(hull[second, 1])))
    return float(distances.max()), ends


def segment_beside_coin(
    rgb: npt.NDArray[np.uint8], marks: tuple[Point, Point], *, is_coin: bool
) -> npt.NDArray[np.bool_] | None:
    """Return the spot's mask in a photo with a marked coin or ruler, or None when no spot stands out.

    A coin stands out more than most spots, so it is first painted over with the skin around it.

    Args:
        rgb: Array (height, width, 3), uint8.
        marks: The two marked points, (x, y) in px; for a coin, the ends of a line through its middle.
        is_coin: Whether the marks are the edges of a coin, rather than two lines of a ruler.
    """
    return segment_lesion(_without_coin(rgb, marks) if is_coin else rgb)


def _without_coin(rgb: npt.NDArray[np.uint8], marks: tuple[Point, Point]) -> npt.NDArray[np.uint8]:
    (x1, y1), (x2, y2) = marks
    centre = (round((x1 + x2) / 2), round((y1 + y2) / 2))
    radius = math.hypot(x2 - x1, y2 - y1) / 2
    disc, ring = (np.zeros(rgb.shape[:2], np.uint8) for _ in range(2))
    cv2.circle(disc, centre, round(1.15 * radius), 1, -1)  # the coin's own shadow goes with it
    cv2.circle(ring, centre, round(1.35 * radius), 1, -1)
    around = rgb[(ring > 0) & (disc == 0)]
    if around.size == 0:
        return rgb
    painted = rgb.copy()
    painted[disc > 0] = np.median(around, axis=0).astype(np.uint8)
    return painted


def estimate_size(mask: npt.NDArray[np.bool_], marks: tuple[Point, Point], reference: Reference) -> SizeEstimate | None:
    """Return how wide a spot is, by the rule of three; None where the marks lie too close to measure by.

    The doubt adds what marking, outline and an askew view may each be off, as independent errors.

    Args:
        mask: The spot, booleans (height, width), at least one pixel set.
        marks: The two marked points, (x, y) in px of the same picture.
        reference: What lies between them.

    >>> estimate_size(np.ones((1, 100), bool), ((0, 0), (0, 200)), Reference("20 mm on a ruler", 20.0)).width_mm
    10.0
    """
    reference_px = math.dist(*marks)
    if reference_px < MIN_REFERENCE_PX:
        return None
    spot_px, ends = longest_width(mask)
    width_mm = spot_px / reference_px * reference.width_mm
    less, more = (
        math.sqrt(2 * (_MARK_DOUBT_PX / reference_px) ** 2 + outline**2 + _VIEW_DOUBT**2) for outline in _OUTLINE_DOUBT
    )
    return SizeEstimate(
        width_mm=_within_range(round(width_mm / _STEP_MM) * _STEP_MM),
        low_mm=_within_range(math.floor(width_mm * (1 - less) / _STEP_MM) * _STEP_MM),
        high_mm=_within_range(math.ceil(width_mm * (1 + more) / _STEP_MM) * _STEP_MM),
        ends_px=ends,
    )


def _within_range(size_mm: float) -> float:
    smallest, largest = SIZE_RANGE_MM
    return min(max(size_mm, smallest, _STEP_MM), largest)
