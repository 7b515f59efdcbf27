"""Small pictures for lists: JPEG, without any tag, a few kilobytes each."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import numpy.typing as npt

from .intake import decode_preview, encode_jpeg

LIST_SIDE_PX = 160
_QUALITY = 72
_GROUND = 128  # mid grey, seen as no skin in a light and in a dark theme


def small_jpeg(rgb: npt.NDArray[np.uint8], *, side_px: int = LIST_SIDE_PX) -> bytes:
    """Return a photo as JPEG with a long side of at most ``side_px``.

    Args:
        rgb: Array (height, width, 3), uint8.
        side_px: Of the result, in px.
    """
    height, width = rgb.shape[:2]
    scale = side_px / max(height, width)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    return encode_jpeg(rgb, quality=_QUALITY)


def smaller_jpeg(jpeg: bytes, *, side_px: int) -> bytes:
    """Return a JPEG that ``small_jpeg`` or the image store made, smaller.

    Raises:
        ValueError: If it is something else.
    """
    return small_jpeg(decode_preview(jpeg), side_px=side_px)


def on_square(jpeg: bytes) -> bytes:
    """Return a JPEG of ours whole, in the middle of a grey square: two such pictures are shown at the same size.

    Raises:
        ValueError: If it is something else.
    """
    rgb = decode_preview(jpeg)
    height, width = rgb.shape[:2]
    side = max(height, width)
    square = np.full((side, side, 3), _GROUND, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = rgb
    return encode_jpeg(square)


def data_address(jpeg: bytes) -> str:
    """Return a JPEG as the address of a picture that a table can show; empty where there is none."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii") if jpeg else ""
