"""What clinicians made of screenings: confirmed readings, drafts, remarks, and what lesions turned out to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, aliased

from .kept import Draft, KeptComment, KeptOutcome, KeptReview, NewReview
from .schema import Comment, Outcome, Review, is_id, new_id
from .schema import Draft as DraftRow
from .vault import Vault

_PLAIN = tuple(f.name for f in fields(NewReview) if f.name != "reason")


@dataclass(frozen=True, slots=True)
class TwoReadings:
    """Two clinicians' own opinions of one screening, each from before they saw the model's answer."""

    screening_id: str
    reviewers: tuple[str, str]
    dxs: tuple[str, str]
    steps: tuple[str, str]


def add_review(session: Session, vault: Vault, review: NewReview, *, audit_number: int, now: datetime) -> KeptReview:
    """Keep a reading as the reviewer's next version, and drop their draft of it."""
    mine = (Review.screening_id == review.screening_id, Review.reviewer == review.reviewer)
    row = Review(
        id=new_id(),
        **{name: getattr(review, name) for name in _PLAIN},
        reason=None if review.reason is None else vault.seal(review.reason),
        version=1 + (session.scalar(select(func.max(Review.version)).where(*mine)) or 0),
        confirmed_at=now,
        audit_number=audit_number,
    )
    session.add(row)
    session.flush()
    drop_draft(session, screening_id=review.screening_id, reviewer=review.reviewer)
    return _review(row, vault)


def reviews_of(session: Session, vault: Vault, screening_ids: Sequence[str]) -> tuple[KeptReview, ...]:
    """Return the readings of some screenings, every version, the first confirmed first."""
    query = select(Review).where(Review.screening_id.in_(screening_ids)).order_by(Review.audit_number)
    return tuple(_review(row, vault) for row in session.scalars(query))


def two_readings(session: Session) -> tuple[TwoReadings, ...]:
    """Return every pair of reviewers that read the same screening, by their first version each."""
    one, other = aliased(Review), aliased(Review)
    query = (
        select(one, other)
        .join(other, one.screening_id == other.screening_id)
        .where(one.reviewer < other.reviewer, one.version == 1, other.version == 1)
        .order_by(one.audit_number, other.audit_number)
    )
    return tuple(
        TwoReadings(a.screening_id, (a.reviewer, b.reviewer), (a.own_dx, b.own_dx), (a.own_step, b.own_step))
        for a, b in session.execute(query)
    )


def save_draft(
    session: Session, vault: Vault, *, screening_id: str, reviewer: str, content: str, now: datetime
) -> None:
    """Keep what a reviewer has so far, in place of what they had."""
    row = DraftRow(screening_id=screening_id, reviewer=reviewer, saved_at=now, content=vault.seal(content))
    session.merge(row)
    session.flush()


def find_draft(session: Session, vault: Vault, *, screening_id: str, reviewer: str) -> Draft | None:
    """Return a reviewer's draft; None where there is none."""
    row = session.get(DraftRow, (screening_id, reviewer)) if is_id(screening_id) else None
    return None if row is None else _draft(row, vault)


def drafts_of(session: Session, vault: Vault, screening_ids: Sequence[str]) -> tuple[Draft, ...]:
    """Return everybody's drafts of some screenings, the first saved first."""
    query = select(DraftRow).where(DraftRow.screening_id.in_(screening_ids))
    return tuple(_draft(row, vault) for row in session.scalars(query.order_by(DraftRow.saved_at, DraftRow.reviewer)))


def drop_draft(session: Session, *, screening_id: str, reviewer: str) -> None:
    """Remove a reviewer's draft, where there is one."""
    session.execute(delete(DraftRow).where(DraftRow.screening_id == screening_id, DraftRow.reviewer == reviewer))


def add_comment(
    session: Session, vault: Vault, *, lesion_id: str, author: str, text: str, audit_number: int, now: datetime
) -> KeptComment:
    """Keep a remark on a lesion."""
    row = Comment(
        id=new_id(), lesion_id=lesion_id, author=author, text=vault.seal(text), at=now, audit_number=audit_number
    )
    session.add(row)
    session.flush()
    return _comment(row, vault)


def comments_of(session: Session, vault: Vault, lesion_ids: Sequence[str]) -> tuple[KeptComment, ...]:
    """Return the remarks on some lesions, the first made first."""
    query = select(Comment).where(Comment.lesion_id.in_(lesion_ids)).order_by(Comment.audit_number)
    return tuple(_comment(row, vault) for row in session.scalars(query))


def add_outcome(
    session: Session,
    vault: Vault,
    *,
    lesion_id: str,
    dx: str,
    confirmed_by: str,
    found_at: datetime,
    entered_by: str,
    note: str | None,
    audit_number: int,
    now: datetime,
) -> KeptOutcome:
    """Keep what a lesion turned out to be; what was kept of it before stays."""
    row = Outcome(
        id=new_id(),
        lesion_id=lesion_id,
        dx=dx,
        confirmed_by=confirmed_by,
        found_at=found_at,
        entered_at=now,
        entered_by=entered_by,
        note=None if note is None else vault.seal(note),
        audit_number=audit_number,
    )
    session.add(row)
    session.flush()
    return _outcome(row, vault)


def outcomes_of(session: Session, vault: Vault, lesion_ids: Sequence[str]) -> tuple[KeptOutcome, ...]:
    """Return what some lesions turned out to be, the first entered first: the last of a lesion counts."""
    query = select(Outcome).where(Outcome.lesion_id.in_(lesion_ids)).order_by(Outcome.audit_number)
    return tuple(_outcome(row, vault) for row in session.scalars(query))


def _review(row: Review, vault: Vault) -> KeptReview:
    return KeptReview(
        **{name: getattr(row, name) for name in _PLAIN},
        reason=None if row.reason is None else vault.open(row.reason),
        id=row.id,
        version=row.version,
        confirmed_at=row.confirmed_at,
        audit_number=row.audit_number,
    )


def _draft(row: DraftRow, vault: Vault) -> Draft:
    return Draft(row.screening_id, row.reviewer, row.saved_at, vault.open(row.content))


def _comment(row: Comment, vault: Vault) -> KeptComment:
    return KeptComment(row.id, row.lesion_id, row.author, vault.open(row.text), row.at, row.audit_number)


def _outcome(row: Outcome, vault: Vault) -> KeptOutcome:
    note = None if row.note is None else vault.open(row.note)
    return KeptOutcome(
        id=row.id,
        lesion_id=row.lesion_id,
        dx=row.dx,
        confirmed_by=row.confirmed_by,
        found_at=row.found_at,
        entered_at=row.entered_at,
        entered_by=row.entered_by,
        note=note,
        audit_number=row.audit_number,
    )
