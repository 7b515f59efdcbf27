"""Training recipes by name: plain data, every field settable with ``--set key=value``."""

from __future__ import annotations

import math
import types
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, get_args, get_type_hints

from ..imaging.steps import STEPS
from ..model.backbones import BACKBONES

# Smallest value that a recipe can run with, where that is not 0.
_AT_LEAST: dict[str, float] = {
    "input_px": 32,
    "detail_px": 1,
    "batch_size": 1,
    "accumulate_steps": 1,
    "unfreeze_stages": 1,
    "epochs": 1,
    "patience": 1,
}
_ABOVE_ZERO = ("open_share", "lesion_share", "warmup_learning_rate", "learning_rate", "teacher_temperature")
_UP_TO_ONE = (
    "open_share",
    "lesion_share",
    "balance",
    "mix_probability",
    "metadata_drop_all",
    "metadata_drop_field",
    "teacher_weight",
    "noise_probability",
    "cutout_probability",
    "downsample_probability",
    "jpeg_probability",
)
_BELOW_ONE = ("label_smoothing", "dropout", "ema_decay", "brightness", "contrast", "saturation")
_HALF_TURN = ("rotation_degrees", "hue_degrees")
# Fields that hold a range, LOW-HIGH, with the lowest and the highest number that can stand in it.
RANGES: dict[str, tuple[float, float]] = {
    "zoom_range": (0.2, 5.0),
    "downsample_range": (0.05, 1.0),
    "jpeg_quality": (1, 100),
}
# The values that a field may take, where these are names.
CHOICES: dict[str, tuple[str, ...]] = {
    "backbone": tuple(BACKBONES),
    "optimizer": ("adamw", "adam", "rmsprop", "sgd"),
    "schedule": ("cosine", "one_cycle", "plateau", "constant"),
    "loss": ("cross_entropy", "focal"),
    "augment": ("none", "flips", "standard", "strong"),
    "fusion": ("concatenate", "gate", "film", "none"),
    "pipeline": ("pydataset", "tf_data"),
    "precision": ("float32", "mixed_bfloat16", "mixed_float16"),
}


