"""MixUp and CutMix against slow second writings, and what follows for targets, answers and masks."""

from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.training.mixing import Batch, blend, cut_and_paste, mix

PARTNER = np.array([1, 2, 3, 0])


@pytest.fixture
def batch():
    """Four photos of one colour each, all different, with masks; the last photo has none."""
    rng = np.random.default_rng(0)
    masks = np.zeros((4, 12, 12), np.float32)
    masks[1], masks[3] = 1.0, -1.0
    return Batch(
        images=np.tile(np.array([10, 60, 110, 160], np.float32)[:, None, None, None], (1, 12, 12, 3)),
        metadata=rng.normal(size=(4, 5)).astype(np.float32),
        targets=np.eye(4, dtype=np.float32),
        masks=masks,
    )


def test_mixup_blends_photo_answers_and_target_by_the_same_share(batch):
    mixed = blend(batch, PARTNER, share=0.7)

    for i, j in enumerate(PARTNER):
        np.testing.assert_allclose(mixed.images[i], 0.7 * batch.images[i] + 0.3 * batch.images[j], rtol=1e-5)
        np.testing.assert_allclose(mixed.metadata[i], 0.7 * batch.metadata[i] + 0.3 * batch.metadata[j], rtol=1e-5)
        np.testing.assert_allclose(mixed.targets[i], 0.7 * batch.targets[i] + 0.3 * batch.targets[j], rtol=1e-5)


@pytest.mark.parametrize("seed", range(8))
def test_cutmix_target_is_the_area_that_was_kept(batch, seed):
    mixed = cut_and_paste(batch, PARTNER, share=0.6, rng=np.random.default_rng(seed))

    for i, j in enumerate(PARTNER):
        kept = np.mean(mixed.images[i, ..., 0] == batch.images[i, 0, 0, 0])
        pasted = np.mean(mixed.images[i, ..., 0] == batch.images[j, 0, 0, 0])
        assert kept + pasted == pytest.approx(1.0)
        assert mixed.targets[i, i] == pytest.approx(kept, abs=1e-6)
        assert mixed.targets[i, j] == pytest.approx(pasted, abs=1e-6)
        np.testing.assert_allclose(
            mixed.metadata[i], kept * batch.metadata[i] + pasted * batch.metadata[j], rtol=1e-4, atol=1e-6
        )


def test_cutmix_pastes_one_rectangle_of_about_the_area_asked_for():
    batch = Batch(np.zeros((2, 50, 50, 3), np.float32), np.zeros((2, 1), np.float32), np.eye(2, dtype=np.float32))
    batch.images[1] = 255

    mixed = cut_and_paste(batch, np.array([1, 0]), share=0.75, rng=np.random.default_rng(6))

    pasted = mixed.images[0, ..., 0] == 255
    rows, columns = pasted.any(axis=1), pasted.any(axis=0)
    assert pasted.sum() == rows.sum() * columns.sum() > 0
    assert rows.sum() <= 26
    assert columns.sum() <= 26


def test_masks_are_mixed_like_their_photos_and_stay_unknown_beside_an_unknown_one(batch):
    blended = blend(batch, PARTNER, share=0.7)
    cut = cut_and_paste(batch, PARTNER, share=0.6, rng=np.random.default_rng(1))

    np.testing.assert_allclose(blended.masks[0], 0.3)
    assert (blended.masks[2:] == -1).all()
    assert np.array_equal(cut.masks[0] == 1, cut.images[0, ..., 0] == 60)
    assert (cut.masks[2:] == -1).all()


def test_mixing_leaves_its_input_alone(batch):
    before = batch.images.copy(), batch.masks.copy()

    mix(batch, mixup=0.4, cutmix=0.0, probability=1.0, rng=np.random.default_rng(0))
    mix(batch, mixup=0.0, cutmix=1.0, probability=1.0, rng=np.random.default_rng(0))

    assert np.array_equal(batch.images, before[0])
    assert np.array_equal(batch.masks, before[1])


def test_targets_sum_to_one_whatever_is_mixed(batch):
    for seed in range(20):
        mixed = mix(batch, mixup=0.4, cutmix=1.0, probability=1.0, rng=np.random.default_rng(seed))

        np.testing.assert_allclose(mixed.targets.sum(axis=1), 1, rtol=1e-5)


def test_share_of_mixed_batches_is_the_one_asked_for(batch):
    rng = np.random.default_rng(5)

    n_mixed = sum(mix(batch, mixup=0.4, cutmix=0.0, probability=0.25, rng=rng) is not batch for _ in range(400))

    assert 70 < n_mixed < 130


def test_both_kinds_occur_where_both_are_on(batch):
    plain = replace(batch, masks=None)
    seen = set()
    for seed in range(30):
        mixed = mix(plain, mixup=1.0, cutmix=1.0, probability=1.0, rng=np.random.default_rng(seed))
        seen.add(bool(np.isin(mixed.images, batch.images).all()))

    assert seen == {True, False}


def test_switched_off_mixing_gives_the_batch_back(batch):
    assert mix(batch, mixup=0.0, cutmix=0.0, probability=1.0, rng=np.random.default_rng(0)) is batch
