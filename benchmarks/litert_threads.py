"""How LiteRT should use the cores, and what NumPy's second thread costs beside it; the ways take turns.

    python -m benchmarks.litert_threads [--rounds 40] [--out docs/litert-threads.md]

Eight views of a photo: as one batch on as many threads as cores, or one view after another on each core, as ours does. Then a
photo's whole answer, with NumPy's linear algebra on every core, or held to one thread, as ours is.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from threadpoolctl import threadpool_limits

from dermascan_core.domain import Metadata
from dermascan_core.model.litert_engine import n_cores
from dermascan_core.services.models import WEIGHTS_DIR, load_model_manifest, load_predictor

Way = Callable[[], object]
SETTLE_S = 0.1  # in which threads that spin for more work give up


def open_interpreter(n_views: int, n_threads: int) -> Way:
    """Return what answers so many views in one batch."""
    manifest = load_model_manifest()
    interpreter = Interpreter(str(WEIGHTS_DIR / f"{manifest.name}.tflite"), num_threads=n_threads)
    shapes = {one["index"]: (n_views, *one["shape"][1:]) for one in interpreter.get_input_details()}
    for index, shape in shapes.items():
        interpreter.resize_tensor_input(index, shape)
    interpreter.allocate_tensors()
    for index, shape in shapes.items():
        interpreter.set_tensor(index, np.full(shape, 0.5, np.float32))
    return interpreter.invoke


def view_after_view() -> Way:
    """Return what answers eight views on as many interpreters as there are cores, one view at a time each."""
    alone = [open_interpreter(1, 1) for _ in range(n_cores())]
    pool = ThreadPoolExecutor(n_cores())

    def some(place: int) -> None:
        for _ in range(place, load_model_manifest().n_views, n_cores()):
            alone[place]()

    return lambda: list(pool.map(some, range(n_cores())))


def whole_answer(n_blas_threads: int) -> Way:
    """Return what answers one photo with its views while NumPy's linear algebra may use so many threads."""
    predictor = load_predictor(engine="litert")
    side = predictor.manifest.preprocess.input_px
    squares = np.random.default_rng(0).integers(0, 256, (1, side, side, 3)).astype(np.uint8)

    def answer() -> None:
        with threadpool_limits(limits=n_blas_threads, user_api="blas"):
            predictor.predict(squares, [Metadata(age_approx=50)])

    return answer


def measure(ways: dict[str, Way], n_rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return (milliseconds, milliseconds of processor time) of each round of each way."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(n_rounds):
        for name, way in ways.items():
            time.sleep(SETTLE_S)
            started, used = time.perf_counter(), time.process_time()
            way()
            took[name].append((1000 * (time.perf_counter() - started), 1000 * (time.process_time() - used)))
    return took


def table(took: dict[str, list[tuple[float, float]]]) -> str:
    """Return the page."""
    lines = "\n".join(
        f"| {name} | {statistics.median(ms):.0f} ({min(ms):.0f}) | {statistics.median(cpu):.0f} |"
        for name, rounds in took.items()
        for ms, cpu in [tuple(zip(*rounds, strict=True))]
    )
    return f"""# LiteRT and threads

Written by `python -m benchmarks.litert_threads`; {n_cores()} cores, {platform.machine()}, Python
{platform.python_version()}.

| way | ms: median (least) | processor ms |
| --- | --- | --- |
{lines}
"""


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    n_views = load_model_manifest().n_views
    ways = {
        f"{n_views} views in one batch, a thread a core": open_interpreter(n_views, n_cores()),
        f"{n_views} views one after another, an interpreter a core": view_after_view(),
        "a photo's answer, NumPy on every core": whole_answer(n_cores()),
        "a photo's answer, NumPy on one thread": whole_answer(1),
    }
    page = table(measure(ways, options.rounds))
    print(page)
    if options.out:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
