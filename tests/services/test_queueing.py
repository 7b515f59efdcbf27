"""The queue before the model: order, bound, places, leaving, closing."""

import threading
import time
from concurrent.futures import CancelledError

import pytest

from dermascan_core.errors import QueueClosedError, QueueFullError
from dermascan_core.services.queueing import WorkQueue


class Door:
    """Work that runs until it is let go."""

    def __init__(self):
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self):
        self.has_begun.set()
        assert self.may_end.wait(20)
        return "done"


@pytest.fixture
def door():
    door = Door()
    yield door
    door.may_end.set()


@pytest.fixture
def queue():
    queue = WorkQueue(n_workers=1, max_waiting=2)
    yield queue
    queue.close()


def test_work_is_done_in_the_order_it_came(queue, door):
    order = []
    queue.submit(door)
    first = queue.submit(lambda: order.append("first"))
    second = queue.submit(lambda: order.append("second"))

    door.may_end.set()
    second.result(20)

    assert order == ["first", "second"]
    assert first.result(20) is None


def test_whoever_waits_learns_their_place_and_it_moves_up(queue, door):
    running = queue.submit(door)
    assert door.has_begun.wait(20)
    first, second = queue.submit(int), queue.submit(int)

    assert (running.place, first.place, second.place) == (0, 1, 2)
    assert second.words == "Busy: you are number 2 in the queue."
    assert running.words == "It is your turn."

    first.cancel()

    assert second.place == 1


def test_one_too_many_is_refused_and_told_when_to_come_again(queue, door):
    queue.submit(door)
    queue.submit(int)
    queue.submit(int)

    with pytest.raises(QueueFullError) as caught:
        queue.submit(int)

    assert str(caught.value) == (
        "Busy: 2 wait already, and no more may. There will be room in about 6 s. Send it again then."
    )
    assert caught.value.retry_after_s == 6
    assert queue.state.n_refused == 1


def test_without_waiting_places_one_runs_and_the_next_is_refused(door):
    queue = WorkQueue(n_workers=1, max_waiting=0)
    queue.submit(door)

    with pytest.raises(QueueFullError):
        queue.submit(int)

    door.may_end.set()
    queue.close()


def test_who_leaves_before_the_turn_is_counted_and_not_worked_for(queue, door):
    asked = []
    queue.submit(door)
    ticket = queue.submit(lambda: asked.append(1))

    assert ticket.cancel() is True
    door.may_end.set()
    queue.submit(int).result(20)

    assert asked == []
    assert queue.state.n_dropped == 1
    with pytest.raises(CancelledError):
        ticket.result(20)


def test_leaving_after_the_turn_has_come_changes_nothing(queue, door):
    ticket = queue.submit(door)
    assert door.has_begun.wait(20)

    assert ticket.cancel() is False
    door.may_end.set()

    assert ticket.result(20) == "done"
    assert ticket.cancel() is False
    assert queue.state.n_dropped == 0


def test_future_that_was_cancelled_counts_as_left(queue, door):
    queue.submit(door)
    ticket = queue.submit(int)

    assert ticket.future.cancel() is True
    door.may_end.set()

    assert queue.submit(lambda: 7).result(20) == 7
    assert queue.state.n_dropped == 1


def test_error_of_the_work_reaches_who_asked_and_the_next_goes_on(queue):
    def fail():
        raise ValueError("wrong")

    failed = queue.submit(fail)

    with pytest.raises(ValueError, match=r"^wrong$"):
        failed.result(20)
    assert queue.submit(lambda: 7).result(20) == 7


def test_background_work_steps_back_but_gets_every_fifth_turn(door):
    queue = WorkQueue(n_workers=1, max_waiting=9)
    order = []
    queue.submit(door)
    assert door.has_begun.wait(20)
    last = [queue.submit(lambda: order.append("background"), is_background=True)]
    last += [queue.submit(lambda: order.append("person")) for _ in range(6)]

    door.may_end.set()
    for ticket in last:
        ticket.result(20)

    assert order.index("background") in (2, 3)
    assert order.count("person") == 6
    queue.close()


def test_closing_tells_those_who_wait_and_finishes_what_runs(queue, door):
    running = queue.submit(door)
    assert door.has_begun.wait(20)
    waiting = queue.submit(int)
    threading.Timer(0.1, door.may_end.set).start()

    queue.close()

    assert running.result(20) == "done"
    with pytest.raises(QueueClosedError) as caught:
        waiting.result(20)
    assert str(caught.value) == "The program is stopping and takes no more work. Send it again in a minute."
    with pytest.raises(QueueClosedError):
        queue.submit(int)
    with pytest.raises(QueueClosedError):
        queue.submit(int, is_background=True)


def test_clock_that_goes_backwards_makes_no_wait_negative():
    times = iter([100.0, 5.0, 4.0, 3.0])
    queue = WorkQueue(clock=lambda: next(times))

    queue.submit(int).result(20)
    time.sleep(0.05)

    assert queue.state.expected_wait_s == 0
    queue.close()


def test_expected_wait_follows_the_measured_time():
    now = [0.0]

    def work():
        now[0] += 10

    queue = WorkQueue(max_waiting=3, clock=lambda: now[0])
    for _ in range(30):
        queue.submit(work).result(20)
    door = Door()
    queue.submit(door)
    queue.submit(int)

    assert queue.state.expected_wait_s == pytest.approx(20, abs=0.2)
    door.may_end.set()
    queue.close()


def test_many_threads_get_each_their_own_answer():
    queue = WorkQueue(n_workers=3, max_waiting=200)
    tickets = {}

    def ask(number):
        tickets[number] = queue.submit(lambda: number * number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {number: ticket.result(20) for number, ticket in tickets.items()} == {n: n * n for n in range(100)}
    assert queue.state.n_done == 100
    queue.close()


@pytest.mark.parametrize("sizes", [{"n_workers": 0}, {"max_waiting": -1}])
def test_impossible_size_is_a_programming_mistake(sizes):
    with pytest.raises(ValueError, match=r"^Invalid value received for arguments `n_workers`, `max_waiting`"):
        WorkQueue(**sizes)
