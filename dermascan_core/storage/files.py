"""Files that are written whole or not at all, readable by their owner alone, and there after the plug was pulled."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import StorageError

PARTIAL = ".partial"  # the ending of what a kill left half-written
LOCK_TIMEOUT_S = 30.0


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under another name, bring it to the disk, and rename it; replaces what was there.

    Raises:
        StorageError: The disk is full, read-only, or may not be written; what was there is untouched.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        _write_synced(partial, data)
        os.replace(partial, path)
        sync_folder(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise StorageError(said_plainly(path, error)) from error


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter, unless it is there.

    Raises:
        StorageError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(said_plainly(folder, error)) from error


@contextmanager
def one_at_a_time(lock: Path, *, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Keep other threads and processes out until the end; a killed holder lets go by itself.

    Raises:
        StorageError: Another one was still at it after ``timeout_s``, or the lock's file cannot be written.
    """
    held = FileLock(lock, timeout=timeout_s, mode=0o600)
    try:
        held.acquire()
    except Timeout as error:
        msg = f"Another program has been working on the records in '{lock.parent}' for {timeout_s:.0f} seconds. "
        raise StorageError(f"{msg}Wait until it is done, then try again.") from error
    except OSError as error:
        raise StorageError(said_plainly(lock, error)) from error
    try:
        yield
    finally:
        held.release()


def _write_synced(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Bring a file that was written by others to the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, so that a renamed file is still there after the plug was pulled."""
    if os.name != "posix":
        return  # Windows cannot open a folder to sync it, and keeps names in its journal
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def said_plainly(path: Path, error: OSError) -> str:
    """Return what went wrong with writing there, and what to do."""
    causes = {
        errno.ENOSPC: "the disk is full. Free some space, then try again.",
        errno.EDQUOT: "the disk quota is used up. Free some space, then try again.",
        errno.EFBIG: "a file may not become that large here. Free some space, or raise the limit, then try again.",
        errno.ENOENT: "its folder is not there. Make it, or name another.",
        errno.EROFS: "the disk may only be read. Choose another folder: DERMASCAN_RECORDS.",
        errno.EACCES: "this program may not write there. Give it the right to, or choose another folder: DERMASCAN_RECORDS.",
        errno.ENOTDIR: "a part of its path is a file, not a folder. Choose another folder: DERMASCAN_RECORDS.",
        errno.EEXIST: "a file stands where a folder is needed. Move it away.",
    }
    cause = causes.get(error.errno or 0, f"the disk said: {error.strerror}. Check the disk, then try again.")
    return f"'{path}' could not be written: {cause}"
