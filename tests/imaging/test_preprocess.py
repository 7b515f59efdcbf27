import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from dermascan_core.domain import CropBox
from dermascan_core.imaging.crop import extract_square, find_crop
from dermascan_core.imaging.decode import read_photo
from dermascan_core.imaging.examples import EXAMPLES, make_example
from dermascan_core.imaging.preprocess import PreprocessConfig, preprocess
from dermascan_core.imaging.steps import sharpen


def enlarge(photo: np.ndarray) -> np.ndarray:
    """The photo as a 12-megapixel upload would hold it."""
    return np.asarray(cv2.resize(photo, (4000, 3000), interpolation=cv2.INTER_CUBIC), np.uint8)


def mean_difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def test_preprocess_gives_the_square_of_the_network() -> None:
    square = preprocess(make_example("even-mole"), PreprocessConfig(input_px=96, detail_px=80))

    assert square.shape == (96, 96, 3)
    assert square.dtype == np.uint8


def test_preprocess_is_crop_then_extract_then_steps() -> None:
    photo = make_example("even-mole")
    config = PreprocessConfig(steps=("sharpen",))

    expected = sharpen(extract_square(photo, find_crop(photo), input_px=160, detail_px=150))

    assert np.array_equal(preprocess(photo, config), expected)


def test_preprocess_takes_the_square_set_by_hand() -> None:
    photo = make_example("even-mole")

    square = preprocess(photo, PreprocessConfig(), crop=CropBox(0, 0, 150, "hand"))

    assert np.array_equal(square, extract_square(photo, CropBox(0, 0, 150), input_px=160, detail_px=150))


@pytest.mark.parametrize("key", [example.key for example in EXAMPLES])
def test_preprocess_sees_the_same_in_a_photo_and_in_its_12_megapixel_copy(key: str) -> None:
    photo = make_example(key)

    squares = [preprocess(p, PreprocessConfig()) for p in (photo, enlarge(photo))]

    assert mean_difference(*squares) < 2.0


def test_config_survives_its_manifest() -> None:
    config = PreprocessConfig(input_px=224, detail_px=200, steps=("hair", "colour"))

    assert PreprocessConfig.from_dict(config.to_dict()) == config
    assert config.to_dict() == {"input_px": 224, "detail_px": 200, "steps": ["hair", "colour"]}


@pytest.mark.real_data
def test_preprocess_sees_the_same_in_real_photos_and_their_12_megapixel_copies(data_dir: Path) -> None:
    folder = data_dir / "ham10000"
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        names = sorted(row["image_id"] for row in csv.DictReader(file) if row["split"] == "train")
    chosen = np.random.default_rng(1).choice(names, 12, replace=False)

    differences = []
    for name in chosen:
        photo = read_photo(folder / "images" / f"{name}.jpg")
        differences.append(mean_difference(*(preprocess(p, PreprocessConfig()) for p in (photo, enlarge(photo)))))

    assert np.median(differences) < 2.0
    assert max(differences) < 8.0
