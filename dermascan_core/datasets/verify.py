"""Checks a data set folder for what would stop a training or flatter its result: ``python -m dermascan_core data verify``."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import MetadataError, TableError
from ..tables import (
    PHOTO_ENDINGS,
    LabelledPhoto,
    check_label_columns,
    find_photos,
    has_fold,
    key_column,
    photo_from_row,
    photo_key,
    photo_stem,
    photos_by_lesion,
    photos_by_patient,
    read_split,
    read_table,
    shipped_splits,
)
from .duplicates import DuplicatePair, find_duplicates, join_groups, read_prints

StageProgress = Callable[[str, int, int], None]
Row = dict[str, str]
_MAX_SHOWN = 5

# Code -> (whether it stops a training or flatters a result, what it means). In the order of the report.
KINDS: dict[str, tuple[bool, str]] = {
    "corrupt_photo": (True, "photos cannot be decoded, or are under 128 px"),
    "duplicate_id": (True, "names occur in more than one row"),
    "unknown_class": (True, "rows name no diagnosis that is known"),
    "wrong_value": (True, "cells cannot be true, such as an age of 300"),
    "wrong_fold": (True, "training rows name no fold: a number is needed, such as 0"),
    "one_fold": (True, "all training rows lie in one fold: training on them leaves none to validate"),
    "leak_by_patient": (True, "people have photos in more than one split or fold"),
    "leak_by_lesion": (True, "lesions have photos in more than one split or fold"),
    "leak_by_duplicate": (True, "pictures occur in more than one split or fold"),
    "missing_photo": (False, "rows name a photo that is not in images/"),
    "unlisted_photo": (False, "photos in images/ have no row"),
    "no_diagnosis": (False, "rows only say malignant or not: they can be evaluated, not trained on"),
    "label_conflict_of_duplicates": (False, "pictures occur with different diagnoses"),
    "label_conflict_of_lesion": (False, "lesions carry different diagnoses"),
    "duplicate_of_other_lesion": (False, "pictures occur as different lesions or people"),
    "duplicate_photo": (False, "pictures occur more than once"),
    "one_class": (False, "all photos show one class: there is nothing to tell apart"),
    "unknown_age": (False, "rows have no age"),
    "no_split": (False, "rows have no split; make one with: python -m dermascan_core data split --help"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing that was found.

    Attributes:
        code: A key of ``KINDS``.
        n: How many.
        names: The photos it is about; of groups, all photos of all groups.
        groups: What belongs together (the photos of a leaking lesion, say), by the group's name.
        sentences: Details, one a case, where there are any.
    """

    code: str
    n: int
    names: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()

    @property
    def is_error(self) -> bool:
        """Whether it stops a training, or flatters a result."""
        return KINDS[self.code][0]


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a data set is, and what was found in it.

    Attributes:
        folder: As given.
        table_sha256: Of ``metadata.csv``.
        n_rows, n_photos: Rows of the table; photos that could be decoded.
        classes: dx -> rows.
        findings: In the order of ``KINDS``; empty when nothing was found.
        duplicates: Every pair of photos that show the same picture.
        rows: The table's rows, as read.
        photos: (row number, photo) of each row that could be read, its split joined from the shipped one if need be.
    """

    folder: Path
    table_sha256: str
    n_rows: int
    n_photos: int
    classes: Mapping[str, int]
    findings: tuple[Finding, ...]
    duplicates: tuple[DuplicatePair, ...]
    rows: tuple[Row, ...]
    photos: tuple[tuple[int, LabelledPhoto], ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing found stops a training or flatters a result."""
        return not any(finding.is_error for finding in self.findings)

    def find(self, code: str) -> Finding | None:
        """Return the finding of a kind, if there is one."""
        return next((finding for finding in self.findings if finding.code == code), None)

    def to_json(self) -> str:
        """Return the machine-readable report."""
        record: dict[str, Any] = {
            "folder": str(self.folder),
            "table_sha256": self.table_sha256,
            "is_sound": self.is_sound,
            "n_rows": self.n_rows,
            "n_photos": self.n_photos,
            "classes": dict(self.classes),
            "findings": [
                {"code": f.code, "is_error": f.is_error, "meaning": KINDS[f.code][1], **asdict(f)}
                for f in self.findings
            ],
            "duplicates": [asdict(pair) for pair in self.duplicates],
        }
        return json.dumps(record, indent=1, ensure_ascii=False)


