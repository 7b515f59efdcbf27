"""Each damage does what its name says, by a second writing or by what must stay; and does it again with the same seed."""

import cv2
import numpy as np
import pytest

from dermascan_core.evaluation.contrast import lesion_contrast
from dermascan_core.evaluation.damage import (
    CLEAN,
    DETAIL_PX,
    SMALL_CHANGES,
    STRESSES,
    damage_photo,
    to_detail,
)
from tests.fakes import fake_photo

PHOTO = fake_photo(width=200, height=150)
BY_NAME = {damage.name: damage for damage in (*STRESSES, *SMALL_CHANGES)}
ALL = [pytest.param(damage, id=damage.name) for damage in BY_NAME.values()]


def damaged(name, rgb=PHOTO, *, image_id="a", seed=0):
    return damage_photo(rgb, BY_NAME[name], image_id=image_id, seed=seed)


@pytest.mark.parametrize("damage", ALL)
def test_damage_keeps_shape_and_type_and_changes_the_photo(damage):
    before = PHOTO.copy()

    after = damage_photo(PHOTO, damage, image_id="a", seed=0)

    assert (after.shape, after.dtype) == (PHOTO.shape, np.uint8)
    assert (after != PHOTO).any()
    assert (before == PHOTO).all()


@pytest.mark.parametrize("damage", ALL)
def test_damage_comes_out_again_whatever_was_damaged_before(damage):
    first = damage_photo(PHOTO, damage, image_id="a", seed=3)
    damage_photo(PHOTO[::-1], damage, image_id="b", seed=3)

    assert (damage_photo(PHOTO, damage, image_id="a", seed=3) == first).all()


@pytest.mark.parametrize("damage", ALL)
def test_damage_takes_a_photo_held_upright(damage):
    upright = np.ascontiguousarray(np.rot90(PHOTO))

    assert damage_photo(upright, damage, image_id="a", seed=0).shape == upright.shape


@pytest.mark.parametrize("name", ["ink", "hair", "ruler", "tilt_20", "noise"])
def test_drawn_damage_differs_from_photo_to_photo_and_seed_to_seed(name):
    some = [damaged(name, image_id=image_id, seed=seed) for image_id in "ab" for seed in range(4)]

    assert len({one.tobytes() for one in some}) > 1


def test_clean_is_the_photo_itself():
    assert (damage_photo(PHOTO, CLEAN, image_id="a", seed=0) == PHOTO).all()


def test_the_bars_thirteen_damages_are_there():
    assert [damage.name for damage in STRESSES if damage.is_in_bar] == [
        *("blur", "lighter", "darker", "jpeg_30", "zoom_0.7", "zoom_1.4", "rotation_45", "tilt_20"),
        *("hue_plus_10", "hue_minus_10", "ink", "ruler", "hair"),
    ]


@pytest.mark.parametrize(("name", "gamma"), [("lighter", 0.5), ("darker", 1.8)])
def test_gamma_follows_its_formula(name, gamma):
    expected = 255 * (PHOTO / 255.0) ** gamma

    assert np.abs(damaged(name) - expected).max() <= 0.5 + 1e-9


@pytest.mark.parametrize(("name", "degrees"), [("hue_plus_10", 10), ("hue_minus_10", -10)])
def test_hue_turns_by_its_angle_and_lightness_stays(name, degrees):
    flat = np.full((20, 20, 3), (200, 120, 90), np.uint8)

    before, after = (
        cv2.cvtColor(one.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)[0, 0] for one in (flat, damaged(name, flat))
    )

    assert (after[0] - before[0] + 180) % 360 - 180 == pytest.approx(degrees, abs=1)
    assert after[1:] == pytest.approx(before[1:], abs=0.01)


def _area(rgb):
    """Pixels of the dark disc."""
    return int((rgb.mean(axis=2) < 140).sum())


