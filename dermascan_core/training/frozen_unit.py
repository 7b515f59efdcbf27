"""A frozen network with one sigmoid unit that tells melanoma from nevus and keratosis: how system 003 was built.

Nothing of the network learns but the unit's weights and its bias, so the photos pass through it once. It is no release: it
is trained to be compared with one, on the same photos and the same split.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from ..errors import DatasetError
from ..evaluation import weighted
from ..evaluation.files import prepare_folder, write_file
from ..evaluation.intervals import bootstrap
from ..evaluation.melanoma import SPECIFICITY_OF_THREE
from ..imaging.preprocess import PreprocessConfig
from ..model.backbones import build_backbone, scale_input
from ..native_memory import keep_freed_memory
from ..tables import LabelledPhoto, group_of
from ..taxonomy import ham_code
from .callbacks import tensorboard
from .data import Dataset, load_dataset, load_squares
from .run_setup import split_fold

RESULT_FILE = "result.json"
POSITIVE, NEGATIVE = "mel", ("nv", "bkl")  # photos of other classes are left out
_BATCH_SIZE = 64  # of the photos that pass through the frozen network
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class UnitRecipe:
    """What is trained.

    Attributes:
        backbone: A key of ``model.backbones.BACKBONES``; frozen.
        pretrained: Local weights file, or ``imagenet``.
        input_px, detail_px: See ``imaging.preprocess.PreprocessConfig``.
        epochs, patience: At most, and without a better validation loss before stopping.
        batch_size, learning_rate: Of RMSProp.
        seed: Of every random choice.
    """

    backbone: str = "inception_v3"
    pretrained: str = "imagenet"
    input_px: int = 224
    detail_px: int = 150
    epochs: int = 100
    patience: int = 10
    batch_size: int = 64
    learning_rate: float = 1e-3
    seed: int = 20


def train_unit(
    recipe: UnitRecipe,
    *,
    data: Path | Sequence[Path],
    out: Path,
    fold: int = 0,
    with_test: bool = False,
    on_progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Train the unit by RMSProp on binary cross-entropy, keep the epoch with the lowest validation loss, and measure it.

    Args:
        recipe: What is trained.
        data: One or several data set folders; see ``data.load_dataset``.
        out: Gets ``network.keras`` (from pixels to the unit's answer), ``epochs.csv``, TensorBoard's logs where it is
            installed, and ``result.json``.
        fold: Held out of the ``train`` split: chooses the epoch.
        with_test: Measure the ``test`` split too, which is for finished models.
        on_progress: Called with (what, done, total).

    Returns:
        What ``result.json`` holds: recipe, numbers of photos and parameters, ``validation`` and ``test`` (or None), each with
        ``n``, ``n_positive``, ``n_lesions`` and ``values`` (measure -> value, low, high).

    Raises:
        DatasetError: If the data leak, a part lacks one of the two sides, or a run lies in ``out`` already.
        OutputError: If ``out`` cannot be written.
        WeightsError: If the starting weights are missing or of another shape.
    """
    if (out / RESULT_FILE).is_file():
        raise DatasetError(f"'{out}' already holds a run. Choose another folder.")
    keep_freed_memory()
    dataset = load_dataset(data)
    training, validation = split_fold(dataset, fold)
    parts = {"training": training, "validation": validation}
    if with_test:
        parts["test"] = dataset.part(split="test")
    parts = {name: _asked_about(photos, name) for name, photos in parts.items()}
    keras.utils.set_random_seed(recipe.seed)
    network, pooled = _build(recipe)
    prepare_folder(out)
    features = {
        name: _look(pooled, dataset, photos, recipe, out / "cache", partial(on_progress, name))
        for name, photos in parts.items()
    }
    truths = {name: _is_positive(photos) for name, photos in parts.items()}
    unit, losses = _fit(recipe, features, truths, out)
    network.get_layer("unit").set_weights(unit.get_weights())
    network.save(out / "network.keras")
    measured = {
        name: _measure(parts[name], truths[name], np.asarray(unit.predict(features[name], verbose=0))[:, 0])
        for name in parts
        if name != "training"
    }
    n_parameters = network.count_params()
    result = {
        "recipe": asdict(recipe) | {"pretrained": Path(recipe.pretrained).name},
        "fold": fold,
        "split_sha256": dataset.split_sha256,
        "sha256": hashlib.sha256((out / "network.keras").read_bytes()).hexdigest(),
        "n_parameters": n_parameters,
        "n_trained_parameters": unit.count_params(),
        "n_train": len(parts["training"]),
        "n_train_positive": int(truths["training"].sum()),
        "epochs_run": len(losses),
        "best_epoch": int(np.argmin(losses)) + 1,
        "validation": measured["validation"],
        "test": measured.get("test"),
    }
    write_file(out / RESULT_FILE, (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())
    return result


def _asked_about(photos: Sequence[LabelledPhoto], part: str) -> list[LabelledPhoto]:
    chosen = [p for p in photos if ham_code(p.dx) in (POSITIVE, *NEGATIVE)]
    if len(set(_is_positive(chosen).tolist())) < 2:
        raise DatasetError(
            f"Expected {part} photos of both sides: {POSITIVE} against {' and '.join(NEGATIVE)}. "
            f"Received {len(chosen)} photos of one side at most. Add photos of the other."
        )
    return chosen


def _is_positive(photos: Sequence[LabelledPhoto]) -> npt.NDArray[np.bool_]:
    return np.array([ham_code(p.dx) == POSITIVE for p in photos], bool)


def _build(recipe: UnitRecipe) -> tuple[keras.Model, keras.Model]:
    """Return the network from pixels to the answer, and the same up to the pooled features."""
    backbone = build_backbone(recipe.backbone, input_px=recipe.input_px, weights=recipe.pretrained)
    backbone.trainable = False
    image = keras.Input((recipe.input_px, recipe.input_px, 3), name="image")
    maps = backbone(scale_input(recipe.backbone, image), training=False)
    pooled = keras.layers.GlobalAveragePooling2D(name="features")(maps)
    answer = keras.layers.Dense(1, "sigmoid", name="unit")(pooled)
    features = keras.Model(image, pooled)
    features.compile(jit_compile=False)  # XLA on a CPU convolves slowly
    return keras.Model(image, answer), features


def _look(
    pooled: keras.Model,
    dataset: Dataset,
    photos: Sequence[LabelledPhoto],
    recipe: UnitRecipe,
    cache_dir: Path,
    on_progress: Callable[[int, int], None],
) -> npt.NDArray[np.float32]:
    squares = load_squares(dataset, photos, PreprocessConfig(recipe.input_px, recipe.detail_px), cache_dir=cache_dir)
    parts = []
    for start in range(0, len(squares), _BATCH_SIZE):
        batch = np.asarray(squares[start : start + _BATCH_SIZE], np.float32)
        parts.append(np.asarray(pooled.predict_on_batch(batch), np.float32))
        on_progress(min(start + _BATCH_SIZE, len(squares)), len(squares))
    return np.concatenate(parts)


def _fit(
    recipe: UnitRecipe,
    features: dict[str, npt.NDArray[np.float32]],
    truths: dict[str, npt.NDArray[np.bool_]],
    out: Path,
) -> tuple[keras.Model, list[float]]:
    """Return the unit at its best epoch, and every epoch's validation loss."""
    unit = keras.Sequential(
        [keras.Input((features["training"].shape[1],)), keras.layers.Dense(1, "sigmoid", name="unit")]
    )
    unit.compile(keras.optimizers.RMSprop(recipe.learning_rate), "binary_crossentropy", metrics=["AUC"])
    best = out / "unit.weights.h5"
    course = unit.fit(
        features["training"],
        truths["training"].astype(np.float32)[:, None],
        validation_data=(features["validation"], truths["validation"].astype(np.float32)[:, None]),
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        verbose=0,
        callbacks=[
            keras.callbacks.ModelCheckpoint(str(best), monitor="val_loss", save_best_only=True, save_weights_only=True),
            keras.callbacks.EarlyStopping(monitor="val_loss", patience=recipe.patience),
            keras.callbacks.CSVLogger(str(out / "epochs.csv")),
            *tensorboard(out),
        ],
    )
    unit.load_weights(best)
    return unit, [float(loss) for loss in course.history["val_loss"]]


def _measure(
    photos: Sequence[LabelledPhoto], is_positive: npt.NDArray[np.bool_], score: npt.NDArray[np.float32]
) -> dict[str, Any]:
    """Measure the answers as ``evaluation.melanoma`` does those of a release; the ``two_class_`` ones at 0.5."""
    said = score >= 0.5
    groups = [group_of(p) for p in photos]
    values = bootstrap(
        {
            "melanoma_vs_nv_bkl_auc": weighted.auc(is_positive, score),
            "melanoma_vs_nv_bkl_sensitivity_at_89_specificity": weighted.sensitivity_at_specificity(
                is_positive, score, SPECIFICITY_OF_THREE
            ),
            "melanoma_vs_nv_bkl_specificity_at_95_sensitivity": weighted.specificity_at_sensitivity(
                is_positive, score, 0.95
            ),
            "two_class_accuracy": weighted.share(said == is_positive),
            "two_class_f1": weighted.f1(is_positive, said),
            "two_class_sensitivity": weighted.share(said, is_positive),
            "two_class_specificity": weighted.share(~said, ~is_positive),
        },
        groups,
    )
    return {
        "n": len(photos),
        "n_positive": int(is_positive.sum()),
        "n_lesions": len(set(groups)),
        "values": {name: estimate.to_dict() for name, estimate in values.items()},
    }
