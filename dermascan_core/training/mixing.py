"""Two photos as one: MixUp blends them, CutMix sets a piece of one into the other; targets and answers follow."""

from __future__ import annotations

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
    if not (mixup or cutmix) or rng.random() >= probability:
        return batch
    partner = rng.permutation(len(batch.images))
    if mixup and (not cutmix or rng.random() < 0.5):
        return blend(batch, partner, share=float(rng.beta(mixup, mixup)))
    return cut_and_paste(batch, partner, share=float(rng.beta(cutmix, cutmix)), rng=rng)


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
