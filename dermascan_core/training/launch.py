"""Starts the processes that train together on this computer, and ends all of them when one is lost.

Nothing here knows what they do: ``team`` connects them, ``fit`` trains. Keras is not imported, so that the process that
watches stays small.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import connection, get_context, parent_process
from multiprocessing.process import BaseProcess
from typing import Any

from ..errors import DermaScanError, TrainingError

_GRACE_S = 5.0
# How JAX, Gloo and NCCL call a process that no longer answers.
_SIGNS_OF_A_LOSS = ("Gloo", "NCCL", "coordination service", "heartbeat timeout")
Work = Callable[["Place"], Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a process stands among those that train together.

    Attributes:
        rank: From 0, which leads.
        size: How many there are in all.
        coordinator: ``HOST:PORT`` at which the leading one is reached.
        is_local: Whether all of them run on this computer.
    """

    rank: int
    size: int
    coordinator: str
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class _Report:
    """How a process ended: what it returned, or the sentence that says why it could not; empty if Python said it.

    Where it only lost another process (``is_loss``), what that one has to say matters more.
    """

    result: Any = None
    sentence: str | None = None
    is_loss: bool = False


def local_places(size: int) -> list[Place]:
    """Return the places of processes that all run here and meet at a free port of this computer alone."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return [Place(rank, size, f"127.0.0.1:{port}", is_local=True) for rank in range(size)]


def require_jax() -> None:
    """Raise unless JAX is installed.

    Raises:
        TrainingError: If it is not; says how to install it.
    """
    if find_spec("jax") is None:
        raise TrainingError(
            "Expected JAX, which connects processes that train together. It is not installed. "
            "Install it with: pip install -r requirements-parallel.txt"
        )


def refuse_loopback_name() -> None:
    """Raise where this computer's own name leads to an address that other computers cannot reach.

    Gloo, which connects processors, tells the others to come to the address of that name; there is no setting for it.

    Raises:
        TrainingError: If so; says what to change.
    """
    name = socket.gethostname()
    try:
        address = socket.gethostbyname(name)
    except OSError:
        address = "unknown"
    if address == "unknown" or address.startswith("127."):
        raise TrainingError(
            f"Expected this computer's name, {name}, to lead to an address that the others reach. It is {address}. "
            f"Name the right one in /etc/hosts on this computer, such as '10.0.0.1 {name}', before any other line of it."
        )


def run_together(work: Work, places: Sequence[Place]) -> Any:
    """Call ``work(place)`` in a new process for each place, and return what the first one returned.

    Args:
        work: A function that another process can import.
        places: Of this computer; of the others that belong to them, someone else takes care.

    Raises:
        TrainingError: If a process raised, was killed, or lost another one. Those that are left are ended.
    """
    context = get_context("spawn")  # a forked JAX or TensorFlow hangs
    started: list[tuple[Place, BaseProcess, connection.Connection]] = []
    try:
        for place in places:
            receiving, sending = context.Pipe(duplex=False)
            process: BaseProcess = context.Process(target=_run, args=(work, place, sending), daemon=True)
            with _jax_by_default():
                process.start()
            sending.close()
            started.append((place, process, receiving))
        result = _wait({receiving: (place, process) for place, process, receiving in started})
        for _, process, _ in started:
            process.join(_GRACE_S)
        return result
    finally:
        _end([process for _, process, _ in started])


@contextmanager
def _jax_by_default() -> Iterator[None]:
    """Keras reads its backend from the environment, once; a process that is started has the environment of this moment."""
    is_chosen = "KERAS_BACKEND" in os.environ
    os.environ.setdefault("KERAS_BACKEND", "jax")
    try:
        yield
    finally:
        if not is_chosen:
            del os.environ["KERAS_BACKEND"]


def _wait(waiting: dict[Any, tuple[Place, BaseProcess]]) -> Any:
    results: dict[int, Any] = {}
    while waiting:
        for ended in connection.wait(list(waiting)):
            place, process = waiting.pop(ended)
            report = _read(ended, place, process)
            if report.is_loss and waiting:
                others = [_read(other, *waiting[other]) for other in connection.wait(list(waiting), _GRACE_S)]
                report = next((other for other in others if other.sentence and not other.is_loss), report)
            if report.sentence is not None:
                raise TrainingError(report.sentence)
            results[place.rank] = report.result
    return results[min(results)]


def _read(receiving: Any, place: Place, process: BaseProcess) -> _Report:
    try:
        report: _Report = receiving.recv()
    except EOFError:  # it ended without a word
        process.join(_GRACE_S)
        return _Report(sentence=_say_end(place, process.exitcode or 0))
    if report.sentence == "":
        process.join(_GRACE_S)  # its traceback is on the way to the terminal
        return _Report(sentence=f"Process {place.rank} of {place.size} failed; see above. {_WHAT_TO_DO}")
    return report


def _say_end(place: Place, exit_code: int) -> str:
    if exit_code == -signal.SIGABRT:  # what JAX does to a process whose others are gone, with a C++ trace
        return (
            f"Process {place.rank} of {place.size} was ended by JAX: another one did not come within five minutes, or was "
            f"lost. {_WHAT_TO_DO}"
        )
    how = f"by signal {-exit_code}" if exit_code < 0 else f"with exit code {exit_code}"
    return f"Process {place.rank} of {place.size} was ended {how}. {_WHAT_TO_DO}"


_WHAT_TO_DO = "The others were stopped. Start all again with --resume."


def _end(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(_GRACE_S)
        if process.is_alive():
            process.kill()
            process.join()


def _run(work: Work, place: Place, sending: connection.Connection) -> None:
    """Do the work in a process of its own, and say how it ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches all; the watching process ends the others
    threading.Thread(target=_end_with_parent, daemon=True).start()
    report = _Report(sentence="")
    try:
        report = _Report(result=work(place))
    except DermaScanError as error:
        report = _Report(sentence=str(error))
    except (RuntimeError, ValueError) as error:
        if not any(sign in str(error) for sign in _SIGNS_OF_A_LOSS):
            raise
        first_line = str(error).splitlines()[0]
        said = f"Process {place.rank} of {place.size} lost another one ({first_line}). {_WHAT_TO_DO}"
        report = _Report(sentence=said, is_loss=True)
    finally:
        sys.stdout.flush()
        sending.send(report)


def _end_with_parent() -> None:
    """Whoever started the training is gone: nobody would end this process when another one is lost."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
