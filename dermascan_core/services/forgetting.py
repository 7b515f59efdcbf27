"""Deletes: everything about one person, everybody whose consent ended, and files that nothing names.

Rows go first, in one transaction with a note of the image files to remove; the files go next. A kill in between forgets
none: the note is worked off when the records are opened again. The audit trail keeps that it happened, and no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from ..storage import lesions, people, screenings
from ..storage.images import Swept
from ..storage.kept import KeptPerson
from .records import Records, note, remove_images, require_person


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went with a person: their lesions, photos and screenings, and the image files that nobody else needs."""

    person: KeptPerson
    n_lesions: int
    n_photos: int
    n_screenings: int
    n_images: int


@dataclass(frozen=True, slots=True)
class Tidied:
    """What tidying found.

    Attributes:
        swept: What was removed.
        missing: SHA-256 of images that a row names and whose file is gone: a backup may have them.
    """

    swept: Swept
    missing: tuple[str, ...]


def delete_person(records: Records, person: str, *, actor: str, now: datetime) -> Deleted:
    """Delete everything about somebody, by id or pseudonym: rows, drafts, and image files that nobody else needs.

    What an older backup holds of them is not reached.

    Raises:
        RecordError: There is nobody.
        StorageError: The database is busy or the disk does not allow it. Files that are left are removed next time.
    """
    with records.database.transaction() as session:
        deleted = _delete(session, records, require_person(session, records.vault, person), actor=actor, now=now)
    remove_images(records)
    records.database.wipe_deleted()
    return deleted


def list_expired(records: Records, *, now: datetime) -> tuple[KeptPerson, ...]:
    """Return everybody whose consents are all taken back or past their day."""
    with records.database.reading() as session:
        ids = people.people_without_consent(session, now=now)
        return tuple(require_person(session, records.vault, person_id) for person_id in ids)


def delete_expired(records: Records, *, actor: str, now: datetime) -> tuple[Deleted, ...]:
    """Delete everything about everybody whose consents are all taken back or past their day."""
    deleted = []
    for person in list_expired(records, now=now):
        with records.database.transaction() as session:
            if person.id in people.people_without_consent(session, now=now):  # they may just have agreed again
                deleted.append(_delete(session, records, person, actor=actor, now=now))
    if deleted:
        remove_images(records)
        records.database.wipe_deleted()
    return tuple(deleted)


def tidy(records: Records, *, now: datetime) -> Tidied:
    """Remove image files that nothing names, where older than an hour, and say which named ones are gone."""
    with records.database.transaction() as session:  # held meanwhile, so that no row comes to name one of them
        needed = lesions.needed_images(session)
        swept = records.images.sweep(needed, now=now)
    return Tidied(swept, tuple(sorted(sha256 for sha256 in needed if not records.images.has(sha256))))


def _delete(session: Session, records: Records, person: KeptPerson, *, actor: str, now: datetime) -> Deleted:
    their_lesions = [lesion.id for lesion in lesions.lesions_of(session, records.vault, person.id)]
    images = lesions.images_of_person(session, person.id)
    counts = {
        "lesions": len(their_lesions),
        "photos": lesions.count_photos(session, their_lesions),
        "screenings": screenings.count_screenings(session, their_lesions),
    }
    people.remove_person(session, person.id)
    unneeded = sorted(set(images) - lesions.needed_images(session, images))
    lesions.ask_for_removal(session, unneeded)
    note(session, actor, "person deleted", f"person {person.id}", now=now, **counts)
    return Deleted(
        person,
        n_lesions=counts["lesions"],
        n_photos=counts["photos"],
        n_screenings=counts["screenings"],
        n_images=len(unneeded),
    )
