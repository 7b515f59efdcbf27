"""Whose rows are whose among processes that train together; what they tell each other is tested with two of them."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from dermascan_core.errors import TrainingError
from dermascan_core.evaluation.class_draws import sampling_shares
from dermascan_core.model.dual_branch import IMAGE_INPUT
from dermascan_core.training import team as teams
from dermascan_core.training.launch import Place
from dermascan_core.training.team import ALONE, Team, in_order, join, refuse_other_start
from dermascan_core.training.validation import Validation, answering
from tests.training.conftest import build_tiny_backbone
from tests.training.test_sampling import PLAIN, make

RECORD = {
    "preset": {"batch_size": 8, "pretrained": "imagenet"}, "fold": 0, "codes": ("mel", "nv"), "metadata_fields": (),
    "split_sha256": "abc", "n_train": 90, "n_validation": 10, "app_version": "1", "keras_version": "3",
}  # fmt: skip


@pytest.mark.parametrize("size", [2, 5])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"augment": "strong", "metadata_drop_all": 0.5},
        {"mixup": 0.4, "cutmix": 1.0, "mix_probability": 0.7},
        {"class_floor": 30, "mixup": 0.4, "mix_probability": 1.0},
    ],
    ids=lambda options: "-".join(options) or "plain",
)
def test_shares_of_all_processes_are_the_batch_of_one(options, size):
    preset = replace(PLAIN, **options)
    whole, shares = make(preset, with_masks=True), [make(preset, with_masks=True) for _ in range(size)]
    for rank, share in enumerate(shares):
        share.rows = Team(rank, size).rows(preset.batch_size)

    for index in range(len(whole)):
        inputs, (target, mask) = whole[index]
        parts = [share[index] for share in shares]
        assert np.array_equal(np.concatenate([part[0]["image"] for part in parts]), inputs["image"])
        assert np.array_equal(np.concatenate([part[0]["metadata"] for part in parts]), inputs["metadata"])
        assert np.array_equal(np.concatenate([part[1][0] for part in parts]), target)
        assert np.array_equal(np.concatenate([part[1][1] for part in parts]), mask)


def test_a_process_reads_its_share_alone_where_nothing_is_mixed(monkeypatch):
    batches, read = make(), []
    batches.rows = Team(1, 2).rows(10)
    draw_photo = batches.draw_photo
    monkeypatch.setattr(batches, "draw_photo", lambda position: read.append(position) or draw_photo(position))

    batches[2]

    assert read == [25, 26, 27, 28, 29]


def test_a_batch_that_cannot_be_shared_evenly_is_refused():
    with pytest.raises(TrainingError) as error:
        Team(0, 3).rows(32)

    assert str(error.value) == (
        "Expected a batch_size that 3 devices in 3 processes can share evenly. Received 32. "
        "Set another, such as --set batch_size=33."
    )


class _Noting(Team):
    """One of several processes; what it would give to the others is kept."""

    def gather(self, answers, n):
        given.append(answers)
        return answers


given = []


@pytest.mark.parametrize(("n_photos", "size"), [(7, 2), (6, 3), (1, 2)])
def test_validation_shared_among_processes_counts_every_photo_once(n_photos, size):
    rng = np.random.default_rng(0)
    squares = rng.integers(0, 255, (n_photos, 32, 32, 3), dtype=np.uint8)
    shares = sampling_shares(np.array([0.5, 0.5]), balance=0.0)
    targets = np.eye(2, dtype=np.float32)[np.arange(n_photos) % 2]
    validation = Validation(
        squares, np.zeros((n_photos, 1), np.float32), targets, codes=("mel", "nv"), class_shares=shares,
        sampling_shares=shares,
    )  # fmt: skip
    network = answering(_tiny_network())
    expected = validation.logits(network)
    given.clear()

    for rank in range(size):
        validation.logits(network, team=_Noting(rank, size), batch_size=2)

    assert in_order(np.stack(given), n_photos) == pytest.approx(expected, abs=1e-5)


def _tiny_network():
    image, metadata = keras.Input((32, 32, 3), name=IMAGE_INPUT), keras.Input((1,), name="metadata")
    pooled = keras.layers.GlobalAveragePooling2D()(build_tiny_backbone("tiny", input_px=32)(image))
    joined = keras.layers.Concatenate()([pooled, metadata])
    return keras.Model([image, metadata], keras.layers.Dense(2, name="logits")(joined))


def test_a_process_alone_shares_with_nobody():
    arrays = {"a": np.arange(3)}

    assert ALONE.share({"epoch": 3}) == {"epoch": 3}
    assert ALONE.share_arrays(arrays) is arrays
    assert ALONE.rows(8) == slice(0, 8)
    with ALONE.together(), ALONE.apart():
        assert keras.distribution.distribution() is None
    ALONE.leave()


def test_a_process_with_another_recipe_is_refused_and_told_the_difference(monkeypatch):
    other = RECORD | {"preset": {"batch_size": 4, "pretrained": "imagenet"}}
    monkeypatch.setattr(Team, "share", lambda self, data: RECORD)

    with pytest.raises(TrainingError) as error:
        refuse_other_start(Team(1, 2), other)

    assert str(error.value) == (
        "Expected the same preset in all 2 processes. Process 1 has {'batch_size': 4}, process 0 has "
        "{'batch_size': 8}. Start all with the same version, recipe and data."
    )


def test_starting_weights_may_lie_elsewhere_on_each_computer(monkeypatch):
    lead = {**RECORD, "codes": ["mel", "nv"], "metadata_fields": []}
    monkeypatch.setattr(Team, "share", lambda self, data: lead)

    refuse_other_start(Team(1, 2), RECORD | {"preset": {"batch_size": 8, "pretrained": "/data/imagenet.h5"}})


def test_another_backend_than_jax_is_refused():
    with pytest.raises(TrainingError) as error:
        join(Place(0, 2, "127.0.0.1:1"))

    assert str(error.value) == (
        "Expected JAX as Keras' backend for several processes. Received tensorflow. "
        "Set KERAS_BACKEND=jax, or leave the variable out."
    )
    assert teams.ALONE.size == 1
