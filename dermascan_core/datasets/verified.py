"""Verified cases of a clinic as a data set in the one form, parted by person, each photo with where it comes from.

A person's fold follows from their name in the set alone, so that it stays the same while the set grows: what taught one
challenger never judges the next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..evaluation.files import write_file
from .form import ImportSummary, Record, StageProgress, write_dataset

PROVENANCE_FILE = "provenance.json"
N_FOLDS = 5


@dataclass(frozen=True, slots=True)
class VerifiedPhoto:
    """One photo of a lesion whose diagnosis is known.

    Attributes:
        image_id, lesion_id, patient_id: Names that lead nowhere outside the clinic.
        dx: A class code, or HAM10000's undivided ``akiec`` or ``bkl``.
        confirmed_by: How it was confirmed, in the archive's words.
        image_type: ``dermoscopic`` or ``clinical``.
        known: Column -> text of what is known about the person: age, sex, site.
        data: Returns the photo's bytes.
        ending: Of its file, with the dot.
        provenance: What leads the clinic back to its own records.
    """

    image_id: str
    lesion_id: str
    patient_id: str
    dx: str
    confirmed_by: str
    image_type: str
    known: Mapping[str, str]
    data: Callable[[], bytes]
    ending: str
    provenance: Mapping[str, Any]


def write_verified(
    photos: Sequence[VerifiedPhoto],
    out: Path,
    *,
    source: str,
    about: Mapping[str, Any],
    on_progress: StageProgress = lambda sentence, done, total: None,
) -> ImportSummary:
    """Write ``images/``, ``metadata.csv`` and ``provenance.json``; no person and no lesion lies in two parts.

    Args:
        photos: At least one.
        out: The data set folder, made if need be.
        source: How the clinic is called, for the column ``source``.
        about: What was exported, when, by which rule.
        on_progress: See ``form.write_dataset``.

    Raises:
        DatasetError: If there are no photos.
        OutputError: If ``out`` cannot be written.
    """
    records = [Record(_row(photo, source), photo.data, photo.ending) for photo in photos]
    summary = write_dataset(records, out, must_copy=True, on_progress=on_progress)
    whole = {**about, "photos": {photo.image_id: dict(photo.provenance) for photo in photos}}
    write_file(out / PROVENANCE_FILE, (json.dumps(whole, indent=1) + "\n").encode())
    return summary


def _row(photo: VerifiedPhoto, source: str) -> dict[str, str]:
    return {
        "image_id": photo.image_id,
        "lesion_id": photo.lesion_id,
        "patient_id": photo.patient_id,
        "dx": photo.dx,
        "dx_type": photo.confirmed_by,
        "image_type": photo.image_type,
        "source": source,
        "split": "train",
        "fold": str(int(N_FOLDS * place_of(photo.patient_id))),
        **photo.known,
    }


def place_of(patient_id: str) -> float:
    """Return a number in [0, 1) that follows from a person's name in the set, evenly spread over people."""
    return int.from_bytes(hashlib.sha256(patient_id.encode()).digest()[:6], "big") / 2**48
