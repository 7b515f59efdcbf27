"""Changes the key: a new one first, then everything sealed anew while others go on working, the old one dropped last.

The key file is the only memory: where it holds several keys a change is under way, and is gone on with. So a kill at any
moment costs nothing but doing a part again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import StorageError
from .files import one_at_a_time
from .key_file import KeyFile, write_check, write_keys
from .opening import Storage
from .places import KEY, Places
from .sealed_columns import Resealed, reseal_rows, sealed_columns
from .vault import new_key

ROWS_AT_ONCE = 200  # others write between two batches
MAX_PROBLEMS = 20
_MAX_PASSES = 5


@dataclass(frozen=True, slots=True)
class Rotation:
    """What came of it.

    Attributes:
        newest: The public name of the key that everything is sealed with now.
        dropped: Those of the keys that are gone from the key file, or may go from the environment.
        n_rows, n_photos: What was sealed anew.
        problems: One sentence for each thing that no key opens, the first 20. With any, no key is dropped.
    """

    newest: str
    dropped: tuple[str, ...]
    n_rows: int
    n_photos: int
    problems: tuple[str, ...]


def rotate_key(storage: Storage, *, on_progress: Callable[[str, int, int], None] | None = None) -> Rotation:
    """Seal everything with a new key; with those of the environment, with the newest of them.

    Args:
        storage: Opened; others may go on using it, here and in other processes.
        on_progress: Told (what, done, total) as it goes.

    Raises:
        StorageError: Something cannot be written, the environment names one key only, or another program changes keys.
        SealError: A key is gone.
    """
    with one_at_a_time(storage.places.lock):
        _begin(storage.places)
        n_rows, n_photos, problems = _seal_all(storage, on_progress or (lambda what, done, total: None))
        newest, *older = storage.vault.key_ids()
        if problems:
            return Rotation(newest, (), n_rows, n_photos, tuple(problems[:MAX_PROBLEMS]))
        write_check(storage.vault, storage.places)
        if not storage.places.keys:
            write_keys(storage.places.key_file, KeyFile(storage.places.key_file).read()[:1])
    return Rotation(newest, tuple(older), n_rows, n_photos, ())


def keys_to_retire(places: Places) -> tuple[str, ...]:
    """Return the keys of the key file that a change would drop: the only one, or all but the newest of a change under way."""
    if places.keys:
        return ()
    keys = KeyFile(places.key_file).read()
    return keys[1:] or keys


def _begin(places: Places) -> None:
    if places.keys:
        if len(places.keys) == 1:
            raise StorageError(
                f"{KEY} names one key, and a program cannot change its environment. Make a new key with "
                f"`python -m dermascan_core records new-key`, set {KEY} to NEW,OLD, restart the app, and run this again. "
                "Nothing was changed."
            )
        return
    keys = KeyFile(places.key_file).read()
    if len(keys) == 1:
        write_keys(places.key_file, (new_key(), *keys))


def _seal_all(storage: Storage, tell: Callable[[str, int, int], None]) -> tuple[int, int, list[str]]:
    storage.images.wait_for_writers()  # whoever writes from now on has read the new key; rows are waited for by transaction
    n_rows = n_photos = 0
    for _ in range(_MAX_PASSES):
        problems: list[str] = []
        rows = sum(_problems_out(done, problems) for done in _seal_rows(storage, tell))
        photos = _seal_photos(storage, tell, problems)
        n_rows, n_photos = n_rows + rows, n_photos + photos
        if not rows and not photos:
            return n_rows, n_photos, problems
    raise StorageError(
        "Something goes on sealing with the old key: an app that was started before the new one was named. Restart it, "
        "then run this again. Nothing is lost: both keys are kept."
    )


def _problems_out(done: Resealed, problems: list[str]) -> int:
    problems += done.problems
    return done.n_rows


def _seal_rows(storage: Storage, tell: Callable[[str, int, int], None]) -> Iterator[Resealed]:
    columns = list(sealed_columns())
    for number, sealed in enumerate(columns, start=1):
        after = None
        while True:
            with storage.database.transaction() as session:
                done = reseal_rows(session, sealed, storage.vault, after=after, limit=ROWS_AT_ONCE)
            yield done
            after = done.last
            if after is None:
                break
        tell("columns", number, len(columns))


def _seal_photos(storage: Storage, tell: Callable[[str, int, int], None], problems: list[str]) -> int:
    names = list(storage.images.all())
    n_photos = 0
    for number, sha256 in enumerate(names, start=1):
        try:
            n_photos += storage.images.reseal(sha256)
        except StorageError as error:
            problems.append(str(error))
        tell("photos", number, len(names))
    return n_photos
