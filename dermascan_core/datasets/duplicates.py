"""Finds photos that occur twice: the same pixels, or the same picture saved again, resized, recoloured, turned or mirrored.

A perceptual hash of each photo proposes pairs, a comparison of their detail confirms them; see decision 15.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from ..errors import PhotoError
from ..imaging.decode import read_photo

Progress = Callable[[int, int], None]
_Result = TypeVar("_Result")
_THUMB_PX = 32
_COARSE, _FINE = 8, 16  # lowest DCT frequencies a side: a hash of 64 bits, and one of 256
N_VIEWS = 8  # four rotations, each also mirrored

# Measured on HAM10000, 40 million pairs of different lesions: hashes alone propose dozens of false pairs (a small mole
# in the middle of a vignette looks like any other), the two steps together leave two pairs, both the same picture.
MAX_COARSE_BITS = 12
MAX_FINE_BITS = 48
CLOSE_FINE_BITS = 30
MIN_SIMILARITY = 0.85
MIN_SIMILARITY_OF_CLOSE = 0.6
_DETAIL_PX, _DETAIL_SIGMA_PX, _MAX_SHIFT_PX = 96, 2.0, 8


@dataclass(frozen=True, slots=True)
class PhotoPrint:
    """What a photo is compared by.

    Attributes:
        pixels_sha256: Of the decoded pixels and their shape: equal for the same photo under other tags.
        width_px, height_px: Of the upright photo.
        coarse: Hashes of its eight views, shape (8,), uint64; the first is the photo itself.
        fine: The same with 256 bits, shape (8, 4), uint64.
    """

    pixels_sha256: str
    width_px: int
    height_px: int
    coarse: npt.NDArray[np.uint64]
    fine: npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two photos that show the same picture.

    Attributes:
        first, second: Their names, in the given order.
        is_exact: Whether every pixel is the same.
        n_bits: How many of 256 hash bits differ, in the best of eight views.
        similarity: Correlation of their detail at the best shift, up to 1.
    """

    first: str
    second: str
    is_exact: bool
    n_bits: int
    similarity: float


