"""Many users at once against the real REST interface, with 1, 2 and 4 processes of it.

    python -m benchmarks.api_load [--users 1000] [--seconds 60] [--think 60] [--processes 1 2 4] [--out docs/api-load.md]

Each user sends a photo, waits for the answer, thinks, and sends again. A server whose queue is full says when to come again
(503 with Retry-After), and the user does. A request is lost when it gets neither an answer nor such a word.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from benchmarks._server import free_port, resident_mb, wait_until_well
from dermascan_core.imaging.examples import EXAMPLES, make_example

ROOT = Path(__file__).resolve().parents[1]
MAX_WAITING = 64


@dataclass(frozen=True, slots=True)
class Load:
    """What came of a crowd.

    Attributes:
        n_processes, n_users: How many of each.
        seconds: How long.
        counts: ``answered``, ``told_to_wait``, ``given_up`` after minutes of being told, ``lost``.
        waited_s: From a user's first try to the answer, one each.
        lost: What the lost ones got, counted.
        memory_mb: Largest of all processes together.
    """

    n_processes: int
    n_users: int
    seconds: float
    counts: dict[str, int]
    waited_s: list[float]
    lost: dict[str, int]
    memory_mb: float


def measure(n_processes: int, *, n_users: int, seconds: float, think_s: float) -> Load:
    """Start the servers, send the crowd, count."""
    with tempfile.TemporaryDirectory() as folder, _servers(n_processes, Path(folder)) as running:
        photo, out = Path(folder) / "photo.jpg", Path(folder) / "counts.json"
        cv2.imwrite(str(photo), make_example(EXAMPLES[0].key)[..., ::-1])
        environment = {
            "API_LOAD_PORTS": ",".join(str(port) for port, _ in running),
            "API_LOAD_PHOTO": str(photo),
            "API_LOAD_OUT": str(out),
            "API_LOAD_THINK_S": str(think_s),
        }
        command = [sys.executable, "-m", "locust", "-f", str(ROOT / "benchmarks" / "_locustfile.py"), "--headless"]
        command += [
            "-u",
            str(n_users),
            "-r",
            str(max(10, n_users // 10)),
            "-t",
            f"{seconds:.0f}s",
            "--stop-timeout",
            "60",
        ]
        crowd = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        memory_mb = 0.0
        while crowd.poll() is None:
            memory_mb = max(memory_mb, sum(resident_mb(pid) for _, pid in running))
            time.sleep(1)
        if not out.is_file():
            raise SystemExit(f"Locust ended with {crowd.returncode} and counted nothing.")
        found = json.loads(out.read_text(encoding="utf-8"))
    return Load(n_processes, n_users, seconds, found["counts"], found["waited_s"], found["lost"], memory_mb)


@contextmanager
def _servers(n: int, folder: Path) -> Iterator[list[tuple[int, int]]]:
    """Start servers on free ports; yield (port, process id) of each."""
    started = [_start(folder / f"server-{number}") for number in range(n)]
    try:
        for port, server in started:
            wait_until_well(f"http://127.0.0.1:{port}/readyz", server)
        yield [(port, server.pid) for port, server in started]
    finally:
        for _, server in started:
            server.terminate()
        for _, server in started:
            server.wait(60)


def _start(data: Path) -> tuple[int, subprocess.Popen[bytes]]:
    port = free_port()
    command = [sys.executable, "-m", "dermascan_core", "serve", "--port", str(port), "--data", str(data)]
    command += ["--max-waiting", str(MAX_WAITING), "--per-minute", "1000000"]
    return port, subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def table(loads: list[Load], think_s: float) -> str:
    """Return the page."""
    lines = "\n".join(_line(load) for load in loads)
    return f"""# Many users of the REST interface at once

Written by `python -m benchmarks.api_load`; {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.
The users (Locust) run on the same machine and take their share of it. Each sends a photo, waits, thinks {think_s:g} s on
average, and sends again; a full queue ({MAX_WAITING} may wait at each process) says when to come again, and the user does.

| processes | users | minutes | answers a second | lost | told to come again | gave up after 2 minutes of that | first try to answer, s: p50 / p95 / p99 | memory of all, MB |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{lines}
"""


def _line(load: Load) -> str:
    waited = (
        " / ".join(f"{value:.2f}" for value in np.percentile(load.waited_s, [50, 95, 99])) if load.waited_s else "none"
    )
    lost = f" ({'; '.join(f'{n} x {kind}' for kind, n in load.lost.items())})" if load.lost else ""
    return (
        f"| {load.n_processes} | {load.n_users:,} | {load.seconds / 60:.1f} | {load.counts['answered'] / load.seconds:.1f} "
        f"| {load.counts['lost']}{lost} | {load.counts['told_to_wait']:,} | {load.counts['given_up']} | {waited} "
        f"| {load.memory_mb:.0f} |"
    )


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--seconds", type=float, nargs="+", default=[60.0], help="one for all, or one each")
    parser.add_argument("--think", type=float, default=60.0, help="seconds between two photos of a user, on average")
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    loads = []
    several = options.seconds if len(options.seconds) > 1 else options.seconds * len(options.processes)
    for n_processes, seconds in zip(options.processes, several, strict=True):
        loads.append(measure(n_processes, n_users=options.users, seconds=seconds, think_s=options.think))
        print(_line(loads[-1]), flush=True)
    page = table(loads, options.think)
    print(page)
    if options.out:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
