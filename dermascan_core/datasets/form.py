"""The one form of a data set: a folder with ``metadata.csv`` and ``images/``, which training and evaluation read."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from ..domain import SYMPTOM_FIELDS
from ..errors import DatasetError, OutputError, PhotoError, TableError
from ..evaluation.files import prepare_folder, write_file
from ..imaging.decode import MIN_SIDE_PX
from ..tables import find_photos, key_column, photo_from_row, read_labels, read_table, safe_cell
from ..taxonomy import CLASSES
from .duplicates import find_duplicates, read_prints
from .masks import find_masks, write_mask
from .split import Part, split_parts, split_photos

StageProgress = Callable[[str, int, int], None]
Row = dict[str, str]
COLUMNS = (
    *("image_id", "dx", "target", "diagnosis", "lesion_id", "patient_id"),
    *("age_approx", "sex", "anatom_site_general", "localization", "image_type", "fitzpatrick_skin_type", "dx_type"),
    *SYMPTOM_FIELDS,
    *("clin_size_long_diam_mm", "diameter_1", "diameter_2"),
    *("split", "fold", "source", "licence", "attribution"),
)
_TILE_JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Record:
    """One photo of an archive.

    Attributes:
        row: Column -> text; columns of ``COLUMNS`` that are absent are unknown, others are kept behind them.
        photo: Its file, or a function that returns its bytes; None where the archive lacks it.
        ending: Of the file to write, with the dot.
        mask: The archive's mask of the lesion, where it has one.
    """

    row: Row
    photo: Path | Callable[[], bytes] | None
    ending: str = ".jpg"
    mask: Path | None = None


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did.

    Attributes:
        n_photos: Rows of the new ``metadata.csv``.
        n_placed: Photos placed now; the others were there from an earlier run.
        how: How photos were placed, such as ``hard link`` or ``copy``, and how often.
        missing: Rows of the archive whose photo it lacks; they are left out.
        skipped: Diagnoses that were left out, and how often.
        damaged: Photos that cannot be decoded.
        has_own_split: Whether the archive gave the split.
        n_masks: Photos with a mask of their lesion.
    """

    n_photos: int
    n_placed: int
    how: Mapping[str, int]
    missing: tuple[str, ...] = ()
    skipped: Mapping[str, int] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    has_own_split: bool = False
    n_masks: int = 0


class Labeller:
    """Reads diagnoses, and gathers those that are not known, to refuse them all in one sentence.

    Args:
        parse: Text -> class code, or an empty text for a diagnosis that no class of ours holds.
        skip_unknown: Leave rows with an unknown diagnosis out instead of refusing the archive.
    """

    def __init__(self, parse: Callable[[str], str], *, skip_unknown: bool) -> None:
        self.parse, self.skip_unknown = parse, skip_unknown
        self.unknown: Counter[str] = Counter()

    def read(self, text: str, *, has_target: bool = False) -> str | None:
        """Return the class code; empty where a target must do; None where the row is to be left out."""
        try:
            code = self.parse(text)
        except TableError:
            code = None
        if code is None or (code == "" and not has_target):
            self.unknown[text.strip() or "(empty)"] += 1
            return None
        return code

    def check(self) -> None:
        """Refuse what was unknown, unless it is to be left out.

        Raises:
            DatasetError: Names every unknown diagnosis and how often it came.
        """
        if self.unknown and not self.skip_unknown:
            shown = ", ".join(f"'{name}' ({n:,})" for name, n in self.unknown.most_common(10))
            raise DatasetError(
                f"Expected diagnoses among {', '.join(c.code for c in CLASSES)}, akiec, bkl and their names. "
                f"Received also {shown}. Rename them, or leave these rows out with --skip-unknown."
            )


