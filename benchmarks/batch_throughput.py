"""Photos a second through `screen`, beside the bare LiteRT engine and beside a plain Keras loop, taking turns in one run.

    python -m benchmarks.batch_throughput [--photos 160] [--folder DIR] [--rounds 8] [--processes] [--out FILE.md]

The plain loop is what most scripts do: Pillow opens and resizes a photo, ``model.predict`` answers its eight views; no
quality check, no lesion, no gate, no second opinion. The bare engine is the ceiling: every core answers views that are
there already, and nothing is read or judged. "Without the network" is what `screen` does besides. Without ``--folder``, photos of 200x150 px are generated.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import cv2
import numpy as np
from PIL import Image

from dermascan_core.domain import Answers, ImageType, Metadata, Status
from dermascan_core.imaging.examples import EXAMPLES, make_example
from dermascan_core.model.checkpoint import load_weights
from dermascan_core.model.litert_engine import n_cores
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.model.predictor import EnginePredictor, Predictor
from dermascan_core.model.views import make_views
from dermascan_core.native_threads import one_thread_each
from dermascan_core.services.batch import find_photo_files, screen_files
from dermascan_core.services.models import load_model_manifest, load_predictor, weights_file
from dermascan_core.services.screeners import PhotoTask, screen_task

SCREEN, BARE, PLAIN, PROCESSES = "screen (threads)", "bare LiteRT engine", "plain Keras loop", "screen (processes)"
AROUND = "screen without the network"
_JUDGED = [example.key for example in EXAMPLES if example.key != "blurred"]  # a refused photo costs less
PLAIN_SHARE = 8  # the plain loop gets an eighth of the photos of each round: its rate needs no more


def write_generated(folder: Path, n_photos: int) -> None:
    """Write photos that all differ, and that the quality gate lets pass."""
    rng = np.random.default_rng(0)
    for number in range(n_photos):
        large = make_example(_JUDGED[number % len(_JUDGED)])
        small = cv2.resize(large, (200, 150), interpolation=cv2.INTER_AREA).astype(np.int16)
        noisy = np.clip(small + rng.integers(-3, 4, small.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{number:05}.jpg", quality=92)


def plain_loop(side_px: int) -> Callable[[Sequence[Path]], None]:
    """Return the loop to compare with."""
    import keras

    manifest = load_model_manifest()
    loaded = load_weights(manifest, weights_file(manifest))
    model = keras.Model(loaded.inputs, loaded.get_layer("logits").output)
    encoded = MetadataEncoder(manifest.metadata_fields).encode([Metadata()])

    def answer(files: Sequence[Path]) -> None:
        for file in files:
            square = np.asarray(Image.open(file).convert("RGB").resize((side_px, side_px)))
            views = make_views(square).astype(np.float32)
            model.predict([views, np.repeat(encoded, len(views), axis=0)], verbose=0).mean(axis=0)

    return answer


def bare_engine(predictor: Predictor) -> Callable[[Sequence[Path]], None]:
    """Return what answers the views of as many photos, on every core."""
    side, encoder = predictor.manifest.preprocess.input_px, MetadataEncoder(predictor.manifest.metadata_fields)
    views = np.random.default_rng(0).integers(0, 256, (predictor.manifest.n_views, side, side, 3)).astype(np.float32)
    told = np.repeat(encoder.encode([Metadata()]), len(views), axis=0)
    pool = ThreadPoolExecutor(n_cores())
    return lambda files: [*pool.map(lambda _: predictor._engine.run(views, told), files)] and None


class SameAnswer:
    """An engine that answers at once, and always the same: what is left is all that is done around the network."""

    takes_any_batch = True

    def __init__(self, predictor: Predictor) -> None:
        engine, manifest = predictor._engine, predictor.manifest
        self.name, self.heads = engine.name, engine.heads
        side, width = manifest.preprocess.input_px, MetadataEncoder(manifest.metadata_fields).width
        views = np.full((manifest.n_views, side, side, 3), 160, np.float32)
        self._answer = engine.run(views, np.zeros((manifest.n_views, width), np.float32))

    def run(self, images: np.ndarray, metadata: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """See ``Engine.run``."""
        return self._answer


_OF_PROCESS: list[Predictor] = []


def _begin_process() -> None:
    one_thread_each().__enter__()
    _OF_PROCESS.append(load_predictor(n_threads=1))


def _screen_in_process(file: Path) -> Status:
    task = PhotoTask(str(file), file, Metadata(), Answers(), ImageType.DERMOSCOPIC)
    return screen_task(task, predictor=_OF_PROCESS[0]).photos[0].status


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=160)
    parser.add_argument("--folder", type=Path, help="real photos; generated ones otherwise")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--processes", action="store_true", help="also a process a core, each with its own network")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = options.folder or Path(made)
        if options.folder is None:
            write_generated(folder, options.photos)
        files = find_photo_files([folder])[0][: options.photos]
        kind = "generated photos of 200x150 px" if options.folder is None else f"photos of {folder.name}"
        measured = measure(files, options.rounds, with_processes=options.processes)
    table = _table(measured, f"{len(files)} {kind}")
    print(table)
    if options.out:
        options.out.write_text(table, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Measured:
    """One figure a round for each way; and how the photos of ``screen`` came out.

    Attributes:
        rates: Photos a second.
        cpu_ms: Processor time of this process a photo, all threads together.
        statuses: How many photos of each status.
    """

    rates: Mapping[str, Sequence[float]]
    cpu_ms: Mapping[str, Sequence[float]]
    statuses: Mapping[str, int]


def measure(files: Sequence[Path], n_rounds: int, *, with_processes: bool) -> Measured:
    """Let the ways take turns over the photos."""
    predictor = load_predictor(n_threads=n_cores())
    statuses: dict[str, int] = {}

    # Its gate is left out: it would refuse the same answer to every photo, and a refused one costs less.
    around = EnginePredictor(predictor.manifest, SameAnswer(predictor))

    def screen_around(some: Sequence[Path]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            screen_files(some, predictor=around, out=Path(folder) / "out.csv")

    def screen(some: Sequence[Path]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            summary = screen_files(some, predictor=predictor, out=Path(folder) / "out.csv")
        for status, n in summary.statuses.items():
            statuses[status.value] = statuses.get(status.value, 0) + n

    plain = plain_loop(predictor.manifest.preprocess.input_px)
    ways = {
        BARE: bare_engine(predictor),
        SCREEN: screen,
        AROUND: screen_around,
        PLAIN: lambda some: plain(some[::PLAIN_SHARE]),
    }
    if with_processes:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(n_cores(), mp_context=context, initializer=_begin_process)
        ways[PROCESSES] = lambda some: [*pool.map(_screen_in_process, some)] and None
    for way in ways.values():
        way(files[: 2 * PLAIN_SHARE])
    statuses.clear()
    rates: dict[str, list[float]] = {name: [] for name in ways}
    cpu_ms: dict[str, list[float]] = {name: [] for name in ways}
    for start in range(n_rounds):
        some = files[start * len(files) // n_rounds : (start + 1) * len(files) // n_rounds]
        for name, way in ways.items():
            n = len(some[::PLAIN_SHARE]) if name == PLAIN else len(some)
            started, used = time.perf_counter(), time.process_time()
            way(some)
            rates[name].append(n / (time.perf_counter() - started))
            cpu_ms[name].append(1000 * (time.process_time() - used) / n)
    return Measured(rates, cpu_ms, statuses)


def _table(measured: Measured, what: str) -> str:
    rates, median = measured.rates, statistics.median

    def ratio(name: str, other: str) -> float:
        return median(a / b for a, b in zip(rates[name], rates[other], strict=True))

    def ratios(name: str) -> str:
        return "- | -" if name == AROUND else f"{ratio(name, PLAIN):.1f} | {100 * ratio(name, BARE):.0f} %"

    def cpu(name: str) -> str:
        return "-" if name == PROCESSES else f"{median(measured.cpu_ms[name]):.0f}"

    rows = "\n".join(
        f"| {name} | {median(rate):.1f} ({min(rate):.1f} to {max(rate):.1f}) | {cpu(name)} | {ratios(name)} |"
        for name, rate in rates.items()
    )
    came_out = ", ".join(f"{n} {status}" for status, n in sorted(measured.statuses.items()))
    return f"""# Photos a second

Written by `python -m benchmarks.batch_throughput`; {n_cores()} cores, {platform.machine()}, Python
{platform.python_version()}. {what}: {came_out}. The ways took turns in {len(rates[SCREEN])} rounds; ratios are medians over
rounds of photos a second in the same round. Trust the ratios and the processor time, not the rates.

| way | photos a second: median (range) | processor ms a photo | times the plain Keras loop | of the bare engine |
| --- | --- | --- | --- | --- |
{rows}
"""


if __name__ == "__main__":
    main()
