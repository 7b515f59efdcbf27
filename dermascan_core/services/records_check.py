"""The rows of ``doctor`` about records: folder, database, key, photos. Only where there are records; makes none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..errors import StorageError
from ..storage.places import KEY, Places
from .check import Check

_RESTORE = "Restore the newest backup: python -m dermascan_core db restore --help"
_KEY_LOST = (
    "Restore the key from your copy; without it, sealed records cannot be read. Never make a new one for old records."
)


def check_records(places: Places) -> Iterator[Check]:
    """Yield one check each of folder, database, key and photos; none where nothing was ever kept."""
    if not _are_in_use(places):
        return
    yield _check_folder(places)
    database = _check_database(places)
    yield database
    yield _check_key(places)
    if database.is_well:
        yield _check_photos(places)


def _are_in_use(places: Places) -> bool:
    is_server = places.database_file is None
    return is_server or any(path.exists() for path in (places.database_file, places.key_check, places.images) if path)


def _check_folder(places: Places) -> Check:
    name, folder = "records folder", places.folder
    if not folder.is_dir():
        return Check(name, False, f"'{folder}' is not there", "Restore it from a backup, or set DERMASCAN_RECORDS.")
    if not os.access(folder, os.W_OK | os.X_OK):
        return Check(name, False, f"'{folder}' cannot be written", "Give this user write access.")
    is_private = os.name != "posix" or not stat.S_IMODE(folder.stat().st_mode) & 0o077
    found = f"'{folder}', {'open to its owner alone' if is_private else 'open to other users of this machine'}"
    return Check(name, is_private, found, f"Close it to others: chmod 700 '{folder}'")


def _check_database(places: Places) -> Check:
    from ..storage import sqlite_files
    from ..storage.database import Database, newest_version

    name = "records database"
    try:
        database = Database(places.database_url)
        if database.is_sqlite and not database.file.is_file():
            return Check(name, False, f"'{database.file}' is not there", _RESTORE)
        if database.is_sqlite and sqlite_files.is_damaged(database.file):
            return Check(name, False, f"'{database.file}' is damaged", _RESTORE)
        version = database.version()
        database.close()
    except StorageError as error:
        return Check(name, False, str(error), "Mend what is said, then run doctor again.")
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    found = f"{kind}, version {version or 'none'}" + ("" if version == newest_version() else f" of {newest_version()}")
    return Check(name, version == newest_version(), found, "Run: python -m dermascan_core db upgrade")


def _check_key(places: Places) -> Check:
    from ..storage.key_file import find_vault

    name = "records key"
    try:
        vault = find_vault(places)
        if vault is None:
            return Check(name, False, f"neither {KEY} is set nor is there a file '{places.key_file}'", _KEY_LOST)
        if places.key_check.exists():
            vault.open_bytes(places.key_check.read_bytes())
    except StorageError as error:
        return Check(name, False, str(error), _KEY_LOST)
    newest, *older = vault.key_ids()
    where = KEY if places.keys else f"'{places.key_file}'"
    if older:
        advice = "A change of keys is not finished: python -m dermascan_core records rotate-key"
        return Check(name, False, f"{newest} from {where}, and older ones: {', '.join(older)}", advice)
    if not places.keys and _is_open_to_others(places.key_file):
        advice = f"Close it to others: chmod 600 '{places.key_file}'"
        return Check(name, False, f"{newest} from {where}, which other users of this machine may read", advice)
    is_tried = "fits what is sealed" if places.key_check.exists() else "not tried on anything yet"
    return Check(name, True, f"{newest} from {where}, {is_tried}")


def _is_open_to_others(path: Path) -> bool:
    return os.name == "posix" and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _check_photos(places: Places) -> Check:
    from ..storage.database import Database
    from ..storage.images import stored_photos
    from ..storage.lesions import needed_images

    database = Database(places.database_url)
    with database.reading() as session:
        needed = needed_images(session)
    database.close()
    stored = set(stored_photos(places.images))
    missing, unnamed = len(needed - stored), len(stored - needed)
    found = f"{len(needed):,} named, {missing:,} of them missing, {unnamed:,} more that nothing names"
    advice = f"{_RESTORE}. Which ones: python -m dermascan_core records tidy"
    return Check("records photos", not missing, found, advice)
