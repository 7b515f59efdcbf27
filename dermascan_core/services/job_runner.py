"""Works off the batches on disk, one after the other, on a thread of its own; each photo waits its turn at the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..domain import Metadata, Screening
from ..errors import DatasetError, DermaScanError
from ..model.predictor import ManyViewsPredictor, PhotoOutput, Predictor
from .batch import BatchItem, BatchSummary, read_metadata_table, screen_files
from .batch_jobs import RESULTS_FILE, TABLE_FILE, Job, JobState, JobStore
from .queueing import WorkQueue
from .screeners import PhotoTask, screen_task

_LOOK_AGAIN_S = 3600.0  # for jobs that are old enough to be removed
_MAX_NOTES = 100
MAX_VAIN_STARTS = 3
_UNFORESEEN = (
    "Something unexpected went wrong with this batch. The server's log says where. Send it again, or in parts."
)


class QueuedPredictor:
    """A predictor that asks through the queue, in the background: people who wait for one answer go first."""

    def __init__(self, predictor: Predictor, queue: WorkQueue) -> None:
        self.manifest, self.engine = predictor.manifest, predictor.engine
        self._predictor, self._queue = predictor, queue

    def predict(
        self, squares: npt.NDArray[np.uint8], metadata: Sequence[Metadata], *, explain: bool = False
    ) -> list[PhotoOutput]:
        """See ``Predictor.predict``.

        Raises:
            QueueClosedError: If the program is stopping.
        """
        work = lambda: self._predictor.predict(squares, metadata, explain=explain)  # noqa: E731
        return self._queue.submit(work, is_background=True).result()

    def with_views(self, n_views: int) -> QueuedPredictor:
        """Return the same averaging another number of views where the model can be told to."""
        if not isinstance(self._predictor, ManyViewsPredictor):
            return self
        return QueuedPredictor(self._predictor.with_views(n_views), self._queue)


class OneByOne:
    """A ``Screener`` that begins a photo when the one before has its line: the cores belong to whoever waits for an answer."""

    def __init__(self, predictor: Predictor) -> None:
        self.manifest = predictor.manifest
        self._predictor = predictor

    def screen(self, tasks: Iterable[PhotoTask]) -> Iterator[Screening]:
        """See ``Screener.screen``."""
        for task in tasks:
            yield screen_task(task, predictor=self._predictor)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is: photos done, and seconds until the rest are, None where nothing was measured yet."""

    n_done: int
    eta_s: float | None = None


