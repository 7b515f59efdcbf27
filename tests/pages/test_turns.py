"""One queue for all sessions: whoever waits learns their place, whoever leaves gives it up, a full queue says so."""

import threading
from collections.abc import Callable, Iterator

import pytest
from streamlit.testing.v1 import AppTest

from dermascan_core.errors import QueueFullError
from dermascan_core.services.queueing import WorkQueue
from pages._ui import turns


class LeftError(Exception):
    """What Streamlit raises in the script of a session that has gone, for this test."""


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkQueue]:
    one_at_a_time = WorkQueue(n_workers=1, max_waiting=1)
    monkeypatch.setattr(turns, "queue_of_this_server", lambda: one_at_a_time)
    monkeypatch.setattr(turns, "_LOOK_AGAIN_S", 0.01)
    yield one_at_a_time
    one_at_a_time.close()


@pytest.fixture
def somebody(queue: WorkQueue) -> Iterator[threading.Event]:
    """Somebody else whose turn it is, until the event."""
    is_over, has_begun = threading.Event(), threading.Event()
    queue.submit(lambda: (has_begun.set(), is_over.wait(30)))
    has_begun.wait(5)
    yield is_over
    is_over.set()


def test_turn_comes_at_once_where_nobody_is_first(queue: WorkQueue) -> None:
    told: list[str] = []

    with turns.wait_for_turn(told.append):
        assert queue.state.n_running == 1

    assert told == []
    queue.close()  # returns only when the place was given back


def test_whoever_waits_learns_their_place(queue: WorkQueue, somebody: threading.Event) -> None:
    told: list[str] = []

    def tell(words: str) -> None:
        told.append(words)
        somebody.set()

    with turns.wait_for_turn(tell):
        pass

    assert told[0] == "Busy: you are number 1 in the queue."


def test_whoever_leaves_while_waiting_gives_up_their_place(queue: WorkQueue, somebody: threading.Event) -> None:
    def leave(words: str) -> None:
        raise LeftError

    with pytest.raises(LeftError), turns.wait_for_turn(leave):
        pass

    assert (queue.state.n_waiting, queue.state.n_dropped) == (0, 1)


def test_failure_of_the_work_gives_the_place_back(queue: WorkQueue) -> None:
    with pytest.raises(LeftError), turns.wait_for_turn(lambda words: None):
        raise LeftError

    with turns.wait_for_turn(lambda words: None):
        pass
    assert queue.state.n_waiting == 0


def test_full_queue_is_refused_with_the_time_to_come_again(queue: WorkQueue, somebody: threading.Event) -> None:
    queue.submit(lambda: None)

    with pytest.raises(QueueFullError, match=r"^Busy: 1 wait already, and no more may\."), turns.wait_for_turn(print):
        pass


@pytest.mark.parametrize("page_name", ["screening"])
def test_full_queue_is_one_sentence_on_the_page(
    page_name: str, queue: WorkQueue, somebody: threading.Event, open_page: Callable[[str], AppTest]
) -> None:
    queue.submit(lambda: None)

    page = open_page(page_name).button(key="example_even-mole").click().run()

    assert [error.value[:20] for error in page.error] == ["Busy: 1 wait already"]
    assert not page.exception
