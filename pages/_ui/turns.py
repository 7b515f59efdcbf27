"""One queue for all sessions of this server: whoever asks for an answer waits for a turn, and is told their place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from dermascan_core.services.models import n_cores
from dermascan_core.services.queueing import WorkQueue

MAX_WAITING = 60  # about half a minute of work on two cores (docs/app-load.md); more would wait for nothing they know
_LOOK_AGAIN_S = 0.4


@contextmanager
def wait_for_turn(tell: Callable[[str], object]) -> Iterator[None]:
    """Wait until it is this session's turn, do what is asked inside, and let the next one have theirs.

    The work itself stays on the page's own thread, so that it can show how far it is; a thread of the queue only holds
    the place. Whoever leaves while waiting gives the place up: ``tell`` then raises, as every call of Streamlit does.

    Args:
        tell: Called now and then with the place in the queue, in words, while others are first.

    Raises:
        QueueFullError: If too many wait already; says when to come again.
    """
    is_here, is_over = threading.Event(), threading.Event()

    def hold_the_place() -> None:
        is_here.set()
        is_over.wait()

    ticket = queue_of_this_server().submit(hold_the_place)
    try:
        while not is_here.wait(_LOOK_AGAIN_S):
            tell(ticket.words)
        yield
    finally:
        ticket.cancel()
        is_over.set()


@st.cache_resource(show_spinner=False)
def queue_of_this_server() -> WorkQueue:
    """The queue, made once a process: as many turns at once as there are cores."""
    return WorkQueue(n_workers=n_cores(), max_waiting=MAX_WAITING)
