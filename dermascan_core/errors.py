"""Errors a person may see. Every message says what was expected, what came, and what to do.

DermaScanError
├── PhotoError                a photo cannot be used; carries a stable reason code
│   ├── UnreadablePhotoError      not an image, truncated, or an unsupported format
│   ├── PhotoTooLargeError        too many bytes or pixels
│   ├── PhotoTooSmallError        too few pixels to judge
│   └── AnimatedPhotoError        several frames where one photo is expected
├── MetadataError             an answer or a CSV cell that cannot be true (age 300, unknown site)
├── TableError                a CSV that cannot be read or lacks a column
├── ArchiveError              a zip file, or an upload of many photos, that cannot be used
├── DatasetError              a data set that is missing, empty, or leaks between its splits
├── TrainingError             a training run that cannot go on: it diverged, or its recipe contradicts itself
├── WeightsError              weights missing, altered, or at odds with their manifest
├── EngineError               the requested inference engine is not available
├── ClusterError              the workers of a cluster cannot answer: not there, gone, or with other weights
├── OutputError               a result cannot be written (read-only or full disk)
├── AnswersWithheldError      the model's answers are stopped here by the kill switch
├── QueueFullError            too many wait already; carries how long until there is room
│   └── QueueClosedError          the program is stopping and takes no more work
├── ServeError                the server cannot start as asked: address, port, keys
├── RemoteServerError         another machine was to answer, and does not, or has another model
├── RecordError               what was asked of the records cannot be done: nobody there, or a text too long
│   └── ConsentError              nothing may be kept of this person: no consent, withdrawn, or past its day
├── StorageError              records cannot be read or kept: database, key, disk
│   └── SealError                 what was sealed cannot be opened: no key, another key, or altered
└── AccessError               this person may not see or do that: not logged in, another role, too many tries

Programming mistakes stay ValueError or TypeError.
"""

from __future__ import annotations


class DermaScanError(Exception):
    """Base of every failure that is shown to a user as ``str(error)``."""


class PhotoError(DermaScanError):
    """A photo cannot be used. ``code`` is stable and machine-readable."""

    code = "unusable_photo"


class UnreadablePhotoError(PhotoError):
    """The bytes are not a photo that can be decoded."""

    code = "unreadable"


class PhotoTooLargeError(PhotoError):
    """The photo has more bytes or pixels than the limits allow."""

    code = "too_large"


class PhotoTooSmallError(PhotoError):
    """The photo has fewer pixels than the model needs."""

    code = "too_small"


class AnimatedPhotoError(PhotoError):
    """The file holds several frames; one still photo is expected."""

    code = "animated"


class MetadataError(DermaScanError):
    """A value about the person or the lesion that cannot be true."""


class TableError(DermaScanError):
    """A CSV table cannot be read, or lacks a required column."""


class ArchiveError(DermaScanError):
    """A zip file or an upload of many photos cannot be used: damaged, locked, or more than is taken at once."""


class DatasetError(DermaScanError):
    """A data set is missing, empty, or leaks between its splits."""


class TrainingError(DermaScanError):
    """A training run cannot go on: it diverged, or its recipe contradicts itself."""


class WeightsError(DermaScanError):
    """Weights are missing, altered, or disagree with their manifest."""


class EngineError(DermaScanError):
    """The requested inference engine is not available here."""


class ClusterError(DermaScanError):
    """The workers of a cluster cannot answer."""


class OutputError(DermaScanError):
    """A result cannot be written where it was asked for."""


class AnswersWithheldError(DermaScanError):
    """The model's answers are stopped in this installation; the message says by whom, since when and why."""


class QueueFullError(DermaScanError):
    """Too many wait already.

    Attributes:
        retry_after_s: When there will probably be room, in whole seconds from now, at least 1.
    """

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = max(1, retry_after_s)


class QueueClosedError(QueueFullError):
    """The program is stopping and takes no more work."""


class ServeError(DermaScanError):
    """The server cannot start as asked: its address, its port or its keys."""


class RemoteServerError(DermaScanError):
    """Another machine was to answer, and cannot be reached, refuses, or has another model."""


class RecordError(DermaScanError):
    """What was asked of the records cannot be done as asked."""


class ConsentError(RecordError):
    """Nothing may be kept of this person: they did not agree, no longer do, or not for so long."""


class StorageError(DermaScanError):
    """Records cannot be read or kept: the database, its key or the disk stands in the way."""


class SealError(StorageError):
    """What was sealed cannot be opened: the key is missing or another one, or the bytes were altered."""


class AccessError(DermaScanError):
    """Somebody asked for what they may not see or do."""
