"""What a run is made of, from its recipe: photos in two parts, network, batches, loss, and teachers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..domain import ImageType
from ..errors import DatasetError, TrainingError
from ..evaluation.files import write_file
from ..model.dual_branch import build_dual_branch
from ..model.metadata_branch import FIELD_WIDTHS, MetadataEncoder
from ..tables import LabelledPhoto, group_of
from .curriculum import measure_difficulty
from .data import Dataset, class_codes, load_dataset, load_squares, targets
from .distill import Teacher
from .features import embed
from .finished_run import FinishedRun, load_network, read_config, read_run
from .losses import make_loss
from .masks import LesionMasks, MaskLoss, feature_grid, load_masks
from .optimizers import make_optimizer
from .presets import Preset
from .sampling import BalancedBatches, drawn_shares, make_batches, seen_shares
from .start import is_trained_here, read_origin, refuse_known_photos, start_from
from .validation import Validation

_logger = logging.getLogger(__name__)
_MIN_KNOWN_SHARE = 0.05  # a field known for fewer training photos than this has no path into the network
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class RunData:
    """A data set as one recipe sees it.

    Attributes:
        training, validation: The photos of both parts.
        codes: Class codes, in the order of the logits.
        encoder: Of the metadata branch.
        class_shares: Of the training photos, array (n_classes,).
        drawn_shares: Of the photos that an epoch draws.
        seen_shares: Of what the loss sees, which the answers are corrected back from.
        dataset: Where the files are.
    """

    dataset: Dataset
    training: list[LabelledPhoto]
    validation: list[LabelledPhoto]
    codes: tuple[str, ...]
    encoder: MetadataEncoder
    class_shares: npt.NDArray[np.float64]
    drawn_shares: npt.NDArray[np.float64]
    seen_shares: npt.NDArray[np.float64]


def read_run_data(preset: Preset, data: Path | Sequence[Path], fold: int) -> RunData:
    """Read the tables and part them.

    Raises:
        DatasetError: If the data leak, are empty, or have no such fold.
    """
    dataset = load_dataset(data)
    if dataset.missing:
        _logger.warning("%d rows of the table have no photo and are left out", len(dataset.missing))
    training, validation = split_fold(dataset, fold)
    training = keep_lesions(training, preset.lesion_share)
    codes = class_codes(training)
    counts = targets(training, codes).sum(axis=0, dtype=np.float64)
    return RunData(
        dataset=dataset,
        training=training,
        validation=validation,
        codes=codes,
        encoder=MetadataEncoder(known_fields(training)),
        class_shares=np.asarray(counts / counts.sum()),
        drawn_shares=drawn_shares(preset, counts),
        seen_shares=seen_shares(preset, counts),
    )


def split_fold(dataset: Dataset, fold: int) -> tuple[list[LabelledPhoto], list[LabelledPhoto]]:
    """Return (training photos, validation photos) of the ``train`` split; the fold validates.

    Raises:
        DatasetError: If either part is empty.
    """
    photos = dataset.part(split="train")
    folds = sorted({p.fold for p in photos})
    if not folds:
        raise DatasetError("Expected photos in the train split. Received none. Correct 'split' in metadata.csv.")
    parts = ([p for p in photos if p.fold != str(fold)], [p for p in photos if p.fold == str(fold)])
    if not all(parts):
        if len(folds) == 1 and folds[0] == str(fold):
            raise DatasetError(
                f"Expected two folds or more in the train split. Received fold {fold} alone. "
                "Part the data with: python -m dermascan_core data split --help"
            )
        raise DatasetError(f"Expected one of the folds {', '.join(folds)} of the train split. Received fold {fold}.")
    return parts


def keep_lesions(photos: list[LabelledPhoto], share: float) -> list[LabelledPhoto]:
    """Return the photos of a share of the lesions (or people); which ones follows from their names alone.

    Raises:
        DatasetError: If a diagnosis loses its last photo.
    """
    if share >= 1:
        return photos
    kept = [p for p in photos if _place_of(group_of(p)) < share]
    if lost := sorted({p.dx for p in photos} - {p.dx for p in kept}):
        raise DatasetError(
            f"Expected photos of every diagnosis in a share of {share:g} of the lesions. None is left of {', '.join(lost)}. "
            "Raise lesion_share."
        )
    return kept


def _place_of(name: str) -> float:
    """A place in [0, 1) that looks random and belongs to the name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) / 2**64


