"""Training tables and squares: which photos train, which validate, and their pixels cached on disk."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..datasets.masks import find_mask
from ..errors import DatasetError, OutputError, PhotoError
from ..imaging.decode import read_photo
from ..imaging.preprocess import PreprocessConfig, preprocess
from ..tables import (
    LabelledPhoto,
    find_photos,
    has_fold,
    photos_by_lesion,
    photos_by_patient,
    read_labels,
    read_split,
    shipped_splits,
    split_sha256,
)
from ..taxonomy import CLASSES, target_codes
from .run_folder import turn_in


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled photos of one folder, with their files.

    Attributes:
        photos: Rows whose photo exists.
        files: image_id -> file.
        split_sha256: Hash of (image_id, group, split, fold) over all rows, so that a run can name its split.
        missing: Rows whose photo does not exist.
    """

    photos: tuple[LabelledPhoto, ...]
    files: dict[str, Path]
    split_sha256: str
    missing: tuple[LabelledPhoto, ...] = ()

    @property
    def is_shipped_split(self) -> bool:
        """Whether this is HAM10000 by the split that ships with the project."""
        return self.split_sha256 in {split_sha256(read_split(path)) for path in shipped_splits()}

    def part(self, *, split: str, folds: set[str] | None = None) -> list[LabelledPhoto]:
        """Return the rows of one split, or of some folds within it."""
        return [p for p in self.photos if p.split == split and (folds is None or p.fold in folds)]


def load_dataset(folders: Path | Sequence[Path]) -> Dataset:
    """Read ``metadata.csv`` and ``images/`` of one or several folders and check that no person and no lesion lies in two splits.

    A table without ``split`` and ``fold`` columns gets those that ship for HAM10000, by ``image_id``.

    Args:
        folders: Data sets that are trained on together; their photos must have different names.

    Raises:
        DatasetError: If a folder is not a data set, holds no known split or a fold that is no number, or leaks; names
            the people and lesions.
    """
    parts = {folder: _read_rows(folder) for folder in ([folders] if isinstance(folders, Path) else folders)}
    photos = [photo for part in parts.values() for photo in part]
    _refuse_wrong_folds(photos)
    _refuse_leaks(photos)
    names = Counter(p.image_id for p in photos)
    if doubled := sorted(name for name, n in names.items() if n > 1):
        raise DatasetError(
            f"Expected every photo once. {len(doubled)} names occur more than once, such as {', '.join(doubled[:5])}. "
            "Rename them, or leave one of the data sets out."
        )
    files: dict[str, Path] = {}
    for folder, part in parts.items():
        found = find_photos(folder / "images", [p.image_id for p in part])
        if not found:
            raise DatasetError(f"Expected the photos of metadata.csv in '{folder / 'images'}'. None of them is there.")
        files |= found
    return Dataset(
        photos=tuple(p for p in photos if p.image_id in files),
        files=files,
        split_sha256=split_sha256(photos),
        missing=tuple(p for p in photos if p.image_id not in files),
    )


def _read_rows(folder: Path) -> list[LabelledPhoto]:
    table = folder / "metadata.csv"
    if not table.is_file() or not (folder / "images").is_dir():
        raise DatasetError(
            f"Expected metadata.csv and images/ in '{folder}'. They are not there. "
            "Make them with: python -m dermascan_core data import ham10000 --help"
        )
    photos = read_labels(table)
    if n_unnamed := sum(not p.dx for p in photos):
        raise DatasetError(
            f"Expected a diagnosis (dx) for every photo in '{table}'. {n_unnamed} only say malignant or not (target). "
            "They cannot teach classes: name their diagnosis, or take the rows out."
        )
    return photos if any(p.split for p in photos) else _join_shipped_split(photos)


def _join_shipped_split(photos: Sequence[LabelledPhoto]) -> list[LabelledPhoto]:
    shipped = {row.image_id: row for path in shipped_splits() for row in read_split(path)}
    joined = [
        replace(p, split=row.split, fold=row.fold, lesion_id=p.lesion_id or row.lesion_id)
        for p in photos
        if (row := shipped.get(p.image_id))
    ]
    if not joined:
        raise DatasetError(
            "Expected columns 'split' (train or test) and 'fold' in metadata.csv, or photos of HAM10000, whose split "
            "ships with this project. Received neither. Make a split with: python -m dermascan_core data split --help"
        )
    return joined


def _refuse_wrong_folds(photos: Sequence[LabelledPhoto]) -> None:
    if wrong := [p for p in photos if p.split == "train" and not has_fold(p)]:
        raise DatasetError(
            f"Expected a number as the fold of every photo of the train split. {len(wrong)} have none, such as "
            f"{wrong[0].image_id} with '{wrong[0].fold}'. "
            "Part the data with: python -m dermascan_core data split --help"
        )


