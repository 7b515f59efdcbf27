import numpy as np
import pytest

from dermascan_core.training.augmentation import AugmentationConfig, _hue_rotation, augment
from tests.fakes import fake_photo

OFF = AugmentationConfig(0.0, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture
def square():
    return fake_photo(width=96, height=96)


def test_switched_off_augmentation_only_turns_and_flips(square):
    rng = np.random.default_rng(0)
    views = {np.rot90(s, k).tobytes() for s in (square, square[:, ::-1]) for k in range(4)}

    seen = {augment(square, OFF, rng).tobytes() for _ in range(60)}

    assert seen <= views
    assert len(seen) == 8


def test_augmented_square_keeps_shape_and_type_and_varies(square):
    rng = np.random.default_rng(1)

    changed = [augment(square, AugmentationConfig(), rng) for _ in range(20)]

    assert all(c.shape == square.shape and c.dtype == np.uint8 for c in changed)
    assert len({c.tobytes() for c in changed}) == 20


def test_same_seed_gives_the_same_square(square):
    first, second = (augment(square, AugmentationConfig(), np.random.default_rng(9)) for _ in range(2))

    assert np.array_equal(first, second)


def test_hue_rotation_keeps_grey_and_turns_back():
    turn = _hue_rotation(20.0)

    np.testing.assert_allclose(np.full(3, 77.0) @ turn, np.full(3, 77.0), rtol=1e-5)
    np.testing.assert_allclose(turn @ _hue_rotation(-20.0), np.eye(3), atol=1e-6)


@pytest.mark.parametrize("name", ["blur", "jpeg", "noise", "cutout"])
def test_each_damage_changes_the_photo(square, name):
    values = {"blur": 0.0, "jpeg": 0.0, "noise": 0.0, "cutout": 0.0, name: 1.0}
    config = AugmentationConfig(
        0.0, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, values["blur"], values["jpeg"], values["noise"], values["cutout"]
    )
    views = {np.rot90(s, k).tobytes() for s in (square, square[:, ::-1]) for k in range(4)}

    assert augment(square, config, np.random.default_rng(0)).tobytes() not in views
