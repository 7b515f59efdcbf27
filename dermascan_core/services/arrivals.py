"""Many photos as they arrive: by upload, in a zip file, from a folder; named, counted, and read only when it is their turn."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from ..errors import ArchiveError, DermaScanError, TableError
from ..interop.dicom_in import DicomPhoto, is_dicom, read_dicom
from ..tables import MAX_TABLE_BYTES

MAX_NAME_CHARS = 200
MAX_UPLOAD_BYTES = 1024 * 2**20  # held in memory until they are added; a folder has no such limit
TABLE_ENDINGS = (".csv", ".tsv", ".txt")


@dataclass(frozen=True, slots=True)
class Arrival:
    """One photo, not read yet.

    Attributes:
        name: As given, with its folder; untrusted text, made printable.
        read: Gives its bytes; raises a ``PhotoError`` with a sentence.
        size_bytes: As its holder says.
    """

    name: str
    read: Callable[[], bytes]
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What came in.

    Attributes:
        photos: In the order given.
        tables: (name, bytes) of metadata tables that came along.
        n_others: Files that are neither.
        problems: One sentence for each file that was left out.
    """

    photos: tuple[Arrival, ...] = ()
    tables: tuple[tuple[str, bytes], ...] = ()
    n_others: int = 0
    problems: tuple[str, ...] = field(default=())


def clean_name(name: str) -> str:
    r"""Return a name that every text format can hold, at most 200 characters: its end counts most.

    >>> clean_name("a" + chr(0xDC80) + ".jpg"), clean_name("..\\..\\x.jpg")
    ('a\\udc80.jpg', '../../x.jpg')
    """
    text = name.replace("\\", "/").encode("utf-8", "backslashreplace").decode("utf-8").replace("\x00", "")
    return text if len(text) <= MAX_NAME_CHARS else f"…{text[1 - MAX_NAME_CHARS :]}"


def from_uploads(uploads: Sequence[tuple[str, IO[bytes]]], *, max_photos: int) -> Arrivals:
    """Return what an upload holds: photos, zip files of photos, metadata tables.

    Args:
        uploads: (name, file); a file must stay open as long as its photos are read.
        max_photos: In all.

    Raises:
        ArchiveError: If there are more photos or bytes than may be. One zip file that cannot be used becomes a sentence.
    """
    from .photo_archive import look_into_zip

    total_bytes = sum(_size_of(file) for _, file in uploads)
    if total_bytes > MAX_UPLOAD_BYTES:
        raise ArchiveError(
            f"Expected at most {MAX_UPLOAD_BYTES // 2**20} MB at once. Received {total_bytes / 2**20:.0f} MB. "
            "Send the photos in parts, or name their folder where the program runs on this computer."
        )
    photos: list[Arrival] = []
    tables: list[Arrival] = []
    problems: list[str] = []
    n_others = 0
    for name, file in uploads:
        if name.lower().endswith(".zip"):
            try:
                found = look_into_zip(file, name=name, max_photos=max_photos, max_total_bytes=8 * MAX_UPLOAD_BYTES)
            except ArchiveError as error:
                problems.append(f"{clean_name(name)}: {error}")
                continue
            photos += found.photos
            tables += found.tables
            problems += found.problems
            n_others += found.n_others
        else:
            into = tables if name.lower().endswith(TABLE_ENDINGS) else photos
            into.append(Arrival(clean_name(name), partial(_read_all, file), _size_of(file)))
    _check_number(len(photos), max_photos)
    return Arrivals(tuple(photos), tuple(_read_tables(tables)), n_others, tuple(problems))


def from_folder(folder: Path, *, max_photos: int) -> Arrivals:
    """Return the photos below a folder of this computer, named by their path inside it; or one file, by its name.

    Raises:
        DatasetError: If there is no such folder, or it may not be read.
        ArchiveError: If it holds too many photos.
    """
    from .batch import find_photo_files
    from .screeners import read_bytes

    files, n_others = find_photo_files([folder])
    _check_number(len(files), max_photos)
    root = folder if folder.is_dir() else folder.parent
    photos = tuple(Arrival(clean_name(str(f.relative_to(root))), partial(read_bytes, f)) for f in files)
    return Arrivals(photos, n_others=n_others)


def _check_number(n_photos: int, max_photos: int) -> None:
    if n_photos > max_photos:
        raise ArchiveError(
            f"Expected at most {max_photos:,} photos at once. Received {n_photos:,}. Send them in parts, or use the command "
            "line: python -m dermascan_core screen FOLDER --out result.csv"
        )


def _size_of(file: IO[bytes]) -> int:
    place = file.tell()
    size = file.seek(0, io.SEEK_END)
    file.seek(place)
    return size


def _read_all(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _read_tables(tables: Iterable[Arrival]) -> list[tuple[str, bytes]]:
    for table in tables:
        if table.size_bytes > MAX_TABLE_BYTES:
            raise TableError(f"The table '{table.name}' may have at most {MAX_TABLE_BYTES // 2**20} MB. Split it.")
    return [(table.name, table.read()) for table in tables]


@dataclass(frozen=True, slots=True)
class TakenIn:
    """One photo, read.

    Attributes:
        data: A file that ``decode_photo`` reads; a DICOM file's picture as PNG.
        dicom: What a DICOM file told besides; None for any other file.
    """

    data: bytes
    dicom: DicomPhoto | None = None


def take_in(arrival: Arrival) -> TakenIn:
    """Read one photo.

    Raises:
        PhotoError: With a sentence for the person.
    """
    data = arrival.read()
    if not is_dicom(data):
        return TakenIn(data)
    photo = read_dicom(data)
    return TakenIn(photo.png, photo)


def told_by_dicom(arrivals: Sequence[Arrival]) -> list[DicomPhoto | None]:
    """Return what each DICOM file tells; None for any other file and for one that cannot be read.

    The pictures are left behind, so that thousands of files need no memory.
    """
    return [_told(arrival) for arrival in arrivals]


def _told(arrival: Arrival) -> DicomPhoto | None:
    if not arrival.name.lower().endswith(".dcm"):
        return None
    try:
        photo = take_in(arrival).dicom
    except DermaScanError:
        return None  # it is refused, with its reason, when it is screened
    return (
        None
        if photo is None
        else DicomPhoto(b"", photo.cells, photo.person, photo.lesion, photo.side, photo.image_type)
    )
