import cv2
import numpy as np
import pytest

from dermascan_core.imaging.examples import make_example
from dermascan_core.imaging.steps import (
    STEPS,
    apply_steps,
    balance_colour,
    equalise_contrast,
    remove_glare,
    remove_hair,
    sharpen,
)
from tests.imaging.pictures import skin_photo


def mean_difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


class TestHair:
    def test_hair_is_painted_out(self) -> None:
        clean = skin_photo(seed=1)
        hairy = clean.copy()
        is_hair = np.zeros(clean.shape[:2], np.uint8)
        for x in (70, 160, 480, 540):
            cv2.line(is_hair, (x, 20), (x + 40, 430), 1, 2)
        hairy[is_hair > 0] = (50, 35, 30)

        painted = remove_hair(hairy)

        on_hair = is_hair > 0
        assert mean_difference(hairy[on_hair], clean[on_hair]) > 80
        assert mean_difference(painted[on_hair], clean[on_hair]) < 15
        assert mean_difference(painted, clean) < 2

    def test_hair_step_leaves_a_photo_without_hair_untouched(self) -> None:
        photo = skin_photo(seed=2)

        assert np.array_equal(remove_hair(photo), photo)

    def test_hair_step_leaves_a_dark_round_lesion_untouched(self) -> None:
        photo = skin_photo(seed=3)
        cv2.circle(photo, (300, 225), 30, (45, 30, 28), -1)

        painted = remove_hair(photo)

        assert mean_difference(painted[200:250, 275:325], photo[200:250, 275:325]) < 1


class TestGlare:
    def test_glare_is_painted_over(self) -> None:
        photo = skin_photo(seed=4)
        for x, y in ((80, 80), (520, 300), (120, 380)):
            cv2.circle(photo, (x, y), 6, (255, 255, 255), -1)

        painted = remove_glare(photo)

        assert photo.min(axis=2).max() == 255
        assert painted.min(axis=2).max() < 240

    def test_glare_step_takes_a_white_background_for_background(self) -> None:
        photo = skin_photo(seed=5)
        photo[:, :200] = 255

        assert np.array_equal(remove_glare(photo), photo)

    def test_glare_step_leaves_a_photo_without_glare_untouched(self) -> None:
        photo = skin_photo(seed=6)

        assert np.array_equal(remove_glare(photo), photo)


class TestColour:
    def test_colour_constancy_removes_a_cast(self) -> None:
        photo = skin_photo(seed=7)
        under_blue_lamp = np.clip(photo * np.array([0.75, 0.9, 1.15]), 0, 255).astype(np.uint8)

        balanced = [balance_colour(p).mean(axis=(0, 1)) for p in (photo, under_blue_lamp)]

        cast_before = np.abs(photo.mean(axis=(0, 1)) - under_blue_lamp.mean(axis=(0, 1))).max()
        brightness = balanced[0].mean() / balanced[1].mean()
        assert cast_before > 20
        assert np.abs(balanced[0] - balanced[1] * brightness).max() < 3

    def test_colour_constancy_leaves_grey_grey(self) -> None:
        grey = np.full((150, 200, 3), 120, np.uint8)

        assert np.array_equal(balance_colour(grey), grey)

    def test_colour_constancy_survives_black(self) -> None:
        black = np.zeros((150, 200, 3), np.uint8)

        assert np.array_equal(balance_colour(black), black)


class TestContrast:
    def test_clahe_widens_local_contrast_and_keeps_hue(self) -> None:
        photo = skin_photo((170, 140, 125), seed=8)

        equalised = equalise_contrast(photo)

        lab_before, lab_after = (cv2.cvtColor(p, cv2.COLOR_RGB2LAB).astype(float) for p in (photo, equalised))
        assert lab_after[..., 0].std() > 1.3 * lab_before[..., 0].std()
        assert np.abs(lab_after[..., 1:] - lab_before[..., 1:]).mean() < 3


