"""The model behind the server: loaded in the background, asked through the queue, and waited for while the client does."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import numpy as np
from fastapi import Request

from ..domain import Metadata
from ..errors import DermaScanError
from ..model.manifest import Manifest
from ..model.predictor import Predictor
from ..services.queueing import Ticket, WorkQueue
from .problems import ProblemError

T = TypeVar("T")


class AnsweringModel:
    """Holds the predictor once it is loaded.

    Args:
        load: Gives the predictor; takes seconds.
    """

    def __init__(self, load: Callable[[], Predictor]) -> None:
        self._load = load
        self._predictor: Predictor | None = None
        self._failure: DermaScanError | None = None
        self._is_tried = threading.Event()

    def load_and_warm_up(self) -> None:
        """Load the model and let it answer once: the first answer compiles it, and nobody should wait for that."""
        try:
            predictor = self._load()
            side = predictor.manifest.preprocess.input_px
            predictor.predict(np.full((1, side, side, 3), 160, np.uint8), [Metadata()], explain=True)
            self._predictor = predictor
        except DermaScanError as error:
            self._failure = error
        finally:
            self._is_tried.set()
        gc.freeze()  # what was loaded lives as long as the process: no collection need walk it again

    def wait(self, timeout_s: float | None = None) -> Predictor | None:
        """Return the predictor once it is loaded; None if that failed or takes longer."""
        self._is_tried.wait(timeout_s)
        return self._predictor

    @property
    def manifest(self) -> Manifest | None:
        """Of the model; None while it is loading."""
        return None if self._predictor is None else self._predictor.manifest

    def get(self) -> Predictor:
        """Return the predictor.

        Raises:
            ProblemError: 503 while it is loading, or if it cannot be loaded.
        """
        if self._predictor is not None:
            return self._predictor
        if self._failure is not None:
            raise ProblemError(503, "model_unusable", f"No model answers here: {self._failure}")
        if self._is_tried.is_set():
            raise ProblemError(
                503, "model_unusable", "No model answers here: it could not be loaded. The log says why."
            )
        raise ProblemError(503, "model_loading", "The model is being loaded. Send it again in 5 s.", retry_after_s=5)


async def ask_in_turn(request: Request, queue: WorkQueue, work: Callable[[], T]) -> T:
    """Queue some work and wait for it as long as the client does.

    Raises:
        QueueFullError: If too many wait already.
        ProblemError: 499 if the client left; before its turn, the work is never begun.
    """
    ticket = queue.submit(work)
    result = asyncio.wrap_future(ticket.future)
    gone = asyncio.ensure_future(_until_gone(request.receive))
    try:
        both: set[asyncio.Future[Any]] = {result, gone}
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            raise _left(ticket)
        return await result
    finally:
        gone.cancel()
        result.cancel()  # nobody waits for it any more; no effect where it is done


async def body_chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield a request's body as it comes.

    Raises:
        ProblemError: 499 if the client leaves before its end.
    """
    is_whole = False
    while not is_whole:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ProblemError(499, "client_left", "The client left before its request was whole.")
        yield message.get("body", b"")
        is_whole = not message.get("more_body", False)


async def _until_gone(receive: Callable[[], Awaitable[Any]]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _left(ticket: Ticket[Any]) -> ProblemError:
    is_dropped = ticket.cancel()
    words = "before its turn, so nothing was computed" if is_dropped else "while it was answered"
    return ProblemError(499, "client_left", f"The client left {words}.")
