"""The small ways in which a second photo of the same spot differs, made from the first: turn, distance, light, JPEG, place.

None is a flip or a quarter turn, so that averaging over the network's eight views cancels none of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from ..domain import CropBox
from .crop import clamp_crop, extract_square
from .preprocess import PreprocessConfig
from .steps import apply_steps

Rgb = npt.NDArray[np.uint8]
_MARGIN_SHARE = 0.25  # of the square's side, on each side of it: what a turn of 45 degrees brings into view
_MAX_SIDE_PX = 600  # of the square while it is changed; more detail than any network is shown only costs time


def turn(rgb: Rgb, *, degrees: float) -> Rgb:
    """Turn a photo (height, width, 3) about its centre, anticlockwise; corners are mirrored."""
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    turned = cv2.warpAffine(rgb, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(turned, np.uint8)


def zoom(rgb: Rgb, *, factor: float) -> Rgb:
    """Go nearer (above 1) or farther: nearer cuts the border away; farther mirrors it, since there is none to see."""
    height, width = rgb.shape[:2]
    if factor >= 1:
        part_h, part_w = round(height / factor), round(width / factor)
        top, left = (height - part_h) // 2, (width - part_w) // 2
        part = np.ascontiguousarray(rgb[top : top + part_h, left : left + part_w])
        return np.asarray(cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    small_h, small_w = round(height * factor), round(width * factor)
    small = cv2.resize(rgb, (small_w, small_h), interpolation=cv2.INTER_AREA)
    top, left = (height - small_h) // 2, (width - small_w) // 2
    return np.asarray(
        cv2.copyMakeBorder(
            small, top, height - small_h - top, left, width - small_w - left, borderType=cv2.BORDER_REFLECT_101
        ),
        np.uint8,
    )


def brighten(rgb: Rgb, *, factor: float) -> Rgb:
    """Multiply every channel; above 1 is brighter."""
    return np.clip(np.round(rgb.astype(np.float32) * factor), 0, 255).astype(np.uint8)


def compress_jpeg(rgb: Rgb, *, quality: int) -> Rgb:
    """Save as JPEG and read again."""
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]


def move(rgb: Rgb, *, right_share: float, down_share: float) -> Rgb:
    """Move what is seen, by shares of the width and the height; what comes in is mirrored."""
    height, width = rgb.shape[:2]
    matrix = np.array([[1, 0, right_share * width], [0, 1, down_share * height]], np.float64)
    moved = cv2.warpAffine(rgb, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(moved, np.uint8)


@dataclass(frozen=True, slots=True)
class SmallChange:
    """One small change.

    Attributes:
        name: Stable key of files.
        words: For a person: "the answer changed when the photo was ...".
        apply: (uint8 RGB (height, width, 3)) -> the same shape.
    """

    name: str
    words: str
    apply: Callable[[Rgb], Rgb]


# A move is a share of the square and its margins, 1.5 squares wide: 0.04 is 6 % of the square.
SMALL_CHANGES: tuple[SmallChange, ...] = (
    SmallChange("turn_15", "turned by 15 degrees", partial(turn, degrees=15)),
    SmallChange("turn_30", "turned by 30 degrees", partial(turn, degrees=-30)),
    SmallChange("turn_45", "turned by 45 degrees", partial(turn, degrees=45)),
    SmallChange("nearer", "taken a little nearer", partial(zoom, factor=1.1)),
    SmallChange("farther", "taken from a little farther", partial(zoom, factor=0.9)),
    SmallChange("darker", "a little darker", partial(brighten, factor=0.85)),
    SmallChange("brighter", "a little brighter", partial(brighten, factor=1.15)),
    SmallChange("jpeg", "saved as a smaller file", partial(compress_jpeg, quality=50)),
    SmallChange("right", "moved a little to the right", partial(move, right_share=0.04, down_share=0.0)),
    SmallChange("down", "moved a little down", partial(move, right_share=0.0, down_share=0.04)),
)


def changed_squares(rgb: Rgb, crop: CropBox, config: PreprocessConfig) -> Rgb:
    """Return what the network would see after each of ``SMALL_CHANGES``.

    The square and the skin around it are changed together, and the square is cut again at the same place: no lesion is
    searched for anew, so that a square set by hand stays the person's.

    Args:
        rgb: Decoded photo (height, width, 3), uint8, sRGB.
        crop: The square that was looked at.
        config: What the model expects.

    Returns:
        Array (n_changes, input_px, input_px, 3), uint8.
    """
    around, square = _with_margins(rgb, crop)
    return np.stack(
        [
            apply_steps(
                extract_square(change.apply(around), square, input_px=config.input_px, detail_px=config.detail_px),
                config.steps,
            )
            for change in SMALL_CHANGES
        ]
    )


def _with_margins(rgb: Rgb, crop: CropBox) -> tuple[Rgb, CropBox]:
    """Cut the square with its margins, mirrored where the photo ends, and say where the square lies in it."""
    height, width = rgb.shape[:2]
    box = clamp_crop(crop, width_px=width, height_px=height)
    margin = round(_MARGIN_SHARE * box.side_px)
    left, top = box.left_px - margin, box.top_px - margin
    right, bottom = box.left_px + box.side_px + margin, box.top_px + box.side_px + margin
    inside = rgb[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    around = cv2.copyMakeBorder(
        inside,
        max(-top, 0),
        max(bottom - height, 0),
        max(-left, 0),
        max(right - width, 0),
        borderType=cv2.BORDER_REFLECT_101,
    )
    scale = min(1.0, _MAX_SIDE_PX / box.side_px)
    if scale < 1:
        side = round(around.shape[0] * scale)
        around = np.asarray(cv2.resize(around, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    inner = round(box.side_px * scale)
    start = (around.shape[0] - inner) // 2
    return np.ascontiguousarray(around, np.uint8), CropBox(start, start, inner, box.source)
