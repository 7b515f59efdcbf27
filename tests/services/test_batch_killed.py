"""kill -9 while a batch is worked off: the next process goes on; no lesion is lost, none is answered twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import func, select

from dermascan_core.services.records import Records, open_records, remove_images
from dermascan_core.services.stored_batches import find_batch
from dermascan_core.storage import audit
from dermascan_core.storage.batches import BatchState, ItemState, listed_items
from dermascan_core.storage.places import read_places
from dermascan_core.storage.schema import Photo, Screening
from tests.services.batch_records import added

WORKER = Path(__file__).with_name("batch_worker.py")


def run_and_kill(folder: Path, *, after_s: float) -> None:
    process = subprocess.Popen([sys.executable, str(WORKER), str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(after_s)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def check_whole(records: Records, batch_id: str, n_lesions: int) -> int:
    """Every answered lesion has one screening with all its photos; returns how many photos are left."""
    with records.database.reading() as session:
        items = listed_items(session, records.vault, batch_id)
        n_screenings = session.scalar(select(func.count()).select_from(Screening)) or 0
        assert audit.verify(session).problems == ()
    done = [item for item in items if item.state is ItemState.DONE]
    assert {item.state for item in items} <= {ItemState.DONE, ItemState.WAITING}
    assert n_screenings == len({item.screening_id for item in done})
    assert n_screenings <= n_lesions
    for item in items:
        assert item.image_sha256 is not None
        assert records.images.get(item.image_sha256)
    for item in done:
        assert records.images.thumbnail(item.image_sha256 or "")
    return len(items) - len(done)


def killed_again_and_again(folder: Path, *, n_kills: int, names: list[str], seed: int) -> None:
    records = open_records(read_places({"DERMASCAN_RECORDS": str(folder)}))
    batch_id = added(records, names)
    n_lesions, chance = len({name.rpartition("_")[0] for name in names}), random.Random(seed)
    n_killed = n_amid = 0
    longest_s, left = 2.5, len(names)
    while find_batch(records, batch_id).state is not BatchState.DONE:
        n_killed += 1
        assert n_killed < 20 * n_kills, "it does not come to an end"
        run_and_kill(folder, after_s=chance.uniform(0.1, longest_s) if n_killed <= n_kills else 8.0)
        before, left = left, check_whole(records, batch_id, n_lesions)
        n_amid += 0 < left < len(names)
        if before - left > len(names) / n_kills:  # a quick machine would be done before it was killed often enough
            longest_s = max(0.3, longest_s * 0.8)
    print(f"killed {n_killed} times, {n_amid} of them in mid-list")
    assert n_amid >= n_kills // 2
    assert check_whole(records, batch_id, n_lesions) == 0
    with records.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Screening)) == n_lesions
        kept = set(session.scalars(select(Photo.image_sha256)))
    remove_images(records)
    assert set(records.images.all()) == kept


def test_killed_at_random_points_it_goes_on_and_loses_and_doubles_nothing(tmp_path: Path) -> None:
    names = [f"P{n // 3}_L{n % 3}_{photo}.jpg" for n in range(24) for photo in (1, 2)]

    killed_again_and_again(tmp_path / "records", n_kills=3, names=names, seed=1)


@pytest.mark.slow
def test_killed_a_hundred_times(tmp_path: Path) -> None:
    names = [f"P{n // 3}_L{n % 3}_{photo}.jpg" for n in range(450) for photo in (1, 2)]

    killed_again_and_again(tmp_path / "records", n_kills=100, names=names, seed=2)