def _refuse_leaks(photos: Sequence[LabelledPhoto]) -> None:
    # Each by itself: a lesion's patient may stand in one row and be missing in another.
    owners = [*photos_by_patient(photos).items(), *photos_by_lesion(photos).items()]
    leaks = sorted(owner for owner, owned in owners if len({(p.split, p.fold) for p in owned}) > 1)
    if leaks:
        shown = ", ".join(leaks[:10]) + (f" and {len(leaks) - 10} more" if len(leaks) > 10 else "")
        raise DatasetError(
            f"Expected every lesion (or patient) in one split and one fold only. {len(leaks)} lie in several: {shown}. "
            "Results on such a split would be too good; correct 'split' and 'fold'."
        )


def has_masks(folders: Sequence[Path]) -> bool:
    """Return whether any photo of the train split of these data sets has a lesion mask.

    Raises:
        DatasetError: If a folder with masks is not a data set.
    """
    return any(_trains_with_mask(folder) for folder in folders if (folder / "masks").is_dir())


def _trains_with_mask(folder: Path) -> bool:
    names = [photo.image_id for photo in _read_rows(folder) if photo.split == "train"]
    return any(find_mask(file) is not None for file in find_photos(folder / "images", names).values())


def class_codes(photos: Sequence[LabelledPhoto]) -> tuple[str, ...]:
    """Return the codes to train on, in taxonomy order: those that occur, and both halves of an undivided ``akiec``.

    Raises:
        DatasetError: If all photos show one class.
    """
    present = {code for photo in photos for code in target_codes(photo.dx)}
    if len(present) < 2:
        raise DatasetError(
            f"Expected photos of at least two classes. Received {len(photos):,} photos of one class: "
            f"{', '.join(sorted(present)) or 'none'}. There is nothing to tell apart; add photos of another class."
        )
    return tuple(c.code for c in CLASSES if c.code in present)


def targets(photos: Sequence[LabelledPhoto], codes: Sequence[str]) -> npt.NDArray[np.float32]:
    """Return an array (len(photos), len(codes)) whose rows sum to 1."""
    encoded = np.zeros((len(photos), len(codes)), np.float32)
    for row, photo in zip(encoded, photos, strict=True):
        shares = target_codes(photo.dx)
        for code in shares:
            row[list(codes).index(code)] = 1 / len(shares)
    return encoded


def load_squares(
    dataset: Dataset,
    photos: Sequence[LabelledPhoto],
    config: PreprocessConfig,
    *,
    cache_dir: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> npt.NDArray[np.uint8]:
    """Return the network's squares of the photos, computed once and kept as a memory map.

    Args:
        dataset: Where the files are.
        photos: Which ones, in order.
        config: The one preprocessing.
        cache_dir: Folder for the cache; its key covers the config, the photo list, and each file's size and time.
        on_progress: Called with (done, total).

    Returns:
        Array (len(photos), input_px, input_px, 3), uint8, read-only.

    Raises:
        DatasetError: If a training photo cannot be decoded; names it.
        OutputError: If the disk has no room for the squares.
    """
    stamps = [(p.image_id, (stat := dataset.files[p.image_id].stat()).st_size, stat.st_mtime_ns) for p in photos]
    key = hashlib.sha256(json.dumps([config.to_dict(), stamps]).encode()).hexdigest()[:16]
    path = cache_dir / f"squares-{key}.npy"
    if not path.is_file():
        cache_dir.mkdir(parents=True, exist_ok=True)
        with turn_in(cache_dir):  # runs, and processes of one run, may share the folder
            if not path.is_file():
                _prepare(path, dataset, photos, config, on_progress)
    squares_on_disk: npt.NDArray[np.uint8] = np.load(path, mmap_mode="r")
    return squares_on_disk


def _prepare(
    path: Path,
    dataset: Dataset,
    photos: Sequence[LabelledPhoto],
    config: PreprocessConfig,
    on_progress: Callable[[int, int], None],
) -> None:
    partial = path.with_suffix(".partial")
    squares = _reserve(partial, (len(photos), config.input_px, config.input_px, 3))
    for index, photo in enumerate(photos):
        try:
            squares[index] = preprocess(read_photo(dataset.files[photo.image_id]), config)
        except PhotoError as error:
            raise DatasetError(f"The photo '{photo.image_id}' cannot train a model: {error}") from error
        on_progress(index + 1, len(photos))
    squares.flush()
    partial.rename(path)


def class_counts(photos: Sequence[LabelledPhoto]) -> dict[str, int]:
    """Return dx -> number of photos."""
    return dict(sorted(Counter(p.dx for p in photos).items()))


def _reserve(path: Path, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[np.uint8]]:
    """Return a new memory map whose blocks exist on the disk: a full one is said here, and kills nobody later.

    Raises:
        OutputError: If the disk has not so much room.
    """
    try:
        squares = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
        if hasattr(os, "posix_fallocate"):
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise OutputError(
            f"Expected room for {np.prod(shape) / 1e6:.0f} MB of prepared photos in '{path.parent}'. "
            f"The disk said: {error.strerror or error}. Free some space, then go on."
        ) from error
    return squares
