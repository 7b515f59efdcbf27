"""A sheet of paper to draw on: text that wraps, bars and panels, all shrunk together until they fit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from ..triage.shown import percent_words

WIDTH_PX, HEIGHT_PX, DPI = 1240, 1754, 150  # A4
MARGIN_PX = 80
INK, MUTED, LINE, PANEL = (28, 33, 40), (90, 98, 108), (208, 213, 219), (244, 246, 248)


@dataclass(frozen=True, slots=True)
class Column:
    """Where text may stand, in px from the left edge of the page."""

    left: int
    right: int


class Page:
    """A white page with a cursor ``y``; every size is given for scale 1 and shrunk together."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.image = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.column = Column(MARGIN_PX, WIDTH_PX - MARGIN_PX)
        self.y = MARGIN_PX // 2
        self._fonts: dict[int, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}

    def px(self, length: float) -> int:
        return round(length * self.scale)

    def gap(self, length: float) -> None:
        self.y += self.px(length)

    def rule(self) -> None:
        self.draw.line((self.column.left, self.y, self.column.right, self.y), fill=LINE, width=2)

    def panel(self, top: int, bottom: int, *, bar: tuple[int, int, int] | None = None) -> None:
        self.draw.rectangle((self.column.left, top, self.column.right, bottom), fill=PANEL)
        if bar is not None:
            self.draw.rectangle((self.column.left, top, self.column.left + self.px(12), bottom), fill=bar)

    def line_height(self, size: int) -> int:
        return self.px(size * 1.36)

    def write(
        self,
        text: str,
        *,
        size: int,
        colour: tuple[int, int, int] = INK,
        is_bold: bool = False,
        align: str = "left",
        column: Column | None = None,
    ) -> None:
        column = column or self.column
        for line in self.wrap(text, size=size, width_px=column.right - column.left, is_bold=is_bold):
            width = self.text_width(line, size, is_bold=is_bold)
            x = column.left if align == "left" else column.right - width
            # The built-in font has one weight: a stroke of its own colour makes it bold.
            self.draw.text(
                (x, self.y), line, fill=colour, font=self._font(size), stroke_width=self._stroke(size, is_bold)
            )
            self.y += self.line_height(size)

    def wrap(self, text: str, *, size: int, width_px: int, is_bold: bool) -> list[str]:
        lines = [""]
        for word in printable(text).split():
            longer = f"{lines[-1]} {word}".strip()
            if self.text_width(longer, size, is_bold=is_bold) <= width_px:
                lines[-1] = longer
                continue
            lines += [""] if lines[-1] else []
            for char in word:  # a word longer than the line is broken where the line ends
                if lines[-1] and self.text_width(lines[-1] + char, size, is_bold=is_bold) > width_px:
                    lines.append("")
                lines[-1] += char
        return lines

    def text_width(self, text: str, size: int, *, is_bold: bool = False) -> int:
        return math.ceil(self._font(size).getlength(text) + 2 * self._stroke(size, is_bold))

    def points(self, heading: str, sentences: Sequence[str], *, size: int = 24) -> None:
        """Write a heading and one point a sentence; nothing where there is none."""
        if not sentences:
            return
        self.write(heading, size=29, is_bold=True)
        self.gap(2)
        left = self.column.left
        for sentence in sentences:
            top = self.y + self.px(14)
            self.draw.rectangle((left + 2, top, left + 2 + self.px(7), top + self.px(7)), fill=MUTED)
            self.write(sentence, size=size, column=Column(left + self.px(26), self.column.right))
        self.gap(16)

    def bar(self, name: str, share: float, *, colour: tuple[int, int, int], column: Column) -> None:
        """Draw one class: its name, its percentage at the right, its bar under both."""
        top = self.y
        self.write(percent_words(share), size=21, align="right", column=column)
        after = self.y
        self.y = top
        self.write(name, size=21, column=Column(column.left, column.right - self.px(120)))
        self.y = max(self.y, after)
        height, width = self.px(10), column.right - column.left
        self.draw.rectangle((column.left, self.y, column.right, self.y + height), fill=PANEL)
        if share > 0:
            end = column.left + max(round(width * min(share, 1.0)), 2)
            self.draw.rectangle((column.left, self.y, end, self.y + height), fill=colour)
        self.y += height + self.px(6)

    def _font(self, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        if size not in self._fonts:
            self._fonts[size] = ImageFont.load_default(size * self.scale)
        return self._fonts[size]

    def _stroke(self, size: int, is_bold: bool) -> float:
        return 0.016 * size * self.scale if is_bold else 0.0


def printable(text: str) -> str:
    """Return the text in the signs that the built-in font can draw."""
    return "".join(char if 32 <= ord(char) < 127 else " " if char.isspace() else "?" for char in text)