class JobRunner:
    """Works the jobs of a store off.

    Args:
        store: Where they lie.
        queue: Before the model.
        wait_for_predictor: Returns it once it is loaded; None where that failed.
        keep_days: How long a finished job is kept.
        on_screened: Told of every photo's screening.
        on_unforeseen: Told of an error that nobody foresaw; its job has failed, the others go on.
        clock: Monotonic seconds, for what is left to wait.
    """

    def __init__(
        self,
        store: JobStore,
        queue: WorkQueue,
        wait_for_predictor: Callable[[], Predictor | None],
        *,
        keep_days: int,
        on_screened: Callable[[Screening], None] = lambda screening: None,
        on_unforeseen: Callable[[BaseException], None] = lambda error: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store, self._queue, self._wait_for_predictor = store, queue, wait_for_predictor
        self.keep_days, self._clock = keep_days, clock
        self._on_screened, self._on_unforeseen = on_screened, on_unforeseen
        self._wake, self._is_stopping = threading.Event(), threading.Event()
        self._cancelled: set[str] = set()
        self._progress: dict[str, Progress] = {}
        self._thread = threading.Thread(target=self._work, name="batch-jobs", daemon=True)

    def start(self) -> None:
        """Begin; jobs that an earlier process left unfinished go on first."""
        self._thread.start()

    def stop(self, timeout_s: float = 20.0) -> None:
        """Stop after the photo that is being answered, and release the folder; the job goes on at the next start."""
        self._is_stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self.store.release()

    def wake(self) -> None:
        """Say that there is a new job."""
        self._wake.set()

    def cancel(self, job: Job) -> None:
        """Remove a job; one that runs stops after its photo."""
        self._cancelled.add(job.id)
        self.store.remove(job)

    def progress(self, job: Job) -> Progress:
        """Return how far a job is."""
        if job.state.is_over:
            return Progress(len(job.names) if job.state is JobState.DONE else self.store.n_lines(job), 0.0)
        return self._progress.get(job.id) or Progress(self.store.n_lines(job))

    def _work(self) -> None:
        predictor = self._wait_for_predictor()
        while not self._is_stopping.is_set():
            self._wake.clear()
            self.store.remove_old(self.keep_days)
            job = next((job for job in self.store.jobs() if not job.state.is_over), None)
            if job is None or predictor is None:
                self._wake.wait(_LOOK_AGAIN_S)
            else:
                self._run_apart(job, predictor)

    def _run_apart(self, job: Job, predictor: Predictor) -> None:
        """Run a job so that nothing it meets can stop the jobs after it."""
        with ThreadPoolExecutor(1, thread_name_prefix="batch-job") as executor:
            error = executor.submit(self._run, job, predictor).exception()
        if error is not None:
            self._on_unforeseen(error)
            self.store.update(job, state=JobState.FAILED, error=_UNFORESEEN)

    def _run(self, job: Job, predictor: Predictor) -> None:
        sha256 = predictor.manifest.sha256
        # Lines of two models are never mixed: after an upgrade the job begins again.
        is_resumed = job.model_sha256 == sha256
        try:
            job = self._begin(job, sha256)
            summary = self._screen(job, QueuedPredictor(predictor, self._queue), resume=is_resumed)
            self.store.update(job, state=JobState.DONE, **_told(summary))
        except _JobStopped:
            return
        except DermaScanError as error:
            if not self._is_stopping.is_set() and job.id not in self._cancelled:
                self.store.update(job, state=JobState.FAILED, error=str(error))
        finally:
            self._progress.pop(job.id, None)

    def _begin(self, job: Job, sha256: str) -> Job:
        """Note that the job begins, and give up one at whose photo the process has ended again and again.

        Raises:
            DatasetError: If it is given up.
        """
        n_lines = self.store.n_lines(job)
        n_vain = job.n_vain_starts + 1 if n_lines == job.n_lines_at_start and job.state is JobState.RUNNING else 0
        job = self.store.update(
            job, state=JobState.RUNNING, model_sha256=sha256, n_lines_at_start=n_lines, n_vain_starts=n_vain
        )
        if n_vain >= MAX_VAIN_STARTS:
            raise DatasetError(
                f"The server ended {n_vain} times at photo {n_lines + 1} of this batch. Send the batch without that photo."
            )
        return job

    def _screen(self, job: Job, predictor: Predictor, *, resume: bool) -> BatchSummary:
        table = self.store.path(job, TABLE_FILE)
        started, n_before = self._clock(), self.store.n_lines(job) if resume else 0

        def on_progress(n_done: int, n_photos: int, item: BatchItem) -> None:
            self._on_screened(item.screening)
            per_photo_s = max(0.0, self._clock() - started) / max(1, n_done - n_before)
            self._progress[job.id] = Progress(n_done, round(per_photo_s * (n_photos - n_done), 1))
            if self._is_stopping.is_set() or job.id in self._cancelled:
                raise _JobStopped

        return screen_files(
            self.store.photo_files(job),
            names=job.names,
            predictor=OneByOne(predictor),
            metadata=read_metadata_table(table) if table.is_file() else None,
            image_type=job.image_type,
            out=self.store.path(job, RESULTS_FILE),
            resume=resume,
            repeat=job.repeat,
            on_progress=on_progress,
        )


class _JobStopped(Exception):  # noqa: N818  no error: the way out of a loop that belongs to another module
    """The job was cancelled, or the program is stopping."""


def _told(summary: BatchSummary) -> dict[str, object]:
    unused = [f"No photo is named '{name}', as a row of the table is." for name in summary.unused_rows]
    return {
        "statuses": {status.value: n for status, n in summary.statuses.items()},
        "next_steps": {step.value: n for step, n in summary.next_steps.items()},
        "notes": (*summary.metadata_errors, *unused)[:_MAX_NOTES],
    }
