"""Where records lie and which keys are named, read from the environment. Looks at no file and makes none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

FOLDER = "DERMASCAN_RECORDS"
DATABASE_URL = "DERMASCAN_DATABASE_URL"
KEY = "DERMASCAN_KEY"
KEY_FILE = "DERMASCAN_KEY_FILE"
DEFAULT_FOLDER = Path("data", "records")


@dataclass(frozen=True, slots=True)
class Places:
    """Where records lie.

    Attributes:
        folder: Holds the images, and unless told otherwise the database and the key.
        database_url: As ``Database`` takes it; may hold a password, so it is never shown.
        key_file: Where the keys lie, one a line, the newest first; unused where ``keys`` are given.
        keys: From the environment, the newest first; empty where the file counts.
    """

    folder: Path
    database_url: str = field(repr=False)
    key_file: Path
    keys: tuple[str, ...] = field(default=(), repr=False)

    @property
    def images(self) -> Path:
        """Folder of the sealed images."""
        return self.folder / "images"

    @property
    def key_check(self) -> Path:
        """A few sealed bytes that tell whether a key is the right one."""
        return self.folder / "key-check"

    @property
    def switch(self) -> Path:
        """Says whether answers are withheld; there where no record is, too."""
        return self.folder / "answers.json"

    @property
    def lock(self) -> Path:
        """Held by whoever makes a key, changes keys, backs up, restores or tidies: one at a time."""
        return self.folder / ".lock"

    @property
    def database_file(self) -> Path | None:
        """The file of an SQLite database; None where a server keeps the rows."""
        scheme, _, path = self.database_url.partition(":///")
        return Path(unquote(path.partition("?")[0])) if scheme.startswith("sqlite") else None


def read_places(environ: Mapping[str, str] = os.environ) -> Places:
    """Return where records lie, by ``DERMASCAN_RECORDS``, ``_DATABASE_URL``, ``_KEY`` and ``_KEY_FILE``; empty is unset.

    >>> read_places({"DERMASCAN_RECORDS": "/srv/records"}).images.as_posix()
    '/srv/records/images'
    """
    folder = _absolute(environ.get(FOLDER) or DEFAULT_FOLDER)
    return Places(
        folder=folder,
        database_url=environ.get(DATABASE_URL) or f"sqlite:///{quote(folder.as_posix())}/records.db",
        key_file=_absolute(environ.get(KEY_FILE) or folder / "key"),
        keys=tuple(key.strip() for key in environ.get(KEY, "").split(",") if key.strip()),
    )


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))
