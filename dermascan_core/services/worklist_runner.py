"""Works off the batches of the records, one after the other, on threads of its own, behind whoever waits for one answer.

What is answered and the note that it is are kept in one transaction: after a kill at any point the next process goes on,
with no lesion lost and none answered twice. Of several processes on one folder one works; another takes over when it ends.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import groupby

from filelock import FileLock, Timeout
from sqlalchemy.orm import Session

from ..domain import Screening
from ..errors import AnswersWithheldError, DermaScanError, PhotoError, RecordError, SealError, StorageError
from ..model.litert_engine import n_cores
from ..model.predictor import Predictor
from ..native_threads import one_thread_each
from ..storage import batches, lesions
from ..storage.batches import BatchState, KeptBatch, WaitingItem
from ..storage.kept import KeptScreening
from ..triage.reading_order import CALM_STEPS
from ..triage.refusals import WITHHELD
from .arrivals import Arrival
from .batch_rows import BatchRow, row_from_json
from .job_runner import QueuedPredictor
from .keeping import NewPhoto, keep_screening, new_photo
from .lesion_batch import screen_plan
from .photo_grid import LesionPlan, PhotoPlan
from .queueing import WorkQueue
from .records import Records, note, remove_images
from .screeners import in_order
from .withholding import refuse_when_stopped
from .worklist import draw_keys

MAX_VAIN = 5
_LOOK_AGAIN_S = 5.0  # for a batch that another process added, or whose runner ended
_TRY_AGAIN_S = 15.0  # after a full disk or a busy database
_BEGIN_AGAIN_S = 1.0  # after an error that nobody foresaw
_AHEAD = 2
_TIDY_EVERY = 25  # lesions; the files as they came are removed so often
_VAIN = (
    f"The program ended {MAX_VAIN} times while this photo was looked at, so it was left out. "
    "It was not assessed: that is no reassurance."
)


@dataclass(frozen=True, slots=True)
class _Group:
    """The photos of one lesion, and what is known of each."""

    items: tuple[WaitingItem, ...]
    rows: tuple[BatchRow, ...]

    @property
    def n_vain(self) -> int:
        return max(item.n_vain for item in self.items)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A screening with its photos ready to be kept, or why there is none."""

    group: _Group
    screening: Screening | None
    photos: tuple[NewPhoto | None, ...] = ()
    problem: str = ""


class _Left(Exception):  # noqa: N818  no error: the way out of another module's transaction
    """The batch was paused, stopped or removed meanwhile."""


