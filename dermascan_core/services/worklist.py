"""A ranked list of lesions to look through: its order, what is drawn to be read all the same, filters, CSV and JSONL."""

from __future__ import annotations

import csv
import io
import json
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..domain import CalmRate, ImageType, NextStep, PhotoScreening, Screening, Status
from ..reports.export import photo_record, record_to_row, screen_columns
from ..tables import safe_cell
from ..taxonomy import HAM_CODES
from ..triage.reading_order import CALM_STEPS, READING_ORDER
from ..triage.rules import UNTESTED_SKIN_TYPES
from .lesion_batch import ScreenedLesion
from .thumbnails import small_jpeg

SAMPLE_METADATA_CSV = (
    "image,age,sex,localization,clin_size_long_diam_mm,patient_id,lesion_id\r\n"
    "photo_1.jpg,61,female,back,6.5,P1,L1\r\n"
    "photo_2.jpg,,male,face,,P2,L1\r\n"
    "photo_3.jpg,,,,,,\r\n"
)
# Behind the columns of ``screen --out``, so that what reads those reads this too.
WORKLIST_COLUMNS = ("rank", "person", "lesion", "to_read")


@dataclass(frozen=True, slots=True)
class WorklistEntry:
    """One lesion of a list.

    Attributes:
        key: Tells it from the others of its list; in the records the id of its screening.
        names: Of its photos, as given; untrusted text.
        person, lesion: Keys, as given; empty where unknown.
        site: Of the body; empty where unknown.
        status: Of the photo that decides.
        next_step: From the photos and their metadata, and what a table said of warning signs.
        p_malignant: Share of cancer or pre-cancer, in [0, 1], the largest of its photos; None when all were refused.
        predicted: HAM10000 code shown first; empty when refused.
        p_predicted: Its share; None when refused, or not known here.
        reason: Why it was refused or is unsure, or what of its row was not used; else empty.
        is_low: Whether the model's test measured how often such a low answer is wrong.
        is_flagged: Drawn by lot from the calm ones, to be read all the same.
        is_read: Whether a clinician's reading of it is in the records.
        thumbnail: Small JPEG; empty where none was made, or where it lies in the image store under ``image_sha256``.
        screening_id: In the records; empty where none is kept.
    """

    key: str
    names: tuple[str, ...]
    person: str
    lesion: str
    site: str
    status: Status
    next_step: NextStep
    p_malignant: float | None
    predicted: str
    p_predicted: float | None
    reason: str
    is_low: bool = False
    is_flagged: bool = False
    is_read: bool = False
    thumbnail: bytes = b""
    image_sha256: str = ""
    screening_id: str = ""

    @property
    def is_calm(self) -> bool:
        """Whether it is ranked as a routine check or calmer."""
        return self.next_step in CALM_STEPS


@dataclass(frozen=True, slots=True)
class WorklistFilter:
    """What to show; an empty field shows all.

    Attributes:
        steps: Next steps.
        site: Of the body.
        is_unread, is_flagged: Only those.
        text: A part of a file's name, a person's or a lesion's key, whatever the case.
    """

    steps: tuple[NextStep, ...] = ()
    site: str = ""
    is_unread: bool = False
    is_flagged: bool = False
    text: str = ""


def entry_of(screened: ScreenedLesion, *, key: str) -> WorklistEntry:
    """Return a screened lesion as an entry."""
    screening = screened.screening
    photo = deciding_photo(screening)
    prediction = photo.prediction
    shown = None if prediction is None else float(prediction.ham_probabilities[HAM_CODES.index(prediction.predicted)])
    return WorklistEntry(
        key=key,
        names=tuple(plan.name for plan in screened.plan.photos),
        person=screened.plan.person,
        lesion=screened.plan.lesion,
        site=screening.metadata.anatom_site or "",
        status=photo.status,
        next_step=screening.next_step,
        p_malignant=None if prediction is None else float(prediction.p_malignant),
        predicted="" if prediction is None else prediction.predicted,
        p_predicted=shown,
        reason=" ".join(dict.fromkeys(p.reason.sentence for p in screening.photos if p.reason is not None)),
        is_low=is_measured_low(screening, photo),
        thumbnail=b"" if photo.square is None else small_jpeg(photo.square),
    )


def deciding_photo(screening: Screening) -> PhotoScreening:
    """Return the photo that a list shows of a lesion: the most urgent of those that have a class, else the first."""
    answered = [photo for photo in screening.photos if photo.prediction is not None]
    return max(answered, key=lambda p: (p.next_step.urgency, _share(p)), default=screening.photos[0])


def _share(photo: PhotoScreening) -> float:
    return 0.0 if photo.prediction is None else float(photo.prediction.p_malignant)


def is_measured_low(screening: Screening, photo: PhotoScreening) -> bool:
    """Whether it is a low answer of the kind that the model's test counted misses of."""
    return (
        photo.status is Status.ANSWERED
        and photo.prediction is not None
        and not photo.prediction.is_above_threshold
        and screening.image_type is ImageType.DERMOSCOPIC
        and screening.metadata.fitzpatrick_skin_type not in UNTESTED_SKIN_TYPES
    )