def photo_print(rgb: npt.NDArray[np.uint8]) -> PhotoPrint:
    """Return the print of a photo (height, width, 3), uint8.

    The hash is that of Zauner (2010): which of the lowest DCT frequencies of a 32x32 grey thumbnail lie above their
    median; a flip only changes the sign of odd frequencies, and a turn by 90 degrees also swaps the axes.
    """
    height, width = rgb.shape[:2]
    pixels = hashlib.sha256(f"{width}x{height}".encode())
    pixels.update(np.ascontiguousarray(rgb).data)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    thumb = cv2.resize(grey, (_THUMB_PX, _THUMB_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    frequencies = np.asarray(cv2.dct(thumb), np.float32)[:_FINE, :_FINE]
    views = [_turned_frequencies(frequencies, view) for view in range(N_VIEWS)]
    return PhotoPrint(
        pixels_sha256=pixels.hexdigest(),
        width_px=width,
        height_px=height,
        coarse=np.concatenate([_bits(view[:_COARSE, :_COARSE]) for view in views]),
        fine=np.stack([_bits(view) for view in views]),
    )


def _turned_frequencies(frequencies: npt.NDArray[np.floating], view: int) -> npt.NDArray[np.floating]:
    sign = np.where(np.arange(len(frequencies)) % 2, -1, 1)
    turned = frequencies.T if view & 1 else frequencies
    turned = turned * sign[:, None] if view & 2 else turned
    return turned * sign[None, :] if view & 4 else turned


def _turned(grey: npt.NDArray[np.uint8], view: int) -> npt.NDArray[np.uint8]:
    """Return the view of a square picture whose frequencies ``_turned_frequencies`` gives."""
    turned = grey.T if view & 1 else grey
    turned = turned[::-1] if view & 2 else turned
    return turned[:, ::-1] if view & 4 else turned


def _bits(frequencies: npt.NDArray[np.floating]) -> npt.NDArray[np.uint64]:
    flat = frequencies.ravel()[1:]  # without the mean brightness
    return np.packbits(np.append(flat > np.median(flat), False)).view(np.uint64)


def read_prints(
    files: Mapping[str, Path], *, on_progress: Progress = lambda done, total: None
) -> tuple[dict[str, PhotoPrint], dict[str, PhotoError]]:
    """Decode every photo once and return (name -> print, name -> why a photo cannot be used)."""
    prints: dict[str, PhotoPrint] = {}
    broken: dict[str, PhotoError] = {}
    for name, result in _in_threads(_read_print, files, on_progress):
        if isinstance(result, PhotoError):
            broken[name] = result
        else:
            prints[name] = result
    return prints, broken


def _read_print(path: Path) -> PhotoPrint | PhotoError:
    try:
        return photo_print(read_photo(path))
    except PhotoError as error:
        return error


def _in_threads(
    work: Callable[[Path], _Result], files: Mapping[str, Path], on_progress: Progress
) -> Iterator[tuple[str, _Result]]:
    # Decoding leaves Python's lock alone. In slices, so that prints of a huge archive do not queue up.
    names = list(files)
    with ThreadPoolExecutor(max_workers=min(os.cpu_count() or 1, 8)) as pool:
        for start in range(0, len(names), 256):
            part = names[start : start + 256]
            yield from zip(part, pool.map(work, [files[name] for name in part]), strict=True)
            on_progress(start + len(part), len(names))


def find_duplicates(
    prints: Mapping[str, PhotoPrint],
    files: Mapping[str, Path],
    *,
    on_progress: Progress = lambda done, total: None,
) -> list[DuplicatePair]:
    """Return the pairs of photos that show the same picture.

    Found: the same pixels; and one picture saved again as JPEG, scaled, brightened, slightly blurred, mirrored or
    turned by 90 degrees. Not found: a cut-out that trims more than 1 or 2 % at an edge, another turn, another
    photograph of the same lesion.

    Args:
        prints: Name -> print.
        files: Name -> file, read once more for the pairs that the hashes propose.
        on_progress: Called with (done, total) while hashes are compared.
    """
    names = list(prints)
    same: dict[str, list[str]] = {}
    for name in names:
        same.setdefault(prints[name].pixels_sha256, []).append(name)
    pairs = [
        DuplicatePair(group[0], other, is_exact=True, n_bits=0, similarity=1.0)
        for group in same.values()
        for other in group[1:]
    ]
    kept = [group[0] for group in same.values()]
    details: dict[str, npt.NDArray[np.uint8]] = {}
    for first, second, n_bits, view in _proposals([prints[name] for name in kept], on_progress):
        for index in (first, second):
            if kept[index] not in details:
                details[kept[index]] = _detail_thumb(read_photo(files[kept[index]]))
        likeness = similarity(details[kept[first]], _turned(details[kept[second]], view))
        if likeness >= (MIN_SIMILARITY_OF_CLOSE if n_bits <= CLOSE_FINE_BITS else MIN_SIMILARITY):
            pairs.append(DuplicatePair(kept[first], kept[second], False, n_bits, round(likeness, 3)))
    return pairs


def _proposals(prints: Sequence[PhotoPrint], on_progress: Progress) -> Iterator[tuple[int, int, int, int]]:
    """Yield (first, second, differing bits, view of the second) for pairs whose hashes are close, each pair once."""
    if not prints:
        return
    coarse = np.stack([p.coarse for p in prints])  # (n, 8)
    fine = np.stack([p.fine for p in prints])  # (n, 8, 4)
    block = max(1, 4_000_000 // len(prints))
    for start in range(0, len(prints), block):
        best: dict[tuple[int, int], tuple[int, int]] = {}
        for view in range(N_VIEWS):
            # Only later photos: every pair is met once.
            distance = np.bitwise_count(coarse[start : start + block, None, 0] ^ coarse[None, start:, view])
            rows, columns = np.nonzero(distance <= MAX_COARSE_BITS)
            later = columns > rows
            firsts, seconds = rows[later] + start, columns[later] + start
            n_bits = np.bitwise_count(fine[firsts, 0] ^ fine[seconds, view]).sum(axis=1, dtype=int)
            for index in np.flatnonzero(n_bits <= MAX_FINE_BITS):
                pair = (int(firsts[index]), int(seconds[index]))
                best[pair] = min(best.get(pair, (257, 0)), (int(n_bits[index]), view))
        yield from ((first, second, *found) for (first, second), found in sorted(best.items()))
        on_progress(min(start + block, len(prints)), len(prints))


def _detail_thumb(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (_DETAIL_PX, _DETAIL_PX), interpolation=cv2.INTER_AREA), np.uint8)


def similarity(first: npt.NDArray[np.uint8], second: npt.NDArray[np.uint8]) -> float:
    """Return the correlation of two grey squares' detail, at the best shift of up to 8 % of a side, up to 1.

    Shading and the dark frame of a dermatoscope are filtered out, for every photo of one device shares them.
    """
    spectra = [np.fft.rfft2(_detail(square)) for square in (first, second)]
    correlation = np.fft.irfft2(spectra[0] * np.conj(spectra[1]), s=first.shape)
    shifts = np.r_[0 : _MAX_SHIFT_PX + 1, -_MAX_SHIFT_PX:0]
    return float(correlation[np.ix_(shifts, shifts)].max())


def _detail(square: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    values = square.astype(np.float32)
    values -= cv2.GaussianBlur(values, (0, 0), _DETAIL_SIGMA_PX)
    window = np.hanning(len(values)).astype(np.float32)
    values *= window[:, None] * window[None, :]
    values -= values.mean()
    return np.asarray(values / (np.linalg.norm(values) + 1e-6), np.float32)


def join_groups(links: Iterable[Iterable[str]]) -> dict[str, str]:
    """Return name -> group, where names that occur in one link, or in links that share a name, are one group.

    A group goes by its first name in alphabetical order.

    >>> join_groups([("a", "b"), ("c", "b"), ("d",)])
    {'a': 'a', 'b': 'a', 'c': 'a', 'd': 'd'}
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    for link in links:
        roots = sorted({root(name) for name in link})
        for other in roots[1:]:
            parent[other] = roots[0]
    return {name: root(name) for name in sorted(parent)}
