"""Batches for training: seeded, class-balanced draws of squares, augmented and mixed, with metadata dropped at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..domain import Metadata
from ..evaluation.class_draws import Shares, draws_per_class
from ..model.dual_branch import IMAGE_INPUT, METADATA_INPUT
from ..model.metadata_branch import MetadataEncoder
from ..taxonomy import REGION_OF
from .augmentation import AUGMENTATIONS, AugmentationConfig, augment_with_mask, augmentation_of
from .losses import class_weights
from .masks import LesionMasks, to_grid
from .missingness import hiding_probability, withhold
from .mixing import Batch, Mixing, choose_mixing
from .presets import Preset


def drawn_shares(preset: Preset, class_counts: npt.NDArray[np.floating]) -> Shares:
    """Return each class's share of what an epoch draws; what ``losses.make_loss`` weighs against.

    Args:
        preset: Its ``balance`` and ``class_floor`` count.
        class_counts: Photos of each class, (n_classes,).
    """
    drawn = draws_per_class(class_counts, balance=preset.balance, class_floor=preset.class_floor)
    return np.asarray(drawn / drawn.sum())


def seen_shares(preset: Preset, class_counts: npt.NDArray[np.floating]) -> Shares:
    """Return each class's share of the loss: how often it is drawn times its weight.

    The network learns to answer for this mix, so this is what its answers are corrected back from.
    """
    drawn = drawn_shares(preset, class_counts)
    weighted = drawn * class_weights(drawn, preset.class_weight)
    return np.asarray(weighted / weighted.sum())


@dataclass(frozen=True, slots=True)
class DrawPlan:
    """How an epoch chooses and changes its photos; see ``presets.Preset`` for each field.

    Attributes:
        augmentation: How far squares may change.
        drop_all, drop_field: Probability that a photo loses all its metadata, or each field of it.
    """

    batch_size: int
    balance: float = 0.0
    class_floor: int = 0
    curriculum_epochs: int = 0
    augmentation: AugmentationConfig = AUGMENTATIONS["standard"]
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_probability: float = 0.0
    drop_all: float = 0.0
    drop_field: float = 0.0
    seed: int = 0

    @classmethod
    def of(cls, preset: Preset) -> DrawPlan:
        """Read the plan out of a recipe."""
        return cls(
            batch_size=preset.batch_size,
            balance=preset.balance,
            class_floor=preset.class_floor,
            curriculum_epochs=preset.curriculum_epochs,
            augmentation=augmentation_of(preset),
            mixup=preset.mixup,
            cutmix=preset.cutmix,
            mix_probability=preset.mix_probability,
            drop_all=preset.metadata_drop_all,
            drop_field=preset.metadata_drop_field,
            seed=preset.seed,
        )


def make_batches(
    preset: Preset,
    squares: npt.NDArray[np.uint8],
    targets: npt.NDArray[np.float32],
    metadata: Sequence[Metadata],
    *,
    encoder: MetadataEncoder,
    first_epoch: int = 0,
    masks: LesionMasks | None = None,
    difficulty: npt.NDArray[np.floating] | None = None,
) -> BalancedBatches:
    """Return a recipe's batches of the training photos, to be handed to ``fit``.

    Args:
        preset: The recipe.
        squares: Array (n, side, side, 3), uint8; of the training fold alone, so that nothing else is repeated.
        targets: Array (n, n_classes); rows sum to 1.
        metadata: n entries.
        encoder: Of the metadata branch.
        first_epoch: Epoch that the next pass is; what it holds follows from the seed and this number alone.
        masks: From ``masks.load_masks``; then a batch's target is (targets, masks on the grid).
        difficulty: One number a photo, higher for harder, from ``curriculum.measure_difficulty``; needed where the
            recipe has a curriculum.

    Raises:
        ValueError: If the recipe has a curriculum and no difficulty is given, or lengths differ.
    """
    return BalancedBatches(
        squares,
        targets,
        metadata,
        encoder=encoder,
        plan=DrawPlan.of(preset),
        first_epoch=first_epoch,
        masks=masks,
        difficulty=difficulty,
        workers=2,
        max_queue_size=16,
    )


class BalancedBatches(keras.utils.PyDataset):
    """Batches of ({image, metadata}, target), redrawn every epoch from (seed, epoch) alone, so a resumed run repeats.

    Args:
        squares, targets, metadata, encoder, first_epoch, masks, difficulty: See ``make_batches``.
        plan: How an epoch chooses and changes its photos.

    Attributes:
        rows: Which rows of every batch are loaded: all, or this process's share where several train together. What they
            hold does not depend on it.

    Raises:
        ValueError: See ``make_batches``.
    """

    def __init__(
        self,
        squares: npt.NDArray[np.uint8],
        targets: npt.NDArray[np.float32],
        metadata: Sequence[Metadata],
        *,
        encoder: MetadataEncoder,
        plan: DrawPlan,
        first_epoch: int = 0,
        masks: LesionMasks | None = None,
        difficulty: npt.NDArray[np.floating] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        _check(squares, targets, metadata, masks, difficulty, plan)
        self.squares, self.targets, self.metadata = squares, targets, list(metadata)
        self.encoder, self.plan, self.masks = encoder, plan, masks
        self.epoch = first_epoch
        self.rows = slice(None)
        counts = targets.sum(axis=0, dtype=np.float64)
        drawn = draws_per_class(counts, balance=plan.balance, class_floor=plan.class_floor)
        if plan.class_floor:
            drawn = np.ceil(drawn - 1e-9)  # whole, so that a class's draws are never one short
        self._expected = targets @ (drawn / np.maximum(counts, 1e-9))  # draws of each photo
        self._classes = targets.argmax(axis=1)
        self._hide = hiding_probability(self.metadata, self._classes, encoder.fields)
        self._ease = None if difficulty is None else _rank_within(self._classes, difficulty)
        self.n_draws = round(float(self._expected.sum()))
        self._draw()

    def _draw(self) -> None:
        rng = np.random.default_rng((self.plan.seed, self.epoch))
        by_class = np.argsort(self._classes, kind="stable")
        expected = self._restricted()[by_class]
        # Systematic resampling along the classes: every photo, and every class, comes floor or ceil of its expected
        # number of times.
        edges = np.cumsum(expected) * (self.n_draws / expected.sum())
        drawn = np.searchsorted(edges, np.arange(self.n_draws) + rng.random(), side="right")
        order = rng.permutation(by_class[drawn.clip(0, len(by_class) - 1)])
        # The last batch is left out, or filled up where each draw was promised.
        n_batches = self.n_draws / self.plan.batch_size
        n_whole = int(np.ceil(n_batches)) if self.plan.class_floor else int(n_batches)
        self.order = np.resize(order, max(n_whole, 1) * self.plan.batch_size)

    def _restricted(self) -> npt.NDArray[np.float64]:
        """Expected draws of each photo; while the curriculum lasts, the easy ones' take over those of the hard ones."""
        n_epochs = self.plan.curriculum_epochs
        if self._ease is None or self.epoch >= n_epochs:
            return np.asarray(self._expected, np.float64)
        is_open = self._ease < (self.epoch + 1) / (n_epochs + 1)
        opened = np.where(is_open, self._expected, 0.0)
        for index in np.unique(self._classes):
            own = self._classes == index
            opened[own] *= self._expected[own].sum() / opened[own].sum()
        return np.asarray(opened)

    def on_epoch_end(self) -> None:
        """Move on to the next epoch's draw."""
        self.epoch += 1
        self._draw()

    def go_to(self, epoch: int) -> None:
        """Draw an epoch, counted from 0."""
        self.epoch = epoch
        self._draw()

    def __len__(self) -> int:
        return len(self.order) // self.plan.batch_size

    def __getitem__(self, index: int) -> tuple[dict[str, npt.NDArray[Any]], Any]:
        rng, mixing = self._choose_mixing(index)
        own = list(range(self.plan.batch_size)[self.rows])
        wanted, mixing = (own, None) if mixing is None else mixing.among(own)
        first = index * self.plan.batch_size
        batch = self._stack([self.draw_photo(first + place) for place in wanted])
        return self._as_step(batch if mixing is None else mixing.apply(batch, rng), len(own))

    def draw_photo(self, position: int) -> tuple[npt.NDArray[Any], ...]:
        """Return one draw of the epoch: (square, encoded metadata, target, mask; the mask is empty where none is learnt).

        Args:
            position: In the epoch, 0 to ``len(order) - 1``.
        """
        rng = np.random.default_rng((self.plan.seed, self.epoch, position))
        photo = int(self.order[position])
        mask = None if self.masks is None else self.masks.squares[photo]
        square, moved = augment_with_mask(np.asarray(self.squares[photo]), mask, self.plan.augmentation, rng)
        told = withhold(self.metadata[photo], self.encoder.fields, self._hide[photo], rng)
        told = drop_metadata(told, drop_all=self.plan.drop_all, drop_field=self.plan.drop_field, rng=rng)
        if moved is None:
            seen: npt.NDArray[Any] = np.zeros(0, np.float32)
        elif self.masks is not None and not self.masks.is_known[photo]:
            seen = np.full(moved.shape, -1, np.float32)
        else:
            seen = moved.astype(np.float32) / 255
        return square, self.encoder.encode([told])[0], self.targets[photo], seen

    def assemble(self, draws: Sequence[Sequence[Any]], index: int) -> tuple[dict[str, npt.NDArray[Any]], Any]:
        """Return the batch of these draws, mixed where the recipe says so.

        Args:
            draws: From ``draw_photo``.
            index: Of the batch in its epoch.
        """
        rng, mixing = self._choose_mixing(index)
        batch = self._stack(draws)
        return self._as_step(batch if mixing is None else mixing.apply(batch, rng), len(draws))

    def _choose_mixing(self, index: int) -> tuple[np.random.Generator, Mixing | None]:
        # Counted on after the photos' positions, so that the batch's choices are independent of theirs.
        rng = np.random.default_rng((self.plan.seed, self.epoch, len(self.order) + index))
        plan = self.plan
        return rng, choose_mixing(
            plan.batch_size, mixup=plan.mixup, cutmix=plan.cutmix, probability=plan.mix_probability, rng=rng
        )

    def _stack(self, draws: Sequence[Sequence[Any]]) -> Batch:
        square, metadata, target, mask = (np.stack(parts).astype(np.float32) for parts in zip(*draws, strict=True))
        return Batch(square, metadata, target, None if self.masks is None else mask)

    def _as_step(self, batch: Batch, n: int) -> tuple[dict[str, npt.NDArray[Any]], Any]:
        """Return the first n photos as ``fit`` takes them; those behind them only lent themselves to be mixed in."""
        inputs = {IMAGE_INPUT: batch.images[:n], METADATA_INPUT: batch.metadata[:n]}
        if self.masks is None or batch.masks is None:
            return inputs, batch.targets[:n]
        return inputs, (batch.targets[:n], to_grid(batch.masks[:n], self.masks.grid))


