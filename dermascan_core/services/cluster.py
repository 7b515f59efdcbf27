"""Has the photos of a batch answered by the workers of a Dask cluster; loaded only where somebody names one.

The workers run this same program with the same weights: they are checked before the first photo. A photo travels as its
path where the worker sees a file of that size there, else as bytes. Lost workers are Dask's matter: it gives their photos
to others, and each is written once, by whoever asked.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import __version__
from ..domain import Screening
from ..errors import ClusterError, DermaScanError, PhotoError
from ..imaging.decode import MAX_SIZE_BYTES
from ..model.manifest import Manifest
from ..model.predictor import Predictor
from ..native_threads import one_thread_each
from .models import AUTO, DEFAULT_MODEL, load_model_manifest, load_predictor
from .screeners import PhotoTask, in_order, read_bytes, screen_task
from .withholding import read_withholding

CONNECT_TIMEOUT_S = 10.0
NO_WORKER_TIMEOUT_S = 60.0
_POLL_S = 5.0
_AHEAD = 4  # photos on their way for each thread of the workers
_GO_ON = "Lines already written are kept; go on with --resume."


@dataclass(frozen=True, slots=True)
class ModelOnWorkers:
    """Which answers are wanted: a worker with other weights, or another version, must not give its own.

    Attributes:
        name, sha256: Of the weights.
        engine: See ``models.load_predictor``.
        app_version: Of this program.
    """

    name: str
    sha256: str
    engine: str = AUTO
    app_version: str = __version__


@contextmanager
def connect(
    address: str,
    *,
    model: str = DEFAULT_MODEL,
    engine: str = AUTO,
    timeout_s: float = CONNECT_TIMEOUT_S,
    say: Callable[[str], None] = lambda sentence: None,
) -> Iterator[ClusterScreener]:
    """Give a screener over a cluster whose workers are there and have the same weights.

    Args:
        address: Of the scheduler, as ``tcp://host:8786``.
        model, engine: Which model answers, and what runs it on the workers.
        timeout_s: For the scheduler to answer, and then for a first worker.
        say: Told once in a sentence how the photos travel, and how many workers there are.

    Raises:
        ClusterError: If the packages are not installed, nobody answers, there is no worker, or a worker cannot give
            these answers.
        WeightsError: If there is no such model.
    """
    if find_spec("distributed") is None:
        raise ClusterError(
            "A cluster needs the packages dask and distributed. They are not installed. "
            "Use: pip install -r requirements-cluster.txt"
        )
    manifest = load_model_manifest(model)
    try:
        client = _open_client(address, timeout_s)
    except (OSError, ValueError, RuntimeError) as error:  # TimeoutError is an OSError
        raise ClusterError(
            f"Expected a Dask scheduler at '{address}'. None answered within {timeout_s:.0f} s. "
            "Start one (docs/scale.md), or correct the address."
        ) from error
    with client:
        wanted = ModelOnWorkers(manifest.name, manifest.sha256, engine)
        n_threads = _check_workers(client, wanted, address, timeout_s)
        say(f"The cluster answers with {len(n_threads)} workers of {sum(n_threads)} threads in all.")
        yield ClusterScreener(client, manifest, wanted, say=say)


def _open_client(address: str, timeout_s: float) -> Any:
    from distributed import Client
    from distributed.comm.addressing import get_address_host_port

    # Asked first: a client that is given no address leaves threads behind that wait for ever.
    host_and_port: Callable[..., Any] = get_address_host_port
    host_and_port(address, strict=False)
    open_client: Callable[..., Any] = Client
    return open_client(address, timeout=timeout_s, set_as_default=False)


def _check_workers(client: Any, wanted: ModelOnWorkers, address: str, timeout_s: float) -> list[int]:
    """Let every worker load the model; return the threads of each."""
    try:
        client.wait_for_workers(1, timeout=timeout_s)
        return list(client.run(_load_on_worker, wanted).values())
    except TimeoutError as error:
        raise ClusterError(
            f"Expected a worker at the scheduler '{address}'. There is none. Start one (docs/scale.md)."
        ) from error
    except ClusterError:
        raise
    except (ImportError, AttributeError, RuntimeError, TypeError, OSError) as error:
        # What unpickling our function raises where our program is missing, or is another version.
        raise ClusterError(
            f"Expected the workers at '{address}' to run DermaScan {__version__} with its requirements. One does not: "
            f"{error}. Start the workers in a checkout of this version (docs/scale.md)."
        ) from error


class ClusterScreener:
    """Answers photos on a cluster; see ``Screener`` and ``connect``. Screenings come without their squares."""

    def __init__(
        self, client: Any, manifest: Manifest, wanted: ModelOnWorkers, *, say: Callable[[str], None] = lambda s: None
    ) -> None:
        self.manifest = manifest
        self._client, self._wanted, self._say = client, wanted, say
        self._sends_bytes = False
        self._n_submitted = 0
        self._n_threads, self._counted_at = 0, float("-inf")

    def screen(self, tasks: Iterable[PhotoTask]) -> Iterator[Screening]:
        """See ``Screener.screen``.

        Raises:
            ClusterError: If the scheduler or all workers are gone, or one photo ends every worker that gets it.
        """
        yield from in_order(self._promise, tasks, n_ahead=lambda: _AHEAD * self._threads())

    def _promise(self, task: PhotoTask) -> _Promise:
        return _Promise(self, task, self.submit(task, sends_bytes=self._sends_bytes))

    def submit(self, task: PhotoTask, *, sends_bytes: bool) -> Any:
        """Hand a photo to the cluster; return Dask's future of a screening, or of None where no worker sees the file."""
        # A worker on another machine does not see the switch of this one.
        prepared, size_bytes = _prepare(replace(task, withheld=read_withholding()), sends_bytes=sends_bytes)
        self._n_submitted += 1
        return self._client.submit(
            _answer_on_worker,
            prepared,
            size_bytes,
            self._wanted,
            pure=False,  # the same photo twice is two tasks
            priority=-self._n_submitted,  # the oldest first: it is the one that is waited for
        )

    def send_bytes_from_now_on(self) -> None:
        """Remember that the workers do not see the files."""
        if not self._sends_bytes:
            self._sends_bytes = True
            self._say("The workers do not see these files at the same path: photos are sent to them.")

    def wait(self, future: Any, name: str) -> Screening | None:
        """Return a future's result, for as long as there is a worker that may still give it."""
        from distributed import KilledWorker

        left_at = time.monotonic()
        while True:
            try:
                return future.result(timeout=_POLL_S)  # type: ignore[no-any-return]
            except TimeoutError as error:
                if self._threads():
                    left_at = time.monotonic()
                elif time.monotonic() - left_at > NO_WORKER_TIMEOUT_S:
                    raise ClusterError(
                        f"Expected a worker for '{name}'. The last one left the cluster, and none came for "
                        f"{NO_WORKER_TIMEOUT_S:.0f} s. {_GO_ON}"
                    ) from error
            except KilledWorker as error:
                raise ClusterError(
                    f"Expected an answer about '{name}'. Every worker that was given it ended. Look at the workers' "
                    f"logs, or leave that photo out. {_GO_ON}"
                ) from error
            except (CancelledError, OSError) as error:
                raise ClusterError(
                    f"Expected an answer about '{name}'. The scheduler is gone ({error}). Start it again. {_GO_ON}"
                ) from error

    def _threads(self) -> int:
        """How many threads the workers have; asked at most once in some seconds, since workers come and go."""
        if time.monotonic() - self._counted_at > _POLL_S:
            self._n_threads = sum(self._client.nthreads().values())
            self._counted_at = time.monotonic()
        return self._n_threads