@dataclass(frozen=True, slots=True)
class Preset:
    """A recipe.

    Attributes:
        backbone: A key of ``model.backbones.BACKBONES``.
        pretrained: Local weights file, ``imagenet``, ``none``, or a network of the same backbone that was trained here:
            ``NAME.keras`` of a release, or the folder of a run.
        input_px, detail_px: See ``imaging.preprocess.PreprocessConfig``.
        steps: Imaging steps applied to every square, comma-separated names of ``imaging.steps.STEPS``.
        lesion_share: Share of the training part's lesions that are learnt from, for a learning curve; a smaller share is part
            of a larger one.
        batch_size: Photos a step.
        accumulate_steps: Steps whose gradients are added up before the weights move.
        warmup_epochs: Epochs with the backbone frozen.
        unfreeze_stages: 1 opens every layer after the warm-up; n opens one n-th more, from the top, each epoch.
        open_share: Share of the backbone's layers, counted from the top, that ever train; those below keep their starting
            weights, and no gradient is computed for them: an epoch on a CPU is about half as long.
        epochs: Epochs after the warm-up.
        optimizer: ``adamw``, ``adam``, ``rmsprop`` or ``sgd`` (with Nesterov momentum 0.9).
        schedule: ``cosine`` (short rise, then down to 1 %), ``one_cycle`` (Smith), ``plateau`` (a fifth after two epochs
            without a better validation loss) or ``constant``.
        warmup_learning_rate, learning_rate: Peak rates of the two stages.
        weight_decay: Decoupled, AdamW.
        clip_norm: Largest global gradient norm; 0 does not clip.
        adaptive_clip: Largest ratio of gradient norm to weight norm, unit by unit (about 0.01); 0 does not clip.
        loss: ``cross_entropy`` or ``focal``.
        focal_gamma: Exponent of the focal loss.
        class_weight: 0 weighs every photo alike, 1 by the inverse frequency of its class; a power between them.
        label_smoothing: Share of each target spread over all classes.
        balance: 0 draws the archive's mix, 1 draws every class equally often; between them, class share to the
            power 1 - balance.
        class_floor: Every class is drawn at least this often an epoch, each time augmented anew; 0 sets no floor.
        curriculum_epochs: Over so many epochs, photos enter from the easiest (by a frozen network) to the hardest.
        augment: How far squares may change: a key of ``augmentation.AUGMENTATIONS``. What follows up to ``jpeg_quality``
            changes one thing about that level (see ``augmentation.AugmentationConfig``); None leaves it as the level has it.
        flips, quarter_turns: Whether squares are mirrored, and turned by a random quarter.
        rotation_degrees: Further turn, uniform in +- this, up to 180.
        zoom_range: Factors of magnification as LOW-HIGH, such as 0.8-1.2.
        brightness, contrast: Relative change, uniform in +- this.
        saturation, hue_degrees: Colour shift: relative change of saturation and turn of the hue, uniform in +- this.
        noise_probability: Of Gaussian noise.
        cutout_probability: Of a grey rectangle.
        downsample_probability, downsample_range: Of lost detail, and the share of the side that is left, as LOW-HIGH.
        jpeg_probability, jpeg_quality: Of JPEG damage, and its quality as LOW-HIGH in whole numbers, HIGH itself left out.
        mixup, cutmix: Beta parameters of mixing two photos of a batch; 0 does not mix.
        mix_probability: Share of batches that are mixed.
        metadata_drop_all, metadata_drop_field: Probability that a training photo loses all its metadata, or each
            field of it.
        fusion: How metadata meet the image: ``concatenate``, ``gate`` (a factor for each channel), ``film`` (factor and
            shift) or ``none`` (the image alone).
        dropout: Of the fused features.
        train_batch_norm: Whether batch normalisation follows the new photos; False keeps its ImageNet statistics.
        smote: After training, the head is fitted once more on features, rare classes filled up by SMOTE.
        mask_weight: Weight of a second task, the lesion's mask on the feature grid (``masks/IMAGE_ID.png`` beside ``images/``; photos
            without one count for nothing there); 0 leaves it out.
        teacher: Folders of finished runs, comma-separated, whose mean answer is learnt besides the labels.
        teacher_weight, teacher_temperature: Share of the loss that the teacher has, and how far its answer is softened.
        ema_decay: Of an exponential moving average of the weights, used from validation on; 0 keeps none.
        precision: Keras' dtype policy: ``float32``, ``mixed_bfloat16`` or ``mixed_float16``.
        pipeline: ``pydataset``, or ``tf_data`` (cache, shuffle, batch, prefetch; TensorFlow only).
        patience: Epochs without a better validation score before stopping.
        average_epochs: How many of the last epochs' weights are averaged: the network that the run offers. 0 or 1 offers
            the epoch that validated best.
        seed: Of every random choice.
    """

    backbone: str
    pretrained: str = "imagenet"
    input_px: int = 160
    detail_px: int = 150
    steps: str = ""
    lesion_share: float = 1.0
    batch_size: int = 32
    accumulate_steps: int = 1
    warmup_epochs: int = 1
    unfreeze_stages: int = 1
    open_share: float = 1.0
    epochs: int = 20
    optimizer: str = "adamw"
    schedule: str = "cosine"
    warmup_learning_rate: float = 1e-3
    learning_rate: float = 4e-4
    weight_decay: float = 5e-2
    clip_norm: float = 1.0
    adaptive_clip: float = 0.0
    loss: str = "cross_entropy"
    focal_gamma: float = 2.0
    class_weight: float = 0.0
    label_smoothing: float = 0.05
    balance: float = 0.5
    class_floor: int = 0
    curriculum_epochs: int = 0
    augment: str = "standard"
    flips: bool | None = None
    quarter_turns: bool | None = None
    rotation_degrees: float | None = None
    zoom_range: str | None = None
    brightness: float | None = None
    contrast: float | None = None
    saturation: float | None = None
    hue_degrees: float | None = None
    noise_probability: float | None = None
    cutout_probability: float | None = None
    downsample_probability: float | None = None
    downsample_range: str | None = None
    jpeg_probability: float | None = None
    jpeg_quality: str | None = None
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_probability: float = 0.5
    metadata_drop_all: float = 0.3
    metadata_drop_field: float = 0.15
    fusion: str = "concatenate"
    dropout: float = 0.3
    train_batch_norm: bool = True
    smote: bool = False
    mask_weight: float = 0.0
    teacher: str = ""
    teacher_weight: float = 0.5
    teacher_temperature: float = 2.0
    ema_decay: float = 0.0
    precision: str = "float32"
    pipeline: str = "pydataset"
    patience: int = 8
    average_epochs: int = 6
    seed: int = 20

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for records and manifests."""
        return asdict(self)


PRESETS: dict[str, Preset] = {
    "mobilenet_v2": Preset("mobilenet_v2", epochs=14),
    # Keras' NASNetMobile has no starting weights here: it learns from random ones, by imitation, from small squares, so that two
    # cores see the photos often enough. With an internet connection, ``--pretrained nasnet_mobile=imagenet`` starts from Keras' download.
    "nasnet_mobile": Preset(
        "nasnet_mobile",
        pretrained="none",
        input_px=112,
        warmup_epochs=0,
        epochs=24,
        learning_rate=1e-3,
        mixup=0.2,
        teacher_weight=0.7,
        patience=99,
    ),
    "inception_v3": Preset(
        "inception_v3_mixed7",
        input_px=192,
        epochs=12,
        learning_rate=2e-4,
        train_batch_norm=False,
        precision="mixed_bfloat16",
        average_epochs=4,
    ),
    # Tried for a shorter epoch and sturdier answers, and worse (decision 22): kept so that it can be run again.
    "inception_v3_quick": Preset(
        "inception_v3_mixed7",
        epochs=11,
        learning_rate=2e-4,
        train_batch_norm=False,
        open_share=0.6,
        precision="mixed_bfloat16",
        augment="strong",
        mixup=0.2,
        cutmix=1.0,
        average_epochs=4,
    ),
    # One small network that learns from the large ones; ``rebuild`` names its teachers. It never stops early: what it offers
    # is the mean of the last epochs, and who imitates gains for long (decision 50).
    "student": Preset(
        "mobilenet_v2",
        batch_size=64,
        warmup_epochs=0,
        epochs=30,
        augment="strong",
        mixup=0.2,
        teacher_weight=0.6,
        patience=99,
        average_epochs=6,
    ),
    # As the ledger's system 004 was trained: Adam at a constant rate, 50 epochs. Its parts, 70/20/10, come from ``data split``.
    "resnet50": Preset(
        "resnet50",
        input_px=224,
        warmup_epochs=0,
        epochs=50,
        optimizer="adam",
        schedule="constant",
        learning_rate=1e-3,
        weight_decay=0.0,
        average_epochs=0,
    ),
    # What every row of the ablation changes in one place: eight epochs at 96 px, about eight minutes on two cores. Batch
    # normalisation follows the photos: with ImageNet's statistics kept, MobileNetV2 learnt far worse at this rate.
    "ablation": Preset("mobilenet_v2", input_px=96, epochs=7, average_epochs=0),
    # From the shipped network on a clinic's own verified cases: a small rate, so that few cases do not undo what many taught.
    "challenger": Preset("mobilenet_v2", epochs=6, learning_rate=5e-5, warmup_epochs=0, average_epochs=3),
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
            values[key] = _as_bool(text) if kind is bool else kind(text)
        except ValueError as error:
            raise ValueError(f"Expected {key} as {kind.__name__}. Received '{text}'.") from error
        if key in CHOICES and text not in CHOICES[key]:
            raise ValueError(f"Expected {key} as one of {', '.join(CHOICES[key])}. Received '{text}'.")
        if kind in (int, float) and not _can_run(key, values[key]):
            raise ValueError(f"Expected {key} {_range_of(key)}. Received '{text}'.")
        if key in RANGES:
            read_range(key, text)
        if key == "steps" and (unknown := [name for name in text.split(",") if name and name not in STEPS]):
            raise ValueError(f"Expected steps among {', '.join(STEPS)}, with commas between. Received '{unknown[0]}'.")
    return replace(preset, **values)


def read_range(key: str, text: str) -> tuple[float, float]:
    """Return both ends of a field that holds a range; whole numbers where it counts in such.

    Raises:
        ValueError: If it is no range, or reaches beyond what can be run.

    >>> read_range("zoom_range", "0.8-1.2")
    (0.8, 1.2)
    """
    number = int if key == "jpeg_quality" else float
    lowest, highest = RANGES[key]
    try:
        low, high = (number(end) for end in text.split("-"))
    except ValueError:
        low, high = 0, -1
    # A quality is drawn below its upper end, so that needs room.
    if not lowest <= low <= high <= highest or (number is int and low == high):
        ends = f"{lowest:g} to {highest:g}" + (", in whole numbers and LOW below HIGH" if number is int else "")
        raise ValueError(f"Expected {key} as LOW-HIGH, within {ends}. Received '{text}'.")
    return low, high


def _can_run(key: str, value: float) -> bool:
    """Say whether a recipe can run with a number; one that is not finite never can."""
    if not math.isfinite(value):
        return False
    if key in _ABOVE_ZERO and value <= 0:
        return False
    if key in _BELOW_ONE:
        return 0 <= value < 1
    if key in _HALF_TURN:
        return 0 <= value <= 180
    return value >= _AT_LEAST.get(key, 0) and not (key in _UP_TO_ONE and value > 1)


def _range_of(key: str) -> str:
    """Return the words for the numbers that a field may hold."""
    if key in _ABOVE_ZERO:
        return "above 0 and up to 1" if key in _UP_TO_ONE else "above 0"
    if key in _BELOW_ONE:
        return "from 0 to below 1"
    if key in _HALF_TURN:
        return "from 0 to 180"
    return "from 0 to 1" if key in _UP_TO_ONE else f"of at least {_AT_LEAST.get(key, 0)}"


def _as_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"Expected true or false. Received '{text}'.")
    return text.lower() == "true"
