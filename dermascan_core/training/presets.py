"""Training recipes by name: plain data, every field settable with ``--set key=value``."""

from __future__ import annotations

import types
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args, get_type_hints

from ..model.backbones import BACKBONES

# Smallest value that a recipe can run with, where that is not any number.
_AT_LEAST = {"input_px": 32, "detail_px": 1, "batch_size": 1, "warmup_epochs": 0, "epochs": 1, "patience": 1}


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe.

    Attributes:
        backbone: A key of ``model.backbones.BACKBONES``.
        pretrained: Local weights file, ``imagenet``, or ``none``.
        input_px, detail_px: See ``imaging.preprocess.PreprocessConfig``.
        batch_size: Photos a step.
        warmup_epochs: Epochs with the backbone frozen.
        epochs: Epochs with every layer trained.
        warmup_learning_rate, learning_rate: Peak rates of the two stages; the second falls as a cosine to 1 %.
        weight_decay: Decoupled, AdamW.
        label_smoothing: Share of each target spread over all classes.
        balance: 0 draws the archive's mix, 1 draws every class equally often; between them, class share to the
            power 1 - balance.
        metadata_drop_all, metadata_drop_field: Probability that a training photo loses all its metadata, or each
            field of it.
        dropout: Of the fused features.
        patience: Epochs without a better validation score before stopping.
        average_epochs: How many of the last epochs' weights are averaged; ``release`` keeps the mean where it validates
            better.
        seed: Of every random choice.
    """

    backbone: str
    pretrained: str = "imagenet"
    input_px: int = 160
    detail_px: int = 150
    batch_size: int = 32
    warmup_epochs: int = 1
    epochs: int = 20
    warmup_learning_rate: float = 1e-3
    learning_rate: float = 4e-4
    weight_decay: float = 5e-2
    label_smoothing: float = 0.05
    balance: float = 0.5
    metadata_drop_all: float = 0.3
    metadata_drop_field: float = 0.15
    dropout: float = 0.3
    patience: int = 8
    average_epochs: int = 6
    seed: int = 20

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for records and manifests."""
        return asdict(self)


PRESETS: dict[str, Preset] = {
    "mobilenet_v2": Preset("mobilenet_v2"),
    "nasnet_mobile": Preset("nasnet_mobile"),
    # A recipe for tests and first tries: small enough for a minute on two cores, too small to be useful.
    "smoke": Preset("mobilenet_v2", pretrained="none", input_px=64, batch_size=8, epochs=1, average_epochs=2),
}


def override(preset: Preset, settings: list[str]) -> Preset:
    """Return the preset with ``key=value`` settings applied.

    Raises:
        ValueError: If a key is not a field, or the value is not of its type or cannot be run.

    >>> override(PRESETS["smoke"], ["epochs=3"]).epochs
    3
    """
    hints = get_type_hints(Preset)
    values: dict[str, Any] = {}
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals or key not in {f.name for f in fields(Preset)}:
            raise ValueError(
                f"Expected key=value with one of the keys {', '.join(f.name for f in fields(Preset))}. Received '{setting}'."
            )
        kind = hints[key]
        if isinstance(kind, types.UnionType):
            kind = get_args(kind)[0]
        try:
            values[key] = kind(text)
        except ValueError as error:
            raise ValueError(f"Expected {key} as {kind.__name__}. Received '{text}'.") from error
        if key == "backbone" and text not in BACKBONES:
            raise ValueError(f"Expected backbone as one of {', '.join(BACKBONES)}. Received '{text}'.")
        if key in _AT_LEAST and values[key] < _AT_LEAST[key]:
            raise ValueError(f"Expected {key} of at least {_AT_LEAST[key]}. Received '{text}'.")
    return replace(preset, **values)
