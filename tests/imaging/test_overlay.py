"""Pictures about pictures: shrinking, the square drawn, the heat map laid over."""

import numpy as np
import pytest

from dermascan_core.domain import CropBox
from dermascan_core.imaging.overlay import blend_heat_map, outline_crop, shrink_photo


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
