"""Opens everything that records need at once: the database brought up to date, the vault, the photos."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import StorageError
from .database import Database
from .files import make_private_folder
from .images import ImageStore, holds_photos
from .key_file import open_vault
from .places import Places
from .sealed_columns import any_sealed
from .vault import Vault


@dataclass(frozen=True, slots=True)
class Storage:
    """What records are kept in."""

    places: Places
    database: Database
    vault: Vault
    images: ImageStore

    def close(self) -> None:
        """Close every connection."""
        self.database.close()


def open_storage(places: Places) -> Storage:
    """Open the records of these places; the first time, makes folder, tables and key.

    Raises:
        StorageError: The folder or the database cannot be opened, written or brought up to date.
        SealError: The key is missing, is none, or is not the one that sealed these records.
    """
    make_private_folder(places.folder)
    database = Database(places.database_url)
    if database.is_sqlite:
        _ = database.file  # refused where it would live in memory alone
    try:
        database.upgrade()
        with database.reading() as session:
            sample = any_sealed(session)
        vault = open_vault(places, sample=sample, holds_images=holds_photos(places.images))
    except StorageError:
        database.close()
        raise
    return Storage(places, database, vault, ImageStore(places.images, vault))
