"""A ranked list as PDF to print or file: thumbnails, next steps, and on every page what such a list cannot say.

Made by ReportLab, whose paragraphs read a markup of their own: every untrusted text is escaped first.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from ..triage.wording import DISCLAIMER

if TYPE_CHECKING:
    from reportlab.platypus import Flowable

_MAX_CELL_CHARS = 160
_ROWS_AT_ONCE = 200  # one table of thousands of rows would be laid out again and again at each page's end
_HEADINGS = ("", "", "Next step", "Person, lesion", "Files", "Notes")
_WIDTHS_MM = (11, 22, 36, 33, 38, 40)
_PICTURE_MM = 18


@dataclass(frozen=True, slots=True)
class PdfRow:
    """One lesion.

    Attributes:
        rank: From 1.
        step: Title of the next step.
        who: Person and lesion as given; untrusted text, as are the others below.
        files: Names of its photos.
        notes: Why it was refused, flagged, or is unsure.
        thumbnail: JPEG; empty where there is none.
    """

    rank: int
    step: str
    who: str
    files: str
    notes: str
    thumbnail: bytes = b""


def worklist_to_pdf(rows: Sequence[PdfRow], *, title: str, made_by: str, paragraphs: Sequence[str]) -> bytes:
    """Return the list as PDF.

    Args:
        rows: In their order.
        title: Of the document.
        made_by: Model, program and time, for the foot of every page.
        paragraphs: What stands above the list: how many are calm, what such an answer misses, who was tested.
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.units import mm
    from reportlab.platypus import SimpleDocTemplate

    buffer = io.BytesIO()
    margin = 12 * mm
    document = SimpleDocTemplate(
        buffer,
        pagesize=A4,
        title=_plain(title),
        author="DermaScan",
        invariant=True,  # no hidden time and no random id: the same list is the same file
        leftMargin=margin,
        rightMargin=margin,
        topMargin=margin,
        bottomMargin=20 * mm,
    )

    def foot(canvas: Any, _document: Any) -> None:
        canvas.setFont("Helvetica", 7.5)
        canvas.drawString(margin, 12 * mm, DISCLAIMER)
        canvas.drawString(margin, 8.5 * mm, _plain(made_by))
        canvas.drawRightString(A4[0] - margin, 8.5 * mm, f"Page {canvas.getPageNumber()}")

    document.build(list(_story(rows, title, paragraphs)), onFirstPage=foot, onLaterPages=foot)
    return buffer.getvalue()


def _story(rows: Sequence[PdfRow], title: str, paragraphs: Sequence[str]) -> Iterator[Flowable]:
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, Spacer

    styles = getSampleStyleSheet()
    yield Paragraph(_markup(title), styles["Title"])
    for text in (DISCLAIMER, *paragraphs):
        yield Paragraph(_markup(text, max_chars=2_000), styles["BodyText"])
    yield Spacer(1, 8)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        yield _table(rows[start : start + _ROWS_AT_ONCE], with_heading=start == 0)


def _table(rows: Sequence[PdfRow], *, with_heading: bool) -> Flowable:
    from reportlab.lib import colors
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import mm
    from reportlab.platypus import Paragraph, Table

    small = ParagraphStyle("cell", fontName="Helvetica", fontSize=7.5, leading=9, wordWrap="CJK")
    bold = ParagraphStyle("heading", parent=small, fontName="Helvetica-Bold")
    lines: list[list[Any]] = [[Paragraph(heading, bold) for heading in _HEADINGS]] if with_heading else []
    for row in rows:
        texts = (row.step, row.who, row.files, row.notes)
        picture = _picture(row.thumbnail)
        lines.append([str(row.rank), picture, *(Paragraph(_markup(text), small) for text in texts)])
    style = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
        ("FONTSIZE", (0, 0), (0, -1), 8),
        ("LINEBELOW", (0, 0), (-1, -1), 0.25, colors.grey),
        ("LEFTPADDING", (0, 0), (-1, -1), 2),
        ("RIGHTPADDING", (0, 0), (-1, -1), 2),
    ]
    return Table(
        lines, colWidths=[width * mm for width in _WIDTHS_MM], repeatRows=1 if with_heading else 0, style=style
    )


def _picture(thumbnail: bytes) -> Any:
    from reportlab.lib.units import mm
    from reportlab.platypus import Image

    if not thumbnail:
        return ""
    side = _PICTURE_MM * mm
    return Image(io.BytesIO(thumbnail), width=side, height=side, kind="proportional")


def _markup(text: str, *, max_chars: int = _MAX_CELL_CHARS) -> str:
    return escape(_plain(text if len(text) <= max_chars else f"{text[: max_chars - 1]}…"))


def _plain(text: str) -> str:
    r"""Return text in the signs that the standard fonts have; any other sign as its code, so that nothing is lost unsaid.

    >>> _plain("naïve " + chr(0x4E2D) + chr(10))
    'naïve \\u4e2d '
    """
    return "".join(_sign(char) for char in text)


def _sign(char: str) -> str:
    if char.isspace():
        return " "
    if unicodedata.category(char).startswith("C"):
        return char.encode("unicode_escape").decode("ascii")
    try:
        char.encode("cp1252")
    except UnicodeEncodeError:
        return char.encode("unicode_escape").decode("ascii")
    return char
