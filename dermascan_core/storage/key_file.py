"""Finds the keys, makes the first one, and refuses one that does not fit what is already sealed."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import SealError
from .files import PARTIAL, make_private_folder, one_at_a_time, write_whole
from .places import KEY, KEY_FILE, Places
from .vault import FixedKeys, KeySource, Vault, name_of_key, new_key

_CHECK = "DermaScan records"
_HEAD = (
    "# Keys of DermaScan's records, the newest first. Keep a copy elsewhere: without it nothing sealed can be read.\n"
)


class KeyFile:
    """Keys in a file, one a line; read again as soon as the file changes, so that rotation reaches a running program."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[tuple[int, int, int], tuple[str, ...]] | None = None

    def read(self) -> tuple[str, ...]:
        """Return the keys, the newest first.

        Raises:
            SealError: The file is gone, cannot be read, or holds none.
        """
        try:
            status = os.stat(self.path)
            mark = (status.st_ino, status.st_mtime_ns, status.st_size)
            if self._seen is None or self._seen[0] != mark:
                self._seen = (mark, _keys_in(self.path))
        except OSError as error:
            # Sealing on with a key that is only remembered would lose everything sealed from now on.
            msg = f"The key file '{self.path}' cannot be read: {error.strerror}. Restore it from your copy; "
            raise SealError(f"{msg}without the key, sealed records cannot be read by anybody.") from error
        return self._seen[1]


def open_vault(places: Places, *, sample: bytes | None = None, holds_images: bool = False) -> Vault:
    """Return the vault of these records; makes the key on first use, and only where nothing is sealed yet.

    Args:
        places: Where records lie.
        sample: Any sealed value of the database, to try the key on; None where it holds none.
        holds_images: Whether sealed images lie there.

    Raises:
        SealError: The key is missing, is none, or is not the one that sealed these records.
        StorageError: The folder cannot be written.
    """
    make_private_folder(places.folder)
    vault = Vault(_source(places, is_empty=sample is None and not holds_images))
    vault.key_ids()  # what is no key is said as such, before it is called the wrong one
    if sample is not None:
        vault.open_bytes(sample)
    _check(vault, places)
    return vault


def find_vault(places: Places) -> Vault | None:
    """Return the vault whose keys are there; None where none is. Makes nothing, and tries the key on nothing.

    Raises:
        SealError: What is there is no key.
    """
    if not places.keys and not places.key_file.exists():
        return None
    vault = Vault(FixedKeys(places.keys) if places.keys else KeyFile(places.key_file))
    vault.key_ids()
    return vault


def write_keys(path: Path, keys: tuple[str, ...]) -> None:
    """Write a key file anew, readable by its owner alone.

    Raises:
        SealError: One of them is no key.
        StorageError: The file cannot be written.
    """
    for key in keys:
        name_of_key(key)
    for left in path.parent.glob(f".{path.name}.*{PARTIAL}"):  # a kill must not leave a dropped key lying around
        left.unlink(missing_ok=True)
    write_whole(path, (_HEAD + "".join(f"{key}\n" for key in keys)).encode("ascii"))


def write_check(vault: Vault, places: Places) -> None:
    """Write a few bytes sealed with the newest key, by which a wrong key is known before it does harm."""
    write_whole(places.key_check, vault.seal(_CHECK))


def _source(places: Places, *, is_empty: bool) -> KeySource:
    if places.keys:
        return FixedKeys(places.keys)
    if not places.key_file.exists():
        with one_at_a_time(places.lock):
            if not places.key_file.exists():  # another program may just have made it
                _make_first_key(places, is_empty=is_empty)
    return KeyFile(places.key_file)


def _make_first_key(places: Places, *, is_empty: bool) -> None:
    if not is_empty or places.key_check.exists():
        raise SealError(
            f"Sealed records lie in '{places.folder}' or its database, and their key is missing: neither {KEY} is set nor "
            f"is there a file '{places.key_file}'. Restore the key from your copy, or name it with {KEY} or {KEY_FILE}. "
            "No new key was made: it could not open them."
        )
    make_private_folder(places.key_file.parent)
    write_keys(places.key_file, (new_key(),))


def _check(vault: Vault, places: Places) -> None:
    if not places.key_check.exists():
        write_check(vault, places)
        return
    try:
        vault.open_bytes(places.key_check.read_bytes())
    except SealError as error:
        msg = f"The key does not fit the records in '{places.folder}'. {error} Where you are sure of the key, remove "
        raise SealError(f"{msg}'{places.key_check}'.") from error


def _keys_in(path: Path) -> tuple[str, ...]:
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    keys = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if not keys:
        raise SealError(
            f"Expected the key file '{path}' to hold a key of 44 characters. It holds none. Restore it from your copy."
        )
    for key in keys:
        name_of_key(key)
    return keys