def verify_dataset(folder: Path, *, on_progress: StageProgress = lambda sentence, done, total: None) -> VerifyReport:
    """Check ``metadata.csv`` and ``images/`` of a folder. Nothing in it is changed.

    Raises:
        TableError: If the table cannot be read at all, or lacks its columns.
    """
    table = folder / "metadata.csv"
    rows = read_table(table, what="The data set's table")
    key = key_column(rows[0], what="The data set's table")
    check_label_columns(rows[0])
    photos, findings = _read_rows(rows, key)
    files = find_photos(folder / "images", list(dict.fromkeys(photo_stem(row[key]) for row in rows if row[key])))
    prints, broken = read_prints(files, on_progress=lambda done, total: on_progress("Reading photos", done, total))
    pairs = find_duplicates(prints, files, on_progress=lambda done, total: on_progress("Comparing photos", done, total))
    findings += [
        _named("corrupt_photo", broken, [f"{name}: {error}" for name, error in broken.items()]),
        *_check_names(folder, rows, key, files),
        *_check_groups([photo for _, photo in photos if photo.image_id in prints], pairs),
        *_check_folds(photos),
        *_check_labels(photos),
    ]
    return VerifyReport(
        folder=folder,
        table_sha256=hashlib.sha256(table.read_bytes()).hexdigest(),
        n_rows=len(rows),
        n_photos=len(prints),
        classes=dict(sorted(Counter(photo.dx or "no diagnosis" for _, photo in photos).items())),
        findings=tuple(sorted((f for f in findings if f.n), key=lambda f: list(KINDS).index(f.code))),
        duplicates=tuple(pairs),
        rows=tuple(rows),
        photos=tuple(photos),
    )


def describe(report: VerifyReport) -> list[str]:
    """Return the report as lines for a terminal."""
    classes = ", ".join(f"{code} {n:,}" for code, n in report.classes.items())
    lines = [f"{report.n_rows:,} rows, {report.n_photos:,} photos that can be read. Classes: {classes}."]
    for finding in report.findings:
        shown = list(finding.sentences or finding.groups or finding.names)[:_MAX_SHOWN]
        more = f" and {finding.n - len(shown):,} more" if finding.n > len(shown) else ""
        mark = "ERROR  " if finding.is_error else "warning"
        lines.append(f"{mark} {finding.code} ({finding.n:,}): {KINDS[finding.code][1]}.")
        if shown and finding.code not in ("unknown_age", "no_split", "no_diagnosis"):
            lines.append(f"        {'; '.join(shown)}{more}")
    verdict = (
        "Nothing that would stop a training or flatter its result."
        if report.is_sound
        else "The errors above would stop a training or flatter its result."
    )
    return [*lines, verdict]


def _named(code: str, names: Iterable[str], sentences: Sequence[str] = ()) -> Finding:
    found = tuple(sorted(names))
    return Finding(code, len(found), found, sentences=tuple(sorted(sentences)))


def _grouped(code: str, groups: Mapping[str, Iterable[str]], by_name: Mapping[str, LabelledPhoto]) -> Finding:
    members = {name: tuple(sorted(group)) for name, group in sorted(groups.items())}
    shown = by_name if code.startswith("leak") else {}
    sentences = [
        f"{name}: " + ", ".join(_with_place(n, shown.get(n)) for n in group[:_MAX_SHOWN])
        for name, group in members.items()
    ]
    return Finding(code, len(members), tuple(n for g in members.values() for n in g), members, tuple(sentences))


def _with_place(name: str, photo: LabelledPhoto | None) -> str:
    return name if photo is None else f"{name} ({' '.join(filter(None, (photo.split, photo.fold))) or 'no split'})"


def _read_rows(rows: Sequence[Row], key: str) -> tuple[list[tuple[int, LabelledPhoto]], list[Finding]]:
    photos: list[tuple[int, LabelledPhoto]] = []
    unknown: list[tuple[str, str]] = []
    wrong: list[tuple[str, str]] = []
    for index, row in enumerate(rows):
        cells: list[str] = []
        try:
            photos.append((index, photo_from_row(row, key=key, wrong_cells=cells)))
        except (TableError, MetadataError) as error:
            unknown.append((photo_stem(row[key]), f"line {index + 2}: {error}"))
        wrong += [(photo_stem(row[key]), f"line {index + 2}: {cell}") for cell in cells]
    findings = [
        Finding(code, len(cases), tuple(name for name, _ in cases), sentences=tuple(text for _, text in cases))
        for code, cases in (("unknown_class", unknown), ("wrong_value", wrong))
    ]
    return _join_shipped_split(photos), findings


