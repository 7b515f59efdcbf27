"""A small data set of generated photos, and one finished run on it, shared by the tests of the training room."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from dermascan_core.training import gate
from tests.fakes import fake_photo

COLOURS = {"nv": (120, 70, 50), "mel": (40, 25, 30), "bcc": (215, 110, 110), "bkl": (170, 130, 80)}
FOLDS = {"nv": 12, "mel": 6, "bcc": 6, "bkl": 6}


def write_dataset(folder: Path, *, rows: list[dict[str, Any]]) -> Path:
    """Write metadata.csv and one generated 200x150 JPEG a row; a row's ``dx`` decides the colour."""
    (folder / "images").mkdir(parents=True)
    for number, row in enumerate(rows):
        size = 0.15 + 0.02 * (number % 6)
        photo = fake_photo(width=200, height=150, lesion=COLOURS[row["dx"]], radius_share=size)
        photo = cv2.convertScaleAbs(photo, alpha=0.9 + 0.02 * (number % 8))
        Image.fromarray(np.asarray(photo)).save(folder / "images" / f"{row['image_id']}.jpg", quality=92)
    with (folder / "metadata.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def dataset_rows() -> list[dict[str, Any]]:
    """30 training lesions in two folds, some with two photos, and 4 test lesions."""
    rows = []
    for dx, n_lesions in FOLDS.items():
        for lesion in range(n_lesions + 1):
            is_test = lesion == n_lesions
            for view in range(2 if lesion % 3 == 0 else 1):
                rows.append(
                    {
                        "image_id": f"{dx}_{lesion}_{view}",
                        "lesion_id": f"{dx}_{lesion}",
                        "dx": dx,
                        "age_approx": "" if lesion % 5 == 4 else 30 + 5 * lesion,
                        "sex": ("male", "female")[lesion % 2],
                        "localization": ("back", "face", "")[lesion % 3],
                        "split": "test" if is_test else "train",
                        "fold": "" if is_test else lesion % 2,
                    }
                )
    return rows


@pytest.fixture(scope="session")
def generated_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the generated data set."""
    return write_dataset(tmp_path_factory.mktemp("data") / "generated", rows=dataset_rows())


@pytest.fixture(scope="session")
def smoke_preset() -> Any:
    """The smallest recipe: MobileNet at 64 px, one warm-up and one full epoch."""
    from dermascan_core.training.presets import PRESETS, override

    return override(PRESETS["smoke"], ["backbone=mobilenet"])


@pytest.fixture(scope="session")
def finished_run(generated_dataset: Path, smoke_preset: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run with one warm-up and one full epoch."""
    from dermascan_core.training.fit import train

    out = tmp_path_factory.mktemp("runs") / "smoke"
    train(smoke_preset, data=generated_dataset, out=out)
    return out


@pytest.fixture
def run(generated_dataset: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A function that trains the smallest recipe at 32 px, with ``key=value`` settings, and returns what ``train`` does."""
    from dermascan_core.training.fit import train
    from dermascan_core.training.presets import PRESETS, override

    cache = tmp_path_factory.getbasetemp() / "squares"

    def start(*settings: str, out: str = "run", data: Path = generated_dataset, **options: Any) -> Any:
        recipe = override(PRESETS["smoke"], ["input_px=32", "warmup_epochs=0", *settings])
        return train(recipe, data=data, out=tmp_path / out, base="smoke", cache=cache, **options)

    return start


@pytest.fixture
def tiny_backbone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every recipe train four small layers instead of its backbone: a run then takes a second or two."""
    monkeypatch.setattr("dermascan_core.model.dual_branch.build_backbone", build_tiny_backbone)


def build_tiny_backbone(name: str, *, input_px: int, weights: Any = None) -> Any:
    """Stand in for ``backbones.build_backbone``: the same shape of thing, with batch normalisation."""
    import keras
    from keras import layers

    image = keras.Input((input_px, input_px, 3))
    x = layers.Conv2D(8, 3, strides=4, name="tiny_conv")(image)
    x = layers.BatchNormalization(momentum=0.9, name="tiny_norm")(x)
    x = layers.ReLU(name="tiny_relu")(x)
    x = layers.DepthwiseConv2D(3, strides=2, name="tiny_depthwise")(x)
    return keras.Model(image, x)


@pytest.fixture(autouse=True, scope="session")
def few_pictures_fit_a_gate():
    """A gate in tests is fitted on a handful of drawn pictures: their number is not what is tested."""
    patch = pytest.MonkeyPatch()
    patch.setattr(gate, "_N_EACH_FAMILY", 2)
    patch.setattr(gate, "_N_SPOILT", 2)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def shipped(finished_run: Path, generated_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a release, ``shipped``, made of the finished run."""
    from dermascan_core.training.release import make_release

    folder = tmp_path_factory.mktemp("shipped")
    make_release(finished_run, data=generated_dataset, name="shipped", weights_dir=folder)
    return folder
