from dataclasses import replace

import cv2
import numpy as np
import pytest

from dermascan_core.training.artefacts import ARTEFACTS
from dermascan_core.training.augmentation import (
    AUGMENTATIONS,
    AugmentationConfig,
    _hue_rotation,
    _Move,
    _perspective,
    _recolour,
    augment,
    augment_with_mask,
    augmentation_of,
)
from dermascan_core.training.presets import CHOICES, PRESETS, override
from tests.contract.tree import ROOT
from tests.fakes import fake_photo

OFF = AUGMENTATIONS["none"]
TURNS = replace(OFF, flips=True, quarter_turns=True)
# One change at a time, as strong as it gets.
CHANGES = {
    "rotation": {"rotation_degrees": 30.0},
    "zoom": {"zoom_range": (0.8, 1.2)},
    "shift": {"shift_share": 0.1},
    "brightness": {"brightness": 0.2},
    "contrast": {"contrast": 0.2},
    "saturation": {"saturation": 0.3},
    "hue": {"hue_degrees": 10.0},
    "gamma": {"gamma_probability": 1.0, "gamma_range": (0.5, 0.8)},
    "tilt": {"tilt_probability": 1.0, "tilt_degrees": 20.0},
    "downsample": {"downsample_probability": 1.0, "downsample_range": (0.3, 0.6)},
    "blur": {"blur_probability": 1.0},
    "jpeg": {"jpeg_probability": 1.0},
    "noise": {"noise_probability": 1.0},
    "cutout": {"cutout_probability": 1.0},
    "artefacts": {"artefact_probability": 1.0},
}

# One setting of a recipe, and what it makes of the level.
SETTINGS = {
    "flips=false": {"flips": False},
    "quarter_turns=false": {"quarter_turns": False},
    "rotation_degrees=30": {"rotation_degrees": 30.0},
    "rotation_degrees=180": {"rotation_degrees": 180.0},
    "zoom_range=0.8-1.2": {"zoom_range": (0.8, 1.2)},
    "brightness=0.3": {"brightness": 0.3},
    "contrast=0": {"contrast": 0.0},
    "saturation=0.4": {"saturation": 0.4},
    "hue_degrees=15": {"hue_degrees": 15.0},
    "noise_probability=0.5": {"noise_probability": 0.5},
    "cutout_probability=0": {"cutout_probability": 0.0},
    "downsample_probability=0.3": {"downsample_probability": 0.3},
    "downsample_range=0.3-0.5": {"downsample_range": (0.3, 0.5)},
    "jpeg_probability=1": {"jpeg_probability": 1.0},
    "jpeg_quality=10-20": {"jpeg_quality": (10, 20)},
}


@pytest.fixture
def square():
    return fake_photo(width=96, height=96)


def test_every_level_that_a_recipe_may_name_exists():
    assert tuple(AUGMENTATIONS) == CHOICES["augment"]


@pytest.mark.parametrize("level", AUGMENTATIONS)
def test_recipe_that_sets_no_change_by_itself_trains_at_its_level(level):
    assert augmentation_of(replace(PRESETS["smoke"], augment=level)) == AUGMENTATIONS[level]


@pytest.mark.parametrize("level", ["none", "standard"])
@pytest.mark.parametrize("setting", SETTINGS)
def test_setting_changes_one_thing_about_the_level(setting, level):
    recipe = override(replace(PRESETS["smoke"], augment=level), [setting])

    assert augmentation_of(recipe) == replace(AUGMENTATIONS[level], **SETTINGS[setting])


def test_settings_reach_every_change_that_a_recipe_can_set_and_the_command_line_explains_them():
    unset = {name for name, value in PRESETS["smoke"].to_dict().items() if value is None}
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")

    assert unset == {setting.partition("=")[0] for setting in SETTINGS}
    assert {name for name in unset if f"`{name}`" not in page} == set()


@pytest.mark.parametrize(
    "settings",
    [
        ["rotation_degrees=30"], ["zoom_range=0.8-1.2"], ["brightness=0.2"], ["contrast=0.2"], ["saturation=0.3"],
        ["hue_degrees=10"], ["noise_probability=1"], ["cutout_probability=1"], ["downsample_probability=1"],
        ["jpeg_probability=1", "jpeg_quality=5-6"],
    ],
    ids=lambda settings: settings[0],
)  # fmt: skip
def test_each_setting_acts_without_a_level(square, settings):
    config = augmentation_of(override(PRESETS["smoke"], ["augment=none", *settings]))

    assert not np.array_equal(augment(square, config, np.random.default_rng(0)), square)


def test_none_changes_nothing(square):
    rng = np.random.default_rng(0)

    assert all(np.array_equal(augment(square, OFF, rng), square) for _ in range(10))


def test_flips_reach_the_four_mirror_images_and_no_more(square):
    rng = np.random.default_rng(0)
    views = {v.tobytes() for v in (square, square[:, ::-1], square[::-1], square[::-1, ::-1])}

    assert {augment(square, AUGMENTATIONS["flips"], rng).tobytes() for _ in range(60)} == views


