"""Screens many photos: finds the files, and writes one line a photo as it goes."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from ..domain import ImageType, NextStep, Screening, Status
from ..errors import DatasetError
from ..model.predictor import Predictor
from ..tables import PHOTO_ENDINGS
from ..triage.contradictions import contradictions
from .lesion_batch import with_unused_metadata
from .metadata_table import MetadataRow, match_rows, unused_rows
from .metadata_table import MetadataTable as MetadataTable
from .metadata_table import read_metadata_table as read_metadata_table
from .row_file import RowFile
from .screeners import PhotoTask, Screener, ThreadScreener


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One photo of a batch.

    Attributes:
        name: As given; untrusted text.
        screening: Of this photo alone, with the answers that its row of the table holds; the photo's reason names metadata that was not used.
        metadata_error: What of its row of the metadata table was not used, and why; None when there was nothing wrong.
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
        metadata_errors: One sentence for each row that was not used, or in part, and for each two answers of a row
            that contradict each other, in the order the photos came.
        unused_rows: Names of metadata rows that no photo of this batch matched.
        elapsed_s: Of this run.
    """

    n_photos: int
    n_resumed: int
    statuses: Mapping[Status, int]
    next_steps: Mapping[NextStep, int]
    metadata_errors: tuple[str, ...] = ()
    unused_rows: tuple[str, ...] = ()
    elapsed_s: float = 0.0

    @property
    def photos_per_s(self) -> float | None:
        """How many photos this run answered or refused a second; None where there was nothing left to do."""
        n_screened = self.n_photos - self.n_resumed
        return n_screened / self.elapsed_s if n_screened and self.elapsed_s > 0 else None


def find_photo_files(paths: Iterable[Path], *, out: Path | None = None) -> tuple[list[Path], int]:
    """Return the photos that the paths mean, in input order, and how many other files were left out.

    A file is taken as given. A folder means every non-hidden file below it, sorted by path, whose ending is an
    image's. Links to folders are not followed; ``out`` itself is neither taken nor counted.

    Raises:
        DatasetError: If a path does not exist, or a folder may not be read: its photos would be left out unsaid.
            Nothing has been screened then.
    """
    found: list[Path] = []
    n_others = 0
    for path in map(Path, paths):
        try:
            if path.is_dir():
                files = [f for f in _files_below(path) if out is None or not _is_same_file(f, out)]
                photos = [f for f in files if f.suffix.lower().lstrip(".") in PHOTO_ENDINGS]
                found += photos
                n_others += len(files) - len(photos)
            elif path.exists():
                found.append(path)
            else:
                raise DatasetError(f"Expected a photo or a folder at '{path}'. There is none. Check the path.")
        except OSError as error:
            raise DatasetError(
                f"Expected a photo or a folder that can be read at '{error.filename or path}': {error.strerror}. "
                "Check the path and its permissions, or leave it out."
            ) from error
    return found, n_others


def _files_below(folder: Path) -> list[Path]:
    files: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(parent) / name for name in names if not name.startswith(".")]
    return sorted(file for file in files if file.is_file())


def _raise(error: OSError) -> None:
    raise error


def _is_same_file(file: Path, other: Path) -> bool:
    return other.exists() and file.samefile(other)


def screen_each(
    photos: Iterable[tuple[str, bytes | Path]],
    *,
    predictor: Predictor,
    metadata: MetadataTable | None = None,
    image_type: ImageType = ImageType.DERMOSCOPIC,
) -> Iterator[BatchItem]:
    """Screen photos, several at once, each as a lesion of its own; give them in input order.

    A photo that cannot be read or used comes out refused; a wrong cell of the metadata table counts as unknown.

    Args:
        photos: (name, bytes or file).
        metadata: From ``read_metadata_table``; None when there is none.
    """
    photos = list(photos)
    yield from _screen_matched(photos, match_rows(photos, metadata or {}), image_type, ThreadScreener(predictor))