def _join_shipped_split(photos: list[tuple[int, LabelledPhoto]]) -> list[tuple[int, LabelledPhoto]]:
    if any(photo.split for _, photo in photos):
        return photos
    shipped = {row.image_id: row for path in shipped_splits() for row in read_split(path)}
    return [
        (
            index,
            replace(p, split=shipped[p.image_id].split, fold=shipped[p.image_id].fold) if p.image_id in shipped else p,
        )
        for index, p in photos
    ]


def _check_names(folder: Path, rows: Sequence[Row], key: str, files: Mapping[str, Path]) -> list[Finding]:
    names = [photo_stem(row[key]) for row in rows if row[key]]
    times = Counter(name.lower() for name in names)
    listed = set(times)
    unlisted = [
        path.name
        for path in (folder / "images").iterdir()
        if path.suffix.lower().lstrip(".") in PHOTO_ENDINGS
        and not path.name.startswith(".")
        and photo_key(path.name) not in listed
    ]
    return [
        _named("duplicate_id", {name for name in names if times[name.lower()] > 1}),
        _named("missing_photo", {name for name in names if name not in files}),
        _named("unlisted_photo", unlisted),
    ]


def _check_groups(photos: Sequence[LabelledPhoto], pairs: Sequence[DuplicatePair]) -> list[Finding]:
    by_name = {photo.image_id: photo for photo in photos}
    by_patient, by_lesion = _names(photos_by_patient(photos)), _names(photos_by_lesion(photos))
    clusters: dict[str, list[str]] = {}
    for name, cluster in join_groups((p.first, p.second) for p in pairs).items():
        if name in by_name:
            clusters.setdefault(cluster, []).append(name)

    def differ(groups: Mapping[str, Sequence[str]], *attributes: str) -> dict[str, Sequence[str]]:
        return {
            group: names
            for group, names in groups.items()
            if len({tuple(getattr(by_name[name], attribute) for attribute in attributes) for name in names}) > 1
        }

    owners = {
        cluster: names
        for cluster, names in clusters.items()
        if len({by_name[n].patient_id for n in names}) > 1 or len({by_name[n].lesion_id for n in names}) > 1
    }
    return [
        _grouped("leak_by_patient", differ(by_patient, "split", "fold"), by_name),
        _grouped("leak_by_lesion", differ(by_lesion, "split", "fold"), by_name),
        _grouped("leak_by_duplicate", differ(clusters, "split", "fold"), by_name),
        _grouped("label_conflict_of_duplicates", differ(clusters, "dx", "is_malignant"), by_name),
        _grouped("label_conflict_of_lesion", differ(by_lesion, "dx", "is_malignant"), by_name),
        _grouped("duplicate_of_other_lesion", owners, by_name),
        _grouped("duplicate_photo", clusters, by_name),
    ]


def _names(owned: Mapping[str, Sequence[LabelledPhoto]]) -> dict[str, list[str]]:
    return {owner: [photo.image_id for photo in photos] for owner, photos in owned.items()}


def _check_folds(photos: Sequence[tuple[int, LabelledPhoto]]) -> list[Finding]:
    training = [(index, photo) for index, photo in photos if photo.split == "train"]
    wrong = [(index, photo) for index, photo in training if not has_fold(photo)]
    folds = {photo.fold for _, photo in training}
    is_one = len(folds) == 1 and not wrong
    return [
        Finding(
            "wrong_fold",
            len(wrong),
            tuple(photo.image_id for _, photo in wrong),
            sentences=tuple(f"line {index + 2}: fold '{photo.fold}'" for index, photo in wrong),
        ),
        Finding("one_fold", int(is_one), sentences=(f"fold {min(folds)}",) if is_one else ()),
    ]


def _check_labels(photos: Sequence[tuple[int, LabelledPhoto]]) -> list[Finding]:
    labels = {(photo.dx, photo.is_malignant) for _, photo in photos}
    return [
        Finding("one_class", 1 if len(labels) == 1 else 0),
        _named("no_diagnosis", [photo.image_id for _, photo in photos if not photo.dx]),
        _named("unknown_age", [photo.image_id for _, photo in photos if photo.metadata.age_approx is None]),
        _named("no_split", [photo.image_id for _, photo in photos if not photo.split]),
    ]
