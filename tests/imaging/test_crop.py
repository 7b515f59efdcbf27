import cv2
import numpy as np
import pytest

from dermascan_core.domain import CropBox
from dermascan_core.imaging.crop import centre_crop, clamp_crop, crop_around_mask, extract_square, find_crop
from dermascan_core.imaging.segment import segment_lesion


def mask_of(*, left: int, top: int, width: int, height: int, shape: tuple[int, int] = (300, 400)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[top : top + height, left : left + width] = True
    return mask


def test_crop_of_a_blank_photo_is_its_centre() -> None:
    blank = np.full((300, 400, 3), 180, np.uint8)

    assert find_crop(blank) == CropBox(50, 0, 300, "centre")
    assert centre_crop(np.zeros((500, 200, 3), np.uint8)) == CropBox(0, 150, 200, "centre")


def test_crop_slides_along_the_long_side_to_the_lesion() -> None:
    assert crop_around_mask(mask_of(left=120, top=100, width=100, height=100)) == CropBox(20, 0, 300, "lesion")
    assert crop_around_mask(mask_of(left=230, top=100, width=100, height=100)) == CropBox(100, 0, 300, "lesion")


def test_crop_stays_inside_the_photo() -> None:
    assert crop_around_mask(mask_of(left=0, top=0, width=100, height=100)) == CropBox(0, 0, 300, "lesion")


def test_crop_comes_closer_to_a_small_lesion_until_it_fills_30_percent() -> None:
    # 60 px of 300 are 20 %: the side shrinks by 1.5, where the lesion fills 30 %.
    assert crop_around_mask(mask_of(left=170, top=120, width=60, height=60)) == CropBox(100, 50, 200, "lesion")


def test_crop_comes_no_closer_than_two_and_a_half_times() -> None:
    box = crop_around_mask(mask_of(left=198, top=148, width=4, height=4))

    assert (box.side_px, box.source) == (120, "lesion")


def test_crop_is_not_moved_by_a_stray_hair_in_the_mask() -> None:
    mask = mask_of(left=130, top=100, width=100, height=100)
    with_hair = mask.copy()
    with_hair[150, 130:380] = True

    assert abs(crop_around_mask(with_hair).left_px - crop_around_mask(mask).left_px) <= 2


def test_crop_centres_on_the_lesion_of_a_photo() -> None:
    photo = np.full((300, 400, 3), (222, 178, 155), np.uint8)
    cv2.circle(photo, (150, 150), 60, (120, 75, 60), -1)

    box = find_crop(photo)

    assert box.source == "lesion"
    assert box.side_px == 300
    assert abs(box.left_px + 150 - 150) <= 4


@pytest.mark.parametrize(("width", "height"), [(400, 300), (200, 150), (151, 128), (1023, 767), (2999, 4001)])
def test_crop_of_a_photo_is_that_of_its_mask_at_full_size(width: int, height: int) -> None:
    photo = np.full((height, width, 3), (222, 178, 155), np.uint8)
    cv2.ellipse(photo, (width // 3, height // 2), (width // 12, height // 9), 30, 0, 360, (120, 75, 60), -1)
    mask = segment_lesion(photo)
    assert mask is not None

    assert find_crop(photo) == crop_around_mask(mask)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (CropBox(10, 20, 100, "hand"), CropBox(10, 20, 100, "hand")),
        (CropBox(-50, -9, 100, "hand"), CropBox(0, 0, 100, "hand")),
        (CropBox(390, 290, 100, "hand"), CropBox(300, 200, 100, "hand")),
        (CropBox(0, 0, 9999, "hand"), CropBox(0, 0, 300, "hand")),
        (CropBox(200, 150, 1, "hand"), CropBox(200, 150, 32, "hand")),
    ],
)
def test_clamp_brings_a_square_set_by_hand_into_the_photo(given: CropBox, expected: CropBox) -> None:
    assert clamp_crop(given, width_px=400, height_px=300) == expected


def test_extract_averages_areas_before_it_enlarges() -> None:
    # A 2 px checkerboard at 300 px carries more than 150 px of detail: it must come out as even grey.
    board = (np.indices((300, 300)).sum(axis=0) % 2 * 255).astype(np.uint8)
    photo = np.repeat(board[..., None], 3, axis=2)

    square = extract_square(photo, CropBox(0, 0, 300), input_px=160, detail_px=150)

    assert square.shape == (160, 160, 3)
    assert square.dtype == np.uint8
    assert square.flags["C_CONTIGUOUS"]
    assert set(np.unique(square)) <= {127, 128}


def test_extract_copies_a_square_that_has_the_right_size_already() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (150, 200, 3)).astype(np.uint8)

    square = extract_square(photo, CropBox(25, 0, 150), input_px=150, detail_px=150)

    assert np.array_equal(square, photo[:, 25:175])
    assert not np.shares_memory(square, photo)
