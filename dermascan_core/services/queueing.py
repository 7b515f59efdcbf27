"""A bounded queue for the one thing that many want at once: the model. Threads only; whoever waits learns their place.

Nothing is dropped in silence: over the bound ``submit`` refuses and says when to come again, and who left before their
turn is counted.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from ..errors import QueueClosedError, QueueFullError

T = TypeVar("T")
FIRST_GUESS_S = 2.0  # a photo's usual time, until some were measured
_BACKGROUND_TURN = 5  # while others wait, every fifth turn is background work's, so that it never stands still
_FORGETTING = 0.2


@dataclass(frozen=True, slots=True)
class QueueState:
    """How the queue stands.

    Attributes:
        n_waiting: Who waits for their turn; background work is not counted.
        n_running: How much is being done now.
        n_done: How much was done since the start.
        n_refused: How often ``submit`` refused.
        n_dropped: How many left before their turn.
        expected_wait_s: How long a newcomer will probably wait, in seconds.
    """

    n_waiting: int
    n_running: int
    n_done: int
    n_refused: int
    n_dropped: int
    expected_wait_s: float


class Ticket(Generic[T]):
    """One piece of work in the queue; ``future`` gets its result or its exception."""

    def __init__(self, queue: WorkQueue, work: Callable[[], T], *, is_background: bool) -> None:
        self.work = work
        self.is_background = is_background
        self.future: Future[T] = Future()
        self._queue = queue

    @property
    def place(self) -> int:
        """1 for whoever is next; 0 once the turn has come."""
        return self._queue.place_of(self)

    @property
    def words(self) -> str:
        """What to tell whoever waits."""
        place = self.place
        return f"Busy: you are number {place} in the queue." if place else "It is your turn."

    def cancel(self) -> bool:
        """Leave the queue. Returns False when the turn has come already: the work is then finished, for nobody."""
        return self._queue.drop(self)

    def result(self, timeout_s: float | None = None) -> T:
        """Wait for the result.

        Raises:
            TimeoutError: After ``timeout_s``; the work stays in the queue.
            CancelledError: If the ticket was cancelled.
            QueueClosedError: If the queue was closed before the turn came.
        """
        return self.future.result(timeout_s)


class WorkQueue:
    """Runs work in order on a few threads of its own, and lets a bounded number wait.

    Args:
        n_workers: How many pieces of work run at the same time.
        max_waiting: How many may wait beside those that run; background work is not counted.
        clock: Monotonic seconds; the wall clock may go backwards.
    """

    def __init__(
        self, *, n_workers: int = 1, max_waiting: int = 8, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if n_workers < 1 or max_waiting < 0:
            raise ValueError(
                "Invalid value received for arguments `n_workers`, `max_waiting`. Expected at least 1 and 0. "
                f"Received: {n_workers}, {max_waiting}"
            )
        self.max_waiting = max_waiting
        self._n_workers = n_workers
        self._clock = clock
        self._lock = threading.RLock()
        self._waiting: deque[Ticket[Any]] = deque()
        self._background: deque[Ticket[Any]] = deque()
        self._executor = ThreadPoolExecutor(n_workers, thread_name_prefix="work-queue")
        self._n_running = self._n_done = self._n_refused = self._n_dropped = self._n_turns = 0
        self._usual_s = FIRST_GUESS_S
        self._is_closed = False

    def submit(self, work: Callable[[], T], *, is_background: bool = False) -> Ticket[T]:
        """Queue some work.

        Args:
            work: Called without arguments, on a thread of the queue.
            is_background: Takes its turn when nobody else waits, and every fifth time; never refused, so its caller
                must bound it.

        Raises:
            QueueFullError: If as many wait as may; says when to come again.
            QueueClosedError: After ``close``.
        """
        with self._lock:
            self.check_open()
            if not is_background:
                self.check_room()
            ticket = Ticket(self, work, is_background=is_background)
            (self._background if is_background else self._waiting).append(ticket)
            self._start_what_fits()
            return ticket

    def check_room(self) -> None:
        """Refuse early, before a request's body is read.

        Raises:
            QueueFullError: If a newcomer would be refused now.
        """
        with self._lock:
            if len(self._waiting) < self.max_waiting or self._n_running < self._n_workers:
                return
            self._n_refused += 1
            wait_s = math.ceil(self._expected_wait_s())
            raise QueueFullError(
                f"Busy: {len(self._waiting)} wait already, and no more may. There will be room in about {wait_s} s. "
                "Send it again then.",
                retry_after_s=wait_s,
            )

    def check_open(self) -> None:
        """Refuse where the queue takes nothing any more.

        Raises:
            QueueClosedError: After ``close``.
        """
        if self._is_closed:
            raise _closed()

    def place_of(self, ticket: Ticket[Any]) -> int:
        """Return 1 for the ticket that is next among its kind; 0 once its turn has come, or it has left."""
        with self._lock:
            waiting = self._background if ticket.is_background else self._waiting
            return waiting.index(ticket) + 1 if ticket in waiting else 0

    def drop(self, ticket: Ticket[Any]) -> bool:
        """Take a ticket out, and count it; False when its turn has come already."""
        with self._lock:
            waiting = self._background if ticket.is_background else self._waiting
            if ticket not in waiting:
                return False
            waiting.remove(ticket)
            self._n_dropped += 1
        return ticket.future.cancel()

    @property
    def state(self) -> QueueState:
        """How the queue stands now."""
        with self._lock:
            return QueueState(
                n_waiting=len(self._waiting),
                n_running=self._n_running,
                n_done=self._n_done,
                n_refused=self._n_refused,
                n_dropped=self._n_dropped,
                expected_wait_s=self._expected_wait_s(),
            )

    def close(self) -> None:
        """Take no more work, tell those who wait, and return when what runs is done. May be called twice."""
        with self._lock:
            self._is_closed = True
            left = [*self._waiting, *self._background]
            self._waiting.clear()
            self._background.clear()
        for ticket in left:
            if ticket.future.set_running_or_notify_cancel():
                ticket.future.set_exception(_closed())
        self._executor.shutdown(wait=True)

    def _expected_wait_s(self) -> float:
        return (len(self._waiting) + self._n_running) * self._usual_s / self._n_workers

    def _start_what_fits(self) -> None:
        while self._n_running < self._n_workers and (ticket := self._next()) is not None:
            if not ticket.future.set_running_or_notify_cancel():  # cancelled by way of its future
                self._n_dropped += 1
                continue
            self._n_running += 1
            started = self._clock()
            running = self._executor.submit(ticket.work)
            running.add_done_callback(partial(self._finish, ticket, started))

    def _next(self) -> Ticket[Any] | None:
        self._n_turns += 1
        is_turn = not self._n_turns % _BACKGROUND_TURN
        for waiting in (self._background, self._waiting) if is_turn else (self._waiting, self._background):
            if waiting:
                return waiting.popleft()
        return None

    def _finish(self, ticket: Ticket[Any], started: float, done: Future[Any]) -> None:
        with self._lock:
            self._n_running -= 1
            self._n_done += 1
            if not ticket.is_background:
                self._usual_s += _FORGETTING * (max(0.0, self._clock() - started) - self._usual_s)
            if not self._is_closed:
                self._start_what_fits()
        error = done.exception()
        if error is None:
            ticket.future.set_result(done.result())
        else:
            ticket.future.set_exception(error)


def _closed() -> QueueClosedError:
    return QueueClosedError(
        "The program is stopping and takes no more work. Send it again in a minute.", retry_after_s=30
    )
