"""Batches in records, for tests: some photos, added as a page adds them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from dermascan_core.domain import ImageType
from dermascan_core.services.arrivals import Arrival
from dermascan_core.services.photo_grid import LesionPlan, group_by_lesion, prefill_grid, read_grid
from dermascan_core.services.queueing import WorkQueue
from dermascan_core.services.records import CLINIC_BASIS, ConsentGiven, Records
from dermascan_core.services.stored_batches import BatchOrder, add_batch, find_batch
from dermascan_core.services.worklist_runner import WorklistRunner
from tests.clinic import NOW, photo_file
from tests.fakes import FakePredictor

ORDER = BatchOrder(
    name="Monday",
    consent=ConsentGiven(keep_until=NOW.replace(year=NOW.year + 1), text_version=CLINIC_BASIS),
    model="fake",
    image_type=ImageType.DERMOSCOPIC,
    share_to_read=0.05,
)


def arrivals_of(names: Sequence[str], *, data: bytes | None = None) -> list[Arrival]:
    """Photos of these names, each another picture unless ``data`` is given."""
    return [
        Arrival(name, lambda index=index: photo_file(40 + index % 60) if data is None else data)
        for index, name in enumerate(names)
    ]


def plans_of(names: Sequence[str]) -> list[LesionPlan]:
    """Lesions by the names' pattern, nothing else known."""
    grid = prefill_grid(names, table=None, told=[None] * len(names))
    cells = [{name: getattr(row, name) for name in row.__slots__} for row in grid.rows]
    return group_by_lesion(read_grid(cells, grid, image_type=ImageType.DERMOSCOPIC)[0])[0]


def added(records: Records, names: Sequence[str], *, actor: str = "ada", **changes: object) -> str:
    """Add a batch of these names; returns its id."""
    order = BatchOrder(**{name: getattr(ORDER, name) for name in ORDER.__slots__} | changes)
    return add_batch(records, plans_of(names), arrivals_of(names), order=order, actor=actor, now=NOW)


def runner_of(records: Records, predictor: FakePredictor | None = None, **options: object) -> WorklistRunner:
    """A runner with the fake network, not started."""
    answers = predictor or FakePredictor()
    return WorklistRunner(records, lambda name: answers, WorkQueue(), now=lambda: NOW, **options)


def wait_until(is_so, *, timeout_s: float = 60.0) -> None:
    """Wait for what a thread does."""
    end = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < end, "waited too long"
        threading.Event().wait(0.02)


def worked_off(records: Records, batch_id: str, *, predictor: FakePredictor | None = None) -> None:
    """Run a runner until the batch is over."""
    runner = runner_of(records, predictor)
    runner.start()
    try:
        wait_until(lambda: find_batch(records, batch_id).state.is_over)
    finally:
        runner.stop()
