"""Which layers train in which epochs: the frozen warm-up, then all at once or from the top downwards."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from .presets import Preset


@dataclass(frozen=True, slots=True)
class Stage:
    """Epochs in which the same layers train.

    Attributes:
        first_epoch, last_epoch: 0-based; the last is not part of it.
        open_share: Share of the backbone's layers that train, counted from the top; 0 is the warm-up. The recipe's
            ``open_share`` is the most that any stage opens.
        goes_on: Whether the optimizer keeps its state from the stage before.
    """

    first_epoch: int
    last_epoch: int
    open_share: float
    goes_on: bool

    @property
    def is_warmup(self) -> bool:
        """Whether the whole backbone is frozen."""
        return self.open_share == 0


def plan_stages(preset: Preset) -> list[Stage]:
    """Return a recipe's stages in order; the last one reaches the last epoch.

    >>> from dermascan_core.training.presets import PRESETS, override
    >>> recipe = override(PRESETS["smoke"], ["warmup_epochs=1", "epochs=5", "unfreeze_stages=3"])
    >>> [(s.first_epoch, s.last_epoch, round(s.open_share, 2)) for s in plan_stages(recipe)]
    [(0, 1, 0), (1, 2, 0.33), (2, 3, 0.67), (3, 6, 1.0)]
    """
    end = preset.warmup_epochs + preset.epochs
    stages = [Stage(0, preset.warmup_epochs, 0, False)] if preset.warmup_epochs else []
    n_parts = min(preset.unfreeze_stages, preset.epochs)
    for part in range(1, n_parts + 1):
        first = preset.warmup_epochs + part - 1
        last = end if part == n_parts else first + 1
        share = 1.0 if part == n_parts else part / preset.unfreeze_stages
        stages.append(Stage(first, last, preset.open_share * share, part > 1))
    return stages


def open_layers(network: keras.Model, open_share: float, *, train_batch_norm: bool) -> None:
    """Let the top share of the backbone's layers train, and freeze those below.

    Args:
        network: From ``build_dual_branch``.
        open_share: Share of the layers, 0 to 1.
        train_batch_norm: Whether batch normalisation trains where its layer is open.
    """
    backbone = network.get_layer("backbone")
    backbone.trainable = open_share > 0
    n_frozen = len(backbone.layers) - round(open_share * len(backbone.layers))
    for position, layer in enumerate(backbone.layers):
        is_kept = not train_batch_norm and isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = position >= n_frozen and not is_kept
