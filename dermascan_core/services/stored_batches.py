"""Batches in the records: added with their photos, paused, resumed, stopped, removed. Who works them off: ``worklist_runner``.

Photos are sealed in the image store before the one transaction that names them: a kill leaves a whole batch or none, and
at most files that nothing names, which tidying removes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from ..domain import ImageType
from ..errors import AccessError, ArchiveError, PhotoError, RecordError
from ..storage import batches, lesions, people
from ..storage.batches import BatchState as BatchState
from ..storage.batches import KeptBatch as KeptBatch
from ..storage.batches import NewItem
from ..storage.kept import KeptPerson
from .arrivals import Arrival, take_in
from .batch_rows import row_to_json
from .photo_grid import LesionPlan
from .records import ConsentGiven, Records, check_consent, note, remove_images, short_text

MAX_STORED_PHOTOS = 10_000
MAX_BATCH_NAME_CHARACTERS = 80
_STOPPED = "The list was stopped before this photo was looked at. It was not assessed: that is no reassurance."


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """A batch about to be added.

    Attributes:
        name: What people call it.
        consent: On what ground it is kept, and until when; said once for all its people.
        model, image_type: What answers, and what took the photos unless a row says otherwise.
        share_to_read: Of the calm ones, in [0, 1], drawn by lot to be read all the same.
        is_demo: Made up.
    """

    name: str
    consent: ConsentGiven
    model: str
    image_type: ImageType
    share_to_read: float
    is_demo: bool = False


def add_batch(
    records: Records,
    plans: Sequence[LesionPlan],
    arrivals: Sequence[Arrival],
    *,
    order: BatchOrder,
    actor: str,
    now: datetime,
    on_progress: Callable[[int, int], None] = lambda n_done, n_photos: None,
) -> str:
    """Keep photos with what is known of them, to be screened in the background; returns the batch's id.

    A person's key that is a pseudonym of the records means that person; any other key makes a new person, whose sealed
    name it becomes. Photos without a person's key belong to somebody new each.

    Args:
        records: To keep it in.
        plans: Lesions, from ``group_by_lesion``.
        arrivals: All photos that came in.
        order: How to keep and to answer them.
        actor, now: Who adds it, and when.
        on_progress: Called after each photo with (photos stored, photos in all).

    Raises:
        ConsentError: The ground ends before it begins, or names a text that there is not.
        ArchiveError: There are no photos, or too many.
        StorageError: The disk is full, the key gone or the database busy; then no batch was added.
    """
    check_consent(order.consent, now=now)
    name = short_text(order.name, "a name for the list", MAX_BATCH_NAME_CHARACTERS) or f"List of {now:%Y-%m-%d %H:%M}"
    n_photos = sum(len(plan.photos) for plan in plans)
    if not 0 < n_photos <= MAX_STORED_PHOTOS:
        msg = f"Expected 1 to {MAX_STORED_PHOTOS:,} photos in a list. Received {n_photos:,}. Add photos, or send them in parts."
        raise ArchiveError(msg)
    stored = _store_photos(records, plans, arrivals, on_progress=lambda n_done: on_progress(n_done, n_photos))
    with records.database.transaction() as session:
        _put_missing(records, plans, arrivals, stored)
        lesion_ids, n_people = _add_lesions(session, records, plans, order=order, actor=actor, now=now)
        items = [
            NewItem(lesion_id, photo.name, sha256, row_to_json(photo, group=group), problem)
            for group, (plan, lesion_id) in enumerate(zip(plans, lesion_ids, strict=True))
            for photo, (sha256, problem) in zip(plan.photos, stored[group], strict=True)
        ]
        keep_until = f"{order.consent.keep_until:%Y-%m-%d}"
        detail = {"photos": n_photos, "lesions": len(plans), "new_people": n_people, "until": keep_until}
        # The trail holds no id of a batch here, for the batch's row holds the entry's number.
        number = note(session, actor, "list added", "list", now=now, ground=order.consent.text_version, **detail)
        return batches.add_batch(
            session,
            records.vault,
            items,
            name=name,
            owner=actor,
            model=order.model,
            image_type=order.image_type.value,
            share_to_read=order.share_to_read,
            is_demo=order.is_demo,
            audit_number=number,
            now=now,
        )


def _store_photos(
    records: Records, plans: Sequence[LesionPlan], arrivals: Sequence[Arrival], *, on_progress: Callable[[int], None]
) -> list[list[tuple[str | None, str | None]]]:
    """Seal each photo as it came; return its hash, or why it cannot be read. Its tags are left behind when it is screened."""
    stored: list[list[tuple[str | None, str | None]]] = []
    n_done = 0
    for plan in plans:
        found: list[tuple[str | None, str | None]] = []
        for photo in plan.photos:
            try:
                found.append((records.images.put(take_in(arrivals[photo.index]).data), None))
            except PhotoError as error:
                found.append((None, str(error)))
            n_done += 1
            on_progress(n_done)
        stored.append(found)
    return stored


def _put_missing(
    records: Records,
    plans: Sequence[LesionPlan],
    arrivals: Sequence[Arrival],
    stored: Sequence[Sequence[tuple[str | None, str | None]]],
) -> None:
    """Seal again what a deletion removed since: the same photo may have been somebody else's."""
    for plan, found in zip(plans, stored, strict=True):
        for photo, (sha256, _) in zip(plan.photos, found, strict=True):
            if sha256 is not None and not records.images.has(sha256):
                records.images.put(take_in(arrivals[photo.index]).data)


