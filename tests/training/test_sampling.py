from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.domain import Metadata
from dermascan_core.evaluation.class_draws import draws_per_class, sampling_shares
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.training.masks import LesionMasks
from dermascan_core.training.presets import PRESETS
from dermascan_core.training.sampling import (
    drawn_shares,
    drop_metadata,
    make_batches,
    seen_shares,
)

PLAIN = replace(
    PRESETS["smoke"], batch_size=10, balance=1.0, augment="none", metadata_drop_all=0.0, metadata_drop_field=0.0, seed=3
)
TARGETS = np.eye(2, dtype=np.float32)[[0] * 90 + [1] * 10]
# Each option that changes what a batch holds, one by one.
OPTIONS = {
    "balance": {"balance": 0.0},
    "class_floor": {"class_floor": 120},
    "curriculum": {"curriculum_epochs": 4},
    "augment": {"augment": "strong"},
    "mixup": {"mixup": 0.4, "mix_probability": 1.0},
    "cutmix": {"cutmix": 1.0, "mix_probability": 1.0},
    "metadata": {"metadata_drop_all": 0.5},
    "batch_size": {"batch_size": 7},
    "seed": {"seed": 4},
}


def make(preset=PLAIN, *, first_epoch=0, with_masks=False):
    """Batches of 90 photos of one class and 10 of another; a photo's red channel is its number."""
    squares = np.zeros((100, 16, 16, 3), np.uint8)
    squares[..., 0] = np.arange(100)[:, None, None]
    squares[90:, ..., 1:] = 200
    masks = np.zeros((100, 16, 16), np.uint8)
    masks[:, :8] = 255
    return make_batches(
        preset,
        squares,
        TARGETS,
        [Metadata(age_approx=20 + n % 60) for n in range(100)],
        encoder=MetadataEncoder(("age_approx",)),
        first_epoch=first_epoch,
        masks=LesionMasks(masks, np.arange(100) % 2 == 0, 4) if with_masks else None,
        difficulty=np.arange(100)[::-1],
    )


def epoch_of(batches):
    """Everything that an epoch's batches hold, as one list of arrays."""
    parts = [batches[i] for i in range(len(batches))]
    return [a for inputs, target in parts for a in (inputs["image"], inputs["metadata"], target)]


def photos_of(batches):
    return np.concatenate([batches[i][0]["image"][:, 0, 0, 0] for i in range(len(batches))]).astype(int)


@pytest.mark.parametrize(("balance", "expected"), [(0.0, [0.8, 0.2]), (0.5, [2 / 3, 1 / 3]), (1.0, [0.5, 0.5])])
def test_balance_moves_from_the_archives_mix_to_equal_classes(balance, expected):
    assert sampling_shares(np.array([0.8, 0.2]), balance).tolist() == pytest.approx(expected)


def test_classes_are_drawn_as_often_as_asked():
    batches = make()

    drawn = np.concatenate([batches[i][1] for i in range(len(batches))])

    assert drawn.sum(axis=0).tolist() == [50, 50]


def test_photos_targets_and_metadata_stay_together():
    inputs, targets = make()[0]

    photos = inputs["image"][:, 0, 0, 0].astype(int)
    ages = inputs["metadata"][:, 0] * 30 + 50
    assert (photos >= 90).tolist() == (targets[:, 1] == 1).tolist()
    np.testing.assert_allclose(ages, 20 + photos % 60, atol=1e-4)
    assert inputs["image"].shape == (10, 16, 16, 3)


@pytest.mark.parametrize("name", OPTIONS)
def test_each_option_changes_what_an_epoch_holds(name):
    plain, changed = epoch_of(make()), epoch_of(make(replace(PLAIN, **OPTIONS[name])))

    assert len(plain) != len(changed) or any(
        a.shape != b.shape or not np.array_equal(a, b) for a, b in zip(plain, changed, strict=True)
    )


@pytest.mark.parametrize("name", OPTIONS)
def test_a_resumed_epoch_repeats_exactly_and_the_next_one_differs(name):
    preset = replace(PLAIN, **OPTIONS[name])
    unbroken = make(preset)
    unbroken.on_epoch_end()
    resumed = make(preset, first_epoch=1)

    first, second = epoch_of(unbroken), epoch_of(resumed)
    unbroken.on_epoch_end()
    third = epoch_of(unbroken)

    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, third, strict=True))


def test_a_batch_is_the_same_whichever_was_asked_for_first():
    forwards, backwards = make(replace(PLAIN, augment="strong")), make(replace(PLAIN, augment="strong"))
    _ = [forwards[i] for i in range(4)]

    assert np.array_equal(forwards[4][0]["image"], backwards[4][0]["image"])