class _Promise:
    """A photo on its way; sent again as bytes where the worker did not see its file."""

    def __init__(self, screener: ClusterScreener, task: PhotoTask, future: Any) -> None:
        self._screener, self._task, self._future = screener, task, future

    def result(self) -> Screening:
        screening = self._screener.wait(self._future, self._task.name)
        if screening is None:
            self._screener.send_bytes_from_now_on()
            self._future = self._screener.submit(self._task, sends_bytes=True)
            screening = self._screener.wait(self._future, self._task.name)
        if screening is None:
            raise ClusterError(f"Expected an answer about '{self._task.name}'. A worker gave none. {_GO_ON}")
        return screening

    def cancel(self) -> object:
        return self._future.cancel()


def _prepare(task: PhotoTask, *, sends_bytes: bool) -> tuple[PhotoTask, int]:
    """Return a photo as it travels, and its size; one that cannot be read here travels as the reason why."""
    if not isinstance(task.source, Path):
        return task, 0
    try:
        if sends_bytes:
            data = read_bytes(task.source)
            return replace(task, source=data), len(data)
        size_bytes = task.source.stat().st_size
        if size_bytes <= MAX_SIZE_BYTES:
            return replace(task, source=task.source.absolute()), size_bytes
        read_bytes(task.source)  # says that it is too large
    except PhotoError as error:
        return replace(task, source=error), 0
    except OSError:
        return _prepare(task, sends_bytes=True)  # gone or closed: reading it says so
    return _prepare(task, sends_bytes=True)


def _answer_on_worker(task: PhotoTask, size_bytes: int, wanted: ModelOnWorkers) -> Screening | None:
    """Answer one photo in a worker; None where its file is not there, or is another one."""
    from distributed import get_worker

    if isinstance(task.source, Path):
        try:
            data = read_bytes(task.source)
        except PhotoError:
            return None
        if len(data) != size_bytes:
            return None
        task = replace(task, source=data)
    predictor = _predictor(wanted, get_worker().state.nthreads)
    screening = screen_task(task, predictor=predictor)
    # The square is for a page to show; a table of rows has no use for its 77 kB.
    return replace(screening, photos=tuple(replace(photo, square=None) for photo in screening.photos))


def _load_on_worker(wanted: ModelOnWorkers, dask_worker: Any) -> int:
    """Load the model in a worker's process; return the worker's threads. Dask fills in ``dask_worker``."""
    n_threads = int(dask_worker.state.nthreads)
    _predictor(wanted, n_threads)
    return n_threads


_loading = threading.Lock()
_for_good = ExitStack()


def _predictor(wanted: ModelOnWorkers, n_threads: int) -> Predictor:
    with _loading:  # several threads of one worker want the first photo's model at once
        return _load(wanted, n_threads)


@lru_cache(maxsize=1)
def _load(wanted: ModelOnWorkers, n_threads: int) -> Predictor:
    """Load one model in this process, for all its threads.

    Raises:
        ClusterError: If it cannot be had here, or is not the one wanted.
    """
    try:
        predictor = load_predictor(wanted.name, wanted.engine, n_threads=n_threads)
    except DermaScanError as error:
        raise ClusterError(f"The worker on {socket.gethostname()} cannot answer: {error}") from error
    found = ModelOnWorkers(predictor.manifest.name, predictor.manifest.sha256, wanted.engine)
    if found != wanted:
        raise ClusterError(
            f"Expected '{wanted.name}' with sha256 {wanted.sha256[:12]} and DermaScan {wanted.app_version} on the worker "
            f"on {socket.gethostname()}. Found sha256 {found.sha256[:12]} and DermaScan {found.app_version}. "
            "Give all of them the same release."
        )
    _for_good.enter_context(one_thread_each())
    return predictor
