"""The mean of a network's weights over its last epochs, kept on disk so that a killed run loses none of it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

Weights = Sequence[npt.NDArray[np.floating]]


class RunningAverage:
    """Stochastic weight averaging over epochs.

    Moving statistics of batch normalisation are averaged like any other weight: at the small learning rates of the
    last epochs the networks lie close together, and the average is validated before it is used.

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
        """Add one epoch's weights; an epoch that is in already (a resumed run repeats none) is left out."""
        if epoch in self.epochs:
            return
        arrays = [np.asarray(w, np.float64) for w in weights]
        self._sums = arrays if not self.epochs else [s + w for s, w in zip(self._sums, arrays, strict=True)]
        self.epochs.append(epoch)
        unfinished = self.path.with_name(f"partial-{self.path.name}")
        with unfinished.open("wb") as file:
            np.savez(file, np.array(self.epochs), *self._sums)
        os.replace(unfinished, self.path)

    def mean(self) -> list[npt.NDArray[np.float32]]:
        """Return the mean weights, in the model's order.

        Raises:
            ValueError: If no epoch was added.
        """
        if not self.epochs:
            raise ValueError("Expected at least one epoch's weights. None were added.")
        return [np.asarray(s / len(self.epochs), np.float32) for s in self._sums]
