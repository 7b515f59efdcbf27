"""What the command line does with lists and the page does step by step: plan a folder without a grid, work everything off."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from ..domain import ImageType
from ..errors import StorageError
from .arrivals import Arrival, Arrivals, from_folder, from_uploads, told_by_dicom
from .metadata_table import MetadataTable, read_metadata_table
from .photo_grid import LesionPlan, group_by_lesion, prefill_grid, read_grid
from .records import Records
from .stored_batches import list_batches
from .worklist_runner import WorklistRunner

_LOOK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Planned:
    """Lesions to screen, all photos that came in, and one sentence for whatever was not used."""

    plans: tuple[LesionPlan, ...]
    photos: tuple[Arrival, ...]
    problems: tuple[str, ...]


def plan_all(place: Path, metadata: Path | None, *, image_type: ImageType, max_photos: int) -> Planned:
    """Plan every photo of a folder or a zip file, by table, DICOM files and names.

    Raises:
        DatasetError, ArchiveError, TableError: The place or the table cannot be read, or there is too much.
    """
    if place.suffix.lower() == ".zip" and place.is_file():
        arrivals = from_uploads([(place.name, io.BytesIO(place.read_bytes()))], max_photos=max_photos)
    else:
        arrivals = from_folder(place, max_photos=max_photos)
    table: MetadataTable | None = _table_inside(arrivals) if metadata is None else read_metadata_table(metadata)
    names = [photo.name for photo in arrivals.photos]
    grid = prefill_grid(names, table=table, told=told_by_dicom(arrivals.photos))
    plans, problems = read_grid([asdict(row) for row in grid.rows], grid, image_type=image_type)
    lesions, differences = group_by_lesion(plans)
    unused = [f"No photo is named '{name}', as a row of the table is." for name in grid.unused]
    return Planned(tuple(lesions), arrivals.photos, (*arrivals.problems, *problems, *differences, *unused))


def _table_inside(arrivals: Arrivals) -> MetadataTable | None:
    return read_metadata_table(arrivals.tables[0][1]) if arrivals.tables else None


def work_off(records: Records, runner: WorklistRunner, *, on_progress: Callable[[int, int], None]) -> None:
    """Let a runner work until no list waits any more.

    Args:
        records: Whose lists.
        runner: Not started yet; stopped when this returns.
        on_progress: Called now and then with (photos done, photos in all) of the lists that waited.

    Raises:
        StorageError: Something stands in the way; the lists wait.
    """
    waiting = {batch.id for batch in list_batches(records) if not batch.state.is_over}
    runner.start()
    try:
        while True:
            batches = [batch for batch in list_batches(records) if batch.id in waiting]
            on_progress(sum(batch.n_photos - batch.n_open for batch in batches), sum(b.n_photos for b in batches))
            if not any(batch.state == "waiting" for batch in batches):
                return
            if runner.problem:
                raise StorageError(runner.problem)
            threading.Event().wait(_LOOK_EVERY_S)
    finally:
        runner.stop()
