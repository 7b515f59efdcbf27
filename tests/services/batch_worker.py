"""A process of its own that works batches off, slowly, until it is killed: ``python batch_worker.py FOLDER``."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from dermascan_core.services.queueing import WorkQueue
from dermascan_core.services.records import open_records
from dermascan_core.services.worklist_runner import WorklistRunner
from dermascan_core.storage.places import read_places
from tests.fakes import FakePredictor


class SlowPredictor(FakePredictor):
    """Takes its time, so that a kill meets it at work."""

    def predict(self, *args, **options):
        time.sleep(0.04)
        return super().predict(*args, **options)


def main(folder: str) -> None:
    parent = os.getppid()
    records = open_records(read_places({"DERMASCAN_RECORDS": folder}))
    runner = WorklistRunner(records, lambda name: SlowPredictor(), WorkQueue(), n_workers=2)
    runner.start()
    print("ready", flush=True)
    while os.getppid() == parent:  # whoever started it is still there
        time.sleep(0.2)


if __name__ == "__main__":
    main(sys.argv[1])
