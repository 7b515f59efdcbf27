"""The learning-rate range test: raise the rate batch by batch, and see where the loss falls and where it bursts.

Reference: Smith (2017), https://arxiv.org/abs/1506.01186
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from ..errors import TrainingError
from ..evaluation.files import prepare_folder, write_file
from ..evaluation.line_plot import draw_lines
from ..native_memory import keep_freed_memory
from .presets import Preset
from .run_setup import build_network, compile_for, make_training_batches, read_run_data, read_squares
from .stages import open_layers

_SMOOTHING = 0.9  # of the running loss
_BURST = 4.0  # times the lowest loss: the test ends
_SKIPPED_SHARE = 0.1  # of the batches, while the running loss settles


@dataclass(frozen=True, slots=True)
class RangeTest:
    """What a range test found.

    Attributes:
        rates: Learning rate of each batch.
        losses: Its loss.
        smoothed: Running mean of the losses.
        suggested_rate: Where the running loss falls fastest.
        lowest_loss_rate: Where it is lowest; a run diverges not far above it.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested_rate: float
    lowest_loss_rate: float


def find_learning_rate(
    preset: Preset,
    *,
    data: Path | Sequence[Path],
    out: Path,
    fold: int = 0,
    n_batches: int = 100,
    lowest: float = 1e-6,
    highest: float = 1.0,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> RangeTest:
    """Run the test with every layer open and write ``lr-find.csv`` and ``lr-find.png``.

    Args:
        preset: The recipe; its optimizer, loss, batches and augmentation are those of training.
        data: One or several data set folders.
        out: Where the two files and the prepared squares go.
        fold: Left out, as in training.
        n_batches: Length of the test.
        lowest, highest: The rates of the first and the last batch.
        on_progress: Called with (what, done, total).

    Raises:
        DatasetError, OutputError, WeightsError: As ``fit.train``.
        TrainingError: If the loss burst before anything could be seen.
    """
    keep_freed_memory()
    run_data = read_run_data(preset, data, fold)
    keras.utils.set_random_seed(preset.seed)
    network = build_network(preset, run_data, is_fresh=True)
    prepare_folder(out)
    squares = read_squares(preset, run_data, cache_dir=out / "cache", on_progress=on_progress)
    batches = make_training_batches(
        preset, run_data, squares["training"], network, difficulty_file=out / "difficulty.bin", on_progress=on_progress
    )
    open_layers(network, 1.0, train_batch_norm=preset.train_batch_norm)
    model = keras.Model(network.inputs, network.outputs)
    compile_for(model, preset, lowest, shares=run_data.drawn_shares)
    found = run_range_test(
        model, _repeat(batches, n_batches), n_batches=n_batches, lowest=lowest, highest=highest,
        on_batch=lambda done: on_progress("batches", done, n_batches),
    )  # fmt: skip
    write_file(out / "lr-find.csv", _as_csv(found).encode())
    write_file(
        out / "lr-find.png",
        draw_lines(
            "Learning-rate range test",
            "learning rate",
            "loss",
            [("running mean", found.rates, found.smoothed), ("batch", found.rates, found.losses)],
            is_log_x=True,
            mark=found.suggested_rate,
        ),
    )
    return found


def run_range_test(
    model: keras.Model,
    batches: Iterable[Sequence[Any]],
    *,
    n_batches: int,
    lowest: float,
    highest: float,
    on_batch: Callable[[int], None] = lambda done: None,
) -> RangeTest:
    """Train a compiled model with rates rising geometrically, until the batches end or the loss bursts.

    Args:
        model: Compiled with a rate that can be set.
        batches: Tuples for ``train_on_batch``.
        n_batches: Over how many the rate rises.
        lowest, highest: First and last rate.
        on_batch: Called with the number done.

    Raises:
        TrainingError: If the loss burst before anything could be seen.
    """
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    running = 0.0
    for number, batch in enumerate(batches):
        rate = lowest * (highest / lowest) ** (number / max(1, n_batches - 1))
        model.optimizer.learning_rate = rate
        loss = float(model.train_on_batch(*batch, return_dict=True)["loss"])
        model.reset_metrics()
        if not math.isfinite(loss):
            break
        running = _SMOOTHING * running + (1 - _SMOOTHING) * loss
        rates.append(rate)
        losses.append(loss)
        smoothed.append(running / (1 - _SMOOTHING ** (number + 1)))
        on_batch(number + 1)
        if smoothed[-1] > _BURST * min(smoothed):
            break
    return _judge(rates, losses, smoothed)


def _judge(rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float]) -> RangeTest:
    first = round(_SKIPPED_SHARE * len(rates))
    if len(rates) - first < 5:
        raise TrainingError(
            f"Expected a loss that can be followed over some batches. It burst after {len(rates)}. "
            "Start from a lower rate, or test over more batches."
        )
    lowest_at = first + int(np.argmin(smoothed[first:]))
    slope = np.gradient(smoothed, np.log(rates))
    falling = slope[first : max(lowest_at, first + 1)]
    return RangeTest(
        tuple(rates), tuple(losses), tuple(smoothed), rates[first + int(np.argmin(falling))], rates[lowest_at]
    )


def _repeat(batches: keras.utils.PyDataset, n_batches: int) -> Iterable[Sequence[Any]]:
    for number in range(n_batches):
        yield batches[number % len(batches)]
        if (number + 1) % len(batches) == 0:
            batches.on_epoch_end()


def _as_csv(found: RangeTest) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["learning_rate", "loss", "smoothed_loss"])
    writer.writerows(
        [f"{r:.6g}", f"{a:.6g}", f"{b:.6g}"] for r, a, b in zip(found.rates, found.losses, found.smoothed, strict=True)
    )
    return text.getvalue()
