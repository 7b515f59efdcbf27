"""A cluster on this computer, of processes that a test may kill and a benchmark may count."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 120
_COMMON = ("--host", "127.0.0.1", "--no-dashboard")


class LocalCluster:
    """A Dask scheduler, and the workers that it is given; every process is killed by ``stop``.

    Args:
        folder: For its logs and its address.
        weights: The weights of the workers.
    """

    def __init__(self, folder: Path, weights: Path) -> None:
        self.folder, self.weights = folder, weights
        self._scheduler_file = folder / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._start("scheduler", "--port", "0", "--no-jupyter")
        wait_until(lambda: self._scheduler_file.exists() and self._scheduler_file.read_text().rstrip().endswith("}"))
        self.address: str = json.loads(self._scheduler_file.read_text(encoding="utf-8"))["address"]

    def add_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker of one thread; it is not there yet when this returns."""
        options = ("--nthreads", "1", "--no-nanny", "--memory-limit", "0", "--death-timeout", str(START_TIMEOUT_S))
        return self._start("worker", *options, "--local-directory", str(self.folder))

    def wait_for_workers(self, n: int) -> None:
        """Wait until so many workers are there."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(n, timeout=START_TIMEOUT_S)

    def stop(self) -> None:
        """Kill every process."""
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def _start(self, role: str, *options: str) -> subprocess.Popen[bytes]:
        given = os.environ | {"DERMASCAN_WEIGHTS": str(self.weights), "PYTHONPATH": str(ROOT)}
        to_scheduler = ("--scheduler-file", str(self._scheduler_file))
        command = [sys.executable, "-m", "dask", role, *to_scheduler, *_COMMON, *options]
        with (self.folder / f"{role}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=given, stdout=log, stderr=log)
        self.processes.append(process)
        return process


def wait_until(is_so: Callable[[], object]) -> None:
    """Wait for something to be so, for two minutes at most."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"It did not come within {START_TIMEOUT_S} s.")
        time.sleep(0.05)
