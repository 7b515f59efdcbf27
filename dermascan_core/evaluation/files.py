"""Files that are written whole or not at all, so that a full disk never leaves half a result."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import OutputError


def prepare_folder(folder: Path) -> None:
    """Make a folder and check that it can be written.

    Raises:
        OutputError: If it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Expected a folder that can be made at '{folder}': {error.strerror}. Choose another."
        ) from error
    probe = folder / ".writable.partial"
    write_file(probe, b"")
    probe.unlink()


def write_file(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        OutputError: If the disk is full or may not be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(
            f"Expected to write '{path}'. The disk said: {error.strerror}. Free some space, or choose another folder."
        ) from error