class WorklistRunner:
    """Works the batches off.

    Args:
        records: Where they lie.
        predictor_of: Gives the model of a name, loaded; called on the runner's thread.
        queue: Before the model: people who wait for one answer go first.
        on_unforeseen: Told of an error that nobody foresaw; its lesion is left out after five times.
        n_workers: Lesions at once; by default one, so that the other cores answer whoever is at a page.
        now: Wall-clock time with zone, for what people read.
        clock: Monotonic seconds, for what is left to wait.
    """

    def __init__(
        self,
        records: Records,
        predictor_of: Callable[[str], Predictor],
        queue: WorkQueue,
        *,
        on_unforeseen: Callable[[BaseException], None] = lambda error: None,
        n_workers: int | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._records, self._predictor_of, self._queue = records, predictor_of, queue
        self._on_unforeseen, self._now, self._clock = on_unforeseen, now, clock
        self._n_workers = n_workers or max(1, n_cores() - 1)
        self._wake, self._is_stopping = threading.Event(), threading.Event()
        self._problem = ""
        self._usual_s: dict[str, float] = {}
        self._lock = FileLock(records.places.folder / "worklist.lock", timeout=0, mode=0o600, thread_local=False)
        self._thread = threading.Thread(target=self._work, name="worklist", daemon=True)

    def start(self) -> None:
        """Begin; what an earlier process left goes on first."""
        self._thread.start()

    def stop(self, timeout_s: float = 20.0) -> None:
        """Stop after the lesion that is being kept; the rest goes on at the next start."""
        self._is_stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def wake(self) -> None:
        """Say that there is something new to do."""
        self._wake.set()

    @property
    def problem(self) -> str:
        """What stands in the way now, as a sentence; empty where nothing does."""
        return self._problem

    def seconds_left(self, batch: KeptBatch) -> float | None:
        """Return how long the rest of a batch will take; None where nothing of it was measured here yet."""
        usual_s = self._usual_s.get(batch.id)
        return None if usual_s is None else usual_s * batch.n_open

    def _work(self) -> None:
        while not self._is_stopping.is_set():
            self._wake.clear()
            try:
                self._lock.acquire()
            except (Timeout, OSError):
                self._wake.wait(_LOOK_AGAIN_S)  # another process works on these records
                continue
            try:
                wait_s = self._turn()
            finally:
                self._lock.release()
            if wait_s:
                self._wake.wait(wait_s)

    def _turn(self) -> float:
        """Work on one batch until it is done or something stands in the way; returns how long to wait then."""
        with ThreadPoolExecutor(1, thread_name_prefix="worklist-batch") as executor:
            future = executor.submit(self._run_next)
            error = future.exception()
        if error is None:
            self._problem = ""
            return 0.0 if future.result() else _LOOK_AGAIN_S
        if isinstance(error, DermaScanError):
            self._problem = str(error)
            return _TRY_AGAIN_S
        self._on_unforeseen(error)
        return _BEGIN_AGAIN_S

    def _run_next(self) -> bool:
        """Return whether there was a batch to work on."""
        with self._records.database.reading() as session:
            batch = batches.next_batch(session, self._records.vault)
        if batch is None:
            return False
        refuse_when_stopped()  # the list waits, and goes on by itself when answers are given again
        try:
            self._run(batch)
        except (StorageError, AnswersWithheldError):
            with suppress(StorageError):  # a full disk, or the kill switch, is no fault of the photo
                self._change(batches.forget_start, batch.id)
            raise
        return True

    def _change(self, change: Callable[[Session, str], object], batch_id: str) -> None:
        with self._records.database.transaction() as session:
            change(session, batch_id)

    def _run(self, batch: KeptBatch) -> None:
        predictor = QueuedPredictor(self._predictor_of(batch.model), self._queue)
        with self._records.database.reading() as session:
            groups = _groups(batches.waiting_items(session, self._records.vault, batch.id))
        hopeless = [group for group in groups if group.n_vain >= MAX_VAIN]
        for group in hopeless:
            self._fail(batch, group, _VAIN)
        left = [group for group in groups if group not in hopeless]
        if left:
            with self._records.database.transaction() as session:
                batches.note_start(session, batch, [item.id for item in left[0].items])
        try:
            self._screen(batch, left, predictor)
            if not self._is_stopping.is_set():
                self._finish(batch)
        except _Left:
            self._change(batches.forget_start, batch.id)
        if self._is_stopping.is_set():
            self._change(batches.forget_start, batch.id)
        remove_images(self._records)

    def _screen(self, batch: KeptBatch, groups: Sequence[_Group], predictor: Predictor) -> None:
        answer = partial(self._answer, predictor=predictor)
        last_s = self._clock()
        with one_thread_each(), ThreadPoolExecutor(self._n_workers, thread_name_prefix="worklist-photo") as pool:
            answers = in_order(partial(pool.submit, answer), groups, n_ahead=lambda: _AHEAD * self._n_workers)
            for n_done, found in enumerate(answers, start=1):
                self._keep(batch, found)
                now_s = self._clock()
                self._note_pace(batch.id, max(0.0, now_s - last_s) / len(found.group.items))
                last_s = now_s
                if n_done % _TIDY_EVERY == 0:
                    remove_images(self._records)
                if self._is_stopping.is_set():
                    return

    def _note_pace(self, batch_id: str, per_photo_s: float) -> None:
        usual_s = self._usual_s.get(batch_id, per_photo_s)
        self._usual_s[batch_id] = usual_s + 0.1 * (per_photo_s - usual_s)

    def _answer(self, group: _Group, *, predictor: Predictor) -> _Answer:
        data: list[bytes] = []
        try:
            data = [self._records.images.get(item.image_sha256) for item in group.items]
        except SealError:
            raise  # no key: the batch waits for it
        except StorageError as error:
            return _Answer(group, None, problem=f"{error} It was not assessed: that is no reassurance.")
        arrivals = [Arrival(item.file_name, partial(_given, one)) for item, one in zip(group.items, data, strict=True)]
        screening = screen_plan(_plan(group), arrivals=arrivals, predictor=predictor).screening
        if stopped := next((p.reason for p in screening.photos if p.reason and p.reason.code == WITHHELD), None):
            raise AnswersWithheldError(stopped.sentence)
        return _Answer(group, screening, tuple(map(_ready, arrivals, data)), _problem(screening))

    def _keep(self, batch: KeptBatch, answer: _Answer) -> None:
        if answer.screening is None or not any(answer.photos):
            self._fail(batch, answer.group, answer.problem)
            return
        also = partial(_note_kept, answer=answer)
        try:
            keep_screening(
                self._records,
                answer.screening,
                answer.photos,
                lesion_id=answer.group.items[0].lesion_id,
                actor=batch.owner,
                now=self._now(),
                also=also,
            )
        except RecordError as error:  # the person was deleted, or took their consent back, meanwhile
            self._fail(batch, answer.group, str(error))

    def _fail(self, batch: KeptBatch, group: _Group, problem: str) -> None:
        with self._records.database.transaction() as session:
            batches.fail_items(session, [item.id for item in group.items], problem=problem)
            lesions.ask_for_removal(session, {item.image_sha256 for item in group.items})
            note(session, batch.owner, "photo left out", f"list {batch.id}", now=self._now(), photos=len(group.items))

    def _finish(self, batch: KeptBatch) -> None:
        """Draw what is to be read all the same, and call the batch done, where nothing is left to do."""
        with self._records.database.transaction() as session:
            if batches.waiting_items(session, self._records.vault, batch.id):
                return
            if not batches.move(session, batch.id, to=BatchState.DONE, of=(BatchState.WAITING,)):
                return
            calm = batches.calm_items(session, batch.id, steps=[step.value for step in CALM_STEPS])
            by_screening = {screening: [item for item, s in calm if s == screening] for _, screening in calm}
            drawn = draw_keys(list(by_screening), share=batch.share_to_read, chance=random.SystemRandom())
            batches.mark_sampled(session, [item for screening in drawn for item in by_screening[screening]])
            note(session, batch.owner, "list done", f"list {batch.id}", now=self._now(), to_read=len(drawn))


def _groups(items: Sequence[WaitingItem]) -> list[_Group]:
    """Return the lesions in the order to work on them: one at which a process ended comes after all others."""
    rows = [(item, row_from_json(item.row)) for item in items]
    rows.sort(key=lambda pair: (pair[1].group, pair[0].position))
    groups = []
    for _, pairs in groupby(rows, key=lambda pair: pair[1].group):
        found = list(pairs)
        groups.append(_Group(tuple(item for item, _ in found), tuple(row for _, row in found)))
    return sorted(groups, key=lambda group: group.n_vain)


def _plan(group: _Group) -> LesionPlan:
    photos = tuple(
        PhotoPlan(index, item.file_name, row.person, row.lesion, row.metadata, row.answers, row.image_type, row.problem)
        for index, (item, row) in enumerate(zip(group.items, group.rows, strict=True))
    )
    return LesionPlan(photos, photos[0].person, photos[0].lesion)


def _given(data: bytes) -> bytes:
    return data


def _ready(arrival: Arrival, data: bytes) -> NewPhoto | None:
    try:
        return new_photo(arrival.name, data)
    except PhotoError:
        return None  # its answer says why


def _problem(screening: Screening) -> str:
    return " ".join(dict.fromkeys(photo.reason.sentence for photo in screening.photos if photo.reason is not None))


def _note_kept(session: Session, kept: KeptScreening, *, answer: _Answer) -> None:
    """In the transaction that keeps the answer: note it at its photos, unless somebody paused or removed them meanwhile.

    Raises:
        _Left: Then nothing of it is kept.
    """
    group = answer.group
    if not batches.are_waiting(session, [item.id for item in group.items]):
        raise _Left
    assert answer.screening is not None, "only an answer is kept"
    for item, photo, screened in zip(group.items, answer.photos, answer.screening.photos, strict=True):
        batches.finish_item(
            session,
            item.id,
            screening_id=kept.id,
            image_sha256=None if photo is None else photo.sha256,
            problem=None if screened.reason is None else screened.reason.sentence,
        )
    lesions.ask_for_removal(session, {item.image_sha256 for item in group.items})
