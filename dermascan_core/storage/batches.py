"""Many photos screened in the background: what waits, what became of it, and in which state the batch is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, Select, delete, exists, func, select, update
from sqlalchemy.orm import Session

from .kept_batches import BatchState as BatchState
from .kept_batches import ItemState as ItemState
from .kept_batches import KeptBatch as KeptBatch
from .kept_batches import ListedItem as ListedItem
from .kept_batches import NewItem as NewItem
from .kept_batches import WaitingItem as WaitingItem
from .schema import Batch, BatchItem, Lesion, Person, Review, Screening, new_id
from .vault import Vault

_AT_ONCE = 500  # values in one statement


def add_batch(
    session: Session,
    vault: Vault,
    items: Iterable[NewItem],
    *,
    name: str,
    owner: str,
    model: str,
    image_type: str,
    share_to_read: float,
    is_demo: bool,
    audit_number: int,
    now: datetime,
) -> str:
    """Add a batch with all its photos; returns its id. Waits to be worked off."""
    added = list(items)
    batch = Batch(
        id=new_id(),
        name=vault.seal(name),
        owner=owner,
        created_at=now,
        state=BatchState.WAITING.value,
        model=model,
        image_type=image_type,
        n_photos=len(added),
        share_to_read=share_to_read,
        n_open_at_start=None,
        audit_number=audit_number,
        is_demo=is_demo,
    )
    session.add(batch)
    session.flush()
    session.add_all(_item(batch.id, position, item, vault) for position, item in enumerate(added))
    session.flush()
    return batch.id


def _item(batch_id: str, position: int, item: NewItem, vault: Vault) -> BatchItem:
    is_unread = item.image_sha256 is None
    return BatchItem(
        id=new_id(),
        batch_id=batch_id,
        lesion_id=item.lesion_id,
        position=position,
        file_name=vault.seal(item.file_name),
        image_sha256=item.image_sha256,
        row=vault.seal(item.row),
        state=(ItemState.FAILED if is_unread else ItemState.WAITING).value,
        problem=item.problem,
        screening_id=None,
        is_sampled=False,
        n_vain=0,
        removed_at=None,
    )


def list_batches(session: Session, vault: Vault) -> tuple[KeptBatch, ...]:
    """Return all batches, the last added first."""
    rows = session.scalars(select(Batch).order_by(Batch.audit_number.desc())).all()
    counts = _counts(session)
    return tuple(_batch(row, vault, counts[row.id]) for row in rows)


def find_batch(session: Session, vault: Vault, batch_id: str) -> KeptBatch | None:
    """Return a batch by its id; None where there is none."""
    row = session.get(Batch, batch_id)
    return None if row is None else _batch(row, vault, _counts(session, batch_id)[row.id])


def next_batch(session: Session, vault: Vault, *, but: Collection[str] = ()) -> KeptBatch | None:
    """Return the batch to work on: of those that wait, the first added; ``but`` are left out."""
    query = select(Batch).where(Batch.state == BatchState.WAITING.value, Batch.id.not_in(list(but)))
    row = session.scalar(query.order_by(Batch.audit_number).limit(1))
    return None if row is None else _batch(row, vault, _counts(session, row.id)[row.id])


def _counts(session: Session, batch_id: str | None = None) -> dict[str, dict[str, int]]:
    query = select(BatchItem.batch_id, BatchItem.state, func.count(), func.count(BatchItem.removed_at))
    if batch_id is not None:
        query = query.where(BatchItem.batch_id == batch_id)
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for batch, state, n, n_removed in session.execute(query.group_by(BatchItem.batch_id, BatchItem.state)):
        found[batch][state] += n
        found[batch]["removed"] += n_removed
    return found


def _batch(row: Batch, vault: Vault, counts: Mapping[str, int]) -> KeptBatch:
    return KeptBatch(
        id=row.id,
        name=vault.open(row.name),
        owner=row.owner,
        created_at=row.created_at,
        state=BatchState(row.state),
        model=row.model,
        image_type=row.image_type,
        share_to_read=row.share_to_read,
        is_demo=row.is_demo,
        n_photos=sum(counts.get(state.value, 0) for state in ItemState),
        n_open=counts.get(ItemState.WAITING.value, 0),
        n_failed=counts.get(ItemState.FAILED.value, 0),
        n_removed=counts.get("removed", 0),
        n_open_at_start=row.n_open_at_start,
    )


def move(session: Session, batch_id: str, *, to: BatchState, of: Collection[BatchState]) -> bool:
    """Set a batch's state where it is one of ``of`` now; returns whether it was."""
    found = session.execute(
        update(Batch).where(Batch.id == batch_id, Batch.state.in_([state.value for state in of])).values(state=to.value)
    )
    return _n_rows(found) == 1


