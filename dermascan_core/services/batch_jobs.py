"""Batches that outlive the process: each lies in a folder of its own, and goes on where a kill stopped it.

A job's folder holds ``job.json``, its photos, its table and its lines. It comes into being by one rename and ends by one,
so that there is never half a job. Results are the lines of ``screen --out``.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

from ..errors import OutputError, QueueFullError, ServeError
from ..metadata import ImageType

RESULTS_FILE = "results.jsonl"
TABLE_FILE = "metadata.csv"
_JOB_FILE = "job.json"
_ID = re.compile(r"[A-Za-z0-9_-]{32}")
_INCOMING, _LEAVING = "incoming-", "leaving-"  # never the beginning of an id: those have 32 signs
_RETRY_AFTER_S = 60
_LOCK_FILE = ".lock"
MIN_FREE_BYTES = 2 * 10**9


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in (JobState.DONE, JobState.FAILED)


@dataclass(frozen=True, slots=True)
class Job:
    """One batch, as its folder tells it.

    Attributes:
        id: Unguessable; whoever has it must still present the owner's key.
        owner: SHA-256 of the key that it belongs to; empty on a server without keys.
        names: Of the photos, as given, in input order; untrusted text.
        image_type, repeat: As ``services.batch.screen_files`` takes them.
        created_at, finished_at: ISO 8601 with zone.
        state: How far it is.
        model_sha256: Of the weights that its lines are from; empty before the first.
        statuses, next_steps: How many photos of each, once it is done.
        notes: What of the metadata was not used, and the like.
        error: Why it failed.
        n_lines_at_start: How many photos had their line when a process last began with it.
        n_vain_starts: How many processes in a row ended without one more line.
    """

    id: str
    owner: str
    names: tuple[str, ...]
    image_type: ImageType
    repeat: bool
    created_at: str
    state: JobState = JobState.WAITING
    finished_at: str | None = None
    model_sha256: str = ""
    statuses: Mapping[str, int] = field(default_factory=dict)
    next_steps: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str | None = None
    n_lines_at_start: int = -1
    n_vain_starts: int = 0


class JobStore:
    """The folder of all jobs.

    Args:
        folder: Made if need be, for its owner alone.
        max_open: How many jobs of one owner may wait or run.
        now: Wall-clock time with zone, for what people read; nothing is measured by it.
    """

    def __init__(
        self, folder: Path, *, max_open: int = 20, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.folder, self._max_open, self._now = folder, max_open, now
        self._lock = threading.Lock()
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise OutputError(
                f"Expected a folder for batches at '{folder}' that may be written: {error.strerror}. Choose another."
            ) from error
        self._claim: IO[bytes] | None = None

    def claim(self) -> None:
        """Keep every other process out until ``release`` or the end of this one; then clear up after a kill.

        Raises:
            ServeError: If another process works in the folder: both would write to the same lines.
        """
        self._claim = (self.folder / _LOCK_FILE).open("ab")
        if not _lock(self._claim):
            self.release()
            raise ServeError(
                f"Expected the folder '{self.folder}' for this server alone. Another server works in it. "
                "Stop that one, or choose another folder with --data."
            )
        for left in self.folder.iterdir():  # of uploads and removals that a kill cut short
            if left.name.startswith((_INCOMING, _LEAVING)):
                shutil.rmtree(left, ignore_errors=True)

    def release(self) -> None:
        """Let other processes in again."""
        if self._claim is not None:
            self._claim.close()
            self._claim = None

    def check_room(self, owner: str) -> None:
        """Refuse early, before photos are received.

        Raises:
            QueueFullError: If the owner has as many jobs open as may be.
            OutputError: If the disk is nearly full.
        """
        free_bytes = shutil.disk_usage(self.folder).free
        if free_bytes < MIN_FREE_BYTES:
            raise OutputError(
                f"Expected {MIN_FREE_BYTES // 10**9} GB free on the server's disk. There is {free_bytes / 1e9:.1f} GB. "
                "Remove batches that are done, or free the disk."
            )
        n_open = sum(not job.state.is_over for job in self.jobs(owner))
        if n_open >= self._max_open:
            raise QueueFullError(
                f"Expected at most {self._max_open} batches that wait or run. There are {n_open}. "
                "Wait for one of them, or remove one.",
                retry_after_s=_RETRY_AFTER_S,
            )

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """Yield a folder to receive photos in, removed again unless ``accept`` takes it."""
        folder = self.folder / f"{_INCOMING}{secrets.token_hex(8)}"
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def accept(self, folder: Path, *, owner: str, names: Sequence[str], image_type: ImageType, repeat: bool) -> Job:
        """Make a job of a folder that was received, whose photos are ``photo_file(folder, n)``; by one rename.

        Raises:
            QueueFullError: If the owner has as many jobs open as may be.
        """
        with self._lock:
            self.check_room(owner)
            job = Job(
                id=secrets.token_urlsafe(24),
                owner=owner,
                names=tuple(names),
                image_type=image_type,
                repeat=repeat,
                created_at=self._now().isoformat(),
            )
            _write_job(folder, job)
            folder.rename(self.folder / job.id)
        return job

    def find(self, job_id: str, owner: str) -> Job | None:
        """Return a job; None where there is none of that id that belongs to the owner."""
        job = _read_job(self.folder / job_id) if _ID.fullmatch(job_id) else None
        return job if job is not None and job.owner == owner else None

    def jobs(self, owner: str | None = None) -> list[Job]:
        """Return the jobs of an owner, or all, the oldest first."""
        found = [_read_job(path) for path in self.folder.iterdir() if _ID.fullmatch(path.name)]
        own = [job for job in found if job is not None and owner in (None, job.owner)]
        return sorted(own, key=lambda job: (job.created_at, job.id))

    def update(self, job: Job, **changes: Any) -> Job:
        """Write changes of a job, by one rename; a job that was removed meanwhile stays removed."""
        changed = replace(job, **changes)
        if changed.state.is_over and changed.finished_at is None:
            changed = replace(changed, finished_at=self._now().isoformat())
        if (self.folder / job.id).is_dir():
            _write_job(self.folder / job.id, changed)
        return changed

    def remove(self, job: Job) -> None:
        """Remove a job with its photos and results."""
        leaving = self.folder / f"{_LEAVING}{secrets.token_hex(8)}"
        try:
            (self.folder / job.id).rename(leaving)
        except FileNotFoundError:
            return  # someone else removed it
        shutil.rmtree(leaving, ignore_errors=True)

    def remove_old(self, keep_days: int) -> int:
        """Remove the jobs that have been over for longer; returns how many. A clock that went back removes nothing."""
        limit = timedelta(days=keep_days)
        old = [
            job
            for job in self.jobs()
            if job.finished_at is not None and self._now() - datetime.fromisoformat(job.finished_at) > limit
        ]
        for job in old:
            self.remove(job)
        return len(old)

    def path(self, job: Job, name: str) -> Path:
        """Return where a file of a job lies; ``name`` is ours, never a client's."""
        return self.folder / job.id / name

    def photo_files(self, job: Job) -> list[Path]:
        """Return where the photos lie, in input order."""
        return [photo_file(self.folder / job.id, number) for number in range(len(job.names))]

    def n_lines(self, job: Job) -> int:
        """Return how many photos have their line."""
        try:
            return self.path(job, RESULTS_FILE).read_bytes().count(b"\n")
        except FileNotFoundError:
            return 0


def _lock(file: IO[bytes]) -> bool:
    """Lock an open file for this process; False where another has it. Windows has no such lock, and none is taken."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def photo_file(folder: Path, number: int) -> Path:
    """Return where the photo of that number, from 0, lies: under a name of ours, whatever the client calls it."""
    return folder / f"photo-{number:06d}"


def _write_job(folder: Path, job: Job) -> None:
    text = json.dumps(asdict(job))
    partial = folder / f"{_JOB_FILE}.part"
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(folder / _JOB_FILE)
    except OSError as error:
        raise OutputError(f"The batch cannot be stored: {error.strerror}. Free the server's disk.") from error


def _read_job(folder: Path) -> Job | None:
    try:
        found = json.loads((folder / _JOB_FILE).read_text(encoding="utf-8"))
        kinds = {"image_type": ImageType, "state": JobState, "names": tuple, "notes": tuple}
        return Job(**(found | {name: kind(found[name]) for name, kind in kinds.items()}))
    except (OSError, ValueError, TypeError, LookupError):
        return None  # removed meanwhile, or no file of ours: those are written whole, by one rename
