"""Photos by the SHA-256 of their bytes, each sealed in a file of its own: ``images/3f/2a/3f2a...``, its thumbnail beside it.

Storage decodes no picture: whoever puts a photo hands over its thumbnail as JPEG bytes.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ..errors import SealError, StorageError
from .files import PARTIAL, make_private_folder, one_at_a_time, write_whole
from .vault import Vault

THUMBNAIL = ".thumbnail"
UNREFERENCED_FOR = timedelta(
    hours=1
)  # a photo is stored before the row that names it: younger ones may be on their way
_TWO_DEEP = "[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RESTORE = "Restore it from a backup: python -m dermascan_core db restore --help"


@dataclass(frozen=True, slots=True)
class Swept:
    """What tidying removed: photos that nothing names, files that a kill left half-written, and their bytes."""

    n_photos: int
    n_partial: int
    size_bytes: int


class ImageStore:
    """Sealed photos in a folder, made with the first one. Safe for any number of threads and processes.

    A method that is given anything but 64 lower-case hex digits as ``sha256`` raises ValueError, so that no text from
    outside becomes a path.
    """

    def __init__(self, folder: Path, vault: Vault) -> None:
        self.folder = folder
        self._vault = vault

    def put(self, data: bytes, *, thumbnail: bytes | None = None) -> str:
        """Store a photo, on the disk for good when this returns; the same photo twice is one file.

        Args:
            data: The photo's file, as it is to be kept.
            thumbnail: A JPEG of at most 256 px a side.

        Returns:
            The SHA-256 of ``data``, 64 hex digits.

        Raises:
            StorageError: It cannot be written; then nothing is left of it.
            SealError: The key is gone.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        plain = {self.path(sha256): data}
        if thumbnail is not None:
            plain[self._thumbnail(sha256)] = thumbnail
        make_private_folder(self.folder)
        with self._locked():  # sealed inside: what is written after the lock was free has the key of that time
            self._write({path: self._vault.seal_bytes(content) for path, content in plain.items()})
        return sha256

    def put_sealed(self, sha256: str, sealed: bytes, *, thumbnail: bytes | None = None) -> None:
        """Store what a backup holds, after making sure that it opens and is that photo.

        Raises:
            StorageError: It is another photo, or cannot be written.
            SealError: No key at hand opens it.
        """
        self._opened(sha256, sealed)
        files = {self.path(sha256): sealed}
        if thumbnail is not None:
            files[self._thumbnail(sha256)] = thumbnail
        make_private_folder(self.folder)
        with self._locked():
            self._write(files)

    def get(self, sha256: str) -> bytes:
        """Return a photo's bytes, compared with their SHA-256.

        Raises:
            StorageError: It is not there, or the file is damaged.
            SealError: It was sealed with another key, or altered.
        """
        return self._opened(sha256, self.read_sealed(sha256))

    def read_sealed(self, sha256: str) -> bytes:
        """Return a photo as it lies on the disk.

        Raises:
            StorageError: It is not there.
        """
        return _read(self.path(sha256), f"The photo {sha256[:12]}")

    def read_sealed_thumbnail(self, sha256: str) -> bytes | None:
        """Return a photo's thumbnail as it lies on the disk; None where there is none."""
        path = self._thumbnail(sha256)
        return _read(path, f"The small picture of photo {sha256[:12]}") if path.is_file() else None

    def thumbnail(self, sha256: str) -> bytes:
        """Return a photo's small JPEG.

        Raises:
            StorageError: There is none.
            SealError: It was sealed with another key, or altered.
        """
        return self._vault.open_bytes(_read(self._thumbnail(sha256), f"The small picture of photo {sha256[:12]}"))

    def has(self, sha256: str) -> bool:
        """Whether a photo is there; says nothing of whether it can be opened."""
        return self.path(sha256).is_file()

    def has_thumbnail(self, sha256: str) -> bool:
        """Whether a photo's small JPEG is there."""
        return self._thumbnail(sha256).is_file()

    def remove(self, sha256: str) -> None:
        """Remove a photo, its thumbnail and what a kill left of them; nothing happens where there is none.

        Raises:
            StorageError: The disk does not allow it.
        """
        path = self.path(sha256)
        if not path.parent.is_dir():
            return
        with self._locked():
            for found in [path, self._thumbnail(sha256), *path.parent.glob(f".{sha256}*{PARTIAL}")]:
                _remove(found)

    def all(self) -> Iterator[str]:
        """Yield the SHA-256 of every photo, in the order of their names."""
        return stored_photos(self.folder)

    def is_empty(self) -> bool:
        """Whether no photo is stored."""
        return not holds_photos(self.folder)

    def reseal(self, sha256: str) -> bool:
        """Seal a photo and its thumbnail with the newest key, unless they are or were removed meanwhile.

        Returns:
            Whether anything was done.

        Raises:
            StorageError: A file is damaged or cannot be written; it is left as it was.
            SealError: No key at hand opens it.
        """
        with self._locked():  # a photo that is deleted now must not come back
            present = [path for path in (self.path(sha256), self._thumbnail(sha256)) if path.is_file()]
            older = [(path, sealed) for path in present if not self._vault.is_newest(sealed := path.read_bytes())]
            for path, sealed in older:
                opened = self._vault.open_bytes(sealed) if path.suffix else self._opened(sha256, sealed)
                write_whole(path, self._vault.seal_bytes(opened))
        return bool(older)

    def sweep(self, referenced: Collection[str], *, now: datetime) -> Swept:
        """Remove photos that no row names and what a kill left half-written, where older than an hour.

        Args:
            referenced: The SHA-256 of every photo that a row names, asked for just before.
            now: The time, with its zone.

        Raises:
            StorageError: The disk does not allow it.
        """
        keep, too_young = set(referenced), now.timestamp() - UNREFERENCED_FOR.total_seconds()
        n_photos = n_partial = size_bytes = 0
        for path in sorted(self.folder.glob(_TWO_DEEP)):
            if path.name.removesuffix(THUMBNAIL) in keep:
                continue
            removed = self._remove_older_than(path, too_young)
            size_bytes += removed
            n_photos += removed > 0 and _SHA256.fullmatch(path.name) is not None
            n_partial += removed > 0 and path.name.endswith(PARTIAL)
        return Swept(n_photos, n_partial, size_bytes)

    def path(self, sha256: str) -> Path:
        """Return where a photo lies, or would.

        Raises:
            ValueError: It is not 64 lower-case hex digits.
        """
        if not _SHA256.fullmatch(sha256):
            msg = f"Expected the SHA-256 of a photo, 64 lower-case hex digits. Received {len(sha256)} characters."
            raise ValueError(msg)
        return self.folder / sha256[:2] / sha256[2:4] / sha256

    def _thumbnail(self, sha256: str) -> Path:
        return self.path(sha256).with_suffix(THUMBNAIL)

    def _write(self, files: dict[Path, bytes]) -> None:
        written: list[Path] = []
        try:
            for path, sealed in files.items():
                make_private_folder(path.parent)
                is_new = not path.exists()
                # Written again even where it is there: that mends a damaged file, and makes it young for the sweep.
                write_whole(path, sealed)
                written += [path] if is_new else []
        except StorageError:
            for path in written:
                path.unlink(missing_ok=True)
            raise

    def _opened(self, sha256: str, sealed: bytes) -> bytes:
        try:
            data = self._vault.open_bytes(sealed)
        except SealError as error:
            raise SealError(f"The photo {sha256[:12]} cannot be opened. {error}") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StorageError(f"The file of photo {sha256[:12]} holds another photo. {_RESTORE}")
        return data

    def _remove_older_than(self, path: Path, limit_s: float) -> int:
        """Return the bytes that were removed; 0 where it is younger or gone."""
        with self._locked():
            try:
                status = path.stat()
            except FileNotFoundError:
                return 0
            if status.st_mtime > limit_s:
                return 0
            _remove(path)
            return status.st_size

    def wait_for_writers(self) -> None:
        """Return once every photo that was being written is there; does nothing without a folder."""
        if self.folder.is_dir():
            with self._locked():
                pass

    def _locked(self) -> AbstractContextManager[None]:
        return one_at_a_time(self.folder / ".lock")


def stored_photos(folder: Path) -> Iterator[str]:
    """Yield the SHA-256 of every photo in a store's folder, in the order of their names; needs no key."""
    return (path.name for path in sorted(folder.glob(_TWO_DEEP)) if _SHA256.fullmatch(path.name))


def holds_photos(folder: Path) -> bool:
    """Whether a photo lies in a store's folder."""
    return any(_SHA256.fullmatch(path.name) for path in folder.glob(_TWO_DEEP))


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise StorageError(f"{name} is not in the store: its file is gone. {_RESTORE}") from error
    except OSError as error:
        msg = (
            f"{name} cannot be read: {error.strerror}. Check the disk, and that this program may read '{path.parent}'."
        )
        raise StorageError(msg) from error


def _remove(path: Path) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        msg = f"'{path}' could not be removed: {error.strerror}. Remove it by hand, or allow this program to."
        raise StorageError(msg) from error
