import numpy as np
import pytest

from dermascan_core.domain import Metadata
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.training.augmentation import AugmentationConfig
from dermascan_core.training.sampling import BalancedBatches, drop_metadata, sampling_shares


@pytest.fixture
def batches():
    targets = np.eye(2, dtype=np.float32)[[0] * 90 + [1] * 10]
    squares = np.zeros((100, 16, 16, 3), np.uint8)
    squares[90:] = 200
    return BalancedBatches(
        squares,
        targets,
        [Metadata(age_approx=40)] * 100,
        encoder=MetadataEncoder(("age_approx",)),
        batch_size=10,
        balance=1.0,
        augmentation=AugmentationConfig(),
        drop_all=0.5,
        drop_field=0.0,
        seed=3,
    )


@pytest.mark.parametrize(("balance", "expected"), [(0.0, [0.8, 0.2]), (0.5, [2 / 3, 1 / 3]), (1.0, [0.5, 0.5])])
def test_balance_moves_from_the_archives_mix_to_equal_classes(balance, expected):
    assert sampling_shares(np.array([0.8, 0.2]), balance).tolist() == pytest.approx(expected)


def test_classes_are_drawn_as_often_as_asked(batches):
    drawn = np.concatenate([batches[i][1] for i in range(len(batches))])

    assert drawn.mean(axis=0).tolist() == pytest.approx([0.5, 0.5], abs=0.01)


def test_photos_and_targets_stay_together(batches):
    inputs, targets = batches[0]

    is_bright = inputs["image"].mean(axis=(1, 2, 3)) > 60
    assert is_bright.tolist() == (targets[:, 1] == 1).tolist()
    assert inputs["image"].shape == (10, 16, 16, 3)


def test_an_epoch_repeats_exactly_and_the_next_one_differs(batches):
    first, again = batches[2], batches[2]
    batches.on_epoch_end()
    later = batches[2]

    assert np.array_equal(first[0]["image"], again[0]["image"])
    assert not np.array_equal(first[0]["image"], later[0]["image"])


def test_about_half_the_photos_lose_their_metadata(batches):
    known = np.concatenate([batches[i][0]["metadata"][:, 1] for i in range(len(batches))])

    assert 0.3 < known.mean() < 0.7


def test_dropping_every_field_leaves_nothing():
    rng = np.random.default_rng(0)
    full = Metadata(age_approx=40, sex="male", anatom_site="face")

    assert drop_metadata(full, drop_all=0.0, drop_field=1.0, rng=rng) == Metadata()
    assert drop_metadata(full, drop_all=1.0, drop_field=0.0, rng=rng) == Metadata()


def test_site_is_sometimes_coarsened_to_its_region():
    rng = np.random.default_rng(0)
    face = Metadata(anatom_site="face")

    sites = {drop_metadata(face, drop_all=0.0, drop_field=0.0, rng=rng).anatom_site for _ in range(100)}

    assert sites == {"face", "head/neck"}