def _check(
    squares: Any, targets: Any, metadata: Any, masks: LesionMasks | None, difficulty: Any, plan: DrawPlan
) -> None:
    lengths = {"squares": len(squares), "targets": len(targets), "metadata": len(metadata)}
    lengths |= {} if masks is None else {"masks": len(masks.squares)}
    lengths |= {} if difficulty is None else {"difficulty": len(difficulty)}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"Expected one entry a photo everywhere. Received {lengths}. Give the same photos to each.")
    if plan.curriculum_epochs and difficulty is None:
        raise ValueError(
            "Expected a difficulty for each photo, as the recipe has a curriculum. Received none. "
            "Measure it with curriculum.measure_difficulty."
        )


def _rank_within(classes: npt.NDArray[np.integer], difficulty: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Return each photo's place among its class from the easiest, in [0, 1): every class opens at the same pace."""
    ease: npt.NDArray[np.float64] = np.zeros(len(classes))
    for index in np.unique(classes):
        own = np.flatnonzero(classes == index)
        ease[own[np.argsort(difficulty[own], kind="stable")]] = np.arange(len(own)) / len(own)
    return ease


def drop_metadata(metadata: Metadata, *, drop_all: float, drop_field: float, rng: np.random.Generator) -> Metadata:
    """Return the metadata with answers withheld at random, so that every subset, none included, is learnt.

    How the photo was taken is never withheld: who asks the network always knows it. A site is also coarsened to its
    region at times: the ISIC archive often knows no more.
    """
    if rng.random() < drop_all:
        return Metadata(image_type=metadata.image_type)
    dropped: dict[str, Any] = {f.name: None for f in fields(Metadata) if rng.random() < drop_field}
    dropped.pop("image_type", None)
    if metadata.anatom_site in REGION_OF and "anatom_site" not in dropped and rng.random() < 0.25:
        dropped["anatom_site"] = REGION_OF[metadata.anatom_site]
    return replace(metadata, **dropped)
