"""Lesions, their photos, and which image files anything still needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from .kept import KeptLesion, KeptPhoto
from .schema import BatchItem, ImageRemoval, Lesion, Photo, is_id, new_id
from .vault import Vault

_AT_ONCE = 500  # SQLite takes some thousands of values in one statement, PostgreSQL 65,535


def add_lesion(
    session: Session, vault: Vault, *, person_id: str, label: str | None, anatom_site: str | None, now: datetime
) -> KeptLesion:
    """Add a spot of somebody."""
    row = Lesion(
        id=new_id(),
        person_id=person_id,
        label=None if label is None else vault.seal(label),
        anatom_site=anatom_site,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return _lesion(row, vault)


def add_lesions(
    session: Session, vault: Vault, lesions: Sequence[tuple[str, str | None, str | None]], *, now: datetime
) -> tuple[str, ...]:
    """Add many at once, each as (person's id, label, site); returns their ids in order."""
    rows = [
        Lesion(
            id=new_id(),
            person_id=person_id,
            label=None if label is None else vault.seal(label),
            anatom_site=site,
            created_at=now,
        )
        for person_id, label, site in lesions
    ]
    session.add_all(rows)
    session.flush()
    return tuple(row.id for row in rows)


def find_lesion(session: Session, vault: Vault, lesion_id: str) -> KeptLesion | None:
    """Return a lesion by its id; None where there is none."""
    row = session.get(Lesion, lesion_id) if is_id(lesion_id) else None
    return None if row is None else _lesion(row, vault)


def lesions_of(session: Session, vault: Vault, person_id: str) -> tuple[KeptLesion, ...]:
    """Return somebody's lesions, the first added first."""
    query = select(Lesion).where(Lesion.person_id == person_id).order_by(Lesion.created_at, Lesion.id)
    return tuple(_lesion(row, vault) for row in session.scalars(query))


def keep_photo(
    session: Session,
    vault: Vault,
    *,
    lesion_id: str,
    image_sha256: str,
    file_name: str | None,
    image_type: str,
    width_px: int,
    height_px: int,
    now: datetime,
) -> KeptPhoto:
    """Return the lesion's photo of these bytes; added where it is new."""
    row = session.scalar(select(Photo).where(Photo.lesion_id == lesion_id, Photo.image_sha256 == image_sha256))
    if row is None:
        row = Photo(
            id=new_id(),
            lesion_id=lesion_id,
            image_sha256=image_sha256,
            file_name=None if file_name is None else vault.seal(file_name),
            image_type=image_type,
            width_px=width_px,
            height_px=height_px,
            added_at=now,
        )
        session.add(row)
        session.execute(delete(ImageRemoval).where(ImageRemoval.image_sha256 == image_sha256))
        session.flush()
    return _photo(row, vault)


def photos_of(session: Session, vault: Vault, lesion_ids: Sequence[str]) -> tuple[KeptPhoto, ...]:
    """Return the photos of some lesions, the first added first."""
    query = select(Photo).where(Photo.lesion_id.in_(lesion_ids)).order_by(Photo.added_at, Photo.id)
    return tuple(_photo(row, vault) for row in session.scalars(query))


def count_photos(session: Session, lesion_ids: Sequence[str]) -> int:
    """Return how many photos some lesions have."""
    return session.scalar(select(func.count()).where(Photo.lesion_id.in_(lesion_ids))) or 0


def images_of_person(session: Session, person_id: str) -> tuple[str, ...]:
    """Return the SHA-256 of every image that somebody's photos are kept as, or that waits in a batch."""
    kept = select(Photo.image_sha256).join(Lesion).where(Lesion.person_id == person_id)
    waiting = select(BatchItem.image_sha256).join(Lesion).where(Lesion.person_id == person_id)
    found = {*session.scalars(kept), *session.scalars(waiting)}
    return tuple(sorted(sha256 for sha256 in found if sha256 is not None))


def needed_images(session: Session, among: Iterable[str] | None = None) -> set[str]:
    """Return the SHA-256 of every image that a photo or a batch needs; only those of ``among`` where given."""
    if among is None:
        return _needed(session)
    wanted = list(among)
    parts = [wanted[start : start + _AT_ONCE] for start in range(0, len(wanted), _AT_ONCE)]
    return set().union(*(_needed(session, part) for part in parts))


def _needed(session: Session, among: list[str] | None = None) -> set[str]:
    found: set[str] = set()
    for column in (Photo.image_sha256, BatchItem.image_sha256):
        query = select(column).where(column.is_not(None))
        found |= set(session.scalars(query if among is None else query.where(column.in_(among))))
    return found


def ask_for_removal(session: Session, images: Iterable[str]) -> None:
    """Note image files that nothing needs any more, before they are removed: a kill in between forgets none."""
    for image_sha256 in images:
        session.merge(ImageRemoval(image_sha256=image_sha256))
    session.flush()


def asked_removals(session: Session) -> tuple[str, ...]:
    """Return what ``ask_for_removal`` noted and ``removal_done`` has not struck out."""
    return tuple(session.scalars(select(ImageRemoval.image_sha256).order_by(ImageRemoval.image_sha256)))


def removal_done(session: Session, image_sha256: str) -> None:
    """Strike out an image file that is gone, or that is needed again."""
    session.execute(delete(ImageRemoval).where(ImageRemoval.image_sha256 == image_sha256))


def _lesion(row: Lesion, vault: Vault) -> KeptLesion:
    label = None if row.label is None else vault.open(row.label)
    return KeptLesion(row.id, row.person_id, label, row.anatom_site, row.created_at)


def _photo(row: Photo, vault: Vault) -> KeptPhoto:
    return KeptPhoto(
        id=row.id,
        lesion_id=row.lesion_id,
        image_sha256=row.image_sha256,
        file_name=None if row.file_name is None else vault.open(row.file_name),
        image_type=row.image_type,
        width_px=row.width_px,
        height_px=row.height_px,
        added_at=row.added_at,
    )
