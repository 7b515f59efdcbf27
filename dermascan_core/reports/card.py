"""A screening on one page, to show to a doctor: what to do and how soon, the photo, the answer, and its limits."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from ..domain import ImageType, NextStep, PhotoScreening, Prediction, Screening, Status
from ..taxonomy import HAM_CODES, HAM_MALIGNANT
from ..triage.rules import UNTESTED_SKIN_TYPES
from ..triage.two_kinds import KIND_NAMES, apart_words
from ..triage.wording import (
    BARS_CAPTION,
    DARK_SKIN_NOT_TESTED,
    DISCLAIMER,
    SEVEN_POINT_LIST,
    SHOWN_FIRST_NOTE,
    UNSURE_SENTENCE,
    Voice,
    booking_words,
    calm_rate_words,
    class_name,
    how_soon,
    not_checked,
    phone_words,
    refusal_text,
    step_text,
    step_title,
)

WIDTH_PX, HEIGHT_PX, DPI = 1240, 1754, 150  # A4
_MARGIN_PX = 80
_INK, _MUTED, _LINE, _PANEL = (28, 33, 40), (90, 98, 108), (208, 213, 219), (244, 246, 248)
_CANCER, _OTHER, _UNSURE = (190, 84, 24), (70, 110, 160), (160, 166, 173)  # apart for colour-blind eyes too
_WARNING = (130, 78, 0)
_STEP_COLOURS = {
    NextStep.EMERGENCY: (150, 20, 30),
    NextStep.URGENT_2_WEEKS: (190, 60, 20),
    NextStep.SEE_DOCTOR: (170, 110, 0),
    NextStep.ROUTINE_CHECK: (40, 95, 150),
    NextStep.WATCH: (70, 90, 110),
    NextStep.NOT_ASSESSED: (90, 98, 108),
}
_MAX_REASONS = 8
# Long answers shrink the text, never run off the page; at 58 % the longest possible page still fits.
_SCALES = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7, 0.64, 0.58)


def render_card(screening: Screening, *, photo_index: int = 0) -> bytes:
    """Return the screening as one A4 page, PNG at 150 dpi, 1240 x 1754 px, without any tag of the photo.

    Args:
        screening: The record; its next step, which follows the most urgent photo, stands on top.
        photo_index: Which photo is shown.

    Raises:
        ValueError: If there is no such photo.
    """
    if not 0 <= photo_index < len(screening.photos):
        raise ValueError(
            f"Invalid value received for argument `photo_index`. Expected 0 to {len(screening.photos) - 1}. "
            f"Received: {photo_index}"
        )
    for scale in _SCALES:
        page = _Page(scale)
        _draw_card(page, screening, photo_index)
        if page.y <= HEIGHT_PX - _MARGIN_PX // 2:
            break
    buffer = io.BytesIO()
    page.image.save(buffer, "PNG", dpi=(DPI, DPI))
    return buffer.getvalue()


def _draw_card(page: _Page, screening: Screening, photo_index: int) -> None:
    _draw_head(page, screening)
    _draw_next_step(page, screening)
    _draw_photo_and_answer(page, screening, photo_index)
    reasons = list(screening.step_reasons)
    if len(reasons) > _MAX_REASONS:
        left_out = len(reasons) - _MAX_REASONS + 1
        reasons = [*reasons[: _MAX_REASONS - 1], f"And {left_out} more, named in the full result."]
    if screening.disagreement:
        reasons.append(screening.disagreement)
    if apart := apart_words(screening):
        reasons.append(apart)
    _draw_list(page, "Why this step", reasons)
    _draw_booking(page, booking_words(screening))
    if screening.next_step.urgency <= NextStep.ROUTINE_CHECK.urgency:
        page.write("See a doctor if any of these 7 points fits", size=29, is_bold=True)
        page.write(" ".join(SEVEN_POINT_LIST), size=24)
        page.gap(16)
    _draw_list(page, "What was not checked", list(not_checked(screening)))
    _draw_foot(page, screening)


def _draw_head(page: _Page, screening: Screening) -> None:
    top = page.y
    page.write("DermaScan", size=40, is_bold=True)
    below = page.y
    page.y = top + page.px(14)
    page.write(f"Skin photo check, {_date_words(screening.screened_at)}", size=24, colour=_MUTED, align="right")
    page.y = below + page.px(8)
    page.rule()
    page.gap(10)
    page.write(DISCLAIMER, size=25, is_bold=True)
    page.gap(16)


def _draw_next_step(page: _Page, screening: Screening) -> None:
    step = screening.next_step
    colour = _STEP_COLOURS[step]
    top = page.y
    inner = _Column(page.column.left + page.px(36), page.column.right - page.px(24))
    # Written twice: once to learn the height of the panel behind it, once on it.
    for is_last in (False, True):
        page.y = top + page.px(22)
        page.write(step_title(step, Voice.PUBLIC), size=52, is_bold=True, colour=colour, column=inner)
        page.gap(4)
        page.write(f"How soon: {how_soon(step)}", size=31, is_bold=True, column=inner)
        page.gap(6)
        page.write(step_text(step, Voice.PUBLIC), size=27, column=inner)
        if not is_last:
            page.panel(top, page.y + page.px(22), bar=colour)
    page.gap(22 + 26)


def _draw_photo_and_answer(page: _Page, screening: Screening, photo_index: int) -> None:
    photo = screening.photos[photo_index]
    screening = screening.as_of(photo)
    top, right, bottom_left = page.y, page.column, page.y
    if photo.square is not None:
        left = _Column(page.column.left, page.column.left + page.px(400))
        _draw_photo(page, photo.square, left)
        page.write(_photo_caption(screening, photo_index), size=21, colour=_MUTED, column=left)
        bottom_left, page.y = page.y, top
        right = _Column(left.right + page.px(44), page.column.right)
    if photo.prediction is None or photo.status is Status.REFUSED:
        page.write("No answer for this photo", size=31, is_bold=True, column=right)
        page.gap(8)
        said = step_text(NextStep.NOT_ASSESSED, Voice.PUBLIC) if photo.reason is None else refusal_text(photo.reason)
        page.write(said, size=25, column=right)
        if photo.square is None:
            page.write(_photo_caption(screening, photo_index), size=21, colour=_MUTED)
    else:
        _draw_answer(page, screening, photo.prediction, unsure=_unsure(photo), column=right)
        if wrong := calm_rate_words(screening, photo):
            page.gap(4)
            page.write(wrong, size=21, is_bold=True, column=right)
    page.y = max(page.y, bottom_left)
    page.gap(24)


def _draw_photo(page: _Page, square: npt.NDArray[np.uint8], column: _Column) -> None:
    side = column.right - column.left
    page.image.paste(_square_image(square, side), (column.left, page.y))
    page.draw.rectangle((column.left, page.y, column.right, page.y + side), outline=_LINE, width=2)
    page.y += side + page.px(8)


def _photo_caption(screening: Screening, photo_index: int) -> str:
    metadata, n_photos = screening.metadata, len(screening.photos)
    kind = KIND_NAMES[screening.type_of(screening.photos[photo_index])].capitalize()
    number = f" {photo_index + 1} of {n_photos}" if n_photos > 1 else ""
    shown = "as the network saw it" if screening.photos[photo_index].square is not None else "not shown"
    size_mm = metadata.clin_size_long_diam_mm
    facts = (
        None if metadata.age_approx is None else f"age {metadata.age_approx:g}",
        metadata.sex,
        metadata.anatom_site,
        None if size_mm is None else f"{size_mm:g} mm",
    )
    told = ", ".join(fact for fact in facts if fact)
    return f"{kind}{number}, {shown}. As told: {told or 'nothing'}."


def _square_image(square: npt.NDArray[np.uint8], side_px: int) -> Image.Image:
    return Image.fromarray(square).resize((side_px, side_px), Image.Resampling.BICUBIC)


def _unsure(photo: PhotoScreening) -> str | None:
    if photo.status is not Status.UNSURE:
        return None
    return UNSURE_SENTENCE if photo.reason is None else photo.reason.sentence


def _draw_answer(
    page: _Page, screening: Screening, prediction: Prediction, *, unsure: str | None, column: _Column
) -> None:
    page.write("What the model answered", size=31, is_bold=True, column=column)
    page.gap(6)
    warnings = [phone_words(screening.phone_test)] if screening.image_type is ImageType.CLINICAL else []
    if screening.metadata.fitzpatrick_skin_type in UNTESTED_SKIN_TYPES:
        warnings.append(DARK_SKIN_NOT_TESTED)
    if unsure is not None:
        warnings.append(unsure)
    for warning in warnings:
        page.write(warning, size=21, is_bold=True, colour=_WARNING, column=column)
        page.gap(4)
    shares = sorted(zip(HAM_CODES, prediction.ham_probabilities, strict=True), key=lambda pair: -pair[1])
    # What the model shows first leads; it weighs rare classes up, so it need not have the longest bar.
    shares.sort(key=lambda pair: pair[0] != prediction.predicted)
    for code, share in shares:
        colour = _CANCER if code in HAM_MALIGNANT else _OTHER
        page.bar(
            class_name(code, Voice.PUBLIC), float(share), colour=colour if unsure is None else _UNSURE, column=column
        )
    page.gap(4)
    if prediction.predicted != max(shares, key=lambda pair: pair[1])[0]:
        page.write(SHOWN_FIRST_NOTE, size=20, colour=_MUTED, column=column)
    names = ", ".join(class_name(code, Voice.PUBLIC) for code in prediction.set_90)
    page.write(f"Stays possible: {names}.", size=22, column=column)
    page.gap(4)
    legend = "Orange bars: cancer or pre-cancer." if unsure is None else "Grey bars: the model is unsure."
    together = f"Together they make {_percent(prediction.p_malignant)}." if unsure is None else ""
    page.write(f"{legend} {together} {BARS_CAPTION}", size=20, colour=_MUTED, column=column)


def _draw_list(page: _Page, heading: str, sentences: list[str]) -> None:
    if not sentences:
        return
    page.write(heading, size=29, is_bold=True)
    page.gap(2)
    left = page.column.left
    for sentence in sentences:
        top = page.y + page.px(14)
        page.draw.rectangle((left + 2, top, left + 2 + page.px(7), top + page.px(7)), fill=_MUTED)
        page.write(sentence, size=24, column=_Column(left + page.px(26), page.column.right))
    page.gap(16)


def _draw_booking(page: _Page, words: str) -> None:
    page.write("What to say when booking", size=29, is_bold=True)
    page.gap(6)
    top = page.y
    inner = _Column(page.column.left + page.px(24), page.column.right - page.px(24))
    for is_last in (False, True):
        page.y = top + page.px(12)
        page.write(f'"{words}"', size=26, column=inner)
        if not is_last:
            page.panel(top, page.y + page.px(12))
    page.gap(12 + 20)


def _draw_foot(page: _Page, screening: Screening) -> None:
    lines = (
        f"Model {screening.model[:40]}, engine {screening.engine}, DermaScan {screening.app_version}, {screening.screened_at}",
        f"Weights sha256 {screening.model_sha256}",
    )
    height = sum(page.line_height(19) for _ in lines) + page.px(10)
    page.y = max(page.y, HEIGHT_PX - _MARGIN_PX // 2 - height)
    page.rule()
    page.gap(8)
    for line in lines:
        page.write(line, size=19, colour=_MUTED)


def _date_words(screened_at: str) -> str:
    moment = datetime.fromisoformat(screened_at)
    return f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".strip()


def _percent(share: float) -> str:
    return "under 1 %" if 0 < share < 0.01 else f"{share:.0%}".replace("%", " %")


@dataclass(frozen=True, slots=True)
class _Column:
    """Where text may stand, in px from the left edge of the page."""

    left: int
    right: int


class _Page:
    """A white page with a cursor ``y``; every size is given for scale 1 and shrunk together."""

    def __init__(self, scale: float) -> None:
        self.scale = scale
        self.image = Image.new("RGB", (WIDTH_PX, HEIGHT_PX), "white")
        self.draw = ImageDraw.Draw(self.image)
        self.column = _Column(_MARGIN_PX, WIDTH_PX - _MARGIN_PX)
        self.y = _MARGIN_PX // 2
        self._fonts: dict[int, ImageFont.FreeTypeFont | ImageFont.ImageFont] = {}

    def px(self, length: float) -> int:
        return round(length * self.scale)

    def gap(self, length: float) -> None:
        self.y += self.px(length)

    def rule(self) -> None:
        self.draw.line((self.column.left, self.y, self.column.right, self.y), fill=_LINE, width=2)

    def panel(self, top: int, bottom: int, *, bar: tuple[int, int, int] | None = None) -> None:
        self.draw.rectangle((self.column.left, top, self.column.right, bottom), fill=_PANEL)
        if bar is not None:
            self.draw.rectangle((self.column.left, top, self.column.left + self.px(12), bottom), fill=bar)

    def line_height(self, size: int) -> int:
        return self.px(size * 1.36)

    def write(
        self,
        text: str,
        *,
        size: int,
        colour: tuple[int, int, int] = _INK,
        is_bold: bool = False,
        align: str = "left",
        column: _Column | None = None,
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
        for word in _printable(text).split():
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

    def bar(self, name: str, share: float, *, colour: tuple[int, int, int], column: _Column) -> None:
        """Draw one class: its name, its percentage at the right, its bar under both."""
        top = self.y
        self.write(_percent(share), size=21, align="right", column=column)
        after = self.y
        self.y = top
        self.write(name, size=21, column=_Column(column.left, column.right - self.px(120)))
        self.y = max(self.y, after)
        height, width = self.px(10), column.right - column.left
        self.draw.rectangle((column.left, self.y, column.right, self.y + height), fill=_PANEL)
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


def _printable(text: str) -> str:
    """Return the text in the signs that the built-in font can draw."""
    return "".join(char if 32 <= ord(char) < 127 else " " if char.isspace() else "?" for char in text)
