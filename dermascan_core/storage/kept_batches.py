"""Batches and their photos as plain data: what ``batches`` takes and gives, opened, instead of rows of the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class BatchState(StrEnum):
    """How a batch stands. What waits is worked off in the order it was added."""

    WAITING = "waiting"
    PAUSED = "paused"
    DONE = "done"
    STOPPED = "stopped"

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self in (BatchState.DONE, BatchState.STOPPED)


class ItemState(StrEnum):
    """What became of one photo: not looked at yet, in a kept screening, or neither."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NewItem:
    """One photo about to be added.

    Attributes:
        lesion_id: Of whom and what.
        file_name: As given; sealed.
        image_sha256: Where its bytes lie; None where it could not be read.
        row: What is known of it, as JSON; sealed.
        problem: Why it could not be read; None where it could.
    """

    lesion_id: str
    file_name: str
    image_sha256: str | None
    row: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class WaitingItem:
    """One photo that is to be screened; ``row`` as in ``NewItem``, ``n_vain`` as of the table."""

    id: str
    lesion_id: str
    position: int
    file_name: str
    image_sha256: str
    row: str
    n_vain: int


@dataclass(frozen=True, slots=True)
class KeptBatch:
    """A batch and how far it is.

    Attributes:
        id: 32 hex digits.
        name: What its owner calls it.
        owner: Login name.
        created_at: When it was added.
        state: How it stands.
        model, image_type: What answers, and what took the photos unless a row says otherwise.
        share_to_read: Of the calm ones, in [0, 1].
        is_demo: Made up.
        n_photos: All that are on it; removed ones count too.
        n_open, n_failed, n_removed: Of these: not looked at yet; not answered; taken off the list.
        n_open_at_start: How many were open when a process last began with it; None where it left in good order.
    """

    id: str
    name: str
    owner: str
    created_at: datetime
    state: BatchState
    model: str
    image_type: str
    share_to_read: float
    is_demo: bool
    n_photos: int
    n_open: int
    n_failed: int
    n_removed: int
    n_open_at_start: int | None


@dataclass(frozen=True, slots=True)
class ListedItem:
    """One photo of a list: what of its screening lies open, and what is sealed of the photo, opened.

    Attributes:
        id, lesion_id, position, file_name, image_sha256, row, problem: As added; ``problem`` also says why it is unsure.
        state: What became of it.
        is_sampled: Drawn by lot.
        screening_id: None where it has none.
        status, next_step, predicted, p_malignant, threshold, image_type: Of the screening.
        is_read: Whether somebody confirmed a reading of it.
        pseudonym: Of the person.
    """

    id: str
    lesion_id: str
    position: int
    file_name: str
    image_sha256: str | None
    row: str
    problem: str | None
    state: ItemState
    is_sampled: bool
    screening_id: str | None
    status: str | None
    next_step: str | None
    predicted: str | None
    p_malignant: float | None
    threshold: float | None
    image_type: str | None
    is_read: bool
    pseudonym: str