def write_dataset(
    records: Sequence[Record],
    out: Path,
    *,
    parts: Sequence[Part] | None = None,
    seed: int = 0,
    must_copy: bool = False,
    find_same: bool = True,
    skipped: Mapping[str, int] | None = None,
    on_progress: StageProgress = lambda sentence, done, total: None,
) -> ImportSummary:
    """Write ``images/``, ``metadata.csv`` and, of photos that have one, ``masks/``; what is already there is kept.

    A photo under 128 px is enlarged, for nothing smaller is read; another becomes a hard link to the archive's file, or
    a symbolic link, or a copy, whichever works first.

    Args:
        records: The archive's photos; their rows get the split.
        out: The data set folder.
        parts: Where the archive gives no split: how to part it; None for five folds and a tenth for the test.
        seed: Of the split.
        must_copy: Copy every photo.
        find_same: Look for photos that occur twice, so that the split keeps them together.
        skipped: Diagnoses that were left out, for the summary.
        on_progress: Called with (sentence, done, total).

    Raises:
        DatasetError: If no photo is there, a name occurs twice, or a mask is not one of its photo.
        OutputError: If ``out`` cannot be written.
    """
    usable = [record for record in records if record.photo is not None]
    _refuse_doubled([record.row["image_id"] for record in usable])
    if not usable:
        raise DatasetError(
            "Expected photos that the archive's table names. None of them is there. Check --source: it is the folder "
            "that holds the table and, in it or below it, the photos."
        )
    prepare_folder(out / "images")
    how: Counter[str] = Counter()
    files: dict[str, Path] = {}
    for done, record in enumerate(usable, start=1):
        target = out / "images" / f"{record.row['image_id']}{record.ending}"
        how[_place(record.photo, target, must_copy=must_copy)] += 1
        files[record.row["image_id"]] = target
        on_progress("Placing photos", done, len(usable))
    n_masks = _write_masks(usable, files, out / "masks", on_progress)
    rows = [record.row for record in usable]
    has_own_split = any(row.get("split") for row in rows)
    damaged: Iterable[str] = ()
    if not has_own_split:
        damaged = _split_rows(rows, files, parts or split_parts("kfold"), seed, find_same, on_progress)
    write_rows(out / "metadata.csv", rows)
    return ImportSummary(
        n_photos=len(rows),
        n_placed=len(rows) - how.pop("there", 0),
        how=dict(how),
        missing=tuple(sorted(record.row["image_id"] for record in records if record.photo is None)),
        skipped=dict(skipped or {}),
        damaged=tuple(sorted(damaged)),
        has_own_split=has_own_split,
        n_masks=n_masks,
    )


def add_masks(records: Sequence[Record], folder: Path) -> list[Record]:
    """Return the records with the masks of a folder, matched by name; records without one there stay as they are.

    Args:
        records: Of an archive or of one's own photos.
        folder: Holds masks named as their photos are, or with ``_segmentation``, ``_lesion`` or ``_mask`` behind.

    Raises:
        DatasetError: If none of its files fits a photo, or a photo lies in it.
    """
    masks = find_masks(folder)
    inside = [r for r in records if isinstance(r.photo, Path) and r.photo.resolve().is_relative_to(folder.resolve())]
    if inside:
        raise DatasetError(
            f"Expected masks and no photos in '{folder}'. {len(inside)} photos were read from there, such as "
            f"{inside[0].row['image_id']}. Keep masks in a folder outside that of the photos."
        )
    added = [replace(one, mask=masks.get(one.row["image_id"].lower(), one.mask)) for one in records]
    if records and not any(one.mask for one in added):
        raise DatasetError(
            f"Expected masks in '{folder}' with their photos' names, such as {records[0].row['image_id']}.png. "
            f"None of its {len(set(masks.values()))} pictures has one. Rename them, or leave --masks out."
        )
    return added


def _write_masks(records: Sequence[Record], files: Mapping[str, Path], folder: Path, on_progress: StageProgress) -> int:
    masked = [record for record in records if record.mask is not None]
    if masked:
        prepare_folder(folder)
    for done, record in enumerate(masked, start=1):
        name = record.row["image_id"]
        assert record.mask is not None
        write_mask(record.mask, folder / f"{name}.png", photo=files[name])
        on_progress("Writing masks", done, len(masked))
    return len(masked)


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write a table of the form: its columns first, in order and where any row fills them, then the others.

    Raises:
        OutputError: If the disk is full or may not be written.
    """
    present = {name for row in rows for name, value in row.items() if value}
    first = [name for name in COLUMNS if name in present or name in ("image_id", "dx", "split", "fold")]
    others = [name for name in dict.fromkeys(name for row in rows for name in row) if name in present - set(COLUMNS)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=[*first, *others], restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_file(path, text.getvalue().encode())


def free_text(text: str) -> str:
    """Return an archive's own words as a cell that no spreadsheet runs."""
    return safe_cell(" ".join(text.split()))


def place_photo(source: Path, target: Path, *, must_copy: bool = False) -> str:
    """Put a photo at another place and return how: ``hard link``, ``symbolic link``, ``copy``, or ``there``.

    Raises:
        OutputError: If it cannot be placed.
    """
    if target.is_file():
        return "there"
    ways: list[tuple[str, Callable[[Path, Path], object]]] = [
        ("hard link", os.link),
        ("symbolic link", lambda a, b: os.symlink(a.resolve(), b)),
        ("copy", _copy_whole),
    ]
    for name, way in ways[2:] if must_copy else ways:
        try:
            way(source, target)
        except OSError as error:
            reason = error
        else:
            return name
    raise OutputError(f"Expected to write '{target}'. The disk said: {reason.strerror}. Choose another folder.")


