"""Where the photos of a batch are answered: by threads of this process; ``cluster`` has the same over other machines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from ..domain import Answers, ImageType, Metadata, Reason, Screening
from ..errors import PhotoError, PhotoTooLargeError, UnreadablePhotoError
from ..imaging.decode import MAX_SIZE_BYTES
from ..interop.dicom_in import is_dicom, read_dicom
from ..model.litert_engine import n_cores
from ..model.manifest import Manifest
from ..model.predictor import Predictor
from ..native_threads import one_thread_each
from .dicom_photos import fill_unknown, told_by
from .screening import screen_lesion
from .withholding import Withholding, read_withholding, stricter

Item = TypeVar("Item")
Result = TypeVar("Result")
Promised = TypeVar("Promised", covariant=True)
_AHEAD = 4  # photos begun or finished for each worker, before the oldest is asked for


@dataclass(frozen=True, slots=True)
class PhotoTask:
    """One photo of a batch, and all that is known about it.

    Attributes:
        name: As given; untrusted text.
        source: Its bytes, its file, or why it has neither.
        metadata, answers, image_type: What was told.
        repeat: Also answer small changes of it.
        withheld: What is withheld where it was asked for; the machine that answers withholds no less.
    """

    name: str
    source: bytes | Path | PhotoError
    metadata: Metadata
    answers: Answers
    image_type: ImageType
    repeat: bool = False
    withheld: Withholding | None = None


@runtime_checkable
class Screener(Protocol):
    """Answers the photos of a batch."""

    manifest: Manifest

    def screen(self, tasks: Iterable[PhotoTask]) -> Iterator[Screening]:
        """Give one screening a task, in their order, while later ones are being worked on."""
        ...


class ThreadScreener:
    """Answers photos in threads of this process, a bounded number at once; one that is decoded holds up to 150 MB.

    Threads, not processes, as decoding, measuring and the network leave Python's lock to others
    (docs/decisions/0038-threads-screen-a-batch.md).

    Args:
        predictor: The model; called by several threads at once.
        n_workers: Photos at once; by default one more than cores, as a photo waits while its views are answered.
    """

    def __init__(self, predictor: Predictor, *, n_workers: int | None = None) -> None:
        self.manifest = predictor.manifest
        self._screen = partial(screen_task, predictor=predictor)
        self._n_workers = n_workers or n_cores() + 1
        self._n_ahead = _AHEAD * self._n_workers

    def screen(self, tasks: Iterable[PhotoTask]) -> Iterator[Screening]:
        """See ``Screener.screen``."""
        with one_thread_each(), ThreadPoolExecutor(self._n_workers, thread_name_prefix="screen") as pool:
            yield from in_order(partial(pool.submit, self._screen), tasks, n_ahead=lambda: self._n_ahead)


class Promise(Protocol[Promised]):
    """A result that is being worked on: a future of the standard library, or of a cluster."""

    def result(self) -> Promised:
        """Wait for it."""
        ...

    def cancel(self) -> object:
        """Leave it, if it has not begun."""
        ...


def in_order(
    submit: Callable[[Item], Promise[Result]], items: Iterable[Item], *, n_ahead: Callable[[], int]
) -> Iterator[Result]:
    """Give the results in the items' order, while at most ``n_ahead()`` items are submitted and not yet given.

    Whoever stops asking (an error, a kill from the keyboard) leaves what has not begun undone.
    """
    waiting: deque[Promise[Result]] = deque()
    try:
        for item in items:
            waiting.append(submit(item))
            while len(waiting) >= n_ahead():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for promise in waiting:
            promise.cancel()


def screen_task(task: PhotoTask, *, predictor: Predictor) -> Screening:
    """Screen one photo as a lesion of its own; a file that cannot be read comes out refused, with its true reason."""
    data: bytes | Reason
    metadata = task.metadata
    try:
        data = _bytes_of(task.source)
        if is_dicom(data):
            photo = read_dicom(data)
            data, metadata = photo.png, fill_unknown(metadata, told_by(photo))
    except PhotoError as error:
        data = Reason(error.code, str(error))
    return screen_lesion(
        [(task.name, data)],
        metadata=metadata,
        answers=task.answers,
        image_type=task.image_type,
        predictor=predictor,
        repeat=task.repeat,
        compare=False,  # a row has no place for similar photos
        withheld=None if task.withheld is None else stricter(task.withheld, read_withholding()),
    )


def _bytes_of(source: bytes | Path | PhotoError) -> bytes:
    if isinstance(source, PhotoError):
        raise source
    return source if isinstance(source, bytes) else read_bytes(source)


def read_bytes(path: Path) -> bytes:
    """Return a photo's bytes, or no more of them than show that it is too large.

    Raises:
        PhotoTooLargeError, UnreadablePhotoError: With a sentence for the person.
    """
    try:
        size_bytes = path.stat().st_size
        if size_bytes > MAX_SIZE_BYTES:
            raise PhotoTooLargeError(
                f"The file may have at most {MAX_SIZE_BYTES // 2**20} MB. Received {size_bytes / 2**20:.0f} MB. "
                "Save the photo smaller, or as JPEG."
            )
        with path.open("rb") as file:
            return file.read(MAX_SIZE_BYTES + 1)
    except OSError as error:
        raise UnreadablePhotoError(
            f"Expected a readable photo at '{path}'. It is missing, or may not be opened. Check the path."
        ) from error