class TestSharpen:
    def test_sharpen_equals_the_slow_definition(self) -> None:
        photo = np.random.default_rng(9).integers(60, 190, (12, 15, 3)).astype(np.uint8)

        assert np.array_equal(sharpen(photo), slow_sharpen(photo))

    def test_sharpen_leaves_one_colour_untouched(self) -> None:
        flat = np.full((150, 200, 3), (200, 150, 130), np.uint8)

        assert np.array_equal(sharpen(flat), flat)


def slow_sharpen(photo: np.ndarray) -> np.ndarray:
    """Pixel minus half of (sum of four neighbours - 4 x pixel), borders mirrored without the edge pixel."""
    height, width, _ = photo.shape
    sharp = np.zeros_like(photo)
    for y in range(height):
        for x in range(width):
            up, down = abs(y - 1), height - 1 - abs(height - 2 - y)
            left, right = abs(x - 1), width - 1 - abs(width - 2 - x)
            for c in range(3):
                centre = float(photo[y, x, c])
                around = float(photo[up, x, c]) + photo[down, x, c] + photo[y, left, c] + photo[y, right, c]
                sharp[y, x, c] = min(max(round(centre - 0.5 * (around - 4 * centre)), 0), 255)
    return sharp


class TestSwitches:
    @pytest.mark.parametrize("name", list(STEPS))
    def test_every_step_gives_rgb_of_the_same_size_and_leaves_its_input_alone(self, name: str) -> None:
        photo = make_example("red-bump")
        before = photo.copy()

        changed = STEPS[name].apply(photo)

        assert changed.shape == photo.shape
        assert changed.dtype == np.uint8
        assert np.array_equal(photo, before)
        assert STEPS[name].name == name

    @pytest.mark.parametrize("name", list(STEPS))
    def test_every_step_takes_a_blank_and_a_tiny_picture(self, name: str) -> None:
        for picture in (np.zeros((128, 128, 3), np.uint8), np.full((40, 32, 3), 255, np.uint8)):
            assert STEPS[name].apply(picture).shape == picture.shape

    def test_steps_are_applied_in_the_order_given(self) -> None:
        photo = make_example("red-bump")[100:300, 200:400]

        assert np.array_equal(apply_steps(photo, ["colour", "sharpen"]), sharpen(balance_colour(photo)))
        assert np.array_equal(apply_steps(photo, []), photo)

    def test_unknown_step_is_named_with_the_known_ones(self) -> None:
        with pytest.raises(ValueError) as caught:
            apply_steps(np.zeros((8, 8, 3), np.uint8), ["sharpen", "magic"])

        assert str(caught.value) == (
            "Invalid value received for argument `names`. "
            "Expected ['hair', 'glare', 'colour', 'clahe', 'sharpen']. Received: 'magic'"
        )


class TestOnTheNetworksSquare:
    """A step that a training preset names sees squares of 160 px, in training and in every view of serving."""

    @pytest.fixture
    def square(self) -> np.ndarray:
        photo = make_example("red-bump")
        return np.asarray(cv2.resize(photo[:450, :450], (160, 160), interpolation=cv2.INTER_AREA))

    @pytest.mark.parametrize("name", list(STEPS))
    def test_step_gives_the_same_pixels_every_time(self, name: str, square: np.ndarray) -> None:
        first = STEPS[name].apply(square)

        assert all(np.array_equal(STEPS[name].apply(square.copy()), first) for _ in range(3))

    @pytest.mark.parametrize("name", list(STEPS))
    def test_step_does_not_blow_up_a_cameras_noise(self, name: str, square: np.ndarray) -> None:
        noise = np.random.default_rng(0).normal(0, 1.5, square.shape)
        noisy = np.clip(np.round(square + noise), 0, 255).astype(np.uint8)

        gap = mean_difference(STEPS[name].apply(noisy), STEPS[name].apply(square))

        assert gap < 5 * mean_difference(noisy, square)

    @pytest.mark.parametrize("name", list(STEPS))
    def test_step_does_nearly_the_same_to_a_turned_square(self, name: str, square: np.ndarray) -> None:
        upright = STEPS[name].apply(square)

        for turns in (1, 2, 3):
            turned = STEPS[name].apply(np.ascontiguousarray(np.rot90(square, turns)))
            assert mean_difference(np.rot90(turned, -turns), upright) < 2.5