def _add_lesions(
    session: Session, records: Records, plans: Sequence[LesionPlan], *, order: BatchOrder, actor: str, now: datetime
) -> tuple[tuple[str, ...], int]:
    """Return the lesion of each plan, and how many people are new."""
    consent = people.NewConsent(order.consent.text_version, order.consent.keep_until, order.consent.allows_training)
    known = {
        key: person.id for key in {plan.person for plan in plans} if key and (person := _find(session, records, key))
    }
    for person_id in known.values():
        people.add_consent(
            session,
            person_id=person_id,
            text_version=consent.text_version,
            keep_until=consent.keep_until,
            allows_training=consent.allows_training,
            now=now,
        )
    # One new person for each key; one for each lesion without a key.
    new: dict[str, LesionPlan] = {}
    for index, plan in enumerate(plans):
        if plan.person not in known:
            new.setdefault(_own_key(index, plan), plan)
    ids = people.add_people(
        session,
        records.vault,
        [plan.person or None for plan in new.values()],
        consent=consent,
        sexes=[plan.photos[0].metadata.sex for plan in new.values()],
        is_demo=order.is_demo,
        created_by=actor,
        now=now,
    )
    person_of = known | dict(zip(new, ids, strict=True))
    wanted = [
        (
            person_of.get(plan.person) or person_of[_own_key(index, plan)],
            plan.lesion,
            plan.photos[0].metadata.anatom_site,
        )
        for index, plan in enumerate(plans)
    ]
    return _lesions_of(session, records, wanted, known=set(known.values()), now=now), len(new)


def _own_key(index: int, plan: LesionPlan) -> str:
    return plan.person or f"\x00{index}"  # no key of a person begins so


def _find(session: Session, records: Records, key: str) -> KeptPerson | None:
    return people.find_person(session, records.vault, key) if people.read_pseudonym(key) else None


def _lesions_of(
    session: Session,
    records: Records,
    wanted: Sequence[tuple[str, str, str | None]],
    *,
    known: set[str],
    now: datetime,
) -> tuple[str, ...]:
    """Return a lesion's id for each (person, label, site): one that the person has under that label, else a new one."""
    found: dict[tuple[str, str], str] = {}
    for person_id in known:
        for lesion in lesions.lesions_of(session, records.vault, person_id):
            if lesion.label:
                found.setdefault((person_id, lesion.label), lesion.id)
    # Photos of one lesion that were taken in two ways are two plans of one lesion.
    new = {
        _lesion_key(index, person_id, label): (person_id, label or None, site)
        for index, (person_id, label, site) in reversed(list(enumerate(wanted)))
        if (person_id, label) not in found
    }
    ids = dict(zip(new, lesions.add_lesions(session, records.vault, list(new.values()), now=now), strict=True))
    return tuple(
        found.get((person_id, label)) or ids[_lesion_key(index, person_id, label)]
        for index, (person_id, label, _) in enumerate(wanted)
    )


