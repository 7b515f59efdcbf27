"""Writes a cleaned copy of a data set after ``verify``: bad rows taken out with their reasons, the source untouched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..domain import metadata_from_row
from ..errors import DatasetError, MetadataError
from ..evaluation.files import prepare_folder
from ..tables import LabelledPhoto, find_photos, key_column, photo_stem
from .form import Row, place_photo, write_rows
from .masks import find_mask
from .split import photo_groups
from .verify import VerifyReport


@dataclass(frozen=True, slots=True)
class CleanSummary:
    """What was taken out.

    Attributes:
        n_kept: Rows of the cleaned table.
        removed: Reason -> rows.
        n_blanked: Cells that could not be true and are now unknown.
    """

    n_kept: int
    removed: dict[str, int]
    n_blanked: int


def write_cleaned(
    report: VerifyReport, out: Path, *, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> CleanSummary:
    """Write ``metadata.csv``, ``images/`` and ``masks/`` (links) and ``removed.csv`` (rows with their reason) into a new folder.

    Taken out: rows without a photo that can be read or a diagnosis that is known, repeated names, pictures with
    different diagnoses, and, of a person, lesion or picture in several splits or folds, every photo but those in the
    place that holds most of them (on a tie: the test). A cell that cannot be true is emptied.

    Raises:
        DatasetError: If ``out`` is the source, or nothing is left.
        OutputError: If ``out`` cannot be written.
    """
    if out.resolve() == report.folder.resolve():
        raise DatasetError(f"Expected another folder than the data set's own. Received '{out}'. Name a new one.")
    reasons = _reasons(report)
    key = key_column(report.rows[0])
    kept, removed, n_blanked = [], [], 0
    for index, row in enumerate(report.rows):
        if reason := reasons.get(index):
            removed.append({"reason": reason, **row})
        else:
            clean, n = _without_impossible_cells(row)
            kept.append(clean)
            n_blanked += n
    if not kept:
        raise DatasetError(
            "Expected at least one good row. None is left after cleaning. See the report of data verify."
        )
    prepare_folder(out / "images")
    files = find_photos(report.folder / "images", [photo_stem(row[key]) for row in kept])
    for done, path in enumerate(files.values(), start=1):
        place_photo(path, out / "images" / path.name)
        if mask := find_mask(path):
            prepare_folder(out / "masks")
            place_photo(mask, out / "masks" / mask.name)
        on_progress(done, len(files))
    write_rows(out / "metadata.csv", [{"image_id": photo_stem(row[key]), **row} for row in kept])
    if removed:
        write_rows(out / "removed.csv", [{"image_id": photo_stem(row[key]), **row} for row in removed])
    return CleanSummary(len(kept), dict(Counter(row["reason"] for row in removed)), n_blanked)


def _reasons(report: VerifyReport) -> dict[int, str]:
    """Return row number -> the code of the finding that takes the row out."""
    key = key_column(report.rows[0])
    by_row = dict(report.photos)
    bad = {
        code: {name.lower() for name in finding.names}
        for code in ("corrupt_photo", "missing_photo", "label_conflict_of_duplicates")
        if (finding := report.find(code))
    }
    reasons: dict[int, str] = {}
    seen: set[str] = set()
    for index, row in enumerate(report.rows):
        name = photo_stem(row[key]).lower()
        if index not in by_row:
            reasons[index] = "unknown_class"
        elif name in seen:
            reasons[index] = "duplicate_id"
        elif found := next((code for code, names in bad.items() if name in names), None):
            reasons[index] = found
        seen.add(name)
    rest = {photo.image_id: (index, photo) for index, photo in report.photos if index not in reasons}
    return reasons | {rest[name][0]: "leak" for name in _leaking([photo for _, photo in rest.values()], report)}


def _leaking(photos: list[LabelledPhoto], report: VerifyReport) -> list[str]:
    names = {photo.image_id for photo in photos}
    links = [(p.first, p.second) for p in report.duplicates if {p.first, p.second} <= names]
    group_of_photo = photo_groups(photos, links)
    by_group: dict[str, Counter[tuple[str, str]]] = {}
    for photo in photos:
        by_group.setdefault(group_of_photo[photo.image_id], Counter())[photo.split, photo.fold] += 1
    home = {
        group: max(places, key=lambda place: (places[place], place[0] == "test", place))
        for group, places in by_group.items()
    }
    return [p.image_id for p in photos if (p.split, p.fold) != home[group_of_photo[p.image_id]]]


def _without_impossible_cells(row: Row) -> tuple[Row, int]:
    clean = dict(row)
    for column, value in row.items():
        try:
            metadata_from_row({column: value})
        except MetadataError:
            clean[column] = ""
    return clean, sum(clean[column] != row[column] for column in row)
