"""The figures that a laptop must reach, each beside its peer in the same run: one table.

    python -m benchmarks.speed [--photo FILE] [--rounds 7] [--screenings 400] [--out docs/speed.md]

Every row measures us and the peer in turns on this machine; trust the ratios, not the seconds. ``--screenings`` says over
how many screenings memory is watched (10,000 take some minutes).
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from benchmarks._server import resident_mb
from benchmarks._streamlit_client import ANSWERED, EXAMPLE, Visitor, app_server
from benchmarks.answer_time import our_answer, plain_keras, upscaled_jpeg
from dermascan_core.domain import Answers, ImageType, Metadata
from dermascan_core.imaging.examples import EXAMPLES, example_png
from dermascan_core.model.checkpoint import load_weights
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.model.predictor import Predictor
from dermascan_core.model.views import make_views
from dermascan_core.services.models import load_predictor, weights_file
from dermascan_core.services.screening import screen_lesion

_PEER_PROCESS = """
import io, sys
import keras, numpy as np
from PIL import Image
model = keras.saving.load_model(sys.argv[1], compile=False)
side = model.inputs[0].shape[1]
square = np.asarray(Image.open(sys.argv[2]).convert("RGB").resize((side, side)), "float32")[None]
model.predict([square, np.zeros((1, model.inputs[1].shape[1]), "float32")], verbose=0)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what is done, what each takes, what was to be reached, and whether it was."""

    work: str
    peer: str
    ours: str
    ratio: str
    goal: str
    is_reached: bool


def take_turns(calls: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Call each once unmeasured, then in turns; return the median seconds of each."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if number:
                times[name].append(time.perf_counter() - started)
    return {name: statistics.median(several) for name, several in times.items()}


def measure_answer(predictor: Predictor, photo: Path | None, rounds: int) -> Row:
    """A 12-megapixel JPEG to the answer with eight views, heat maps, gate and similar photos."""
    manifest, data = predictor.manifest, upscaled_jpeg(photo)
    model = load_weights(manifest, weights_file(manifest))
    told = MetadataEncoder(manifest.metadata_fields).encode([Metadata(age_approx=55)]).astype(np.float32)
    calls = {
        "ours": our_answer(predictor, data, repeat=False),
        "peer": plain_keras(model, data, told, manifest.preprocess.input_px, at_once=1),
    }
    took = take_turns(calls, rounds)
    ratio = took["peer"] / took["ours"]
    return Row(
        "12-megapixel JPEG to the answer with 8 views, heat maps, gate, similar photos",
        f"Keras predict x 8 + GradientTape: {1000 * took['peer']:.0f} ms",
        f"{1000 * took['ours']:.0f} ms",
        f"{ratio:.1f} x faster",
        "10 x faster and 350 ms",
        ratio >= 10 and took["ours"] <= 0.35,
    )


def measure_prepared(predictor: Predictor, rounds: int) -> Row:
    """One prepared square with its eight views against the bare engine on the same views."""
    from ai_edge_litert.interpreter import Interpreter

    manifest = predictor.manifest
    square = np.random.default_rng(0).integers(0, 256, (1, *2 * (manifest.preprocess.input_px,), 3)).astype(np.uint8)
    views = make_views(square[0]).astype(np.float32)
    answers = np.zeros((len(views), MetadataEncoder(manifest.metadata_fields).width), np.float32)
    path = weights_file(manifest).with_suffix(".tflite")
    bare = Interpreter(str(path), num_threads=len(os.sched_getaffinity(0)))
    for detail, shape in zip(_by_name(bare, "image", "metadata"), (views.shape, answers.shape), strict=True):
        bare.resize_tensor_input(detail, shape)
    bare.allocate_tensors()
    image_place, answers_place = _by_name(bare, "image", "metadata")

    def run_bare() -> None:
        bare.set_tensor(image_place, views)
        bare.set_tensor(answers_place, answers)
        bare.invoke()

    took = take_turns({"ours": lambda: _ignore(predictor.predict(square, [Metadata()])), "peer": run_bare}, 6 * rounds)
    ratio = took["ours"] / took["peer"]
    return Row(
        "one prepared photo, 8 views",
        f"bare LiteRT, one batch: {1000 * took['peer']:.1f} ms",
        f"{1000 * took['ours']:.1f} ms",
        f"{ratio:.2f} x its time",
        "1.2 x its time",
        ratio <= 1.2,
    )


def measure_start(predictor: Predictor, rounds: int) -> Row:
    """A new process to its first answer."""
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "photo.png"
        photo.write_bytes(example_png(EXAMPLES[0].key))
        ours = [sys.executable, "-m", "dermascan_core", "screen", str(photo)]
        peer = [sys.executable, "-c", _PEER_PROCESS, str(weights_file(predictor.manifest)), str(photo)]
        took = take_turns({"ours": lambda: _run(ours), "peer": lambda: _run(peer)}, max(3, rounds // 2))
    ratio = took["peer"] / took["ours"]
    return Row(
        "process start to the first answer, and its end",
        f"TensorFlow + Keras load + predict: {took['peer']:.1f} s",
        f"{took['ours']:.2f} s",
        f"{ratio:.1f} x faster",
        "4 x faster and 2 s",
        ratio >= 4 and took["ours"] <= 2,
    )


def measure_app_memory() -> Row:
    """The app with its model and one person, who has got an answer."""
    mb = {}
    for engine in ("auto", "keras"):
        with app_server(DERMASCAN_ENGINE=engine) as (port, pid):
            visitor = Visitor.arrive(port)
            if ANSWERED not in visitor.click(EXAMPLE):
                raise SystemExit("The app gave no answer.")
            mb[engine] = resident_mb(pid)
            visitor.leave()
    return Row(
        "memory of the app with its model and one person",
        f"with Keras in the process: {mb['keras']:.0f} MB",
        f"{mb['auto']:.0f} MB",
        f"{mb['keras'] / mb['auto']:.1f} x less",
        "400 MB",
        mb["auto"] <= 400,
    )


def measure_growth(predictor: Predictor, n_screenings: int) -> Row:
    """Memory before and after many screenings, behind a tenth of them to warm up."""
    data = example_png(EXAMPLES[0].key)

    def screen(n: int) -> float:
        for _ in range(n):
            screen_lesion(
                [("photo.png", data)],
                metadata=Metadata(age_approx=50),
                answers=Answers(),
                image_type=ImageType.DERMOSCOPIC,
                predictor=predictor,
                explain=True,
            )
        gc.collect()
        return resident_mb(os.getpid())

    before = screen(max(20, n_screenings // 10))
    after = screen(n_screenings)
    growth = after / before - 1
    return Row(
        f"memory over {n_screenings:,} screenings, after a tenth of them",
        "none",
        f"{before:.0f} to {after:.0f} MB",
        f"{100 * growth:+.1f} %",
        "under 5 %",
        growth < 0.05,
    )


def table(rows: list[Row]) -> str:
    """Return the page."""
    lines = "\n".join(
        f"| {row.work} | {row.peer} | {row.ours} | {row.ratio} | {row.goal} | {'yes' if row.is_reached else '**no**'} |"
        for row in rows
    )
    return f"""# Speed and memory

Written by `python -m benchmarks.speed`; {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.
Each row takes turns with its peer in one run: trust the ratios, not the seconds.

| work | peer | DermaScan | ratio | to be reached | reached |
| --- | --- | --- | --- | --- | --- |
{lines}
"""


def _by_name(interpreter: object, *names: str) -> list[int]:
    inputs = interpreter.get_signature_runner().get_input_details()  # type: ignore[attr-defined]
    return [int(inputs[name]["index"]) for name in names]


def _ignore(value: object) -> None:
    """Turn an answer into none: what is timed gives nothing back."""


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(done.stderr.decode())


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, help="a real photo for the first row; a generated example otherwise")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--screenings", type=int, default=400)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    predictor = load_predictor()
    rows = [
        measure_growth(predictor, options.screenings),
        measure_prepared(predictor, options.rounds),
        measure_start(predictor, options.rounds),
        measure_app_memory(),
        measure_answer(predictor, options.photo, options.rounds),  # last: it brings TensorFlow into this process
    ]
    page = table(rows)
    print(page)
    if options.out:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
