"""The list of a batch in the records: its entries to look through, its small pictures, and what leaves of it."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..domain import ImageType, NextStep, Status
from ..errors import StorageError
from ..model.manifest import Manifest
from ..reports.export import records_of_saved, screen_columns
from ..storage import batches
from ..storage.batches import ItemState, KeptBatch, ListedItem
from ..triage.reading_order import CALM_STEPS
from ..triage.rules import UNTESTED_SKIN_TYPES
from .batch_rows import BatchRow, row_from_json
from .records import Records
from .thumbnails import LIST_SIDE_PX, smaller_jpeg
from .worklist import WorklistEntry, rank


@dataclass(frozen=True, slots=True)
class StoredList:
    """A batch's list as it stands.

    Attributes:
        ranked: What is answered or cannot be, in reading order.
        items_of: Key of an entry -> the ids of its photos on the list.
        mark: Changes with anything that the list shows.
    """

    ranked: tuple[WorklistEntry, ...]
    items_of: Mapping[str, tuple[str, ...]]
    mark: tuple[int, ...]


def change_mark(records: Records, batch_id: str) -> tuple[int, ...]:
    """Return what tells whether a list read earlier is still what ``stored_list`` would return: cheap to ask for."""
    with records.database.reading() as session:
        return batches.change_mark(session, batch_id)


def stored_list(records: Records, batch_id: str) -> StoredList:
    """Return a batch's list; photos that wait are not on it yet."""
    with records.database.reading() as session:
        mark = batches.change_mark(session, batch_id)
        items = batches.listed_items(session, records.vault, batch_id)
    groups: dict[str, list[tuple[ListedItem, BatchRow]]] = defaultdict(list)
    for item in items:
        if item.state is not ItemState.WAITING:
            row = row_from_json(item.row)
            groups[item.screening_id or f"group-{row.group}"].append((item, row))
    entries = [_entry(key, photos) for key, photos in groups.items()]
    items_of = {key: tuple(item.id for item, _ in photos) for key, photos in groups.items()}
    return StoredList(tuple(rank(entries)), items_of, mark)


def _entry(key: str, photos: Sequence[tuple[ListedItem, BatchRow]]) -> WorklistEntry:
    item, row = photos[0]
    step = NextStep(item.next_step) if item.next_step else NextStep.NOT_ASSESSED
    return WorklistEntry(
        key=key,
        names=tuple(photo.file_name for photo, _ in photos),
        person=row.person or item.pseudonym,
        lesion=row.lesion,
        site=row.metadata.anatom_site or "",
        status=Status(item.status) if item.status else Status.REFUSED,
        next_step=step,
        p_malignant=item.p_malignant,
        predicted=item.predicted or "",
        p_predicted=None,
        reason=" ".join(dict.fromkeys(photo.problem for photo, _ in photos if photo.problem)),
        is_low=_is_measured_low(item, row),
        is_flagged=item.is_sampled,
        is_read=item.is_read,
        image_sha256=next((photo.image_sha256 for photo, _ in photos if photo.image_sha256), ""),
        screening_id=item.screening_id or "",
    )


def _is_measured_low(item: ListedItem, row: BatchRow) -> bool:
    """As ``worklist.is_measured_low``, from what of a screening lies open."""
    return (
        item.status == Status.ANSWERED
        and item.p_malignant is not None
        and item.threshold is not None
        and item.p_malignant < item.threshold
        and item.image_type == ImageType.DERMOSCOPIC
        and item.next_step in CALM_STEPS
        and row.metadata.fitzpatrick_skin_type not in UNTESTED_SKIN_TYPES
    )


def thumbnail_of(records: Records, entry: WorklistEntry, *, side_px: int = LIST_SIDE_PX) -> bytes:
    """Return an entry's small picture; empty where it has none, or where it cannot be opened."""
    if not entry.image_sha256:
        return b""
    try:
        return smaller_jpeg(records.images.thumbnail(entry.image_sha256), side_px=side_px)
    except StorageError:
        return b""  # a list without one picture is still a list; opening the case says what is wrong


def stored_records(
    records: Records, ranked: Sequence[WorklistEntry], batch: KeptBatch, manifest: Manifest
) -> dict[str, list[dict[str, Any]]]:
    """Return what ``worklist.worklist_records`` needs of a list, the sealed answers opened."""
    with records.database.reading() as session:
        saved = batches.records_of(
            session, records.vault, [entry.screening_id for entry in ranked if entry.screening_id]
        )
    return {
        entry.key: records_of_saved(json.loads(saved[entry.screening_id]), manifest.codes)
        if entry.screening_id in saved
        else [_unanswered(name, entry, batch, manifest) for name in entry.names]
        for entry in ranked
    }


def _unanswered(name: str, entry: WorklistEntry, batch: KeptBatch, manifest: Manifest) -> dict[str, Any]:
    """Return the record of a photo that no screening is kept of: it could not be decoded, or was never looked at."""
    record: dict[str, Any] = dict.fromkeys(screen_columns(manifest.codes))
    return record | {
        "image": name,
        "status": Status.REFUSED.value,
        "reason": f"not_kept: {entry.reason}",
        "next_step": NextStep.NOT_ASSESSED.value,
        "model": batch.model,
        "image_type": batch.image_type,
        "elapsed_ms": 0.0,
    }
