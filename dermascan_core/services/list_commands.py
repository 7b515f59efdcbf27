"""What the command line does with lists and the page does step by step: work everything off."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ..errors import StorageError
from .records import Records
from .stored_batches import list_batches
from .worklist_runner import WorklistRunner

_LOOK_EVERY_S = 0.2


def work_off(records: Records, runner: WorklistRunner, *, on_progress: Callable[[int, int], None]) -> None:
    """Let a runner work until no list waits any more.

    Args:
        records: Whose lists.
        runner: Not started yet; stopped when this returns.
        on_progress: Called now and then with (photos done, photos in all) of the lists that waited.

    Raises:
        StorageError: Something stands in the way; the lists wait.
    """
    waiting = {batch.id for batch in list_batches(records) if not batch.state.is_over}
    runner.start()
    try:
        while True:
            batches = [batch for batch in list_batches(records) if batch.id in waiting]
            on_progress(sum(batch.n_photos - batch.n_open for batch in batches), sum(b.n_photos for b in batches))
            if not any(batch.state == "waiting" for batch in batches):
                return
            if runner.problem:
                raise StorageError(runner.problem)
            threading.Event().wait(_LOOK_EVERY_S)
    finally:
        runner.stop()
