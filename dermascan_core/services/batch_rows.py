"""What is known of one photo of a batch as JSON, to be sealed, and read back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from ..domain import Answers, ImageType, Metadata
from .photo_grid import PhotoPlan


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One photo's row.

    Attributes:
        group: Photos of one number are one lesion and are judged together.
        person, lesion: Keys, as given; untrusted text.
        metadata, answers, image_type: What the model is told.
        problem: What of its row was not used; empty when there was nothing wrong.
    """

    group: int
    person: str
    lesion: str
    metadata: Metadata
    answers: Answers
    image_type: ImageType
    problem: str


def row_to_json(plan: PhotoPlan, *, group: int) -> str:
    """Return a photo's plan as JSON text."""
    row = BatchRow(group, plan.person, plan.lesion, plan.metadata, plan.answers, plan.image_type, plan.problem)
    return json.dumps(asdict(row))


def row_from_json(text: str) -> BatchRow:
    """Return what ``row_to_json`` wrote."""
    row = json.loads(text)
    return BatchRow(
        **row
        | {
            "metadata": Metadata(**row["metadata"]),
            "answers": Answers(**row["answers"]),
            "image_type": ImageType(row["image_type"]),
        }
    )
