"""Pictures about pictures: shrinking, the square drawn, the heat map laid over."""

import numpy as np
import pytest

from dermascan_core.domain import CropBox
from dermascan_core.imaging.overlay import blend_heat_map, heat_inside, outline_crop, shrink_photo


def test_shrink_keeps_the_aspect_and_never_enlarges() -> None:
    assert shrink_photo(np.zeros((300, 600, 3), np.uint8), max_side_px=200).shape == (100, 200, 3)
    assert shrink_photo(np.zeros((30, 60, 3), np.uint8), max_side_px=200).shape == (30, 60, 3)


def test_outline_darkens_outside_and_keeps_the_inside() -> None:
    grey = np.full((100, 200, 3), 100, np.uint8)

    shown = outline_crop(grey, CropBox(200, 0, 200), photo_width_px=400)

    assert shown[50, 20].tolist() == [45, 45, 45]
    assert shown[50, 150].tolist() == [100, 100, 100]
    assert shown[50, 100].tolist() == [255, 214, 0]


def test_outline_takes_a_square_that_reaches_over_the_edge() -> None:
    shown = outline_crop(np.full((100, 200, 3), 100, np.uint8), CropBox(900, 900, 900), photo_width_px=400)

    assert shown.shape == (100, 200, 3)


def test_heat_map_leaves_cold_places_as_they_are() -> None:
    square = np.full((40, 40, 3), 77, np.uint8)

    assert (blend_heat_map(square, np.zeros((5, 5), np.float32), opacity=1) == 77).all()
    assert (blend_heat_map(square, np.ones((5, 5), np.float32), opacity=0) == 77).all()


def test_hottest_place_is_red_at_full_opacity() -> None:
    shown = blend_heat_map(np.zeros((40, 40, 3), np.uint8), np.ones((5, 5), np.float32), opacity=1)

    red, green, blue = shown[20, 20]
    assert red > 100 > max(green, blue)


def test_opacity_outside_its_range_is_a_mistake() -> None:
    with pytest.raises(
        ValueError, match=r"^Invalid value received for argument `opacity`\. Expected 0 to 1\. Received: 1\.5$"
    ):
        blend_heat_map(np.zeros((4, 4, 3), np.uint8), np.zeros((2, 2), np.float32), opacity=1.5)


def test_share_of_heat_inside_the_lesion_is_counted_by_heat_and_the_blind_look_by_area() -> None:
    heat_map = np.array([[6.0, 2.0], [1.0, 1.0]])
    lesion = np.zeros((40, 40), np.bool_)
    lesion[:20, :20] = True  # the upper left quarter: the hottest of four cells

    assert heat_inside(heat_map, lesion) == (pytest.approx(0.6), pytest.approx(0.25))
    assert heat_inside(heat_map, ~lesion) == (pytest.approx(0.4), pytest.approx(0.75))


def test_cell_that_lies_half_in_the_lesion_gives_half_its_heat() -> None:
    heat_map = np.array([[3.0, 1.0]])
    lesion = np.zeros((20, 40), np.bool_)
    lesion[:, :10] = True  # half of the left cell, none of the right one

    assert heat_inside(heat_map, lesion) == (pytest.approx(0.375), pytest.approx(0.25))


def test_even_map_has_as_much_inside_as_a_blind_look() -> None:
    lesion = np.hypot(*np.mgrid[-32:32, -32:32]) < 20

    inside, covered = heat_inside(np.full((8, 8), 0.3, np.float32), lesion)

    assert inside == pytest.approx(covered, abs=1e-6)
    assert covered == pytest.approx(np.pi * 20**2 / 64**2, abs=0.01)


def test_share_of_heat_agrees_with_a_count_pixel_by_pixel() -> None:
    rng = np.random.default_rng(3)
    heat_map = rng.random((7, 7))
    lesion = rng.random((56, 56)) < 0.4

    fine = np.kron(heat_map, np.ones((8, 8)))  # every cell as its 8 x 8 pixels
    inside, covered = heat_inside(heat_map, lesion)

    assert inside == pytest.approx(fine[lesion].sum() / fine.sum(), abs=1e-6)
    assert covered == pytest.approx(lesion.mean())


def test_empty_map_has_no_share_inside_and_whole_square_has_all() -> None:
    everywhere = np.ones((10, 10), np.bool_)

    assert np.isnan(heat_inside(np.zeros((2, 2)), everywhere)[0])
    assert heat_inside(np.ones((2, 2)), everywhere) == (pytest.approx(1), pytest.approx(1))
    assert heat_inside(np.ones((2, 2)), ~everywhere) == (0, 0)
