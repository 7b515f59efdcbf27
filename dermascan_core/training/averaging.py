"""The mean of a network's weights over its last epochs, kept on disk so that a killed run loses none of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .run_folder import write_whole

MEAN_FILE = "average.keras"  # the mean network with statistics of its own, where batch normalisation was trained
Weights = Sequence[npt.NDArray[np.floating]]


class RunningAverage:
    """Stochastic weight averaging over epochs.

    Moving statistics of batch normalisation are averaged like any other weight; ``reestimate_batch_norm`` takes them
    anew from photos before the mean is used.

    Args:
        path: ``.npz`` file that holds the sum so far; read if it exists.

    Reference: Izmailov et al. (2018), https://arxiv.org/abs/1803.05407
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.epochs: list[int] = []
        self._sums: list[npt.NDArray[np.float64]] = []
        if path.is_file():
            with np.load(path) as stored:
                self.epochs = [int(e) for e in stored["arr_0"]]
                self._sums = [stored[f"arr_{i}"] for i in range(1, len(stored.files))]

    def add(self, epoch: int, weights: Weights) -> None:
        """Add one epoch's weights; an epoch that is in already (a resumed run repeats it to the bit) is left out.

        Raises:
            OutputError: If the disk is full.
        """
        if epoch in self.epochs:
            return
        arrays = [np.asarray(w, np.float64) for w in weights]
        self._sums = arrays if not self.epochs else [s + w for s, w in zip(self._sums, arrays, strict=True)]
        self.epochs.append(epoch)

        def write(partial: Path) -> None:
            with partial.open("wb") as file:
                np.savez(file, np.array(self.epochs), *self._sums)

        write_whole(self.path, write)

    def mean(self) -> list[npt.NDArray[np.float32]]:
        """Return the mean weights, in the model's order.

        Raises:
            ValueError: If no epoch was added.
        """
        if not self.epochs:
            raise ValueError("Expected at least one epoch's weights. None were added.")
        return [np.asarray(s / len(self.epochs), np.float32) for s in self._sums]


def reestimate_batch_norm(model: keras.Model, batches: Any, n_batches: int) -> int:
    """Set the statistics of batch normalisation to their mean over some batches of training photos.

    The mean of several networks' statistics is not the statistics of the mean network. Layers that were frozen in
    training keep theirs.

    Args:
        model: Its ``backbone`` trains batch normalisation or does not; its weights are otherwise left alone.
        batches: Indexable batches whose first entry is the model's input, as ``fit.make_training_batches`` returns.
        n_batches: How many to look at; all where there are fewer.

    Returns:
        How many layers were set.

    Reference: Izmailov et al. (2018), section 3.2, https://arxiv.org/abs/1803.05407
    """
    layers = [
        layer
        for layer in model._flatten_layers(include_self=False)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not layers:
        return 0
    momenta = [layer.momentum for layer in layers]
    try:
        for number in range(min(n_batches, len(batches))):
            for layer in layers:
                layer.momentum = number / (number + 1)  # the running mean of all batches so far
            model(batches[number][0], training=True)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    return len(layers)
