import csv
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from dermascan_core.imaging.decode import read_photo
from dermascan_core.imaging.segment import _skin_colour, count_lesions, segment_lesion
from tests.imaging.pictures import SKIN_TONES, skin_photo
from tests.reference import skin_colour_by_sorting


def intersection_over_union(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


def painted_lesion(
    *, centre: tuple[int, int], axes: tuple[int, int], seed: int = 0
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Bare noisy skin with one brown ellipse, and the ellipse as the truth."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((300, 400), np.uint8)
    cv2.ellipse(truth, centre, axes, 20, 0, 360, 1, -1)
    colour = np.where(truth[..., None] > 0, (125, 80, 62), (222, 178, 155))
    photo = cv2.GaussianBlur(colour + rng.normal(0, 6, (300, 400, 3)), (0, 0), 1.5)
    return np.clip(photo, 0, 255).astype(np.uint8), truth > 0


@pytest.mark.parametrize(
    ("centre", "axes"),
    [((200, 150), (70, 50)), ((200, 150), (30, 26)), ((150, 120), (60, 60)), ((240, 170), (110, 80))],
)
def test_segment_outlines_a_painted_lesion(centre: tuple[int, int], axes: tuple[int, int]) -> None:
    photo, truth = painted_lesion(centre=centre, axes=axes)

    mask = segment_lesion(photo)

    assert mask is not None
    assert mask.shape == (300, 400)
    assert mask.dtype == np.bool_
    assert intersection_over_union(mask, truth) > 0.80


def test_segment_scores_the_same_on_a_large_and_a_small_photo() -> None:
    photo, truth = painted_lesion(centre=(210, 140), axes=(70, 50))
    large = np.asarray(cv2.resize(photo, (2000, 1500), interpolation=cv2.INTER_CUBIC), np.uint8)

    mask = segment_lesion(large)

    assert mask is not None
    shrunk = cv2.resize(mask.astype(np.uint8), (400, 300), interpolation=cv2.INTER_AREA) > 0
    assert intersection_over_union(shrunk, truth) > 0.80


def test_segment_finds_nothing_on_bare_skin_and_on_one_colour() -> None:
    bare = painted_lesion(centre=(-500, -500), axes=(5, 5))[0]

    assert segment_lesion(bare) is None
    assert segment_lesion(np.full((150, 200, 3), (222, 178, 155), np.uint8)) is None
    assert segment_lesion(np.zeros((150, 200, 3), np.uint8)) is None


def test_segment_takes_the_dermatoscopes_round_stop_for_no_lesion() -> None:
    photo, truth = painted_lesion(centre=(200, 150), axes=(60, 45))
    y, x = np.mgrid[0:300, 0:400]
    photo[np.hypot(y - 150, x - 200) > 190] = 4

    mask = segment_lesion(photo)

    assert mask is not None
    assert intersection_over_union(mask, truth) > 0.75


@pytest.mark.parametrize("tone", ["I", "II", "III", "IV", "V"])
def test_segment_finds_the_lesion_on_every_tone_up_to_v(tone: str) -> None:
    mask = segment_lesion(skin_photo(SKIN_TONES[tone]))

    assert mask is not None
    assert mask[225, 300]
    assert 0.05 < mask.mean() < 0.25


@pytest.mark.real_data
def test_segment_agrees_with_real_masks(data_dir: Path) -> None:
    folder = data_dir / "ham10000"
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        names = sorted(row["image_id"] for row in csv.DictReader(file) if row["split"] == "train")
    chosen = np.random.default_rng(0).choice(names, 100, replace=False)

    scores = []
    for name in chosen:
        mask = segment_lesion(read_photo(folder / "images" / f"{name}.jpg"))
        path = next((folder / "masks").glob(f"{name}*"))
        truth = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127
        scores.append(0.0 if mask is None else intersection_over_union(mask, truth))

    assert np.mean(scores) >= 0.68


def _two_spots(distance_px: int) -> np.ndarray:
    photo = skin_photo(size=(450, 600))
    patch = photo[140:310, 190:410].copy()
    twin = np.full_like(photo, photo[20:60, 20:60].mean(axis=(0, 1)).astype(np.uint8))
    twin = np.where(np.random.default_rng(0).random((*photo.shape[:2], 1)) < 0.5, twin, twin - 2).astype(np.uint8)
    small = cv2.resize(patch, (110, 85))
    for left in (300 - distance_px, 300 + distance_px):
        twin[180:265, left - 55 : left + 55] = small
    return twin


def test_lesion_alone_counts_as_one():
    assert count_lesions(skin_photo()) == 1


def test_two_spots_alike_count_as_two():
    assert count_lesions(_two_spots(110)) == 2


def test_plain_skin_counts_as_none():
    skin = np.full((300, 400, 3), (222, 178, 155), np.uint8)

    assert count_lesions(skin) == 0


@pytest.mark.parametrize("n_ring", [50, 51, 52, 53, 54, 1999])
def test_skin_s_colour_by_counting_is_the_median_by_sorting(n_ring: int) -> None:
    rng = np.random.default_rng(n_ring)
    lab = rng.integers(90, 110, (40, 50, 3)).astype(np.uint8)
    ring = rng.permutation(np.arange(2000) < n_ring).reshape(40, 50)

    colour = _skin_colour(lab, ring)

    assert colour.dtype == np.float32
    assert colour.tolist() == skin_colour_by_sorting(lab[ring].tolist())
