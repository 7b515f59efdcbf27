"""Screens many photos: finds the files, reads the metadata table, writes one line a photo as it goes, ranks them."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from ..domain import (
    HISTORY_FIELDS,
    Answers,
    ImageType,
    Metadata,
    NextStep,
    PhotoScreening,
    Reason,
    Screening,
    Status,
    metadata_from_row,
)
from ..errors import DatasetError, MetadataError, PhotoError, PhotoTooLargeError, TableError, UnreadablePhotoError
from ..imaging.decode import MAX_SIZE_BYTES
from ..model.predictor import Predictor
from ..tables import PHOTO_ENDINGS, key_column, photo_key, read_table
from .row_file import RowFile
from .screening import screen_lesion

METADATA_COLUMNS = (
    *("age_approx", "age", "sex", "gender"),
    *("localization", "anatom_site", "anatom_site_general", "region"),
    *("clin_size_long_diam_mm", "fitzpatrick_skin_type"),
    *HISTORY_FIELDS,
)
MetadataTable = Mapping[str, Metadata | str]


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One photo of a batch.

    Attributes:
        name: As given; untrusted text.
        screening: Of this photo alone, with no question answered.
        metadata_error: Why its row of the metadata table was not used; None when there was nothing wrong.
    """

    name: str
    screening: Screening
    metadata_error: str | None = None

    @property
    def p_malignant(self) -> float | None:
        """Share of cancer or pre-cancer, in [0, 1]; None when the photo was refused."""
        prediction = self.screening.photos[0].prediction
        return None if prediction is None else float(prediction.p_malignant)


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What became of a batch.

    Attributes:
        n_photos: All photos, those resumed from an earlier run included.
        n_resumed: Photos that an earlier run had finished.
        statuses, next_steps: How many photos of each.
        metadata_errors: One sentence for each row that was not used, in the order the photos came.
        unused_rows: Keys of metadata rows that no photo of this batch matched.
        elapsed_s: Of this run.
    """

    n_photos: int
    n_resumed: int
    statuses: Mapping[Status, int]
    next_steps: Mapping[NextStep, int]
    metadata_errors: tuple[str, ...] = ()
    unused_rows: tuple[str, ...] = ()
    elapsed_s: float = 0.0


def find_photo_files(paths: Iterable[Path], *, out: Path | None = None) -> tuple[list[Path], int]:
    """Return the photos that the paths mean, in input order, and how many other files were left out.

    A file is taken as given. A folder means every non-hidden file below it, sorted by path, whose ending is an
    image's. Links to folders are not followed; ``out`` itself is neither taken nor counted.

    Raises:
        DatasetError: If a path does not exist; nothing has been screened then.
    """
    found: list[Path] = []
    n_others = 0
    for path in map(Path, paths):
        if path.is_dir():
            files = [f for f in _files_below(path) if out is None or not _is_same_file(f, out)]
            photos = [f for f in files if f.suffix.lower().lstrip(".") in PHOTO_ENDINGS]
            found += photos
            n_others += len(files) - len(photos)
        elif path.exists():
            found.append(path)
        else:
            raise DatasetError(f"Expected a photo or a folder at '{path}'. There is none. Check the path.")
    return found, n_others


def _files_below(folder: Path) -> list[Path]:
    files: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(parent) / name for name in names if not name.startswith(".")]
    return sorted(file for file in files if file.is_file())


def _is_same_file(file: Path, other: Path) -> bool:
    return other.exists() and file.samefile(other)


def read_metadata_table(source: Path | bytes) -> dict[str, Metadata | str]:
    r"""Read the metadata of many photos: ``image`` or ``image_id``, and any of ``METADATA_COLUMNS``.

    A row that cannot be true becomes one sentence about it; the other rows go on.

    Args:
        source: A CSV file, or its bytes.

    Returns:
        ``tables.photo_key`` of the photo -> its metadata, or the sentence that says what is wrong with its row.

    Raises:
        TableError: If the table cannot be read, names no photos, or has none of the columns.

    >>> table = read_metadata_table(b"image_id,age\nISIC_1.jpg,61\nISIC_2,300\n")
    >>> table["isic_1"].age_approx, table["isic_2"][:46]
    (61.0, 'The metadata table, line 3: Expected age in ye')
    """
    rows = read_table(source, what="The metadata table")
    key = key_column(rows[0], what="The metadata table")
    if not set(METADATA_COLUMNS) & set(rows[0]):
        raise TableError(
            f"The metadata table needs at least one of the columns {', '.join(METADATA_COLUMNS)}. "
            f"Received the columns: {', '.join(rows[0])}. Add or rename a column."
        )
    table: dict[str, Metadata | str] = {}
    lines: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        if not row.get(key):
            table[f"line {line}"] = _about(line, f"Expected a photo's name in '{key}'. The cell is empty. Fill it in.")
            continue
        photo = photo_key(row[key])
        entry = _metadata_or_error(line, row)
        if photo in table and table[photo] != entry:
            entry = _about(
                line,
                f"The photo '{row[key]}' also stands in line {lines[photo]} with other values. Keep one of the two.",
            )
        table[photo], lines[photo] = entry, lines.get(photo, line)
    return table


def _metadata_or_error(line: int, row: Mapping[str, str]) -> Metadata | str:
    try:
        return metadata_from_row(row)
    except MetadataError as error:
        return _about(line, str(error))


def _about(line: int, sentence: str) -> str:
    return f"The metadata table, line {line}: {sentence}"


def screen_each(
    photos: Iterable[tuple[str, bytes | Path]],
    *,
    predictor: Predictor,
    metadata: MetadataTable | None = None,
    image_type: ImageType = ImageType.DERMOSCOPIC,
) -> Iterator[BatchItem]:
    """Screen photos one by one, each as a lesion of its own, in input order.

    A photo that cannot be read or used comes out refused; a wrong metadata row leaves its photo without metadata.

    Args:
        photos: (name, bytes or file).
        metadata: From ``read_metadata_table``; None when there is none.
    """
    for name, source in photos:
        entry = (metadata or {}).get(photo_key(name), Metadata())
        known, error = (Metadata(), entry) if isinstance(entry, str) else (entry, None)
        yield BatchItem(name, _screen_one(name, source, known, image_type, predictor), error)


def _screen_one(
    name: str, source: bytes | Path, metadata: Metadata, image_type: ImageType, predictor: Predictor
) -> Screening:
    unreadable: PhotoError | None = None
    data = b""
    try:
        data = source if isinstance(source, bytes) else _read_bytes(source)
    except PhotoError as error:
        unreadable = error
    screening = screen_lesion(
        [(name, data)], metadata=metadata, answers=Answers(), image_type=image_type, predictor=predictor
    )
    if unreadable is None:
        return screening
    # Screened as an empty file, so that a refusal is recorded by one way only; its true reason goes in.
    reason = Reason(unreadable.code, str(unreadable))
    return replace(screening, photos=(replace(screening.photos[0], reason=reason),))


def _read_bytes(path: Path) -> bytes:
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_SIZE_BYTES:
            raise PhotoTooLargeError(
                f"The file may have at most {MAX_SIZE_BYTES // 2**20} MB. Received {size_bytes / 2**20:.0f} MB. "
                "Save the photo smaller, or as JPEG."
            )
        with path.open("rb") as file:
            return file.read(MAX_SIZE_BYTES + 1)
    except OSError as error:
        raise UnreadablePhotoError(
            f"Expected a readable photo at '{path}'. It is missing, or may not be opened. Check the path."
        ) from error


def screen_files(
    files: Sequence[Path],
    *,
    predictor: Predictor,
    metadata: MetadataTable | None = None,
    image_type: ImageType = ImageType.DERMOSCOPIC,
    out: Path | None = None,
    resume: bool = False,
    on_progress: Callable[[int, int, BatchItem], None] = lambda n_done, n_photos, item: None,
) -> BatchSummary:
    """Screen files and write one physical line a photo, in input order, each on disk before the next is begun.

    Args:
        files: From ``find_photo_files``.
        metadata: From ``read_metadata_table``; None when there is none.
        out: ``.csv`` or ``.jsonl``; replaced unless ``resume``. None writes nothing.
        resume: Keep the photos that ``out`` already holds (a line torn by a kill is dropped and done again).
        on_progress: Called after each photo with (photos done, photos in all, the photo's item).

    Raises:
        OutputError: If ``out`` has another ending, cannot be written, or holds another batch than the one to resume.
    """
    started = time.perf_counter()
    manifest = predictor.manifest
    row_file = None if out is None else RowFile(out, codes=manifest.codes, model_sha256=manifest.sha256)
    rows_done = row_file.keep_finished_rows([str(file) for file in files]) if row_file and resume else []
    statuses = Counter(Status(row["status"]) for row in rows_done)
    next_steps = Counter(NextStep(row["next_step"]) for row in rows_done)
    errors: list[str] = []
    n_resumed = n_done = len(rows_done)
    with nullcontext() if row_file is None else row_file.open(append=resume) as write_photo:
        photos = ((str(file), file) for file in files[n_resumed:])
        for item in screen_each(photos, predictor=predictor, metadata=metadata, image_type=image_type):
            photo = item.screening.photos[0]
            if write_photo is not None:
                write_photo(_with_metadata_error(photo, item.metadata_error), item.screening)
            n_done += 1
            statuses[photo.status] += 1
            next_steps[photo.next_step] += 1
            errors += [] if item.metadata_error is None else [f"{item.name}: {item.metadata_error}"]
            on_progress(n_done, len(files), item)
    keys = {photo_key(file.name) for file in files}
    return BatchSummary(
        n_photos=len(files),
        n_resumed=n_resumed,
        statuses=dict(statuses),
        next_steps=dict(next_steps),
        metadata_errors=tuple(errors),
        unused_rows=tuple(key for key in metadata or {} if key not in keys),
        elapsed_s=time.perf_counter() - started,
    )


def rank_for_triage(items: Iterable[BatchItem]) -> list[BatchItem]:
    """Return the items in the order a clinician should look: next step first, then share of cancer or pre-cancer.

    Photos that could not be assessed come last, in input order.
    """
    return sorted(items, key=lambda item: (-item.screening.next_step.urgency, -(item.p_malignant or 0.0)))


def _with_metadata_error(photo: PhotoScreening, error: str | None) -> PhotoScreening:
    """Return the photo with the unused metadata named in its reason, so that the file itself tells."""
    if error is None:
        return photo
    unused = f"Metadata not used. {error}"
    if photo.reason is None:
        return replace(photo, reason=Reason("metadata_not_used", unused))
    return replace(photo, reason=Reason(photo.reason.code, f"{photo.reason.sentence} {unused}"))
