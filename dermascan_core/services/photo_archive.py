"""Photos inside a zip file, one at a time: no file is ever written under a name from inside, and no bomb goes off."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import IO

from ..errors import ArchiveError, PhotoTooLargeError, UnreadablePhotoError
from ..imaging.decode import MAX_SIZE_BYTES
from ..tables import PHOTO_ENDINGS
from .arrivals import Arrival, clean_name

MAX_RATIO = 100  # a photo hardly shrinks in a zip; an even grey bitmap may shrink a hundred times
_SMALL_BYTES = 2**20  # below this no ratio does harm
MAX_ENTRIES = 20_000
_ARCHIVE_ENDINGS = (".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz")
_SYMLINK = 0o120000


@dataclass(frozen=True, slots=True)
class ArchiveContents:
    """What a zip file holds.

    Attributes:
        photos: In the file's order; each is read from the file when asked for.
        tables: CSV files in it, by name.
        n_others: Files that are neither.
        problems: One sentence for each entry that is refused.
    """

    photos: tuple[Arrival, ...]
    tables: tuple[Arrival, ...]
    n_others: int
    problems: tuple[str, ...]


def look_into_zip(file: IO[bytes], *, name: str, max_photos: int, max_total_bytes: int) -> ArchiveContents:
    """List the photos of a zip file; nothing is unpacked yet.

    Args:
        file: Seekable; must stay open as long as photos are read.
        name: Of the zip file, for sentences.
        max_photos, max_total_bytes: What it may hold, unpacked.

    Raises:
        ArchiveError: If it is no zip file, damaged, or holds more than it may.
    """
    try:
        archive = zipfile.ZipFile(file)
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, LookupError) as error:
        raise ArchiveError(
            f"Expected a zip file. '{clean_name(name)}' is something else, or damaged. Zip the photos again."
        ) from error
    if len(entries) > MAX_ENTRIES:
        raise ArchiveError(f"A zip file may hold at most {MAX_ENTRIES:,} files. Received {len(entries):,}. Split it.")
    visible = [entry for entry in entries if not _is_hidden(entry.filename)]
    refused = {entry.filename: why for entry in visible if (why := _refusal(entry))}
    usable = [entry for entry in visible if entry.filename not in refused]
    photos = [_arrival(archive, entry) for entry in usable if _ending(entry.filename) in PHOTO_ENDINGS]
    tables = [_arrival(archive, entry) for entry in usable if _ending(entry.filename) == "csv"]
    _check_amount(photos, sum(e.file_size for e in usable), max_photos=max_photos, max_total_bytes=max_total_bytes)
    return ArchiveContents(
        photos=tuple(photos),
        tables=tuple(tables),
        n_others=len(entries) - len(photos) - len(tables) - len(refused),
        problems=tuple(f"{clean_name(name)}: {why}" for name, why in refused.items()),
    )


def _check_amount(photos: list[Arrival], total_bytes: int, *, max_photos: int, max_total_bytes: int) -> None:
    if len(photos) > max_photos:
        raise ArchiveError(
            f"Expected at most {max_photos:,} photos. The zip file holds {len(photos):,}. Send them in parts."
        )
    if total_bytes > max_total_bytes:
        raise ArchiveError(
            f"Expected at most {max_total_bytes / 2**30:.1f} GB when unpacked. The zip file says {total_bytes / 2**30:.1f} GB. "
            "Send the photos in parts."
        )


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in _parts(name))


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/")).parts


def _ending(name: str) -> str:
    return PurePosixPath(name.replace("\\", "/")).suffix.lower().lstrip(".")


def _refusal(entry: zipfile.ZipInfo) -> str:
    """Return why an entry is not even looked at; empty where it may be."""
    if entry.flag_bits & 0x1:
        return "It is locked with a password. Zip the photos without one."
    if (entry.external_attr >> 16) & 0o170000 == _SYMLINK:
        return "It is a link to another file. Put the photo itself into the zip file."
    if entry.filename.lower().endswith(_ARCHIVE_ENDINGS):
        return "A zip file inside a zip file is not opened. Unpack it first."
    if entry.file_size > _SMALL_BYTES and entry.file_size > MAX_RATIO * max(1, entry.compress_size):
        return f"It grows more than {MAX_RATIO} times when unpacked, which no photo does. It was left out."
    return ""


def _arrival(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Arrival:
    return Arrival(clean_name(entry.filename), partial(_read, archive, entry), size_bytes=entry.file_size)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Unpack one entry, and no more of it than a photo may have, whatever its header says.

    Raises:
        PhotoTooLargeError, UnreadablePhotoError: With a sentence for the person.
    """
    try:
        with archive.open(entry) as file:
            data = file.read(MAX_SIZE_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError, NotImplementedError) as error:
        raise UnreadablePhotoError(
            "The photo is damaged inside the zip file, or packed in a way that cannot be read. Zip it again."
        ) from error
    if len(data) > MAX_SIZE_BYTES:
        raise PhotoTooLargeError(
            f"The file may have at most {MAX_SIZE_BYTES // 2**20} MB. It has more when unpacked. "
            "Save the photo smaller, or as JPEG."
        )
    return data