def note_start(session: Session, batch: KeptBatch, first: Sequence[str]) -> None:
    """Note that a process begins with these photos; where the last one ended without one photo less, blame them."""
    if batch.n_open == batch.n_open_at_start:
        session.execute(update(BatchItem).where(BatchItem.id.in_(first)).values(n_vain=BatchItem.n_vain + 1))
    session.execute(update(Batch).where(Batch.id == batch.id).values(n_open_at_start=batch.n_open))


def forget_start(session: Session, batch_id: str) -> None:
    """Note that a process left a batch in good order: nothing is to blame."""
    session.execute(update(Batch).where(Batch.id == batch_id).values(n_open_at_start=None))


def waiting_items(session: Session, vault: Vault, batch_id: str) -> tuple[WaitingItem, ...]:
    """Return what is not looked at yet, in order."""
    query = select(BatchItem).where(BatchItem.batch_id == batch_id, BatchItem.state == ItemState.WAITING.value)
    return tuple(
        WaitingItem(
            id=row.id,
            lesion_id=row.lesion_id,
            position=row.position,
            file_name=vault.open(row.file_name),
            image_sha256=row.image_sha256,
            row=vault.open(row.row),
            n_vain=row.n_vain,
        )
        for row in session.scalars(query.order_by(BatchItem.position))
        if row.image_sha256 is not None
    )


def are_waiting(session: Session, item_ids: Sequence[str]) -> bool:
    """Whether all of these still wait, in a batch that still runs: nobody paused, stopped or removed it meanwhile."""
    query = (
        select(func.count())
        .select_from(BatchItem)
        .join(Batch, Batch.id == BatchItem.batch_id)
        .where(BatchItem.id.in_(item_ids), BatchItem.state == ItemState.WAITING.value)
        .where(Batch.state == BatchState.WAITING.value)
    )
    return session.scalar(query) == len(item_ids)


def finish_item(
    session: Session, item_id: str, *, screening_id: str, image_sha256: str | None, problem: str | None
) -> None:
    """Note that a photo is part of a kept screening, and under which hash it is kept."""
    values = {
        "state": ItemState.DONE.value,
        "screening_id": screening_id,
        "image_sha256": image_sha256,
        "problem": problem,
    }
    session.execute(update(BatchItem).where(BatchItem.id == item_id).values(values))


def fail_items(session: Session, item_ids: Sequence[str], *, problem: str) -> None:
    """Note why photos were not answered; their files are no longer needed."""
    for part in _parts(item_ids):
        values = {"state": ItemState.FAILED.value, "image_sha256": None, "problem": problem}
        session.execute(update(BatchItem).where(BatchItem.id.in_(part)).values(values))


def mark_sampled(session: Session, item_ids: Collection[str]) -> None:
    """Flag what was drawn by lot."""
    for part in _parts(list(item_ids)):
        session.execute(update(BatchItem).where(BatchItem.id.in_(part)).values(is_sampled=True))


def take_off(session: Session, batch_id: str, item_ids: Sequence[str], *, at: datetime | None) -> int:
    """Take photos off a list, or put them back (``at`` None); returns how many."""
    n = 0
    for part in _parts(item_ids):
        query = update(BatchItem).where(BatchItem.batch_id == batch_id, BatchItem.id.in_(part))
        n += _n_rows(session.execute(query.values(removed_at=at)))
    return n


