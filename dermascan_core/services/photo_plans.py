"""Many photos planned without a grid to correct: what table, DICOM files and names tell counts as it stands."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from pathlib import Path

from ..domain import ImageType
from .arrivals import Arrival, Arrivals, from_folder, from_uploads, told_by_dicom
from .metadata_table import MetadataTable, read_metadata_table
from .photo_grid import LesionPlan, group_by_lesion, prefill_grid, read_grid


@dataclass(frozen=True, slots=True)
class Planned:
    """Lesions to screen, all photos that came in, and one sentence for whatever was not used."""

    plans: tuple[LesionPlan, ...]
    photos: tuple[Arrival, ...]
    problems: tuple[str, ...]


def plan_all(place: Path, metadata: Path | None, *, image_type: ImageType, max_photos: int) -> Planned:
    """Plan every photo of a folder or a zip file, or one photo, by table, DICOM files and names.

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
