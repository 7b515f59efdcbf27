"""How many photos each class has, and how many an epoch shows of it once a recipe has balanced them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image, ImageDraw

from ..evaluation.class_draws import draws_per_class
from ..evaluation.plots import COLOURS, FAINT, INK, WHITE, png_bytes, write_text
from ..tables import LabelledPhoto
from ..taxonomy import CLASS_BY_CODE, CLASSES, target_codes

_WIDTH_PX, _ROW_PX, _LEFT_PX, _TOP_PX, _RIGHT_PX = 900, 46, 250, 90, 90


class Balancing(Protocol):
    """What of a recipe (``training.presets.Preset``) decides how often a class is drawn."""

    @property
    def balance(self) -> float:
        """0 draws the data's mix, 1 every class equally often."""

    @property
    def class_floor(self) -> int:
        """Every class is drawn at least this often an epoch; 0 sets no floor."""


@dataclass(frozen=True, slots=True)
class ClassBalance:
    """A balancing by itself; the same two fields as in a recipe."""

    balance: float = 0.0
    class_floor: int = 0


@dataclass(frozen=True, slots=True)
class ClassCount:
    """One class of a training part.

    Attributes:
        code, name: Of the class.
        before: Photos. Half a photo is one whose undivided ``akiec`` belongs to two classes.
        after: Photos that an epoch draws, each changed anew, rounded.
    """

    code: str
    name: str
    before: float
    after: int


def class_counts_before_after(photos: Iterable[LabelledPhoto], preset: Balancing) -> list[ClassCount]:
    """Count the classes as they are, and as one epoch of a recipe draws them.

    Args:
        photos: Of the training part alone: nothing else may be repeated.
        preset: The recipe, or a ``ClassBalance``.

    Returns:
        The classes that occur, in taxonomy order; see ``evaluation.class_draws``.
    """
    counts: dict[str, float] = {}
    for photo in photos:
        codes = target_codes(photo.dx)
        for code in codes:
            counts[code] = counts.get(code, 0) + 1 / len(codes)
    occurring = [c.code for c in CLASSES if c.code in counts]
    if not occurring:
        return []
    drawn = draws_per_class(
        np.array([counts[code] for code in occurring]), balance=preset.balance, class_floor=preset.class_floor
    )
    return [
        ClassCount(code, CLASS_BY_CODE[code].name, counts[code], round(n))
        for code, n in zip(occurring, drawn.tolist(), strict=True)
    ]


def draw_class_counts(before_after: Sequence[ClassCount], *, title: str) -> bytes:
    """Return a PNG with two bars a class, before and after balancing."""
    height = _TOP_PX + _ROW_PX * len(before_after) + 24
    image = Image.new("RGB", (_WIDTH_PX, height), WHITE)
    draw = ImageDraw.Draw(image)
    write_text(draw, (_WIDTH_PX / 2, 28), title, size_px=20)
    for number, (word, colour) in enumerate((("photos", COLOURS[1]), ("drawn in an epoch", COLOURS[0]))):
        left = _LEFT_PX + 150 * number
        draw.rectangle([left, 56, left + 18, 70], fill=colour)
        write_text(draw, (left + 26, 63), word, anchor="lm")
    largest = max((max(c.before, c.after) for c in before_after), default=1)
    span = _WIDTH_PX - _LEFT_PX - _RIGHT_PX
    for row, one in enumerate(before_after):
        top = _TOP_PX + _ROW_PX * row
        draw.line([(_LEFT_PX, top - 3), (_WIDTH_PX - _RIGHT_PX, top - 3)], fill=FAINT)
        write_text(draw, (_LEFT_PX - 10, top + 18), f"{one.code}  {one.name}", anchor="rm", ink=INK)
        for bar, (value, colour) in enumerate(((one.before, COLOURS[1]), (one.after, COLOURS[0]))):
            y = top + 19 * bar
            right = _LEFT_PX + span * value / largest
            draw.rectangle([_LEFT_PX, y, right, y + 15], fill=colour)
            write_text(draw, (right + 6, y + 8), f"{value:,.10g}", anchor="lm")
    return png_bytes(image)
