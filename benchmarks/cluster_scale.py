"""What a batch on a cluster costs: measured on one and two workers of this computer, carried to 400,000 photos.

    python -m benchmarks.cluster_scale [--photos 240] [--folder DIR] [--measured docs/scale.json] [--page docs/scale.md]

Starts a scheduler and workers as processes, screens a half and then all of the photos with each number of workers, and
takes the slope: seconds a photo, without what is paid once. ``--page`` alone writes the page anew from ``--measured``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.batch_throughput import write_generated
from dermascan_core.model.litert_engine import n_cores
from dermascan_core.services.batch import find_photo_files, screen_files
from dermascan_core.services.cluster import connect
from dermascan_core.services.models import WEIGHTS_DIR
from tests.local_cluster import LocalCluster

TARGET = 400_000  # photos: the size of SLICE-3D (Kurtansky et al. 2024, https://doi.org/10.1038/s41597-024-03743-w)
WORKERS = (1, 2)
PLANS = (2, 16, 64, 256)
N_ROUNDS = 3


def main() -> None:
    """Measure where asked, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=240)
    parser.add_argument("--folder", type=Path, help="real photos; generated ones otherwise")
    parser.add_argument("--measured", type=Path, help="JSON file of what was measured; read where it is there")
    parser.add_argument("--page", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    if options.measured and options.measured.is_file():
        measured = json.loads(options.measured.read_text(encoding="utf-8"))
    else:
        measured = _measure_photos(options.folder, options.photos)
        if options.measured:
            options.measured.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    page = page_of(measured)
    print(page)
    if options.page:
        options.page.write_text(page, encoding="utf-8")


def _measure_photos(folder: Path | None, n_photos: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as made:
        if folder is None:
            write_generated(Path(made), n_photos)
        files = find_photo_files([folder or Path(made)])[0][:n_photos]
        return {
            "photos": "generated" if folder is None else folder.parent.name,
            "mean_bytes": round(sum(file.stat().st_size for file in files) / len(files)),
            "cores": n_cores(),
            "machine": platform.machine(),
            "load_before": round(os.getloadavg()[0], 1),
            "runs": [run for n_workers in WORKERS for run in _measure(files, n_workers)],
        }


def _measure(files: Sequence[Path], n_workers: int) -> list[dict[str, float]]:
    """Screen a half and all of the photos, several times in turn; give seconds of each."""
    with tempfile.TemporaryDirectory() as folder:
        cluster = LocalCluster(Path(folder), WEIGHTS_DIR)
        try:
            for _ in range(n_workers):
                cluster.add_worker()
            cluster.wait_for_workers(n_workers)
            return [
                {"n_workers": n_workers, "n_photos": len(some), **_seconds(cluster.address, some, Path(folder))}
                for _ in range(N_ROUNDS)
                for some in (files[: len(files) // 2], files)
            ]
        finally:
            cluster.stop()


def _seconds(address: str, files: Sequence[Path], folder: Path) -> dict[str, float]:
    from distributed import Client

    started = time.perf_counter()
    with connect(address) as screener, Client(address, set_as_default=False) as client:
        connected, used = time.perf_counter(), sum(client.run(time.process_time).values())
        screen_files(files, predictor=screener, out=folder / "out.csv")
        screen_s = time.perf_counter() - connected
        cpu_s = sum(client.run(time.process_time).values()) - used
    return {"connect_s": connected - started, "screen_s": screen_s, "cpu_s": cpu_s}


def slope_s(runs: Sequence[dict[str, float]], n_workers: int, *, of: str = "screen_s") -> float:
    """Return seconds a photo for a number of workers: between the medians of the shorter and the longer runs.

    Args:
        runs: Each with ``n_workers``, ``n_photos`` and seconds by name.
        n_workers: Of which runs.
        of: Which seconds: ``screen_s`` by the clock, ``cpu_s`` of the workers' processors.

    >>> runs = [{"n_workers": 1, "n_photos": n, "screen_s": 2 + n / 10} for n in (50, 100)]
    >>> round(slope_s(runs, 1), 3)
    0.1
    """
    by_size: dict[float, list[float]] = {}
    for run in runs:
        if run["n_workers"] == n_workers:
            by_size.setdefault(run["n_photos"], []).append(run[of])
    few, many = sorted(by_size)
    return (_median(by_size[many]) - _median(by_size[few])) / (many - few)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def page_of(measured: dict[str, Any]) -> str:
    """Return the page about scale."""
    one, two = (slope_s(measured["runs"], n) for n in WORKERS)
    connect_s = max(run["connect_s"] for run in measured["runs"])
    cpu_s = slope_s(measured["runs"], WORKERS[-1], of="cpu_s")  # what a core that does nothing else would need
    plans = "\n".join(
        f"| {n} | {_hours(connect_s + TARGET * cpu_s / n)} | {n / cpu_s * measured['mean_bytes'] / 2**20:.1f} |"
        for n in PLANS
    )
    return f"""{_HOW_TO}
## What it costs

Written by `python -m benchmarks.cluster_scale` from `docs/scale.json`: {measured["cores"]} cores ({measured["machine"]}),
load before {measured["load_before"]}; {measured["photos"]} photos of {measured["mean_bytes"] / 1000:.0f} kB on average.

| | |
| --- | --- |
| paid once: connecting, and a model for each worker | {connect_s:.1f} s |
| slope by the clock with one worker of one thread | {1000 * one:.0f} ms a photo |
| slope by the clock with two | {1000 * two:.0f} ms a photo: {one / two:.2f} times as fast |
| slope of the workers' processor time with two | {1000 * cpu_s:.0f} ms a photo |
| {TARGET:,} photos (SLICE-3D's size) by processor time | {TARGET * cpu_s / 3600:.1f} core hours; times your price of a core hour |

The clock counts what else ran on the computer (see its load); processor time does not. It is carried to more cores in a
straight line, which nobody has measured beyond {measured["cores"]} cores here. The line ends where the
shared disk no longer gives the bytes of the last column, or where one scheduler hands out more than a few thousand photos
a second ([Dask](https://distributed.dask.org/en/stable/efficiency.html): about a millisecond or less a task).

| worker threads | {TARGET:,} photos take | reads, MiB a second |
| --- | --- | --- |
{plans}
"""


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


_HOW_TO = """# Many photos: one computer, then a cluster

`screen` keeps every core of one computer busy by itself ([decision 38](decisions/0038-threads-screen-a-batch.md)); up to some
eight cores nothing else is needed. Beyond, the same job runs on a [Dask](https://distributed.dask.org) cluster
([decision 40](decisions/0040-a-batch-on-a-dask-cluster.md)): several processes on one large computer, or many computers.

```
pip install -r requirements-cluster.txt                                        # everywhere
dask scheduler --host 10.0.0.1                                                 # on one computer
dask worker tcp://10.0.0.1:8786 --nworkers 16 --nthreads 1                     # on each, in a checkout of this version
python -m dermascan_core screen photos/ --out answers.csv --engine-cluster tcp://10.0.0.1:8786
```

Start the workers in the checkout, so that they import `dermascan_core` and have the same weights: version and SHA-256 are
compared before the first photo. One thread a worker process is best, as Python runs one thread of a process at a time. A
worker keeps one network in memory, about 250 MB.

**Photos** are read by the workers where they see a file of that path and size, so put them on a disk that all share. Where
they do not, the photos are sent through the scheduler, which is said, and is slower. **A worker that ends** loses nothing: its
photos go to others; one that comes later gets its share. A photo that ends three workers stops the job and is named.
**Rows** are written by the command alone, in input order, each once. If it, the scheduler or the last worker ends, start
again with `--resume`.

**Safety**: whoever reaches a Dask scheduler can run programs on its workers, and photos cross the network as they are.
Keep it inside a closed network, or use [TLS](https://distributed.dask.org/en/stable/tls.html) with `tls://` addresses.
"""


if __name__ == "__main__":
    main()
