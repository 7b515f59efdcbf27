"""Batches for training: seeded, class-balanced draws of squares, augmented, with metadata dropped at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..domain import Metadata
from ..model.dual_branch import IMAGE_INPUT, METADATA_INPUT
from ..model.metadata_branch import MetadataEncoder
from ..taxonomy import REGION_OF
from .augmentation import AugmentationConfig, augment


def sampling_shares(class_shares: npt.NDArray[np.floating], balance: float) -> npt.NDArray[np.float64]:
    """Return how often each class is drawn: its share to the power ``1 - balance``, normalised.

    Args:
        class_shares: Shares in the data, shape (n_classes,), summing to 1.
        balance: 0 keeps the data's mix, 1 draws every class equally often.

    >>> sampling_shares(np.array([0.8, 0.2]), 1.0).tolist()
    [0.5, 0.5]
    """
    weights = np.power(np.asarray(class_shares, np.float64), 1 - balance)
    return np.asarray(weights / weights.sum())


class BalancedBatches(keras.utils.PyDataset):
    """Batches of ({image, metadata}, target), redrawn every epoch from (seed, epoch) alone, so a resumed run repeats.

    Args:
        squares: Array (n, side, side, 3), uint8.
        targets: Array (n, n_classes); rows sum to 1.
        metadata: n entries.
        encoder: Of the metadata branch.
        batch_size: Photos a batch.
        balance: See ``sampling_shares``.
        augmentation: How far squares may change.
        drop_all, drop_field: See ``presets.Preset``.
        seed: Of every random choice.
        first_epoch: Epoch that the next pass is.
    """

    def __init__(
        self,
        squares: npt.NDArray[np.uint8],
        targets: npt.NDArray[np.float32],
        metadata: Sequence[Metadata],
        *,
        encoder: MetadataEncoder,
        batch_size: int,
        balance: float,
        augmentation: AugmentationConfig,
        drop_all: float,
        drop_field: float,
        seed: int,
        first_epoch: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.squares, self.targets, self.metadata = squares, targets, list(metadata)
        self.encoder, self.batch_size, self.augmentation = encoder, batch_size, augmentation
        self.drop_all, self.drop_field = drop_all, drop_field
        self.seed, self.epoch = seed, first_epoch
        class_counts = targets.sum(axis=0)
        shares = sampling_shares(class_counts / class_counts.sum(), balance)
        weights = targets @ (shares / np.maximum(class_counts, 1e-9))
        self.draw_probability = weights / weights.sum()
        self._draw()

    def _draw(self) -> None:
        rng = np.random.default_rng((self.seed, self.epoch))
        n = len(self.squares)
        # Systematic resampling: every photo comes floor or ceil of its expected number of times.
        positions = (np.arange(n) + rng.random()) / n
        drawn = np.searchsorted(np.cumsum(self.draw_probability), positions).clip(0, n - 1)
        self.order = rng.permutation(drawn)

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's draw."""
        self.epoch += 1
        self._draw()

    def __len__(self) -> int:
        return len(self.squares) // self.batch_size

    def __getitem__(self, index: int) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[np.float32]]:
        rng = np.random.default_rng((self.seed, self.epoch, index))
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images = np.stack([augment(np.asarray(self.squares[i]), self.augmentation, rng) for i in chosen])
        metadata = [
            drop_metadata(self.metadata[i], drop_all=self.drop_all, drop_field=self.drop_field, rng=rng) for i in chosen
        ]
        inputs = {IMAGE_INPUT: images.astype(np.float32), METADATA_INPUT: self.encoder.encode(metadata)}
        return inputs, self.targets[chosen]


def drop_metadata(metadata: Metadata, *, drop_all: float, drop_field: float, rng: np.random.Generator) -> Metadata:
    """Return the metadata with answers withheld at random, so that every subset, none included, is learnt.

    A site is also coarsened to its region at times: the ISIC archive often knows no more.
    """
    if rng.random() < drop_all:
        return Metadata()
    dropped: dict[str, Any] = {f.name: None for f in fields(Metadata) if rng.random() < drop_field}
    if metadata.anatom_site in REGION_OF and "anatom_site" not in dropped and rng.random() < 0.25:
        dropped["anatom_site"] = REGION_OF[metadata.anatom_site]
    return replace(metadata, **dropped)
