"""Features of drawn lesions whose size, colour, symmetry and border are known."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from dermascan_core.imaging.lesion_features import (
    FEATURE_FAMILIES,
    FEATURE_NAMES,
    NO_FEATURES,
    NOISE_FLOORS,
    LesionFeatures,
    measure_lesion,
)

SKIN, BROWN = (222, 178, 155), (110, 70, 50)
Photo = npt.NDArray[np.uint8]


def draw(shape: Callable[[Photo, tuple[int, int, int]], object], colour: tuple[int, int, int] = BROWN) -> Photo:
    photo = np.full((150, 200, 3), SKIN, np.uint8)
    shape(photo, colour)
    return photo


def disc(photo: Photo, colour: tuple[int, int, int], radius: int = 30) -> None:
    cv2.circle(photo, (100, 75), radius, colour, -1)


def half_disc(photo: Photo, colour: tuple[int, int, int]) -> None:
    cv2.ellipse(photo, (100, 65), (40, 40), 0, 0, 180, colour, -1)


def star(photo: Photo, colour: tuple[int, int, int]) -> None:
    angle = np.linspace(0, 2 * np.pi, 400)
    radius = 30 * (1 + 0.25 * np.sin(9 * angle))
    points = np.stack([100 + radius * np.cos(angle), 75 + radius * np.sin(angle)], axis=1)
    cv2.fillPoly(photo, [points.astype(np.int32)], colour)


def mask_of(photo: Photo) -> npt.NDArray[np.bool_]:
    return (photo != np.array(SKIN, np.uint8)).any(axis=2)


def exact(photo: Photo) -> LesionFeatures:
    """Features inside the drawn shape itself, not inside what the segmenter makes of it."""
    return measure_lesion(photo, mask_of(photo))


def lab(colour: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    return cv2.cvtColor(np.array([[colour]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]


def test_colour_is_the_drawn_colour_and_against_the_skin_the_difference() -> None:
    features = exact(draw(disc))

    colour, against = lab(BROWN), lab(BROWN) - lab(SKIN)
    assert (features.lightness, features.redness, features.yellowness) == pytest.approx(tuple(colour), abs=0.1)
    assert (
        features.lightness_against_skin,
        features.redness_against_skin,
        features.yellowness_against_skin,
    ) == pytest.approx(tuple(against), abs=0.1)
    assert features.colour_variety == pytest.approx(0, abs=0.01)


def test_size_is_the_diameter_over_the_short_side() -> None:
    assert exact(draw(disc)).size_share == pytest.approx(60 / 150, abs=0.01)


def test_found_lesion_has_about_the_drawn_size() -> None:
    assert measure_lesion(draw(disc)).size_share == pytest.approx(60 / 150, abs=0.03)


def test_larger_photo_of_the_same_has_the_same_features() -> None:
    small = draw(disc)
    large = cv2.resize(small, (800, 600), interpolation=cv2.INTER_CUBIC)

    assert measure_lesion(large).as_array() == pytest.approx(measure_lesion(small).as_array(), abs=0.6)


@pytest.mark.parametrize(
    "shape",
    [
        disc,
        lambda photo, colour: cv2.ellipse(photo, (100, 75), (45, 20), 30, 0, 360, colour, -1),
        lambda photo, colour: cv2.rectangle(photo, (60, 50), (140, 100), colour, -1),
    ],
    ids=["disc", "turned ellipse", "rectangle"],
)
def test_symmetrical_shapes_have_no_asymmetry(shape: Callable[..., object]) -> None:
    assert exact(draw(shape)).asymmetry < 0.03


def test_asymmetry_of_half_a_disc_by_hand() -> None:
    # Across its short axis a half disc is even; across the other, through the centroid at 4r/3pi, integrate what has no
    # counterpart: with c = 4/3pi and w(y) = 2 sqrt(1 - y^2), the area of max(w(y) - w(2c - y), 0) over half of pi/2.
    c, y = 4 / (3 * math.pi), np.linspace(0, 1, 20001)
    mirrored = np.where(2 * c - y > 0, 2 * np.sqrt(np.clip(1 - (2 * c - y) ** 2, 0, None)), 0)
    lost = np.clip(2 * np.sqrt(1 - y**2) - mirrored, 0, None).mean() / (math.pi / 2)

    assert exact(draw(half_disc)).asymmetry == pytest.approx(lost / 2, abs=0.015)


def test_turning_a_lesion_does_not_change_its_asymmetry() -> None:
    upright = draw(half_disc)
    turned = np.ascontiguousarray(np.rot90(upright))

    assert exact(turned).asymmetry == pytest.approx(exact(upright).asymmetry, abs=0.01)


def test_border_of_a_disc_is_about_one_and_of_a_star_more() -> None:
    assert exact(draw(disc)).border_irregularity == pytest.approx(1.0, abs=0.03)
    assert exact(draw(star)).border_irregularity > 1.25


def test_two_colours_are_more_varied_than_one() -> None:
    photo = draw(disc)
    photo[:, 100:][mask_of(photo)[:, 100:]] = (60, 60, 90)
    half = np.linalg.norm(lab((60, 60, 90)) - lab(BROWN)) / 2

    assert exact(photo).colour_variety == pytest.approx(half, rel=0.05)


def test_lesion_cut_by_the_photo_has_colours_only() -> None:
    photo = np.full((150, 200, 3), SKIN, np.uint8)
    cv2.circle(photo, (100, 0), 45, BROWN, -1)

    features = exact(photo)

    assert features.lightness == pytest.approx(lab(BROWN)[0], abs=0.1)
    assert np.isnan([features.size_share, features.asymmetry, features.border_irregularity]).all()


def test_round_stop_of_a_dermatoscope_is_no_skin() -> None:
    photo = np.zeros((150, 150, 3), np.uint8)
    cv2.circle(photo, (75, 75), 74, SKIN, -1)
    cv2.circle(photo, (75, 75), 45, BROWN, -1)
    mask = np.zeros((150, 150), np.uint8)
    cv2.circle(mask, (75, 75), 45, 1, -1)

    features = measure_lesion(photo, mask > 0)

    assert features.lightness_against_skin == pytest.approx(lab(BROWN)[0] - lab(SKIN)[0], abs=0.5)


def test_bare_skin_has_no_features() -> None:
    features = measure_lesion(np.full((150, 200, 3), SKIN, np.uint8))

    assert features is NO_FEATURES
    assert np.isnan(features.as_array()).all()


def test_every_feature_has_a_family_and_a_floor() -> None:
    assert tuple(FEATURE_FAMILIES) == tuple(NOISE_FLOORS) == FEATURE_NAMES
    assert all(floor > 0 for floor in NOISE_FLOORS.values())
