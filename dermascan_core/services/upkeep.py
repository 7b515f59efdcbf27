"""What keeps records safe: a new key, backups, bringing one back. Each leaves an entry in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from ..errors import StorageError
from ..storage import audit
from ..storage.backup import BackedUp, back_up
from ..storage.key_file import write_keys
from ..storage.places import KEY, Places, read_places
from ..storage.restore import Restored, restore
from ..storage.rotation import Rotation, keys_to_retire, rotate_key
from ..storage.vault import new_key
from .records import Records, open_existing_records

KEY_CHANGED = "key changed"
BACKED_UP = "records backed up"

Tell = Callable[[str, int, int], None]


def make_key() -> str:
    """Return a new key, for ``DERMASCAN_KEY``."""
    return new_key()


def change_key(
    *,
    actor: str,
    now: datetime,
    keep_old: Path | None = None,
    places: Places | None = None,
    on_progress: Tell | None = None,
) -> Rotation:
    """Seal everything with a new key while the app goes on; gone on with where a change was cut off.

    Args:
        actor, now: Who changes it, and when.
        keep_old: A new file for the old key: only it opens backups made so far. None where it is to be gone.
        places: Where the records lie; from the environment where None.
        on_progress: Told (what, done, total) as it goes.

    Raises:
        RecordError: There are no records yet.
        StorageError: Something cannot be written, or the environment names one key only.
        SealError: The key is missing or another one.
    """
    records = open_existing_records(places)
    try:
        if keep_old is not None:
            _keep_old_keys(records.places, keep_old)
        done = rotate_key(records, on_progress=on_progress)
        detail = {"rows": done.n_rows, "photos": done.n_photos, "dropped": list(done.dropped)}
        _note(records, actor=actor, action=KEY_CHANGED, subject=f"key {done.newest}", detail=detail, now=now)
    finally:
        records.close()
    return done


def make_backup(
    path: Path, *, actor: str, now: datetime, places: Places | None = None, on_progress: Tell | None = None
) -> BackedUp:
    """Write a backup into a new file while the app goes on.

    Raises:
        RecordError: There are no records yet.
        StorageError: The file is there or cannot be written, or the database is damaged or locked.
        SealError: The key is missing or another one.
    """
    records = open_existing_records(places)
    try:
        done = back_up(records, path, now=now, on_progress=on_progress)
        detail = {"photos": done.about.n_photos, "bytes": done.size_bytes}
        subject = f"backup of {done.about.made_at}"
        _note(records, actor=actor, action=BACKED_UP, subject=subject, detail=detail, now=now)
    finally:
        records.close()
    return done


def bring_back(
    path: Path,
    *,
    replace: bool,
    actor: str,
    now: datetime,
    places: Places | None = None,
    on_progress: Tell | None = None,
) -> Restored:
    """Put a backup in the place of what is there: the old records or the new ones, never a mix.

    Raises:
        StorageError: Records are there and ``replace`` is false; or the backup is none, is damaged or does not fit.
        SealError: The key that sealed it is not at hand.
    """
    where = places or read_places()
    return restore(where, path, replace=replace, actor=actor, now=now, on_progress=on_progress)


def _keep_old_keys(places: Places, path: Path) -> None:
    if places.keys:
        raise StorageError(
            f"The keys come from {KEY}: keep the old one where you took it from. Leave out --keep-old-key."
        )
    if path.exists():
        msg = f"Expected the name of a new file for the old key. '{path}' is there already. Choose another name."
        raise StorageError(msg)
    write_keys(path, keys_to_retire(places))


def _note(
    records: Records, *, actor: str, action: str, subject: str, detail: Mapping[str, object], now: datetime
) -> None:
    with records.database.transaction() as session:
        audit.record(session, actor=actor, action=action, subject=subject, detail=detail, now=now)