def known_fields(photos: list[LabelledPhoto]) -> tuple[str, ...]:
    """Return the metadata fields that enough training photos carry; the image type only where it differs."""
    has_both_types = len({p.metadata.image_type for p in photos}) > 1
    return tuple(
        name
        for name in FIELD_WIDTHS
        if np.mean([getattr(p.metadata, name) is not None for p in photos]) >= _MIN_KNOWN_SHARE
        and (name != "image_type" or has_both_types)
    )


def build_network(preset: Preset, run_data: RunData, *, is_fresh: bool, is_served: bool = False) -> keras.Model:
    """Build a recipe's network.

    Args:
        preset: The recipe.
        run_data: Whose classes and metadata it answers for.
        is_fresh: Whether it starts from the recipe's weights; else they are random, to be replaced.
        is_served: Whether it is the network that answers in the end: in float32, without a mask head.

    Raises:
        TrainingError: If it would start from a network that knows what validates here.
        WeightsError: If the starting weights are missing or do not fit.
    """
    origin = read_origin(Path(preset.pretrained)) if is_fresh and is_trained_here(preset.pretrained) else None
    if origin is not None:
        refuse_known_photos(origin, run_data.validation, split_sha256=run_data.dataset.split_sha256)
    with _dtype_policy("float32" if is_served else preset.precision):
        network = build_dual_branch(
            preset.backbone,
            input_px=preset.input_px,
            metadata_width=run_data.encoder.width,
            n_classes=len(run_data.codes),
            pretrained=preset.pretrained if is_fresh and preset.pretrained != "none" and origin is None else None,
            dropout=preset.dropout,
            fusion=preset.fusion,
            mask_head=preset.mask_weight > 0 and not is_served,
        )
    if origin is not None:
        copied = start_from(network, origin, codes=run_data.codes, metadata_fields=run_data.encoder.fields)
        _logger.info("Starting from %s: %s", preset.pretrained, ", ".join(copied))
    return network


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Keras' policy is global; what is built afterwards must not inherit a run's."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def read_squares(
    preset: Preset, run_data: RunData, *, cache_dir: Path, on_progress: Progress = lambda what, done, total: None
) -> dict[str, npt.NDArray[np.uint8]]:
    """Return the squares of the ``training`` and the ``validation`` photos, kept in a folder."""
    config = read_config(preset.to_dict())
    return {
        name: load_squares(
            run_data.dataset, photos, config, cache_dir=cache_dir, on_progress=partial(on_progress, name)
        )
        for name, photos in (("training", run_data.training), ("validation", run_data.validation))
    }


def make_validation(run_data: RunData, squares: npt.NDArray[np.uint8]) -> Validation:
    """Return the fold held out, ready to be measured."""
    return Validation(
        squares,
        run_data.encoder.encode([p.metadata for p in run_data.validation]),
        targets(run_data.validation, run_data.codes),
        codes=run_data.codes,
        class_shares=run_data.class_shares,
        sampling_shares=run_data.seen_shares,
    )


def make_training_batches(
    preset: Preset,
    run_data: RunData,
    squares: npt.NDArray[np.uint8],
    network: keras.Model,
    *,
    difficulty_file: Path,
    on_progress: Progress = lambda what, done, total: None,
) -> BalancedBatches:
    """Return the training part's batches; what an epoch holds follows from seed and epoch alone.

    Args:
        preset: The recipe.
        run_data: Whose training part.
        squares: Of its photos.
        network: That trains; before its first epoch it judges how hard the photos are, where there is a curriculum.
        difficulty_file: Keeps that judgement for a resumed run.
        on_progress: Called with (what, done, total) while masks are read.
    """
    labels = targets(run_data.training, run_data.codes)
    metadata = [p.metadata for p in run_data.training]
    return make_batches(
        preset,
        squares,
        labels,
        metadata,
        encoder=run_data.encoder,
        masks=_read_masks(preset, run_data, network, on_progress) if preset.mask_weight else None,
        difficulty=_difficulty(preset, run_data, squares, network, difficulty_file)
        if preset.curriculum_epochs
        else None,
    )