def rank(entries: Iterable[WorklistEntry]) -> list[WorklistEntry]:
    """Return the entries as a clinician should read them: by next step, what was not assessed right below urgent, then by share."""
    return sorted(entries, key=lambda e: (READING_ORDER.index(e.next_step), -(e.p_malignant or 0.0)))


def draw_to_read(entries: Sequence[WorklistEntry], *, share: float, chance: random.Random) -> list[WorklistEntry]:
    """Return the entries with some of the calm ones flagged, drawn by lot.

    Args:
        entries: In any order.
        share: Of the calm ones, in [0, 1]; at least one is drawn where there is any and the share is not 0.
        chance: What draws; ``random.SystemRandom()`` where nobody may foresee it.
    """
    drawn = draw_keys([entry.key for entry in entries if entry.is_calm], share=share, chance=chance)
    return [replace(entry, is_flagged=entry.key in drawn) for entry in entries]


def draw_keys(calm: Sequence[str], *, share: float, chance: random.Random) -> set[str]:
    """Return the keys that are drawn: the share of them, rounded up.

    >>> len(draw_keys(["a", "b", "c"], share=0.05, chance=random.Random(1)))
    1
    """
    return set(chance.sample(list(calm), min(len(calm), math.ceil(share * len(calm)))))


def matching(ranked: Sequence[WorklistEntry], wanted: WorklistFilter) -> list[tuple[int, WorklistEntry]]:
    """Return (rank from 1, entry) of those that the filter lets through, in their order."""
    return [(number, entry) for number, entry in enumerate(ranked, start=1) if _matches(entry, wanted)]


def _matches(entry: WorklistEntry, wanted: WorklistFilter) -> bool:
    text = wanted.text.strip().lower()
    return (
        (not wanted.steps or entry.next_step in wanted.steps)
        and (not wanted.site or entry.site == wanted.site)
        and (not wanted.is_unread or not entry.is_read)
        and (not wanted.is_flagged or entry.is_flagged)
        and (not text or any(text in part.lower() for part in (*entry.names, entry.person, entry.lesion)))
    )


def step_counts(entries: Iterable[WorklistEntry]) -> dict[NextStep, int]:
    """Return how many entries each step has, in reading order; steps without any are left out."""
    counts = Counter(entry.next_step for entry in entries)
    return {step: counts[step] for step in READING_ORDER if counts[step]}


@dataclass(frozen=True, slots=True)
class CalmSummary:
    """How many of a list are calm, how many of those were counted in the test, and how many are drawn to be read."""

    n_calm: int
    n_all: int
    n_low: int
    n_flagged: int
    rate: CalmRate | None


def calm_summary(entries: Sequence[WorklistEntry], rate: CalmRate | None) -> CalmSummary:
    """Count the calm ones."""
    calm = [entry for entry in entries if entry.is_calm]
    n_flagged = sum(entry.is_flagged for entry in calm)
    return CalmSummary(len(calm), len(entries), sum(entry.is_low for entry in calm), n_flagged, rate)


def photo_records(screening: Screening, codes: Sequence[str]) -> list[dict[str, Any]]:
    """Return what ``screen --out x.jsonl`` says of each photo of a screening."""
    return [photo_record(photo, screening, codes) for photo in screening.photos]


def worklist_records(
    ranked: Sequence[WorklistEntry], records: Mapping[str, Sequence[Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """Return one record a photo, in the order of the list, with rank, person, lesion and flag behind.

    Args:
        ranked: The list.
        records: Key of an entry -> what ``photo_records`` says of its photos.
    """
    return [
        {
            **record,
            "rank": number,
            "person": entry.person or None,
            "lesion": entry.lesion or None,
            "to_read": entry.is_flagged,
        }
        for number, entry in enumerate(ranked, start=1)
        for record in records[entry.key]
    ]


def to_csv(records: Sequence[Mapping[str, Any]], codes: Sequence[str]) -> str:
    """Return records of ``worklist_records`` as CSV: the columns of ``screen --out``, then ``WORKLIST_COLUMNS``."""
    text = io.StringIO(newline="")
    columns = (*screen_columns(codes), *WORKLIST_COLUMNS)
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(_csv_row(record) for record in records)
    return text.getvalue()


def _csv_row(record: Mapping[str, Any]) -> dict[str, str]:
    own = {name: record[name] for name in WORKLIST_COLUMNS}
    cells = record_to_row({name: value for name, value in record.items() if name not in own})
    return cells | {
        "rank": str(own["rank"]),
        "person": safe_cell(own["person"] or ""),
        "lesion": safe_cell(own["lesion"] or ""),
        "to_read": str(int(own["to_read"])),
    }


def to_jsonl(records: Iterable[Mapping[str, Any]]) -> str:
    """Return records of ``worklist_records`` as one JSON object a line."""
    return "".join(f"{json.dumps(record, ensure_ascii=True, allow_nan=False)}\n" for record in records)
