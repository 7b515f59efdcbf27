"""A screening on one page: what to do and how soon, the photo, the answer, and its limits.

In the public voice it is a page to show to a doctor; in the clinician's it is a report with every number behind the answer,
which ``clinician_page`` writes.
"""

from __future__ import annotations

import io
from datetime import datetime

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..domain import ImageType, NextStep, PhotoScreening, Prediction, Screening, Status
from ..taxonomy import HAM_MALIGNANT
from ..triage.refusals import step_words
from ..triage.rules import UNTESTED_SKIN_TYPES
from ..triage.shown import order_note, percent_words, possible_codes, ranked_shares
from ..triage.two_kinds import KIND_NAMES, apart_words
from ..triage.wording import (
    BARS_CAPTION,
    DARK_SKIN_NOT_TESTED,
    DISCLAIMER,
    SEVEN_POINT_LIST,
    UNSURE_SENTENCE,
    Voice,
    booking_words,
    calm_rate_words,
    class_name,
    not_checked,
    phone_words,
    refusal_text,
    step_text,
    step_title,
    tested_on,
)
from .clinician_page import all_photos_words, draw_measures, draw_numbers, draw_told
from .paper import DPI, HEIGHT_PX, LINE, MARGIN_PX, MUTED, Column, Page

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
_HEADINGS = {Voice.PUBLIC: "Skin photo check", Voice.CLINICIAN: "Skin photo check, report for the clinician"}
_SIGNS_HEADINGS = {
    Voice.PUBLIC: "See a doctor if any of these 7 points fits",
    Voice.CLINICIAN: "Signs on which the person should come sooner",
}
_MAX_REASONS = 8
# Long answers shrink the text, never run off the page; at 58 % the longest possible page still fits.
_SCALES = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7, 0.64, 0.58)


def render_card(
    screening: Screening, *, photo_index: int = 0, voice: Voice = Voice.PUBLIC, model_version: str | None = None
) -> bytes:
    """Return the screening as one A4 page, PNG at 150 dpi, 1240 x 1754 px, without any tag of the photo.

    Args:
        screening: The record; its next step, which follows the most urgent photo, stands on top.
        photo_index: Which photo is shown.
        voice: ``PUBLIC`` for whoever has the spot, ``CLINICIAN`` for the doctor's report.
        model_version: Release of the weights, which a screening does not hold; None where unknown.

    Raises:
        ValueError: If there is no such photo, or nobody is spoken to in this voice on a page.
    """
    if voice not in _HEADINGS:
        raise ValueError(
            f"Invalid value received for argument `voice`. Expected {' or '.join(_HEADINGS)}. Received: {voice}"
        )
    if not 0 <= photo_index < len(screening.photos):
        raise ValueError(
            f"Invalid value received for argument `photo_index`. Expected 0 to {len(screening.photos) - 1}. "
            f"Received: {photo_index}"
        )
    for scale in _SCALES:
        page = Page(scale)
        _draw_card(page, screening, photo_index, voice=voice, model_version=model_version)
        if page.y <= HEIGHT_PX - MARGIN_PX // 2:
            break
    buffer = io.BytesIO()
    page.image.save(buffer, "PNG", dpi=(DPI, DPI))
    return buffer.getvalue()


def _draw_card(
    page: Page,
    screening: Screening,
    photo_index: int,
    *,
    voice: Voice = Voice.PUBLIC,
    model_version: str | None = None,
) -> None:
    is_for_clinicians = voice is Voice.CLINICIAN
    _draw_head(page, screening, voice)
    _draw_next_step(page, screening, voice)
    _draw_photo_and_answer(page, screening, photo_index, voice)
    page.points("Why this step", _reasons(screening))
    if is_for_clinicians:
        page.points("All photos", all_photos_words(screening))
        draw_told(page, screening)
    else:
        _draw_booking(page, booking_words(screening))
    if screening.next_step.urgency <= NextStep.ROUTINE_CHECK.urgency:
        page.write(_SIGNS_HEADINGS[voice], size=29, is_bold=True)
        page.write(" ".join(SEVEN_POINT_LIST), size=24)
        page.gap(16)
    if is_for_clinicians:
        draw_measures(page, screening.photos[photo_index])
    limits = list(not_checked(screening))
    page.points("What was not checked", [tested_on(screening.phone_test), *limits] if is_for_clinicians else limits)
    _draw_foot(page, screening, model_version)


def _reasons(screening: Screening) -> list[str]:
    reasons = list(screening.step_reasons)
    if len(reasons) > _MAX_REASONS:
        left_out = len(reasons) - _MAX_REASONS + 1
        reasons = [*reasons[: _MAX_REASONS - 1], f"And {left_out} more, named in the full result."]
    if screening.disagreement:
        reasons = [*reasons, screening.disagreement]
    apart = apart_words(screening)
    return [*reasons, apart] if apart else reasons


def _draw_head(page: Page, screening: Screening, voice: Voice) -> None:
    top = page.y
    page.write("DermaScan", size=40, is_bold=True)
    below = page.y
    page.y = top + page.px(14)
    page.write(f"{_HEADINGS[voice]}, {_date_words(screening.screened_at)}", size=24, colour=MUTED, align="right")
    page.y = below + page.px(8)
    page.rule()
    page.gap(10)
    page.write(DISCLAIMER, size=25, is_bold=True)
    page.gap(16)


