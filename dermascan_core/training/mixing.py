"""Two photos as one: MixUp blends them, CutMix sets a piece of one into the other; targets and answers follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step learns from.

    Attributes:
        images: Array (n, side, side, 3), float32 in [0, 255].
        metadata: Encoded answers (n, width).
        targets: Shares of the classes (n, n_classes), rows summing to 1.
        masks: Lesions on the same squares (n, side, side), float32 in [0, 1]; a photo without one holds -1. None where
            no masks are learnt.
    """

    images: Array
    metadata: Array
    targets: Array
    masks: Array | None = None


@dataclass(frozen=True, slots=True)
class Mixing:
    """How one batch is mixed, chosen before any of its photos is read.

    Attributes:
        partner: Position of each photo's partner, (n,).
        share: In [0, 1], that each photo keeps.
        is_cut: Whether pieces are set in (CutMix), or photos blended (MixUp).
    """

    partner: npt.NDArray[np.integer]
    share: float
    is_cut: bool

    def apply(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Return the batch mixed; ``rng`` is the one that chose, and now chooses CutMix's place."""
        if self.is_cut:
            return cut_and_paste(batch, self.partner, share=self.share, rng=rng)
        return blend(batch, self.partner, share=self.share)

    def among(self, rows: Sequence[int]) -> tuple[list[int], Mixing]:
        """Return which photos some rows of the batch are mixed from, those rows first, and the mixing of these alone.

        >>> rows, mixing = Mixing(np.array([2, 0, 3, 1]), 0.5, False).among([0, 1])
        >>> rows, mixing.partner.tolist()
        ([0, 1, 2], [2, 0, 2])
        """
        wanted = list(dict.fromkeys([*rows, *self.partner[list(rows)].tolist()]))
        place = {row: number for number, row in enumerate(wanted)}
        # A photo that only lends itself needs no partner of its own.
        partner = [place.get(int(self.partner[row]), number) for number, row in enumerate(wanted)]
        return wanted, replace(self, partner=np.array(partner))


def choose_mixing(
    n_photos: int, *, mixup: float, cutmix: float, probability: float, rng: np.random.Generator
) -> Mixing | None:
    """Return how a batch is mixed; None where it is not.

    Args:
        n_photos: In the batch.
        mixup, cutmix, probability, rng: See ``mix``.
    """
    if not (mixup or cutmix) or rng.random() >= probability:
        return None
    partner = rng.permutation(n_photos)
    if mixup and (not cutmix or rng.random() < 0.5):
        return Mixing(partner, float(rng.beta(mixup, mixup)), is_cut=False)
    return Mixing(partner, float(rng.beta(cutmix, cutmix)), is_cut=True)


def mix(batch: Batch, *, mixup: float, cutmix: float, probability: float, rng: np.random.Generator) -> Batch:
    """Return the batch, at times mixed with itself in another order.

    Args:
        batch: To mix.
        mixup, cutmix: Beta parameters; 0 switches one off. Where both are on, each is taken half of the time.
        probability: Share of batches that are mixed.
        rng: Source of every random choice.

    Reference: MixUp: Zhang et al. (2018), https://arxiv.org/abs/1710.09412; CutMix: Yun et al. (2019),
    https://arxiv.org/abs/1905.04899
    """
    mixing = choose_mixing(len(batch.images), mixup=mixup, cutmix=cutmix, probability=probability, rng=rng)
    return batch if mixing is None else mixing.apply(batch, rng)


def blend(batch: Batch, partner: npt.NDArray[np.integer], *, share: float) -> Batch:
    """Return every photo as ``share`` of itself and the rest of its partner: MixUp.

    Args:
        batch: To mix.
        partner: Position of each photo's partner, (n,).
        share: In [0, 1], that each photo keeps.
    """

    def mixed(values: Array) -> Array:
        return np.asarray(share * values + (1 - share) * values[partner], np.float32)

    masks = batch.masks
    if masks is not None:
        masks = np.where(_knows_both(masks, partner), mixed(masks), np.float32(-1))
    return Batch(mixed(batch.images), mixed(batch.metadata), mixed(batch.targets), masks)


def cut_and_paste(batch: Batch, partner: npt.NDArray[np.integer], *, share: float, rng: np.random.Generator) -> Batch:
    """Return every photo with one rectangle of its partner in the same place: CutMix.

    Targets and answers are mixed by the area that was really kept, as the rectangle may reach past the border.

    Args:
        batch: To mix.
        partner: Position of each photo's partner, (n,).
        share: Area in [0, 1] that each photo is to keep.
        rng: Chooses the rectangle's place.
    """
    side = batch.images.shape[1]
    half = side * np.sqrt(1 - share) / 2
    middle = rng.uniform(0, side, 2)
    low, high = (np.clip(np.round(middle + s * half), 0, side).astype(int) for s in (-1, 1))
    place: tuple[Any, ...] = (slice(None), slice(low[0], high[0]), slice(low[1], high[1]))
    kept = 1 - float(np.prod(high - low)) / side**2
    images = batch.images.copy()
    images[place] = batch.images[partner][place]
    masks = batch.masks
    if masks is not None:
        pasted = masks.copy()
        pasted[place] = masks[partner][place]
        masks = np.where(_knows_both(masks, partner), pasted, np.float32(-1))
    answers = blend(replace(batch, masks=None), partner, share=kept)
    return Batch(images, answers.metadata, answers.targets, masks)


def _knows_both(masks: Array, partner: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    is_known = masks[:, 0, 0] >= 0
    return np.asarray((is_known & is_known[partner])[:, np.newaxis, np.newaxis])