def _copy_whole(source: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.partial")
    shutil.copyfile(source, partial)
    os.replace(partial, target)


def _place(photo: Path | Callable[[], bytes] | None, target: Path, *, must_copy: bool) -> str:
    if target.is_file():
        return "there"
    if isinstance(photo, Path):
        small = _enlarged(photo)
        if small is None:
            return place_photo(photo, target, must_copy=must_copy)
        write_file(target, small)
        return "enlarged copy"
    assert photo is not None
    write_file(target, photo())
    enlarged = _enlarged(target)
    if enlarged is not None:
        write_file(target, enlarged)
        return "enlarged copy"
    return "copy"


def _enlarged(path: Path) -> bytes | None:
    """Return a photo under 128 px at 128 px, as JPEG; None for any other, and for what is no photo at all."""
    try:
        with Image.open(path) as image:
            if min(image.size) >= MIN_SIDE_PX:
                return None
            rgb = np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError):
        return None
    factor = MIN_SIDE_PX / min(rgb.shape[:2])
    size = (max(MIN_SIDE_PX, round(rgb.shape[1] * factor)), max(MIN_SIDE_PX, round(rgb.shape[0] * factor)))
    larger = cv2.resize(rgb, size, interpolation=cv2.INTER_CUBIC)
    buffer = io.BytesIO()
    Image.fromarray(larger).save(buffer, "JPEG", quality=_TILE_JPEG_QUALITY)
    return buffer.getvalue()


def _split_rows(
    rows: Sequence[Row],
    files: Mapping[str, Path],
    parts: Sequence[Part],
    seed: int,
    find_same: bool,
    on_progress: StageProgress,
) -> list[str]:
    photos = [photo_from_row(row, key=key_column(row), wrong_cells=[]) for row in rows]
    links: list[tuple[str, str]] = []
    broken: Mapping[str, PhotoError] = {}
    if find_same:
        prints, broken = read_prints(files, on_progress=lambda done, n: on_progress("Reading photos", done, n))
        pairs = find_duplicates(prints, files, on_progress=lambda done, n: on_progress("Comparing photos", done, n))
        links = [(pair.first, pair.second) for pair in pairs]
    places = split_photos(photos, parts, links=links, seed=seed)
    for row, photo in zip(rows, photos, strict=True):
        row["split"], row["fold"] = places[photo.image_id].split, places[photo.image_id].fold
    return list(broken)


def _refuse_doubled(names: Sequence[str]) -> None:
    doubled = sorted(name for name, n in Counter(name.lower() for name in names).items() if n > 1)
    if doubled:
        raise DatasetError(
            f"Expected every photo once. {len(doubled)} names occur more than once, such as {', '.join(doubled[:5])}. "
            "Take the doubled rows out."
        )


def split_dataset(
    folder: Path,
    parts: Sequence[Part],
    *,
    out: Path | None = None,
    seed: int = 0,
    must_replace: bool = False,
    find_same: bool = True,
    on_progress: StageProgress = lambda sentence, done, total: None,
) -> dict[tuple[str, str], int]:
    """Write the ``split`` and ``fold`` of every photo into the table, and return (split, fold) -> photos.

    Args:
        folder: The data set.
        parts: Of the split.
        out: The table to write; None for the data set's own.
        seed: Of the split.
        must_replace: Replace a split that the table already has.
        find_same: Look for photos that occur twice, so that they stay together.
        on_progress: Called with (sentence, done, total).

    Raises:
        TableError: If the table cannot be read, or a row of it is wrong.
        DatasetError: If the table has a split already, or names a photo twice.
        OutputError: If the table cannot be written.
    """
    table = folder / "metadata.csv"
    rows = read_table(table, what="The data set's table")
    if any(row.get("split") for row in rows) and not must_replace:
        raise DatasetError(
            f"Expected a table without a split in '{table}'. It has one. Replace it with --replace; results on the new "
            "split cannot be compared with those on the old one."
        )
    photos = read_labels(table)
    _refuse_doubled([photo.image_id for photo in photos])
    files = find_photos(folder / "images", [photo.image_id for photo in photos]) if find_same else {}
    named = [{"image_id": photo.image_id, **row} for photo, row in zip(photos, rows, strict=True)]
    _split_rows(named, files, parts, seed, find_same, on_progress)
    write_rows(out or table, named)
    return dict(sorted(Counter((row["split"], row["fold"]) for row in named).items()))
