"""Reads one's own photos: a folder a class, or any table beside a folder of photos."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import DatasetError
from ..tables import PHOTO_ENDINGS, key_column, photo_key, photo_stem, read_table
from ..taxonomy import parse_archive_diagnosis, parse_diagnosis
from .archives import Archive
from .form import COLUMNS, Labeller, Record, Row


def read_folders(
    source: Path, *, image_type: str, licence: str = "", attribution: str = "", skip_unknown: bool = False
) -> Archive:
    """Read photos that lie in one folder a class, such as ``nevus/`` and ``melanoma/``.

    Where the folder holds ``train/`` and ``test/`` (or ``Train/`` and ``Test/``) with classes in them, that split is
    kept: everything of ``train`` is fold 1 but a validation folder (``val``, ``valid`` or ``validation``), fold 0.

    Args:
        source: The folder.
        image_type: How the photos were taken: ``dermoscopic`` or ``clinical``.
        licence, attribution: Of the photos; empty where unknown.
        skip_unknown: Leave folders out whose name is no diagnosis.

    Raises:
        DatasetError: If there are no folders, or one is named for no known diagnosis.
    """
    if not source.is_dir():
        raise DatasetError(f"Expected a folder at '{source}'. There is none. Check --source.")
    labeller = Labeller(parse_diagnosis, skip_unknown=skip_unknown)
    records = []
    for place, folder in _class_folders(source):
        photos = [
            path
            for path in sorted(folder.rglob("*"))
            if path.suffix.lower().lstrip(".") in PHOTO_ENDINGS and not path.name.startswith(".")
        ]
        for path in photos:
            dx = labeller.read(folder.name.replace("_", " "))
            if dx is not None:
                row = {"image_id": photo_stem(path.name), "dx": dx, "diagnosis": folder.name, "source": source.name}
                row |= {"image_type": image_type, "licence": licence, "attribution": attribution} | place
                records.append(Record(row, path, path.suffix.lower()))
    labeller.check()
    if not records:
        raise DatasetError(
            f"Expected folders named for diagnoses in '{source}', with photos in them. None is there. Check --source."
        )
    return Archive(records, labeller.unknown)


def _class_folders(source: Path) -> list[tuple[Row, Path]]:
    places = {"train": ("train", "1"), "val": ("train", "0"), "valid": ("train", "0"), "validation": ("train", "0")}
    places["test"] = ("test", "")
    folders = [path for path in sorted(source.iterdir()) if path.is_dir() and not path.name.startswith(".")]
    parts = [path for path in folders if path.name.lower() in places]
    if not parts:
        return [({}, path) for path in folders]
    return [
        (dict(zip(("split", "fold"), places[part.name.lower()], strict=True)), path)
        for part in parts
        for path in sorted(part.iterdir())
        if path.is_dir()
    ]


def read_csv(
    table: Path, images: Path, *, columns: Mapping[str, str], constants: Mapping[str, str], skip_unknown: bool = False
) -> Archive:
    """Read any table and the photos that it names, wherever below a folder they lie.

    Args:
        table: CSV with a column of photo names, and ``dx`` or ``target``.
        images: The folder.
        columns: Our column -> the table's; columns of the same name need no entry.
        constants: Our column -> one value for every row, such as ``image_type``.
        skip_unknown: Leave rows with an unknown diagnosis out.

    Raises:
        DatasetError: If a column is not there, or a diagnosis is unknown.
        TableError: If the table cannot be read.
    """
    rows = read_table(table, what="The table")
    for ours, theirs in columns.items():
        if ours not in COLUMNS or theirs.lower() not in rows[0]:
            raise DatasetError(
                f"Expected --column OURS=THEIRS with one of our columns ({', '.join(COLUMNS)}) and one of the table's "
                f"({', '.join(rows[0])}). Received '{ours}={theirs}'. Correct it."
            )
    named = [{**row, **{ours: row[theirs.lower()] for ours, theirs in columns.items()}} for row in rows]
    key = "image_id" if "image_id" in columns else key_column(named[0])
    label = next((name for name in ("dx", "diagnosis", "diagnostic") if name in named[0]), "")
    if not label and "target" not in named[0]:
        raise DatasetError(
            f"Expected a column dx (or target) in '{table}'. Received: {', '.join(rows[0])}. "
            "Name the one that holds the diagnosis with --column dx=THEIRS."
        )
    files = {
        photo_key(path.name): path
        for path in sorted(images.rglob("*"))
        if path.suffix.lower().lstrip(".") in PHOTO_ENDINGS and not path.name.startswith(".")
    }
    labeller = Labeller(parse_archive_diagnosis, skip_unknown=skip_unknown)
    records = []
    for row in named:
        has_target = row.get("target", "") in ("0", "1", "0.0", "1.0")
        dx = labeller.read(row[label] if label else "", has_target=has_target)
        if dx is not None:
            path = files.get(photo_key(row[key]))
            cells = {**row, **constants, "image_id": photo_stem(row[key]), "dx": dx}
            records.append(Record(cells, path, path.suffix.lower() if path else ".jpg"))
    labeller.check()
    return Archive(records, labeller.unknown)
