"""What is known of many photos as a grid to correct by hand, and the corrected grid as lesions to screen.

A cell comes from the metadata table, else from the DICOM file, else from the photo's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from ..domain import Answers, ImageType, Metadata, metadata_from_row
from ..interop.dicom_in import DicomPhoto
from .metadata_table import MAX_KEY_CHARS, MetadataRow, MetadataTable, match_rows, unused_rows

# P001_L2_1.jpg: person P001, her lesion L2, its first photo. Person and number may be left out, and p and l may be small.
NAME_PATTERN = re.compile(
    r"(?:(?P<person>P\d{1,12})[_-])?(?P<lesion>L\d{1,12})(?:[_-](?P<number>\d{1,4}))?", re.IGNORECASE
)
GRID_COLUMNS = ("photo", "person", "lesion", "age", "sex", "site", "width_mm", "image_type")
_CELL_OF = {
    "age": "age_approx",
    "sex": "sex",
    "site": "anatom_site",
    "width_mm": "clin_size_long_diam_mm",
    "image_type": "image_type",
}
_MAX_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class GridRow:
    """One photo's cells; empty is unknown.

    Attributes:
        photo: Its name; untrusted text.
        person, lesion: Keys to group by.
        age: Years.
        sex: female or male.
        site: Of ``taxonomy``.
        width_mm: Longest diameter.
        image_type: dermoscopic or clinical.
    """

    photo: str
    person: str = ""
    lesion: str = ""
    age: float | None = None
    sex: str | None = None
    site: str | None = None
    width_mm: float | None = None
    image_type: str | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """The cells as found, and what could not be used.

    Attributes:
        rows: One a photo, in the photos' order.
        table_rows: What the metadata table says of each photo, with all that is no cell; None where it says nothing.
        problems: One sentence each, about cells and rows that were not used.
        unused: Names of table rows that no photo agrees with.
    """

    rows: tuple[GridRow, ...]
    table_rows: tuple[MetadataRow | None, ...]
    problems: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PhotoPlan:
    """One photo and all that is known of it.

    Attributes:
        index: Its place among the photos that came in.
        name: As given; untrusted text.
        person, lesion: Keys; empty where the photo stands for itself.
        metadata, answers, image_type: What the model is told.
        problem: What of its row was not used; empty when there was nothing wrong.
    """

    index: int
    name: str
    person: str
    lesion: str
    metadata: Metadata
    answers: Answers
    image_type: ImageType
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LesionPlan:
    """Photos of one lesion, taken with the same kind of camera: they are judged together.

    Attributes:
        photos: At least one.
        person, lesion: Keys; empty where unknown.
    """

    photos: tuple[PhotoPlan, ...]
    person: str = ""
    lesion: str = ""


def prefill_grid(names: Sequence[str], *, table: MetadataTable | None, told: Sequence[DicomPhoto | None]) -> Grid:
    """Return the grid as far as table, DICOM files and names fill it.

    Args:
        names: Of the photos.
        table: From ``read_metadata_table``; None when there is none.
        told: What each photo's DICOM file says; None for other files.
    """
    found = match_rows([(name, index) for index, name in enumerate(names)], table or {})
    rows = tuple(_prefill(name, row, dicom) for name, row, dicom in zip(names, found, told, strict=True))
    problems = tuple(f"{name}: {row.problem}" for name, row in zip(names, found, strict=True) if row and row.problem)
    return Grid(rows, tuple(found), problems, unused_rows(names, table or {}))


def _prefill(name: str, row: MetadataRow | None, dicom: DicomPhoto | None) -> GridRow:
    by_file = Metadata() if dicom is None else metadata_from_row(dicom.cells, problems=[])
    known = row.metadata if row else Metadata()
    person, lesion = keys_from_name(name)
    image_type = known.image_type or (dicom.image_type if dicom else None)
    return GridRow(
        photo=name,
        person=(row.person if row else "") or (dicom.person if dicom else "") or person,
        lesion=(row.lesion if row else "") or (dicom.lesion if dicom else "") or lesion,
        age=known.age_approx if known.age_approx is not None else by_file.age_approx,
        sex=known.sex or by_file.sex,
        site=known.anatom_site or by_file.anatom_site,
        width_mm=known.clin_size_long_diam_mm,
        image_type=None if image_type is None else image_type.value,
    )


def keys_from_name(name: str) -> tuple[str, str]:
    """Return (person, lesion) where the name follows the pattern, else two empty texts.

    >>> keys_from_name("day 1/P001_L2_1.jpg"), keys_from_name("l7.png"), keys_from_name("IMG_2041.jpg")
    (('P001', 'L2'), ('', 'L7'), ('', ''))
    """
    match = NAME_PATTERN.fullmatch(PurePosixPath(name).stem)
    return ("", "") if match is None else ((match["person"] or "").upper(), match["lesion"].upper())


def read_grid(
    cells: Sequence[Mapping[str, Any]], grid: Grid, *, image_type: ImageType
) -> tuple[list[PhotoPlan], list[str]]:
    """Return the photos with what the corrected grid says of them, and one sentence for each wrong cell.

    A wrong cell counts as unknown; the row's other cells and the other rows go on.

    Args:
        cells: Rows of the grid, in its order; empty, None and NaN are unknown.
        grid: As it was prefilled.
        image_type: Where a row does not say what took the photo.
    """
    plans, problems = [], list(grid.problems)
    for index, (row, filled, known) in enumerate(zip(cells, grid.rows, grid.table_rows, strict=True)):
        wrong: list[str] = []
        given = {column: "" if row.get(cell) is None else str(row[cell]) for cell, column in _CELL_OF.items()}
        told = metadata_from_row(given, problems=wrong)
        base = known.metadata if known else Metadata()
        # What the grid shows is what counts, also where somebody emptied a cell; the table's other columns stay.
        metadata = replace(base, **{column: getattr(told, column) for column in _CELL_OF.values()})
        said = f"{filled.photo}: {' '.join(wrong)}" if wrong else ""
        problems += [said] if said else []
        plans.append(
            PhotoPlan(
                index=index,
                name=filled.photo,
                person=_key(row.get("person")),
                lesion=_key(row.get("lesion")),
                metadata=replace(metadata, image_type=None),
                answers=known.answers if known else Answers(),
                image_type=told.image_type or image_type,
                problem=" ".join(filter(None, (known.problem if known else "", *wrong))),
            )
        )
    return plans, problems[:_MAX_PROBLEMS]


def _key(value: object) -> str:
    text = "" if value is None or value != value else str(value).strip()  # NaN alone differs from itself
    return text[:MAX_KEY_CHARS]


def group_by_lesion(plans: Sequence[PhotoPlan]) -> tuple[list[LesionPlan], list[str]]:
    """Return the photos as lesions, in the order their first photos came, and a sentence where photos disagree.

    Photos go together that name the same lesion of the same person and were taken in the same way; a photo that names no
    lesion stands for itself. Where photos of one lesion tell different ages and the like, the first that tells counts.
    """
    groups: dict[tuple[str, ...], list[PhotoPlan]] = {}
    for plan in plans:
        key = (plan.person, plan.lesion, plan.image_type) if plan.lesion else ("", "", "", str(plan.index))
        groups.setdefault(key, []).append(plan)
    lesions, problems = [], []
    for photos in groups.values():
        metadata, differing = _agreed([photo.metadata for photo in photos])
        if differing:
            problems.append(
                f"{photos[0].name} and others of lesion {photos[0].lesion} differ in {', '.join(differing)}. "
                "The first that is told counts."
            )
        first = photos[0]
        told = tuple(
            replace(photo, metadata=metadata, answers=_any_yes([p.answers for p in photos])) for photo in photos
        )
        lesions.append(LesionPlan(told, first.person, first.lesion))
    return lesions, problems[:_MAX_PROBLEMS]


def _agreed(told: Sequence[Metadata]) -> tuple[Metadata, list[str]]:
    values: dict[str, Any] = {}
    differing = []
    for name in asdict(Metadata()):
        known = [value for one in told if (value := getattr(one, name)) is not None]
        values[name] = known[0] if known else None
        if len(set(known)) > 1:
            differing.append(name)
    return Metadata(**values), differing


def _any_yes(answers: Sequence[Answers]) -> Answers:
    """A sign that one row names is a sign of the lesion; a no counts only where nobody says yes."""
    values: dict[str, bool | None] = {}
    for name in asdict(Answers()):
        said = {getattr(one, name) for one in answers} - {None}
        values[name] = True if True in said else (False if said else None)
    return Answers(**values)