def test_quarter_turns_and_flips_reach_all_eight_views(square):
    rng = np.random.default_rng(0)
    views = {np.rot90(s, k).tobytes() for s in (square, square[:, ::-1]) for k in range(4)}

    assert {augment(square, TURNS, rng).tobytes() for _ in range(100)} == views


@pytest.mark.parametrize("name", ["standard", "strong"])
def test_augmented_square_keeps_shape_and_type_and_varies(square, name):
    rng = np.random.default_rng(1)

    changed = [augment(square, AUGMENTATIONS[name], rng) for _ in range(40)]

    assert all(c.shape == square.shape and c.dtype == np.uint8 for c in changed)
    assert len({c.tobytes() for c in changed}) == 40


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_same_seed_gives_the_same_square_and_leaves_the_input_alone(square, name):
    before = square.copy()

    first, second = (augment(square, AUGMENTATIONS[name], np.random.default_rng(9)) for _ in range(2))

    assert np.array_equal(first, second)
    assert np.array_equal(square, before)


@pytest.mark.parametrize("name", CHANGES)
def test_each_change_acts_by_itself(square, name):
    changed = augment(square, replace(OFF, **CHANGES[name]), np.random.default_rng(0))

    assert not np.array_equal(changed, square)
    assert np.abs(changed.astype(float) - square).mean() < 60  # still the same photo


@pytest.mark.parametrize("name", CHANGES)
def test_mask_follows_the_photo_and_has_no_say(square, name):
    config = replace(TURNS, **CHANGES[name])
    mask = np.zeros(square.shape[:2], np.uint8)
    cv2.ellipse(mask, (40, 55), (25, 12), 30, 0, 360, 255, -1)
    as_photo = np.repeat(mask[..., None], 3, axis=2)

    for seed in range(5):
        alone = augment(square, config, np.random.default_rng(seed))
        photo, moved = augment_with_mask(square, mask, config, np.random.default_rng(seed))
        assert np.array_equal(photo, alone)
        moved_photo = augment(as_photo, config, np.random.default_rng(seed))
        if name in ("rotation", "zoom", "shift", "tilt"):
            assert np.array_equal(moved_photo[..., 0], moved)
        assert moved.shape == mask.shape
        assert 0.3 < (moved > 127).sum() / (mask > 127).sum() < 3


def test_colour_change_equals_its_slow_definition(square):
    config = AugmentationConfig()

    found = _recolour(square, config, np.random.default_rng(5)).astype(float)

    rng = np.random.default_rng(5)
    saturation, contrast, brightness = (1 + rng.uniform(-0.15, 0.15) for _ in range(3))
    pixels = square.astype(float)
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + (pixels - grey) * saturation
    pixels = pixels.mean() + (pixels - pixels.mean()) * contrast
    pixels = (pixels * brightness) @ _hue_rotation(float(rng.uniform(-6, 6)))
    np.testing.assert_allclose(found, np.clip(np.round(pixels), 0, 255), atol=1)


def test_hue_rotation_keeps_grey_and_turns_back():
    turn = _hue_rotation(20.0)

    np.testing.assert_allclose(np.full(3, 77.0) @ turn, np.full(3, 77.0), rtol=1e-5)
    np.testing.assert_allclose(turn @ _hue_rotation(-20.0), np.eye(3), atol=1e-6)


def test_tilt_squashes_across_its_axis_and_brings_one_side_nearer():
    matrix = _perspective(101, np.radians(20), axis=0.0)

    def seen(x, y):
        at = matrix @ (x, y, 1)
        return at[:2] / at[2]

    np.testing.assert_allclose(seen(50, 50), [50, 50], atol=1e-9)
    widths = [seen(100, y)[0] - seen(0, y)[0] for y in (0, 50, 100)]
    assert widths[1] == pytest.approx(100)
    assert widths[0] > 101
    assert widths[2] < 99
    assert seen(50, 100)[1] - seen(50, 0)[1] == pytest.approx(100 * np.cos(np.radians(20)), rel=0.02)


def test_move_without_a_warp_only_rearranges(square):
    assert np.array_equal(_Move(1, True, True, None)(square), np.rot90(square)[:, ::-1][::-1])


@pytest.mark.parametrize("name", ARTEFACTS)
def test_artefact_is_drawn_over_a_part_and_not_turned(square, name):
    for seed in range(6):
        drawn = ARTEFACTS[name](square, np.random.default_rng(seed))

        is_changed = (np.abs(drawn.astype(int) - square) > 2).any(axis=2)
        assert drawn.shape == square.shape
        assert 0 < is_changed.mean() < 0.6
        assert np.array_equal(ARTEFACTS[name](square, np.random.default_rng(seed)), drawn)


@pytest.mark.parametrize("name", ["ink", "ruler", "vignette"])
def test_artefact_stays_off_the_centre_where_the_lesion_is(square, name):
    centre = slice(38, 58)
    for seed in range(20):
        drawn = ARTEFACTS[name](square, np.random.default_rng(seed))

        assert np.abs(drawn[centre, centre].astype(int) - square[centre, centre]).max() <= 1
