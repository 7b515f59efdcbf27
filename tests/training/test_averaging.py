import keras
import numpy as np
import pytest

from dermascan_core.training.averaging import RunningAverage, reestimate_batch_norm


def test_mean_is_taken_over_epochs_and_survives_a_restart(tmp_path):
    first = RunningAverage(tmp_path / "average.npz")
    first.add(5, [np.array([1.0, 3.0]), np.array([[2.0]])])

    resumed = RunningAverage(tmp_path / "average.npz")
    resumed.add(6, [np.array([3.0, 5.0]), np.array([[4.0]])])

    mean = RunningAverage(tmp_path / "average.npz").mean()
    assert [m.tolist() for m in mean] == [[2.0, 4.0], [[3.0]]]
    assert resumed.epochs == [5, 6]


def test_an_epoch_counts_once(tmp_path):
    average = RunningAverage(tmp_path / "average.npz")
    average.add(5, [np.array([1.0])])
    average.add(5, [np.array([9.0])])

    assert average.mean()[0].tolist() == [1.0]


def test_mean_of_nothing_is_a_programming_mistake(tmp_path):
    with pytest.raises(ValueError, match="Expected at least one epoch's weights"):
        RunningAverage(tmp_path / "none.npz").mean()


def _network_and_batches(*, trainable=True):
    image = keras.Input((4, 4, 3))
    norm = keras.layers.BatchNormalization(trainable=trainable, momentum=0.9, epsilon=1e-9)
    rng = np.random.default_rng(4)
    batches = [(rng.normal(5, 2, (6, 4, 4, 3)).astype(np.float32), None) for _ in range(3)]
    return keras.Model(image, norm(image)), norm, batches


def test_statistics_are_the_mean_over_the_batches():
    network, norm, batches = _network_and_batches()

    assert reestimate_batch_norm(network, batches, 2) == 1

    means, variances = (np.mean([f(b[0], axis=(0, 1, 2)) for b in batches[:2]], axis=0) for f in (np.mean, np.var))
    np.testing.assert_allclose(np.asarray(norm.moving_mean), means, rtol=1e-4)
    np.testing.assert_allclose(np.asarray(norm.moving_variance), variances, rtol=1e-4)
    assert norm.momentum == 0.9


def test_frozen_statistics_stay():
    network, norm, batches = _network_and_batches(trainable=False)

    assert reestimate_batch_norm(network, batches, 3) == 0
    assert np.asarray(norm.moving_mean).tolist() == [0, 0, 0]