def _lesion_key(index: int, person_id: str, label: str) -> tuple[str, str]:
    return (person_id, label or f"\x00{index}")


def list_batches(records: Records) -> tuple[KeptBatch, ...]:
    """Return all batches, the last added first."""
    with records.database.reading() as session:
        return batches.list_batches(session, records.vault)


def find_batch(records: Records, batch_id: str) -> KeptBatch:
    """Return a batch.

    Raises:
        RecordError: There is none of that id, or not any more.
    """
    with records.database.reading() as session:
        return _require(session, records, batch_id)


def check_owner(batch: KeptBatch, actor: str, *, is_admin: bool) -> None:
    """Refuse to change somebody else's list; everybody who may see cases may read it.

    Raises:
        AccessError: Says whose it is.
    """
    if batch.owner != actor and not is_admin:
        msg = f"This list is '{batch.owner}''s: they alone, or an administrator, pause, stop or remove it. Ask them."
        raise AccessError(msg)


def pause(records: Records, batch_id: str, *, actor: str, now: datetime) -> None:
    """Let a batch wait; the photos that are being looked at are looked at again later."""
    _move(records, batch_id, to=BatchState.PAUSED, of=(BatchState.WAITING,), actor=actor, now=now, word="paused")


def resume(records: Records, batch_id: str, *, actor: str, now: datetime) -> None:
    """Let a paused batch go on."""
    _move(records, batch_id, to=BatchState.WAITING, of=(BatchState.PAUSED,), actor=actor, now=now, word="resumed")


def stop(records: Records, batch_id: str, *, actor: str, now: datetime) -> None:
    """End a batch: what was not looked at yet stands on the list as not assessed, and its files are removed."""
    of = (BatchState.WAITING, BatchState.PAUSED)
    _move(records, batch_id, to=BatchState.STOPPED, of=of, actor=actor, now=now, word="stopped")
    remove_images(records)


def _move(
    records: Records, batch_id: str, *, to: BatchState, of: Sequence[BatchState], actor: str, now: datetime, word: str
) -> None:
    with records.database.transaction() as session:
        _require(session, records, batch_id)
        if not batches.move(session, batch_id, to=to, of=of):
            return  # somebody else did so a moment ago, or it is done: the page shows how it stands
        note(session, actor, f"list {word}", f"list {batch_id}", now=now)
        if to is BatchState.STOPPED:
            waiting = batches.waiting_items(session, records.vault, batch_id)
            batches.fail_items(session, [item.id for item in waiting], problem=_STOPPED)
            lesions.ask_for_removal(session, {item.image_sha256 for item in waiting})


def remove_batch(records: Records, batch_id: str, *, actor: str, now: datetime) -> None:
    """Remove a list; the cases that it brought stay in the records until their day, or until somebody deletes them."""
    with records.database.transaction() as session:
        _require(session, records, batch_id)
        images = batches.images_of_batch(session, batch_id)
        batches.remove_batch(session, batch_id)
        lesions.ask_for_removal(session, set(images) - lesions.needed_images(session, images))
        note(session, actor, "list removed", f"list {batch_id}", now=now)
    remove_images(records)


def take_off(records: Records, batch_id: str, item_ids: Sequence[str], *, actor: str, now: datetime) -> None:
    """Take a lesion's photos off a list; ``put_back`` undoes it, and the case itself stays in the records."""
    with records.database.transaction() as session:
        _require(session, records, batch_id)
        n_items = batches.take_off(session, batch_id, item_ids, at=now)
        note(session, actor, "taken off the list", f"list {batch_id}", now=now, photos=n_items)


def put_back(records: Records, batch_id: str, item_ids: Sequence[str], *, actor: str, now: datetime) -> None:
    """Undo ``take_off``."""
    with records.database.transaction() as session:
        _require(session, records, batch_id)
        n_items = batches.take_off(session, batch_id, item_ids, at=None)
        note(session, actor, "put back on the list", f"list {batch_id}", now=now, photos=n_items)


def _require(session: Session, records: Records, batch_id: str) -> KeptBatch:
    found = batches.find_batch(session, records.vault, batch_id)
    if found is None:
        raise RecordError("There is no such list in the records. It may have been removed. Choose another.")
    return found
