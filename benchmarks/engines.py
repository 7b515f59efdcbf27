"""The engines beside each other: loading, memory, one photo with eight views, many callers at once, agreement.

    python -m benchmarks.engines [--rounds 15] [--out docs/engines.md]

Exports the default model for every engine into a temporary folder (needs ``requirements-engines.txt``), then lets them take
turns, each in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks._server import resident_mb
from dermascan_core.domain import Metadata
from dermascan_core.model.predictor import Predictor
from dermascan_core.services.engine_export import export_engine
from dermascan_core.services.models import DEFAULT_MODEL, WEIGHTS_DIR, load_model_manifest, load_predictor

EXPORTED = ("litert", "onnx", "openvino")
N_CALLERS, N_PHOTOS = 8, 24


class LiveEngine:
    """An engine in a process of its own, asked over pipes: thread pools of one cannot slow another down."""

    def __init__(self, name: str, folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.engines", "--live", name, str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.start_s, self.memory_mb = self._read()

    def seconds(self, what: str) -> float:
        """Have it do ``one`` or ``many``; return what that took."""
        assert self._process.stdin is not None
        print(what, file=self._process.stdin, flush=True)
        (took,) = self._read()
        return took

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> list[float]:
        assert self._process.stdout is not None
        return [float(number) for number in json.loads(self._process.stdout.readline())]


def live(engine: str, folder: Path) -> None:
    """The other end of ``LiveEngine``."""
    started = time.perf_counter()
    predictor = load_predictor(DEFAULT_MODEL, engine, weights_dir=folder)
    _one_photo(predictor)
    print(json.dumps([time.perf_counter() - started, resident_mb(os.getpid())]), flush=True)
    for line in sys.stdin:
        took = _one_photo(predictor) if line.strip() == "one" else _many_callers(predictor)
        print(json.dumps([took]), flush=True)


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--live", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.live:
        live(options.live[0], Path(options.live[1]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for ending in (".keras", ".json", ".gate.npz"):
            shutil.copy(WEIGHTS_DIR / f"{DEFAULT_MODEL}{ending}", folder)
        for engine in EXPORTED:
            export_engine(DEFAULT_MODEL, format=engine, weights_dir=folder)
        page = measure(folder, options.rounds)
    print(page)
    if options.out:
        options.out.write_text(page, encoding="utf-8")


def measure(folder: Path, rounds: int) -> str:
    """Return the page."""
    engines = ("keras", *EXPORTED)
    processes = {engine: LiveEngine(engine, folder) for engine in engines}
    one: dict[str, list[float]] = {engine: [] for engine in engines}
    many: dict[str, list[float]] = {engine: [] for engine in engines}
    for number in range(rounds + 1):
        for engine, process in processes.items():
            took = process.seconds("one"), process.seconds("many")
            if number:
                one[engine].append(took[0])
                many[engine].append(took[1])
    for process in processes.values():
        process.stop()
    manifest = load_model_manifest(DEFAULT_MODEL, folder)
    lines = []
    for engine in engines:
        ms = 1000 * statistics.median(one[engine])
        rate = N_PHOTOS / statistics.median(many[engine])
        record = manifest.engines.get(engine)
        size = (folder / f"{DEFAULT_MODEL}.keras").stat().st_size if record is None else record["size_bytes"]
        differs = "reference" if record is None else f"{record['agreement']['max_probability_difference']:.1g}"
        lines.append(
            f"| {engine} | {processes[engine].start_s:.2f} | {processes[engine].memory_mb:.0f} | {size / 1e6:.1f} | {ms:.1f} "
            f"| {statistics.median(one['keras']) * 1000 / ms:.1f} | {rate:.0f} "
            f"| {statistics.median(many['keras']) / statistics.median(many[engine]):.1f} | {differs} |"
        )
    rows = "\n".join(lines)
    return f"""# The engines beside each other

Written by `python -m benchmarks.engines`; {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}. The
engines are live processes that take turns: trust the ratios. The start is without Python's own and NumPy's. Many
callers: {N_CALLERS} threads with {N_PHOTOS} photos between them, all waiting for one engine.

| engine | start to the first answer, s | memory, MB | file, MB | a photo with 8 views, ms | times Keras | photos a second, many callers | times Keras | largest difference from Keras |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
{rows}

The differences are over generated pictures; that of the engine that ships stands in its manifest, over the test photos.
"""


def _squares(predictor: Predictor, n: int) -> np.ndarray:
    side = predictor.manifest.preprocess.input_px
    return np.random.default_rng(0).integers(0, 256, (n, side, side, 3)).astype(np.uint8)


def _one_photo(predictor: Predictor) -> float:
    square = _squares(predictor, 1)
    started = time.perf_counter()
    predictor.predict(square, [Metadata()])
    return time.perf_counter() - started


def _many_callers(predictor: Predictor) -> float:
    squares = _squares(predictor, N_PHOTOS)
    started = time.perf_counter()
    with ThreadPoolExecutor(N_CALLERS) as callers:
        list(callers.map(lambda square: predictor.predict(square[np.newaxis], [Metadata()]), squares))
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
