"""The file of a backup: a zip whose every part but a read-me is sealed, and the key is not among them.

``READ-ME.txt`` says to people what it is. ``database/000000`` and on are an SQLite database in sealed pieces, whatever kind
of database it came from. ``images/3f2a...`` are the photos as they lie in the store. ``contents`` lists the SHA-256 of all
of these and is sealed itself, so nobody without the key can alter, add or leave out a part unseen.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ..errors import SealError, StorageError
from .audit import Anchor
from .files import PARTIAL, said_plainly, sync_folder
from .vault import Vault

FORMAT = 1
PIECE_BYTES = 4 * 2**20
READ_ME, CONTENTS, DATABASE, IMAGES = "READ-ME.txt", "contents", "database/", "images/"


@dataclass(frozen=True, slots=True)
class About:
    """What a backup says of itself.

    Attributes:
        made_at: ISO 8601, UTC.
        app_version, database_version: Of the program and of the tables.
        n_rows: Rows by table.
        n_photos: Photos that came with it.
        missing: SHA-256 of photos that rows name and whose files were gone.
        audit: The newest entry of the audit trail; None in an empty one.
        audit_problems: How many places of the trail did not fit when it was made.
    """

    made_at: str
    app_version: str
    database_version: str
    n_rows: Mapping[str, int]
    n_photos: int
    missing: tuple[str, ...]
    audit: Anchor | None
    audit_problems: int


class BackupWriter:
    """Writes a backup under another name and renames it at the end; anything that goes wrong leaves no file."""

    def __init__(self, path: Path, vault: Vault) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
        self._vault = vault
        self._sha256: dict[str, str] = {}

    def __enter__(self) -> Self:
        if self._path.exists():
            msg = f"Expected the name of a new file. '{self._path}' is there already. Choose another name, or move it away."
            raise StorageError(msg)
        with _plain_errors(self._path):
            handle = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
            self._file = os.fdopen(handle, "w+b")
        self._zip = zipfile.ZipFile(self._file, "w", zipfile.ZIP_STORED)
        return self

    def add(self, name: str, data: bytes) -> None:
        """Add a part that is sealed already.

        Raises:
            StorageError: The disk is full or fails.
        """
        self._sha256[name] = hashlib.sha256(data).hexdigest()
        with _plain_errors(self._path):
            self._zip.writestr(zipfile.ZipInfo(name), data)  # without a date: a zip cannot hold those of a wrong clock

    def add_database(self, file: Path) -> None:
        """Add an SQLite file in sealed pieces.

        Raises:
            StorageError: The disk is full or fails.
        """
        with file.open("rb") as source:
            for number, piece in enumerate(iter(lambda: source.read(PIECE_BYTES), b"")):
                self.add(f"{DATABASE}{number:06}", self._vault.seal_bytes(piece))

    def finish(self, about: About) -> None:
        """Add the list of contents, bring everything to the disk, and give the file its name.

        Raises:
            StorageError: The disk is full or fails.
        """
        self.add(READ_ME, _read_me(about, self._vault).encode())
        contents = {"format": FORMAT, "about": asdict(about), "sha256": self._sha256}
        sealed = self._vault.seal(json.dumps(contents))
        with _plain_errors(self._path):
            self._zip.writestr(zipfile.ZipInfo(CONTENTS), sealed)
            self._zip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._partial, self._path)
            sync_folder(self._path.parent)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for part in (self._zip, self._file):
            with suppress(OSError):  # a full disk has been told of already
                part.close()
        self._partial.unlink(missing_ok=True)


class BackupReader:
    """Reads a backup; nothing of it is believed before ``check`` was through.

    Args:
        path: The file.
        vault: With the key that sealed it.

    Raises:
        StorageError: It is no backup, or is damaged.
        SealError: No key at hand opens it.
    """

    def __init__(self, path: Path, vault: Vault) -> None:
        self.path = path
        self._vault = vault
        try:
            self._zip = zipfile.ZipFile(path)
        except OSError as error:
            msg = f"The backup '{path}' cannot be read: {error.strerror}. Check its name and that this program may read it."
            raise StorageError(msg) from error
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise StorageError(_no_backup(path)) from error
        try:
            self.about, self._sha256 = self._read_contents()
        except StorageError:
            self._zip.close()
            raise

    def check(self) -> None:
        """Compare every part with the list of contents.

        Raises:
            StorageError: A part is missing, altered or too many.
        """
        present = self._zip.namelist()
        if sorted(present) != sorted([*self._sha256, CONTENTS]):
            raise StorageError(_damaged(self.path, "parts are missing, doubled or too many"))
        for name, sha256 in self._sha256.items():
            if hashlib.sha256(self._part(name)).hexdigest() != sha256:
                raise StorageError(_damaged(self.path, f"its part '{name}' was altered"))

    def write_database(self, target: Path) -> None:
        """Write the database as an SQLite file.

        Raises:
            StorageError: The disk is full or fails.
        """
        pieces = sorted(name for name in self._sha256 if name.startswith(DATABASE))
        with _plain_errors(target), target.open("xb") as file:
            for name in pieces:
                file.write(self._vault.open_bytes(self._part(name)))

    def images(self) -> Iterator[str]:
        """Yield the SHA-256 of every photo in it; thumbnails lie beside them."""
        return (name.removeprefix(IMAGES) for name in self._sha256 if name.startswith(IMAGES) and "." not in name)

    def image(self, name: str) -> bytes | None:
        """Return a photo as it lay in the store, by its SHA-256, or a thumbnail (``.thumbnail`` behind it); None without one."""
        return self._part(IMAGES + name) if IMAGES + name in self._sha256 else None

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def _read_contents(self) -> tuple[About, dict[str, str]]:
        try:
            contents = json.loads(self._vault.open(self._part(CONTENTS)))
        except SealError as error:
            raise SealError(f"The backup '{self.path}' cannot be opened with this key. {error}") from error
        if contents["format"] != FORMAT:
            msg = f"Expected a backup of format {FORMAT}. '{self.path}' has format {contents['format']}. Update the program."
            raise StorageError(msg)
        about = contents["about"]
        audit = None if about["audit"] is None else Anchor(**about["audit"])
        return About(**{**about, "missing": tuple(about["missing"]), "audit": audit}), contents["sha256"]

    def _part(self, name: str) -> bytes:
        try:
            info = self._zip.getinfo(name)
            # Nothing that we write is compressed: a small file cannot unfold into a large one.
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                raise StorageError(_no_backup(self.path))
            return self._zip.read(info)
        except KeyError as error:
            raise StorageError(_no_backup(self.path)) from error
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            raise StorageError(_damaged(self.path, f"its part '{name}' cannot be read")) from error


@contextmanager
def _plain_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(said_plainly(path, error)) from error


def _read_me(about: About, vault: Vault) -> str:
    return (
        f"A backup of DermaScan's records, made at {about.made_at} by version {about.app_version}.\n\n"
        f"Everything but this page is sealed with key {vault.key_ids()[0]}, which is not in here: keep a copy of it elsewhere.\n"
        "Restore it where that key is: python -m dermascan_core db restore FILE\n"
    )


def _no_backup(path: Path) -> str:
    return f"Expected a backup as `python -m dermascan_core db backup` writes it. '{path}' is none, or is damaged. Choose another."


def _damaged(path: Path, what: str) -> str:
    return f"The backup '{path}' is damaged: {what}. Nothing was restored from it. Choose another."
