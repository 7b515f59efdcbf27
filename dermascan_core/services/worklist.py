"""A ranked batch as a table to look through (with thumbnails) and as a CSV file to keep."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..domain import NextStep, Status
from ..reports.export import photo_row, screen_columns
from ..taxonomy import HAM_CODES
from .batch import BatchItem
from .intake import encode_jpeg

SAMPLE_METADATA_CSV = (
    "image,age,sex,localization,clin_size_long_diam_mm\r\n"
    "photo_1.jpg,61,female,back,6.5\r\n"
    "photo_2.jpg,,male,face,\r\n"
    "photo_3.jpg,,,,\r\n"
)


@dataclass(frozen=True, slots=True)
class WorklistRow:
    """One photo as a row.

    Attributes:
        rank: 1 for the first to look at.
        thumbnail: The square that the network saw as a ``data:`` address; empty when refused.
        name: As given; untrusted text.
        next_step: From the photo and its metadata alone, as no question was asked.
        p_malignant_percent: Share of cancer or pre-cancer; None when refused.
        predicted: HAM10000 code shown first; empty when refused.
        p_predicted_percent: Its share; None when refused.
        status: answered, unsure or refused.
        reason: Why it was refused or is unsure, or why its metadata was not used; else empty.
    """

    rank: int
    thumbnail: str
    name: str
    next_step: NextStep
    p_malignant_percent: float | None
    predicted: str
    p_predicted_percent: float | None
    status: Status
    reason: str


def worklist_rows(ranked: Sequence[BatchItem]) -> list[WorklistRow]:
    """Return one row an item, in the order given."""
    return [_row(rank, item) for rank, item in enumerate(ranked, start=1)]


def _row(rank: int, item: BatchItem) -> WorklistRow:
    photo = item.screening.photos[0]
    prediction = photo.prediction
    shown = None if prediction is None else float(prediction.ham_probabilities[HAM_CODES.index(prediction.predicted)])
    return WorklistRow(
        rank=rank,
        thumbnail="" if photo.square is None else _data_address(encode_jpeg(photo.square)),
        name=item.name,
        next_step=item.screening.next_step,
        p_malignant_percent=None if item.p_malignant is None else 100 * item.p_malignant,
        predicted="" if prediction is None else prediction.predicted,
        p_predicted_percent=None if shown is None else 100 * shown,
        status=photo.status,
        reason="" if photo.reason is None else photo.reason.sentence,
    )


def worklist_csv(ranked: Iterable[BatchItem], codes: Sequence[str]) -> str:
    """Return the batch as the CSV that ``screen --out`` writes, in the order given.

    Args:
        ranked: The items.
        codes: The model's class codes; they decide the columns.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=screen_columns(codes), lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(photo_row(item.screening.photos[0], item.screening) for item in ranked)
    return text.getvalue()


def _data_address(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