class TestClassFloor:
    def test_every_class_is_drawn_at_least_so_often_an_epoch(self):
        batches = make(replace(PLAIN, balance=0.0, class_floor=73))

        for _ in range(3):
            drawn = np.concatenate([batches[i][1] for i in range(len(batches))]).sum(axis=0)
            assert drawn[0] >= 90
            assert drawn[1] >= 73
            batches.on_epoch_end()

    def test_a_photo_drawn_again_is_augmented_anew(self):
        preset = replace(PLAIN, balance=0.0, class_floor=73, augment="standard")

        batches = make(preset)
        drawn = [batches[i] for i in range(len(batches))]
        rare = [image for inputs, targets in drawn for image in inputs["image"][targets[:, 1] == 1]]

        # Ten photos of one colour each: a few draws may by chance end up alike.
        assert len({image.tobytes() for image in rare}) > 65

    def test_only_photos_given_are_drawn_and_each_class_evenly(self):
        times = np.bincount(photos_of(make(replace(PLAIN, balance=0.0, class_floor=100, batch_size=20))), minlength=100)

        assert len(times) == 100
        assert set(times[90:]) == {10}
        assert set(times[:90]) <= {1, 2}

    def test_class_without_photos_gets_no_draws(self):
        assert draws_per_class(np.array([50.0, 0.0]), balance=0.5, class_floor=60).tolist() == [60.0, 0.0]


class TestCurriculum:
    def test_photos_enter_from_the_easiest_in_every_class(self):
        batches = make(replace(PLAIN, balance=0.0, curriculum_epochs=3))

        seen = []
        for _ in range(5):
            seen.append(photos_of(batches))
            batches.on_epoch_end()

        # Difficulty falls with the number: the highest numbers of each class come first.
        assert [min(s[s < 90]) for s in seen[:3]] == [67, 45, 22]
        assert [min(s[s >= 90]) for s in seen[:3]] == [97, 95, 92]
        assert min(seen[3]) == 0
        assert len({len(s) for s in seen}) == 1

    def test_class_mix_stays_while_it_lasts(self):
        batches = make(replace(PLAIN, curriculum_epochs=3))

        assert (photos_of(batches) < 90).sum() == 50

    def test_recipe_with_a_curriculum_needs_difficulties(self):
        with pytest.raises(ValueError) as error:
            make_batches(
                replace(PLAIN, curriculum_epochs=1),
                np.zeros((2, 8, 8, 3), np.uint8),
                TARGETS[:2],
                [Metadata()] * 2,
                encoder=MetadataEncoder(("sex",)),
            )

        assert str(error.value) == (
            "Expected a difficulty for each photo, as the recipe has a curriculum. Received none. "
            "Measure it with curriculum.measure_difficulty."
        )


class TestMasks:
    def test_masks_come_with_the_targets_and_unknown_ones_are_marked(self):
        batches = make(with_masks=True)

        inputs, (targets, masks) = batches[0]

        is_known = inputs["image"][:, 0, 0, 0].astype(int) % 2 == 0
        assert targets.shape == (10, 2)
        assert masks.shape == (10, 4, 4, 1)
        assert (masks[is_known, :2] == 1).all()
        assert (masks[is_known, 2:] == 0).all()
        assert (masks[~is_known] == -1).all()

    def test_masks_have_no_say_in_what_is_drawn(self):
        preset = replace(PLAIN, augment="strong", mixup=0.4, cutmix=1.0)

        without, with_masks = make(preset), make(preset, with_masks=True)

        for index in range(len(without)):
            assert np.array_equal(without[index][0]["image"], with_masks[index][0]["image"])
            assert np.array_equal(without[index][1], with_masks[index][1][0])


class TestShares:
    COUNTS = np.array([90.0, 10.0])

    def test_floor_enters_the_mix_that_answers_are_corrected_back_from(self):
        preset = replace(PLAIN, balance=0.0, class_floor=30)

        assert drawn_shares(preset, self.COUNTS).tolist() == [0.75, 0.25]
        assert seen_shares(preset, self.COUNTS).tolist() == [0.75, 0.25]

    def test_class_weights_enter_it_too(self):
        assert seen_shares(replace(PLAIN, balance=0.0, class_weight=1.0), self.COUNTS).tolist() == [0.5, 0.5]

    def test_drawing_and_weighting_never_balance_twice(self):
        assert seen_shares(replace(PLAIN, balance=1.0, class_weight=1.0), self.COUNTS).tolist() == [0.5, 0.5]


def test_set_smaller_than_a_batch_fills_it():
    batches = make_batches(
        PLAIN,
        np.zeros((4, 8, 8, 3), np.uint8),
        TARGETS[:4],
        [Metadata()] * 4,
        encoder=MetadataEncoder(("sex",)),
    )

    assert len(batches) == 1
    assert batches[0][1].shape == (10, 2)


def test_lengths_that_differ_are_named():
    with pytest.raises(ValueError) as error:
        make_batches(
            PLAIN, np.zeros((3, 8, 8, 3), np.uint8), TARGETS[:2], [Metadata()] * 2, encoder=MetadataEncoder(("sex",))
        )

    assert str(error.value) == (
        "Expected one entry a photo everywhere. Received {'squares': 3, 'targets': 2, 'metadata': 2}. "
        "Give the same photos to each."
    )


def test_about_half_the_photos_lose_their_metadata():
    batches = make(replace(PLAIN, metadata_drop_all=0.5))

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
