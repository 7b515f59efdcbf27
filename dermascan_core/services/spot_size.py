"""Measures the spot of a photo beside a coin or a ruler that a person marked on its preview."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from ..imaging.scale import REFERENCES, Point, SizeEstimate, estimate_size, segment_beside_coin
from .intake import Intake, decode_preview

TOO_SHORT = "The two marks lie too close together to measure by. Set them on the two edges, as far apart as they are."
NO_SPOT = "No spot stands out beside the marks. Measure it with a ruler in your hand."


@dataclass(frozen=True, slots=True)
class SpotSize:
    """What was measured, to be looked at before it is used.

    Attributes:
        estimate: The width with its doubt; None where none could be measured.
        problem: Why not; empty when it could.
        picture: The preview with the outline that was measured and its longest width; (height, width, 3), uint8.
    """

    estimate: SizeEstimate | None
    problem: str
    picture: npt.NDArray[np.uint8]


def measure_spot(photo: Intake, shares: tuple[Point, Point], reference_key: str) -> SpotSize:
    """Measure how wide the spot is.

    Args:
        photo: A photo that could be decoded.
        shares: The two marks, (x, y) as shares of the preview's width and height, each in [0, 1].
        reference_key: What lies between them, a key of ``REFERENCES``.
    """
    preview = decode_preview(photo.preview_jpeg)
    height, width = preview.shape[:2]
    marks = ((shares[0][0] * width, shares[0][1] * height), (shares[1][0] * width, shares[1][1] * height))
    reference = REFERENCES[reference_key]
    mask = segment_beside_coin(preview, marks, is_coin=reference.is_coin)
    if mask is None:
        return SpotSize(None, NO_SPOT, preview)
    estimate = estimate_size(mask, marks, reference)
    if estimate is None:
        return SpotSize(None, TOO_SHORT, preview)
    return SpotSize(estimate, "", _outlined(preview, mask, estimate))


def _outlined(
    preview: npt.NDArray[np.uint8], mask: npt.NDArray[np.bool_], estimate: SizeEstimate
) -> npt.NDArray[np.uint8]:
    shown = preview.copy()
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    first, second = ((round(x), round(y)) for x, y in estimate.ends_px)
    for colour, thickness in (((0, 0, 0), 5), ((255, 214, 0), 2)):  # a dark rim keeps the yellow visible on pale skin
        cv2.drawContours(shown, contours, -1, colour, thickness)
        cv2.line(shown, first, second, colour, thickness)
    return shown