def _read_masks(preset: Preset, run_data: RunData, network: keras.Model, on_progress: Progress) -> LesionMasks:
    return load_masks(
        run_data.dataset,
        run_data.training,
        read_config(preset.to_dict()),
        grid=feature_grid(network),
        on_progress=partial(on_progress, "masks"),
    )


def _difficulty(
    preset: Preset, run_data: RunData, squares: npt.NDArray[np.uint8], network: keras.Model, file: Path
) -> npt.NDArray[np.float64]:
    if not file.is_file():
        features = embed(network, squares, run_data.encoder.encode([p.metadata for p in run_data.training]))
        found = measure_difficulty(
            features,
            targets(run_data.training, run_data.codes),
            seed=preset.seed,
            groups=np.array([group_of(p) for p in run_data.training]),
        )
        write_file(file, found.tobytes())
    return np.frombuffer(file.read_bytes(), np.float64)


def read_teachers(preset: Preset, run_data: RunData, fold: int) -> list[Teacher]:
    """Return the finished runs that a recipe learns from; none where it names none.

    Raises:
        DatasetError: If a folder holds no finished run.
        TrainingError: If a teacher was trained on other parts of the data, so that it has seen what validates here.
    """
    teachers = []
    for folder in filter(None, preset.teacher.split(",")):
        run = read_run(Path(folder))
        if run.record["split_sha256"] != run_data.dataset.split_sha256 or run.fold != fold:
            raise TrainingError(
                f"Expected a teacher trained on the same split without fold {fold}. '{Path(folder).name}' was trained "
                f"without fold {run.fold} of split {run.record['split_sha256'][:12]}, so it has seen photos that validate "
                "here. Train it on the same data and fold."
            )
        teachers.append(Teacher(_as_trained(run), run.codes, run.shares[1], run.encoder.fields))
    return teachers


def _as_trained(run: FinishedRun) -> keras.Model:
    """Return a finished network computing in the precision that it was trained in: a teacher is asked at every step."""
    network, _ = load_network(run)
    if run.preset["precision"] == "float32":
        return network
    with _dtype_policy(run.preset["precision"]):
        own = build_dual_branch(
            run.preset["backbone"],
            input_px=run.preset["input_px"],
            metadata_width=run.encoder.width,
            n_classes=len(run.codes),
            fusion=run.preset["fusion"],
        )
    own.set_weights(network.get_weights())
    return own


def compile_for(model: keras.Model, preset: Preset, learning_rate: Any, *, shares: npt.NDArray[np.float64]) -> None:
    """Give a model the recipe's optimizer and loss.

    Args:
        model: Whose frozen layers are frozen already.
        preset: The recipe.
        learning_rate: From ``schedules.make_schedule``.
        shares: Of the classes among the photos that an epoch draws.
    """
    loss = make_loss(preset, shares)
    has_mask = len(model.outputs) > 1
    model.compile(
        optimizer=make_optimizer(preset, learning_rate),
        loss=[loss, MaskLoss()] if has_mask else loss,
        loss_weights=[1.0, preset.mask_weight] if has_mask else None,
        metrics=[["accuracy"], []] if has_mask else ["accuracy"],
        # XLA on a CPU makes depthwise convolutions crawl; on an accelerator Keras decides.
        jit_compile=False if keras.backend.backend() == "tensorflow" else "auto",
    )
    model.optimizer.build(model.trainable_variables)


def shares_by_type(run_data: RunData) -> dict[str, dict[str, list[float]]]:
    """Return, where photos of two image types train, the class shares within each: in the archive, and in the loss.

    A photo's weight in the loss depends on its class alone, so within a type the classes are seen in proportion to
    count x (share of the loss / count over all types).
    """
    kinds = np.array([p.metadata.image_type is ImageType.CLINICAL for p in run_data.training])
    if not kinds.any() or kinds.all():
        return {}
    encoded = targets(run_data.training, run_data.codes).astype(np.float64)
    weight = run_data.seen_shares / np.maximum(encoded.sum(axis=0), 1e-9)
    shares = {}
    for kind, is_own in ((ImageType.DERMOSCOPIC, ~kinds), (ImageType.CLINICAL, kinds)):
        counts = encoded[is_own].sum(axis=0)
        seen = counts * weight
        shares[str(kind)] = {
            "class_shares": (counts / counts.sum()).tolist(),
            "sampling_shares": (seen / seen.sum()).tolist(),
        }
    return shares
