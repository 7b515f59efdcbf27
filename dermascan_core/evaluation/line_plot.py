"""A plot of lines over two axes of any range, as a PNG drawn with Pillow alone."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

_WIDTH_PX, _HEIGHT_PX, _MARGIN_PX, _LEGEND_PX = 900, 600, 84, 180
_INK, _FAINT, _WHITE = (30, 34, 40), (214, 218, 224), (255, 255, 255)
_COLOURS = ((0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (213, 94, 0))  # Okabe & Ito (2008)
Line = tuple[str, Sequence[float], Sequence[float]]


def draw_lines(
    title: str, x_label: str, y_label: str, lines: Sequence[Line], *, is_log_x: bool = False, mark: float | None = None
) -> bytes:
    """Return a PNG.

    Args:
        title, x_label, y_label: Words.
        lines: (name, x, y); points that are no number are left out.
        is_log_x: Whether x is drawn by its logarithm; all x must then be above 0.
        mark: An x that gets an upright line.

    Raises:
        ValueError: If no line has two points.
    """
    kept = [
        (name, [(math.log10(x) if is_log_x else x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(y)])
        for name, xs, ys in lines
    ]
    if not any(len(points) > 1 for _, points in kept):
        raise ValueError("Expected a line of two points at least. Received none.")
    xs, ys = ([point[axis] for _, points in kept for point in points] for axis in (0, 1))
    low_x, high_x = min(xs), max(max(xs), min(xs) + 1e-9)
    low_y, high_y = min(ys), max(max(ys), min(ys) + 1e-9)
    image = Image.new("RGB", (_WIDTH_PX + _LEGEND_PX, _HEIGHT_PX), _WHITE)
    draw = ImageDraw.Draw(image)

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            _MARGIN_PX + (x - low_x) / (high_x - low_x) * (_WIDTH_PX - 2 * _MARGIN_PX),
            _HEIGHT_PX - _MARGIN_PX - (y - low_y) / (high_y - low_y) * (_HEIGHT_PX - 2 * _MARGIN_PX),
        )

    for tick in range(6):
        x, y = low_x + (high_x - low_x) * tick / 5, low_y + (high_y - low_y) * tick / 5
        draw.line([at(x, low_y), at(x, high_y)], fill=_FAINT)
        draw.line([at(low_x, y), at(high_x, y)], fill=_FAINT)
        _write(draw, (at(x, low_y)[0], _HEIGHT_PX - _MARGIN_PX + 16), f"{10**x:.2g}" if is_log_x else f"{x:.4g}")
        _write(draw, (_MARGIN_PX - 32, at(low_x, y)[1]), f"{y:.3g}")
    if mark is not None:
        x = min(max(math.log10(mark) if is_log_x else mark, low_x), high_x)
        draw.line([at(x, low_y), at(x, high_y)], fill=_COLOURS[4], width=2)
        _write(draw, (at(x, high_y)[0], _MARGIN_PX - 12), f"{mark:.2g}")
    for number, (name, points) in enumerate(kept):
        colour = _COLOURS[number % len(_COLOURS)]
        draw.line([at(x, y) for x, y in points], fill=colour, width=3, joint="curve")
        left, top = _WIDTH_PX - _MARGIN_PX + 24, _MARGIN_PX + 16 + 24 * number
        draw.line([(left, top), (left + 28, top)], fill=colour, width=4)
        _write(draw, (left + 36, top), name, anchor="lm")
    _write(draw, (_WIDTH_PX / 2, 32), title, size_px=22)
    _write(draw, (_WIDTH_PX / 2, _HEIGHT_PX - 24), x_label, size_px=18)
    _write(draw, (_MARGIN_PX - 40, _MARGIN_PX - 24), y_label, size_px=18, anchor="lm")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _write(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, *, size_px: int = 15, anchor: str = "mm"
) -> None:
    draw.text(place, text, fill=_INK, font=ImageFont.load_default(size_px), anchor=anchor)
