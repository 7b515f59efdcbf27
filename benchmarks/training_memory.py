"""Training steps with freed memory kept for the next step, and given back as glibc does by itself; the ways take turns.

    python -m benchmarks.training_memory [--rounds 6] [--out docs/training-memory.md]

Each way is a process of its own that stays. A step is one batch of the recipe ``student`` without its teachers: MobileNetV2 at
160 px, every layer, random photos.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

from dermascan_core.native_memory import keep_freed_memory
from dermascan_core.native_output import without_chatter

WAYS = {"given back": "glibc's own way: given back at once", "kept": "kept for the next step, as `train` does"}
N_FIRST = 2  # steps that are not counted: the first builds the graph


def work(way: str, batch_size: int) -> None:
    """Answer each line of standard input with the seconds of one step and the most memory so far, in MB."""
    if way == "kept" and not keep_freed_memory():
        raise SystemExit("There is no glibc here: nothing to compare.")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
    with without_chatter():
        import keras
        import numpy as np

        from dermascan_core.model.dual_branch import build_dual_branch
        from dermascan_core.training.presets import PRESETS
        from dermascan_core.training.run_setup import compile_for

        preset = PRESETS["student"]
        keras.utils.set_random_seed(preset.seed)
        n_classes, side = 9, preset.input_px
        model = build_dual_branch(
            preset.backbone,
            input_px=side,
            metadata_width=30,
            n_classes=n_classes,
            pretrained=None,
            dropout=preset.dropout,
        )
        compile_for(model, preset, preset.learning_rate, shares=np.full(n_classes, 1 / n_classes))
        rng = np.random.default_rng(preset.seed)
        shapes = [tuple(one.shape[1:]) for one in model.inputs]
        inputs = [
            rng.uniform(0, 255 if len(shape) == 3 else 1, (batch_size, *shape)).astype(np.float32) for shape in shapes
        ]
        targets = np.eye(n_classes, dtype=np.float32)[rng.integers(0, n_classes, batch_size)]
    for _ in sys.stdin:
        started = time.perf_counter()
        model.train_on_batch(inputs, targets)
        took = time.perf_counter() - started
        print(f"{took} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}", flush=True)


def measure(n_rounds: int, batch_size: int) -> dict[str, tuple[list[float], float]]:
    """Return, for each way, the seconds of each step and the most memory, in MB."""
    command = [sys.executable, "-m", "benchmarks.training_memory", "--batch-size", str(batch_size), "--work"]
    # What somebody set for malloc by hand would decide both ways.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    workers = {
        way: subprocess.Popen(
            [*command, way], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        for way in WAYS
    }
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    most = dict.fromkeys(WAYS, 0.0)
    try:
        for number in range(N_FIRST + n_rounds):
            for way, worker in workers.items():
                assert worker.stdin is not None
                assert worker.stdout is not None
                print("step", file=worker.stdin, flush=True)
                step, most[way] = map(float, worker.stdout.readline().split())
                if number >= N_FIRST:
                    took[way].append(step)
    finally:
        for worker in workers.values():
            worker.communicate()
    return {way: (took[way], most[way]) for way in WAYS}


def page(measured: dict[str, tuple[list[float], float]], batch_size: int) -> str:
    """Return the table, in Markdown."""
    medians = {way: statistics.median(took) for way, (took, _) in measured.items()}
    rows = "\n".join(
        f"| {words} | {medians[way]:.2f} ({min(measured[way][0]):.2f}) | {batch_size / medians[way]:.0f} "
        f"| {measured[way][1]:,.0f} |"
        for way, words in WAYS.items()
    )
    ratio = medians["given back"] / medians["kept"]
    return f"""# What a training step frees, and keeping it

Written by `python -m benchmarks.training_memory`; {os.cpu_count()} cores, {platform.machine()}, Python
{platform.python_version()}, {" ".join(platform.libc_ver())}. Batches of {batch_size} photos, {len(measured["kept"][0])} steps a way.

| memory that a step frees | s a step: median (least) | photos a second | most memory, MB |
| --- | --- | --- | --- |
{rows}

A step takes {ratio:.1f} times as long where memory is given back.
"""


def main() -> None:
    """Measure, print the page, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--work", choices=list(WAYS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work(asked.work, asked.batch_size)
        return
    text = page(measure(asked.rounds, asked.batch_size), asked.batch_size)
    print(text)
    if asked.out:
        asked.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
