import numpy as np
import pytest

from dermascan_core.training.schedules import Plateau, make_schedule


def _rates(kind, n_steps=100, peak=1.0):
    schedule = make_schedule(kind, peak, n_steps=n_steps)
    return np.array([float(schedule(step)) for step in range(n_steps + 1)])


def test_cosine_rises_over_three_percent_and_falls_to_one():
    rates = _rates("cosine")

    assert rates.argmax() == 3
    assert rates[3] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(0.01, abs=1e-4)
    assert (np.diff(rates[3:]) <= 0).all()


def test_one_cycle_follows_smith_and_topin():
    rates = _rates("one_cycle")

    assert rates[0] == pytest.approx(1 / 25)
    assert rates.argmax() == 30
    assert rates[30] == pytest.approx(1.0)
    assert rates[-1] == pytest.approx(1e-4, abs=1e-6)
    # half way along a cosine lies the mean of both ends
    assert rates[15] == pytest.approx((1 + 1 / 25) / 2, abs=1e-5)
    assert rates[65] == pytest.approx((1 + 1e-4) / 2, abs=1e-5)


@pytest.mark.parametrize("kind", ["constant", "plateau"])
def test_other_schedules_are_one_rate_that_an_epoch_s_end_may_set(kind):
    assert make_schedule(kind, 0.3, n_steps=10) == 0.3


def test_one_cycle_survives_being_saved():
    schedule = make_schedule("one_cycle", 0.5, n_steps=40)

    again = type(schedule).from_config(schedule.get_config())

    assert float(again(17)) == float(schedule(17))


def test_plateau_goes_on_where_it_was_saved():
    unbroken, losses = Plateau(), (1.0, 1.1, 1.2, 1.1, 1.3, 0.9)
    factors = [unbroken.after(loss) for loss in losses]

    first = Plateau()
    before = [first.after(loss) for loss in losses[:4]]
    second = Plateau(**first.to_dict())

    assert factors == [1.0, 1.0, 0.2, 1.0, 0.2, 1.0]
    assert before + [second.after(loss) for loss in losses[4:]] == factors