@pytest.mark.parametrize("name", ["zoom_0.7", "zoom_1.4", "zoom_0.9", "zoom_1.1"])
def test_zoom_scales_the_lesion_by_its_square(name):
    factor = float(name.partition("_")[2])

    assert _area(damaged(name)) / _area(PHOTO) == pytest.approx(factor**2, rel=0.06)


@pytest.mark.parametrize(("name", "degrees"), [("rotation_15", 15), ("rotation_30", 30), ("rotation_45", 45)])
def test_rotation_turns_a_dot_about_the_centre_by_its_angle(name, degrees):
    photo = np.full((151, 151, 3), 200, np.uint8)
    cv2.circle(photo, (100, 75), 4, (20, 20, 20), -1)

    y, x = (places.mean() - 75 for places in np.nonzero(damaged(name, photo).mean(axis=2) < 100))

    assert np.hypot(x, y) == pytest.approx(25, abs=1)
    assert abs(np.rad2deg(np.arctan2(y, x))) == pytest.approx(degrees, abs=2)


def test_tilt_narrows_the_leaning_side_as_a_cosine_and_leaves_the_centre():
    photo = np.full((301, 301, 3), 200, np.uint8)
    cv2.circle(photo, (150, 150), 30, (20, 20, 20), -1)

    covariances, centres = [], []
    for seed in range(12):
        y, x = np.nonzero(damaged("tilt_20", photo, seed=seed).mean(axis=2) < 110)
        covariances.append(np.linalg.eigvalsh(np.cov(x, y)))
        centres.append((x.mean(), y.mean()))

    # A disc seen at 20 degrees is an ellipse whose short axis is cos(20) of the long one.
    ratios = [np.sqrt(short / long) for short, long in covariances]
    assert ratios == pytest.approx([np.cos(np.deg2rad(20))] * 12, abs=0.02)
    assert np.array(centres) == pytest.approx(150, abs=1.5)


def test_brightness_moves_the_mean_by_its_percent():
    for name, factor in (("brightness_minus_15", 0.85), ("brightness_plus_15", 1.15)):
        assert damaged(name, np.full((9, 9, 3), 100, np.uint8)).mean() == pytest.approx(100 * factor, abs=0.6)


def test_jpeg_of_a_lower_quality_is_farther_from_the_photo():
    far, near = (np.abs(damaged(name).astype(int) - PHOTO).mean() for name in ("jpeg_30", "jpeg_50"))

    assert 0 < near < far < 10


def test_ink_and_ruler_leave_the_centre_alone():
    for seed in range(6):
        for name in ("ink", "ruler"):
            assert (damaged(name, seed=seed)[55:95, 75:125] == PHOTO[55:95, 75:125]).all()


def test_photo_is_brought_to_the_archives_detail_by_its_short_side():
    assert to_detail(np.zeros((3000, 4000, 3), np.uint8)).shape == (DETAIL_PX, 200, 3)
    assert to_detail(np.zeros((140, 300, 3), np.uint8)).shape == (140, 300, 3)


def test_contrast_is_the_distance_of_the_two_colours_in_cielab():
    rgb = np.full((150, 200, 3), (222, 176, 150), np.uint8)
    mask = np.zeros((150, 200), bool)
    mask[50:100, 70:130] = True
    rgb[mask] = (120, 70, 50)
    lab = cv2.cvtColor(np.array([[(222, 176, 150), (120, 70, 50)]], np.float32) / 255, cv2.COLOR_RGB2LAB)[0]

    assert lesion_contrast(rgb, mask) == pytest.approx(np.linalg.norm(lab[0] - lab[1]), abs=0.01)
    assert lesion_contrast(np.full((150, 200, 3), 180, np.uint8)) == 0.0


def test_paler_lesion_stands_out_less():
    dark, pale = (lesion_contrast(fake_photo(width=200, height=150, lesion=c)) for c in ((80, 45, 35), (195, 145, 120)))

    assert 5 < pale < dark
