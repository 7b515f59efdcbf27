"""The plots beside ``metrics.json``: PNG files drawn from it with Pillow alone. The app draws its own, interactive."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw, ImageFont

_SIDE_PX = 720
_MARGIN_PX = 84
INK, FAINT, WHITE = (30, 34, 40), (214, 218, 224), (255, 255, 255)
# Okabe & Ito (2008): told apart with every kind of colour vision; black is the malignant curve's.
COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (120, 120, 120), (0, 114, 178), (213, 94, 0), (204, 121, 167))
BLACK = (0, 0, 0)
_Line = tuple[str, Sequence[float | None], Sequence[float | None]]


def draw_plots(metrics: Mapping[str, Any]) -> dict[str, bytes]:
    """Draw the curves, the calibration and the confusion matrix.

    Args:
        metrics: Contents of ``metrics.json``.

    Returns:
        File name -> PNG. Without diagnoses there is no confusion matrix.
    """
    plots = {
        "roc.png": _chart(
            "ROC, one class against the rest",
            "false-positive rate",
            "sensitivity",
            _curves(metrics, "roc", "false_positive_rate", "sensitivity"),
        ),
        "precision-recall.png": _chart(
            "Precision and recall",
            "recall (sensitivity)",
            "precision",
            _curves(metrics, "precision_recall", "recall", "precision"),
            has_diagonal=False,
        ),
        "calibration.png": _chart(
            "Calibration (the diagonal is perfect)", "probability given", "share that came true", _reliability(metrics)
        ),
    }
    if metrics["confusion"]:
        plots["confusion.png"] = draw_confusion(metrics["confusion"])
    return plots


def _curves(metrics: Mapping[str, Any], curve: str, x_name: str, y_name: str) -> list[_Line]:
    own = {"cancer or pre-cancer": metrics["malignant"], **metrics["classes"]}
    return [(name, values[curve][x_name], values[curve][y_name]) for name, values in own.items()]


def _reliability(metrics: Mapping[str, Any]) -> list[_Line]:
    return [
        (name, [b["confidence"] for b in bins if b["n"]], [b["accuracy"] for b in bins if b["n"]])
        for name, bins in (
            ("cancer or pre-cancer", metrics["calibration"]["malignant"]),
            ("most probable class", metrics["calibration"]["most_probable"]),
        )
    ]


def _chart(title: str, x_label: str, y_label: str, lines: Sequence[_Line], *, has_diagonal: bool = True) -> bytes:
    image = Image.new("RGB", (_SIDE_PX + 210, _SIDE_PX), WHITE)
    draw, span = ImageDraw.Draw(image), _SIDE_PX - 2 * _MARGIN_PX

    def at(x: float, y: float) -> tuple[float, float]:
        return _MARGIN_PX + x * span, _SIDE_PX - _MARGIN_PX - y * span

    for tick in range(6):
        share = tick / 5
        draw.line([at(share, 0), at(share, 1)], fill=FAINT)
        draw.line([at(0, share), at(1, share)], fill=FAINT)
        write_text(draw, (at(share, 0)[0], at(0, 0)[1] + 16), f"{share:.1f}")
        write_text(draw, (at(0, 0)[0] - 24, at(0, share)[1]), f"{share:.1f}")
    if has_diagonal:
        draw.line([at(0, 0), at(1, 1)], fill=FAINT, width=2)
    for number, (name, xs, ys) in enumerate(lines):
        colour = BLACK if number == 0 else COLOURS[(number - 1) % len(COLOURS)]
        points = [at(x, y) for x, y in zip(xs, ys, strict=True) if x is not None and y is not None]
        if len(points) > 1:
            draw.line(points, fill=colour, width=3, joint="curve")
        y = _MARGIN_PX + 12 + 28 * number
        draw.line([(_SIDE_PX - 60, y), (_SIDE_PX - 32, y)], fill=colour, width=4)
        write_text(draw, (_SIDE_PX - 24, y), name if points else f"{name} (none)", anchor="lm")
    write_text(draw, (_SIDE_PX / 2, 36), title, size_px=22)
    write_text(draw, (_SIDE_PX / 2, _SIDE_PX - 28), x_label, size_px=18)
    write_text(draw, (_MARGIN_PX, _MARGIN_PX - 20), y_label, size_px=18, anchor="lm")
    return png_bytes(image)


def draw_confusion(confusion: Mapping[str, Any]) -> bytes:
    """Draw a confusion matrix, each row in percent of its photos.

    Args:
        confusion: Of ``metrics.json``: codes, counts, row_normalised.
    """
    codes, counts, shares = confusion["codes"], confusion["counts"], confusion["row_normalised"]
    image = Image.new("RGB", (_SIDE_PX, _SIDE_PX), WHITE)
    draw, cell = ImageDraw.Draw(image), (_SIDE_PX - _MARGIN_PX - 100) / len(codes)
    write_text(
        draw, (_SIDE_PX / 2, 32), "Rows: diagnosis. Columns: shown first. Percent of the row (photos)", size_px=18
    )
    for i, code in enumerate(codes):
        write_text(draw, (_MARGIN_PX - 36, 96 + cell * (i + 0.5)), code, size_px=18)
        write_text(draw, (_MARGIN_PX + cell * (i + 0.5), 76), code, size_px=18)
        for j in range(len(codes)):
            left, top, share = _MARGIN_PX + cell * j, 96 + cell * i, shares[i][j]
            shade = 0.0 if share is None else share
            colour = tuple(round(255 + (target - 255) * shade) for target in COLOURS[4])
            draw.rectangle([left, top, left + cell - 2, top + cell - 2], fill=colour, outline=FAINT)
            words = "" if share is None else f"{share:.0%}\n({counts[i][j]})"
            write_text(draw, (left + cell / 2, top + cell / 2), words, ink=WHITE if shade > 0.7 else INK)
    return png_bytes(image)


def write_text(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    text: str,
    *,
    size_px: int = 15,
    anchor: str = "mm",
    ink: tuple[int, int, int] = INK,
) -> None:
    """Write text at a place (x, y) in px; ``anchor`` as Pillow names it, middle by default."""
    draw.text(place, text, fill=ink, font=ImageFont.load_default(size_px), anchor=anchor, align="center")


def png_bytes(image: Image.Image) -> bytes:
    """Return an image as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
