import numpy as np
import pytest

from dermascan_core.training.averaging import RunningAverage


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