def remove_batch(session: Session, batch_id: str) -> None:
    """Remove a list; what was kept of its people stays."""
    session.execute(delete(Batch).where(Batch.id == batch_id))


def images_of_batch(session: Session, batch_id: str) -> tuple[str, ...]:
    """Return the SHA-256 of the image files that a batch names."""
    query = select(BatchItem.image_sha256).where(BatchItem.batch_id == batch_id, BatchItem.image_sha256.is_not(None))
    return tuple(sha256 for sha256 in session.scalars(query.distinct()) if sha256 is not None)


def listed_items(session: Session, vault: Vault, batch_id: str) -> tuple[ListedItem, ...]:
    """Return the photos of a list that were not taken off it, in order."""
    rows = session.execute(_listed_query(batch_id))
    return tuple(
        ListedItem(
            id=item.id,
            lesion_id=item.lesion_id,
            position=item.position,
            file_name=vault.open(item.file_name),
            image_sha256=item.image_sha256,
            row=vault.open(item.row),
            problem=item.problem,
            state=ItemState(item.state),
            is_sampled=item.is_sampled,
            screening_id=item.screening_id,
            status=status,
            next_step=step,
            predicted=predicted,
            p_malignant=p_malignant,
            threshold=threshold,
            image_type=image_type,
            is_read=bool(is_read),
            pseudonym=pseudonym,
        )
        for item, status, step, predicted, p_malignant, threshold, image_type, is_read, pseudonym in rows
    )


def _listed_query(batch_id: str) -> Select[*tuple[Any, ...]]:
    is_read = exists().where(Review.screening_id == BatchItem.screening_id)
    return (
        select(
            BatchItem,
            Screening.status,
            Screening.next_step,
            Screening.predicted,
            Screening.p_malignant,
            Screening.threshold,
            Screening.image_type,
            is_read,
            Person.pseudonym,
        )
        .join(Lesion, Lesion.id == BatchItem.lesion_id)
        .join(Person, Person.id == Lesion.person_id)
        .outerjoin(Screening, Screening.id == BatchItem.screening_id)
        .where(BatchItem.batch_id == batch_id, BatchItem.removed_at.is_(None))
        .order_by(BatchItem.position)
    )


def calm_items(session: Session, batch_id: str, *, steps: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return (item, screening) of what a batch answered with one of these steps, in order."""
    query = (
        select(BatchItem.id, BatchItem.screening_id)
        .join(Screening, Screening.id == BatchItem.screening_id)
        .where(BatchItem.batch_id == batch_id, Screening.next_step.in_(steps))
    )
    return tuple((item, str(screening)) for item, screening in session.execute(query.order_by(BatchItem.position)))


def records_of(session: Session, vault: Vault, screening_ids: Sequence[str]) -> dict[str, str]:
    """Return the whole answers, as JSON, of some screenings."""
    found: dict[str, str] = {}
    for part in _parts(screening_ids):
        rows = session.execute(select(Screening.id, Screening.record).where(Screening.id.in_(part)))
        found |= {screening_id: vault.open(record) for screening_id, record in rows}
    return found


def change_mark(session: Session, batch_id: str) -> tuple[int, ...]:
    """Return a few numbers that change with anything that ``listed_items`` shows: whoever has the list need not ask again."""
    items = select(
        func.count(),
        func.count(BatchItem.screening_id),
        func.count(BatchItem.removed_at),
        func.count(BatchItem.problem),
    ).where(BatchItem.batch_id == batch_id)
    sampled = select(func.count()).where(BatchItem.batch_id == batch_id, BatchItem.is_sampled)
    reviews = (
        select(func.count())
        .select_from(Review)
        .join(BatchItem, BatchItem.screening_id == Review.screening_id)
        .where(BatchItem.batch_id == batch_id)
    )
    return (*session.execute(items).one(), session.scalar(sampled) or 0, session.scalar(reviews) or 0)


def _parts(values: Sequence[str]) -> list[Sequence[str]]:
    return [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]


def _n_rows(result: object) -> int:
    assert isinstance(result, CursorResult), "an UPDATE says how many rows it changed"
    return result.rowcount
