"""What models answered: saved once, never changed, read back by lesion or in a list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, defer

from .kept import KeptScreening, NewScreening, ScreenedPhoto
from .people import pseudonym_holds
from .schema import Lesion, Person, Review, Screening, is_id
from .schema import ScreenedPhoto as ScreenedPhotoRow
from .vault import Vault

WITHDRAWN = "withdrawn"  # the decision of a reading's version that takes the one before back
_PLAIN = tuple(f.name for f in fields(NewScreening) if f.name not in ("record", "photos"))


@dataclass(frozen=True, slots=True)
class ListedScreening:
    """A line of a list of screenings: nothing sealed is opened for it. ``n_reviews`` counts confirmed readings."""

    screening_id: str
    lesion_id: str
    person_id: str
    pseudonym: str
    next_step: str
    status: str
    screened_at: datetime
    audit_number: int
    n_reviews: int


@dataclass(frozen=True, slots=True)
class ScreeningsPage:
    """Some screenings of a longer list, and how many the whole list has."""

    screenings: tuple[ListedScreening, ...]
    n_screenings: int


def save_screening(session: Session, vault: Vault, screening: NewScreening, *, audit_number: int) -> KeptScreening:
    """Keep a screening with its photos, which are kept already."""
    plain = {name: getattr(screening, name) for name in _PLAIN}
    row = Screening(
        **plain | {"gate_scores": dict(screening.gate_scores)},
        record=vault.seal(screening.record),
        audit_number=audit_number,
    )
    session.add(row)
    session.flush()
    session.add_all(
        ScreenedPhotoRow(
            screening_id=row.id,
            position=photo.position,
            photo_id=photo.photo_id,
            crop=None if photo.crop is None else dict(photo.crop),
        )
        for photo in screening.photos
    )
    session.flush()
    return _screening(row, vault, screening.photos)


def find_screening(session: Session, vault: Vault, screening_id: str) -> KeptScreening | None:
    """Return a screening by its id; None where there is none."""
    row = session.get(Screening, screening_id) if is_id(screening_id) else None
    return None if row is None else _screening(row, vault, _photos_of(session, [row.id])[row.id])


def screenings_of(session: Session, vault: Vault, lesion_ids: Sequence[str]) -> tuple[KeptScreening, ...]:
    """Return the screenings of some lesions, the first kept first."""
    query = select(Screening).where(Screening.lesion_id.in_(lesion_ids)).order_by(Screening.audit_number)
    rows = session.scalars(query).all()
    photos = _photos_of(session, [row.id for row in rows])
    return tuple(_screening(row, vault, photos[row.id]) for row in rows)


def list_screenings(
    session: Session,
    *,
    step_order: Sequence[str],
    steps: Sequence[str] = (),
    not_read_by: str | None = None,
    search: str = "",
    is_demo: bool | None = None,
    after: tuple[str, int] | None = None,
    offset: int = 0,
    limit: int = 50,
) -> ScreeningsPage:
    """Return screenings that no other one replaces, by urgency, and the first kept first among equals.

    Args:
        session: To read with.
        step_order: Every next step, the one to be read first first.
        steps: Only these next steps; all where empty.
        not_read_by: Only what this reviewer has not confirmed a reading of.
        search: A part of the person's pseudonym.
        is_demo: Only of made-up people, or only of others; None for all.
        after: Next step and audit number of a screening, listed or not: only what comes after its place; None for all.
        offset, limit: Which part of the list.
    """
    newer = aliased(Screening)
    n_reviews = select(func.count()).select_from(Review).where(_stands()).scalar_subquery()
    query = (
        select(Screening, Lesion.person_id, Person.pseudonym, n_reviews)
        .join(Lesion, Lesion.id == Screening.lesion_id)
        .join(Person, Person.id == Lesion.person_id)
        .options(defer(Screening.record))
        .where(~exists().where(newer.replaces_id == Screening.id))
    )
    if steps:
        query = query.where(Screening.next_step.in_(steps))
    if not_read_by is not None:
        query = query.where(~exists().where(_stands(), Review.reviewer == not_read_by))
    if search.strip():
        query = query.where(pseudonym_holds(search))
    if is_demo is not None:
        query = query.where(Person.is_demo == is_demo)
    places = {step: place for place, step in enumerate(step_order)}
    rank = case(places, value=Screening.next_step, else_=len(step_order))
    if after is not None:
        place, number = places.get(after[0], len(step_order)), after[1]
        query = query.where(or_(rank > place, and_(rank == place, Screening.audit_number > number)))
    n_screenings = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.execute(query.order_by(rank, Screening.audit_number).offset(offset).limit(limit))
    return ScreeningsPage(tuple(_listed(*row) for row in rows), n_screenings)


def _stands() -> ColumnElement[bool]:
    """A screening's readings, each reviewer's newest version, those taken back left out."""
    later = aliased(Review)
    newer = exists().where(
        later.screening_id == Review.screening_id, later.reviewer == Review.reviewer, later.version > Review.version
    )
    return and_(Review.screening_id == Screening.id, Review.decision != WITHDRAWN, ~newer)


def _listed(row: Screening, person_id: str, pseudonym: str, n_reviews: int) -> ListedScreening:
    return ListedScreening(
        screening_id=row.id,
        lesion_id=row.lesion_id,
        person_id=person_id,
        pseudonym=pseudonym,
        next_step=row.next_step,
        status=row.status,
        screened_at=row.screened_at,
        audit_number=row.audit_number,
        n_reviews=n_reviews,
    )


def lesion_of_screening(session: Session, screening_id: str) -> str | None:
    """Return the id of the lesion that a screening is of; None where there is no such screening."""
    query = select(Screening.lesion_id).where(Screening.id == screening_id)
    return session.scalar(query) if is_id(screening_id) else None


def count_screenings(session: Session, lesion_ids: Sequence[str]) -> int:
    """Return how many screenings some lesions have."""
    return session.scalar(select(func.count()).where(Screening.lesion_id.in_(lesion_ids))) or 0


def _photos_of(session: Session, screening_ids: Sequence[str]) -> dict[str, tuple[ScreenedPhoto, ...]]:
    query = select(ScreenedPhotoRow).where(ScreenedPhotoRow.screening_id.in_(screening_ids))
    found: dict[str, tuple[ScreenedPhoto, ...]] = defaultdict(tuple)
    for row in session.scalars(query.order_by(ScreenedPhotoRow.screening_id, ScreenedPhotoRow.position)):
        found[row.screening_id] += (ScreenedPhoto(row.position, row.photo_id, row.crop),)
    return found


def _screening(row: Screening, vault: Vault, photos: tuple[ScreenedPhoto, ...]) -> KeptScreening:
    plain = {name: getattr(row, name) for name in _PLAIN}
    return KeptScreening(**plain, record=vault.open(row.record), photos=photos, audit_number=row.audit_number)