def _screen_matched(
    photos: Sequence[tuple[str, bytes | Path]],
    rows: Sequence[MetadataRow | None],
    image_type: ImageType,
    screener: Screener,
    *,
    repeat: bool = False,
) -> Iterator[BatchItem]:
    known = [row or MetadataRow(name, line=0) for (name, _), row in zip(photos, rows, strict=True)]
    tasks = (
        PhotoTask(name, source, row.metadata, row.answers, image_type, repeat)
        for (name, source), row in zip(photos, known, strict=True)
    )
    for screening, row in zip(screener.screen(tasks), known, strict=True):
        name = screening.photos[0].name
        yield BatchItem(name, _with_metadata_problem(screening, row.problem), row.problem or None)


def screen_files(
    files: Sequence[Path],
    *,
    predictor: Predictor | Screener,
    names: Sequence[str] | None = None,
    metadata: MetadataTable | None = None,
    image_type: ImageType = ImageType.DERMOSCOPIC,
    out: Path | None = None,
    resume: bool = False,
    repeat: bool = False,
    on_progress: Callable[[int, int, BatchItem], None] = lambda n_done, n_photos, item: None,
) -> BatchSummary:
    """Screen files and write one physical line a photo, in input order.

    Several photos are worked on at once, a bounded number ahead of the last line; a line is with the system as soon as
    its photo and all before it are answered. A kill loses the few photos that were ahead, and ``resume`` does them again.

    Args:
        files: From ``find_photo_files``.
        predictor: The model, whose photos threads of this process answer; or a ``Screener`` that has them answered
            elsewhere.
        names: What to call each in its line, and to know its row by; None calls it by its path.
        metadata: From ``read_metadata_table``; None when there is none.
        out: ``.csv`` or ``.jsonl``; replaced unless ``resume``. None writes nothing.
        resume: Keep the photos that ``out`` already holds (a line torn by a kill is dropped and done again).
        repeat: Also answer small changes of each photo; an answer that changes too often is unsure. Slower.
        on_progress: Called after each photo with (photos done, photos in all, the photo's item).

    Raises:
        OutputError: If ``out`` has another ending, cannot be written, or holds another batch than the one to resume.
    """
    started = time.perf_counter()
    screener = predictor if isinstance(predictor, Screener) else ThreadScreener(predictor)
    manifest = screener.manifest
    row_file = (
        None if out is None else RowFile(out, codes=manifest.codes, model_sha256=manifest.sha256, image_type=image_type)
    )
    photos = list(zip(names or [str(file) for file in files], files, strict=True))
    rows_done = row_file.keep_finished_rows([name for name, _ in photos]) if row_file and resume else []
    statuses = Counter(Status(row["status"]) for row in rows_done)
    next_steps = Counter(NextStep(row["next_step"]) for row in rows_done)
    errors: list[str] = []
    # Of all photos, also those of the earlier run: they decide whether a row can mean one photo only.
    metadata_rows = match_rows(photos, metadata or {})
    n_resumed = n_done = len(rows_done)
    with nullcontext() if row_file is None else row_file.open(append=resume) as write_photo:
        for item in _screen_matched(photos[n_resumed:], metadata_rows[n_resumed:], image_type, screener, repeat=repeat):
            photo = item.screening.photos[0]
            if write_photo is not None:
                write_photo(photo, item.screening)
            n_done += 1
            statuses[photo.status] += 1
            next_steps[photo.next_step] += 1
            errors += [] if item.metadata_error is None else [f"{item.name}: {item.metadata_error}"]
            said = contradictions(item.screening.answers, item.screening.metadata)
            errors += [f"{item.name}: {sentence}" for sentence in said]
            on_progress(n_done, len(files), item)
    return BatchSummary(
        n_photos=len(files),
        n_resumed=n_resumed,
        statuses=dict(statuses),
        next_steps=dict(next_steps),
        metadata_errors=tuple(errors),
        unused_rows=unused_rows([name for name, _ in photos], metadata or {}),
        elapsed_s=time.perf_counter() - started,
    )


def _with_metadata_problem(screening: Screening, problem: str) -> Screening:
    """Return the screening with the unused metadata named in its photo's reason, so that every writer tells it."""
    if not problem:
        return screening
    photo = screening.photos[0]
    return replace(screening, photos=(replace(photo, reason=with_unused_metadata(photo.reason, problem)),))