def _draw_next_step(page: Page, screening: Screening, voice: Voice) -> None:
    step, said = screening.next_step, step_words(screening, voice)
    colour = _STEP_COLOURS[step]
    top = page.y
    inner = Column(page.column.left + page.px(36), page.column.right - page.px(24))
    # Written twice: once to learn the height of the panel behind it, once on it.
    for is_last in (False, True):
        page.y = top + page.px(22)
        page.write(step_title(step, voice), size=52, is_bold=True, colour=colour, column=inner)
        page.gap(4)
        page.write(f"How soon: {said.how_soon}", size=31, is_bold=True, column=inner)
        page.gap(6)
        page.write(said.text, size=27, column=inner)
        if not is_last:
            page.panel(top, page.y + page.px(22), bar=colour)
    page.gap(22 + 26)


def _draw_photo_and_answer(page: Page, screening: Screening, photo_index: int, voice: Voice) -> None:
    photo = screening.photos[photo_index]
    screening = screening.as_of(photo)
    top, right, bottom_left = page.y, page.column, page.y
    if photo.square is not None:
        left = Column(page.column.left, page.column.left + page.px(400))
        _draw_photo(page, photo.square, left)
        page.write(_photo_caption(screening, photo_index), size=21, colour=MUTED, column=left)
        bottom_left, page.y = page.y, top
        right = Column(left.right + page.px(44), page.column.right)
    if photo.prediction is None or photo.status is Status.REFUSED:
        page.write("No answer for this photo", size=31, is_bold=True, column=right)
        page.gap(8)
        said = step_text(NextStep.NOT_ASSESSED, voice) if photo.reason is None else refusal_text(photo.reason)
        page.write(said, size=25, column=right)
        if photo.square is None:
            page.write(_photo_caption(screening, photo_index), size=21, colour=MUTED)
    else:
        _draw_answer(page, screening, photo.prediction, unsure=_unsure(photo), voice=voice, column=right)
        if voice is Voice.CLINICIAN:
            draw_numbers(page, screening, photo, photo.prediction, column=right)
        if wrong := calm_rate_words(screening, photo):
            page.gap(4)
            page.write(wrong, size=21, is_bold=True, column=right)
    page.y = max(page.y, bottom_left)
    page.gap(24)


def _draw_photo(page: Page, square: npt.NDArray[np.uint8], column: Column) -> None:
    side = column.right - column.left
    page.image.paste(_square_image(square, side), (column.left, page.y))
    page.draw.rectangle((column.left, page.y, column.right, page.y + side), outline=LINE, width=2)
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
    page: Page, screening: Screening, prediction: Prediction, *, unsure: str | None, voice: Voice, column: Column
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
    for code, share in ranked_shares(prediction):
        colour = _CANCER if code in HAM_MALIGNANT else _OTHER
        page.bar(class_name(code, voice), share, colour=colour if unsure is None else _UNSURE, column=column)
    page.gap(4)
    if note := order_note(prediction):
        page.write(note, size=20, colour=MUTED, column=column)
    if voice is Voice.PUBLIC:  # clinicians read both sets among the numbers
        names = ", ".join(class_name(code, voice) for code in possible_codes(prediction))
        page.write(f"Stays possible: {names}.", size=22, column=column)
    page.gap(4)
    legend = "Orange bars: cancer or pre-cancer." if unsure is None else "Grey bars: the model is unsure."
    together = f"Together they make {percent_words(prediction.p_malignant)}." if unsure is None else ""
    page.write(f"{legend} {together} {BARS_CAPTION}", size=20, colour=MUTED, column=column)


def _draw_booking(page: Page, words: str) -> None:
    page.write("What to say when booking", size=29, is_bold=True)
    page.gap(6)
    top = page.y
    inner = Column(page.column.left + page.px(24), page.column.right - page.px(24))
    for is_last in (False, True):
        page.y = top + page.px(12)
        page.write(f'"{words}"', size=26, column=inner)
        if not is_last:
            page.panel(top, page.y + page.px(12))
    page.gap(12 + 20)


def _draw_foot(page: Page, screening: Screening, model_version: str | None) -> None:
    version = "" if model_version is None else f" {model_version[:20]}"
    lines = (
        f"Model {screening.model[:40]}{version}, engine {screening.engine}, DermaScan {screening.app_version}, {screening.screened_at}",
        f"Weights sha256 {screening.model_sha256}",
    )
    height = sum(page.line_height(19) for _ in lines) + page.px(10)
    page.y = max(page.y, HEIGHT_PX - MARGIN_PX // 2 - height)
    page.rule()
    page.gap(8)
    for line in lines:
        page.write(line, size=19, colour=MUTED)


def _date_words(screened_at: str) -> str:
    moment = datetime.fromisoformat(screened_at)
    return f"{moment.day} {moment:%B %Y, %H:%M} {moment.tzname() or ''}".strip()
