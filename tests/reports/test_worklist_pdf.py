"""The list as PDF: every row is there, nothing in it is markup, and each page carries the disclaimer."""

from __future__ import annotations

import re
import zlib
from base64 import a85decode

from dermascan_core.reports.worklist_pdf import PdfRow, worklist_to_pdf
from dermascan_core.triage.wording import DISCLAIMER
from tests.fakes import fake_photo, photo_bytes

THUMBNAIL = photo_bytes(fake_photo(width=160, height=120))
ATTACKS = ("<script>alert(1)</script>", '<img src="file:///etc/passwd"/>', "<b>unclosed", "&amp;&#x41;", "a\x00b\n=1+1")


def made(*rows: PdfRow) -> bytes:
    return worklist_to_pdf(rows, title="Worklist", made_by="Model fake", paragraphs=["One of 3 is calm."])


def pdf_texts(pdf: bytes) -> str:
    """All text of the pages, in order."""
    cleaned = pdf.replace(b"~>endstream", b"~>\nendstream")
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\n?endstream", cleaned, re.DOTALL):
        body = stream.strip()
        try:
            if body.endswith(b"~>"):
                body = a85decode(body[:-2])
            found += re.findall(rb"\((.*?)(?<!\\)\) Tj", zlib.decompress(body))
        except (ValueError, zlib.error):
            continue  # a picture
    return b" ".join(found).decode("cp1252")


def test_row_stands_with_picture_step_and_disclaimer() -> None:
    pdf = made(PdfRow(1, "Suspected-cancer referral", "P001, L2", "a.jpg", "unsure", THUMBNAIL))

    text = pdf_texts(pdf)
    assert pdf.startswith(b"%PDF-")
    assert all(word in text for word in ("Suspected-cancer", "P001, L2", "a.jpg", "unsure", "One of 3 is calm."))
    assert text.count(DISCLAIMER) >= 2  # above the list and at the foot
    assert b"/Subtype /Image" in pdf


def test_markup_in_names_is_text() -> None:
    pdf = made(*[PdfRow(n, "Watch", attack, attack, attack) for n, attack in enumerate(ATTACKS)])

    text = pdf_texts(pdf)
    assert "<script>" in text
    assert b"/Subtype /Image" not in pdf  # no tag opened a picture


def test_signs_that_the_font_lacks_become_their_code() -> None:
    assert "\\u4e2d" in pdf_texts(made(PdfRow(1, "Watch", "中", "a", ""))).replace("\\\\", "\\")


def test_same_list_is_the_same_file() -> None:
    row = PdfRow(1, "Watch", "P1", "a.jpg", "", THUMBNAIL)

    assert made(row) == made(row)


def test_long_list_repeats_no_row_and_loses_none() -> None:
    pdf = made(*[PdfRow(n, "Routine skin check", f"person-{n}", f"{n}.jpg", "") for n in range(1, 251)])

    found = re.findall(r"person-(\d+)", pdf_texts(pdf))
    assert [int(number) for number in found] == list(range(1, 251))
