"""The tables. Free text, file names and whole records are sealed (``vault.py``); what is sorted, counted or joined is not.

Every id is 32 random hex digits, so that nobody finds a case by counting; the audit trail alone is numbered.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_NAMES = {  # the same names on SQLite and PostgreSQL, so that a migration can say which one it changes
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A time with its zone: UTC in the database, and UTC when read back (SQLite alone would lose the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is not None and value.tzinfo is None:
            msg = f"Expected a time with its zone. Received {value!r} without one. Use datetime.now(UTC)."
            raise ValueError(msg)
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables share."""

    metadata = MetaData(naming_convention=_NAMES)
    type_annotation_map = {datetime: UtcDateTime(), dict[str, Any]: JSON(), bytes: LargeBinary(), str: String()}  # noqa: RUF012


def new_id() -> str:
    """Return 32 random hex digits."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Whether a text, perhaps out of an address, can be the id of a row; some texts no database takes."""
    return len(text) == 32 and set(text) <= set("0123456789abcdef")


def _id() -> Mapped[str]:
    return mapped_column(String(32), primary_key=True, default=new_id)


def _entry() -> Mapped[int]:
    """The audit entry that recorded this row: what came first is known by it, whatever the clock said."""
    return mapped_column(index=True)


def _link(target: str, *, index: bool = True, nullable: bool = False) -> Mapped[Any]:
    """A row goes with the row that it belongs to: "delete everything about me" deletes one person and leaves nothing."""
    return mapped_column(String(32), ForeignKey(target, ondelete="CASCADE"), index=index, nullable=nullable)


class Account(Base):
    """Somebody who may log in. ``role`` is clinician or admin; ``subject`` names the account of an OIDC provider."""

    __tablename__ = "accounts"
    id: Mapped[str] = _id()
    login: Mapped[str] = mapped_column(String(120), unique=True)
    role: Mapped[str] = mapped_column(String(20))
    password_hash: Mapped[str | None]  # argon2id; None where a provider alone lets them in
    one_time_until: Mapped[datetime | None]  # set where the password must be changed at its first use, and until when
    subject: Mapped[str | None] = mapped_column(String(255), unique=True)
    created_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class LoginAttempt(Base):
    """A failed login, by what was typed (hashed) and where it came from (hashed): what throttling counts."""

    __tablename__ = "login_attempts"
    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[datetime] = mapped_column(index=True)


class Login(Base):
    """A session: its token is known to the browser, and here by its SHA-256 alone."""

    __tablename__ = "logins"
    id: Mapped[str] = _id()
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    account_id: Mapped[str] = _link("accounts.id")
    browser: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(20))  # logged_out, idle, too_long, clock, replaced, stolen


class Person(Base):
    """Somebody whose skin is looked at, under a pseudonym; the name, where one was given, is sealed."""

    __tablename__ = "people"
    id: Mapped[str] = _id()
    pseudonym: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[bytes | None]  # sealed
    birth_year: Mapped[int | None]
    sex: Mapped[str | None] = mapped_column(String(10))
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(String(120))
    is_demo: Mapped[bool] = mapped_column(default=False, index=True)


class Consent(Base):
    """What a person agreed to, and until when it may be kept."""

    __tablename__ = "consents"
    id: Mapped[str] = _id()
    person_id: Mapped[str] = _link("people.id")
    text_version: Mapped[str] = mapped_column(String(20))
    given_at: Mapped[datetime]
    keep_until: Mapped[datetime] = mapped_column(index=True)
    allows_training: Mapped[bool] = mapped_column(default=False)
    withdrawn_at: Mapped[datetime | None]


class Lesion(Base):
    """One spot of one person."""

    __tablename__ = "lesions"
    id: Mapped[str] = _id()
    person_id: Mapped[str] = _link("people.id")
    label: Mapped[bytes | None]  # sealed: "left shoulder, above the scar"
    anatom_site: Mapped[str | None] = mapped_column(String(40))
    created_at: Mapped[datetime]


class Photo(Base):
    """A photo of a lesion; its pixels lie in the image store under ``image_sha256``."""

    __tablename__ = "photos"
    __table_args__ = (UniqueConstraint("lesion_id", "image_sha256"),)
    id: Mapped[str] = _id()
    lesion_id: Mapped[str] = _link("lesions.id")
    image_sha256: Mapped[str] = mapped_column(String(64), index=True)
    file_name: Mapped[bytes | None]  # sealed
    image_type: Mapped[str] = mapped_column(String(20))
    width_px: Mapped[int]
    height_px: Mapped[int]
    added_at: Mapped[datetime]


class Screening(Base):
    """What a model answered once, and never changed: a new answer is a new row (``replaces_id``)."""

    __tablename__ = "screenings"
    id: Mapped[str] = _id()
    lesion_id: Mapped[str] = _link("lesions.id")
    replaces_id: Mapped[str | None] = mapped_column(String(32), index=True)
    screened_at: Mapped[datetime] = mapped_column(index=True)
    model: Mapped[str] = mapped_column(String(80))
    model_sha256: Mapped[str] = mapped_column(String(64))
    engine: Mapped[str] = mapped_column(String(40))
    app_version: Mapped[str] = mapped_column(String(40))
    threshold: Mapped[float | None]
    gate_scores: Mapped[dict[str, Any]]  # name of a measure -> number
    image_type: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))  # answered, unsure, refused
    next_step: Mapped[str] = mapped_column(String(20), index=True)
    predicted: Mapped[str | None] = mapped_column(String(10))  # a HAM10000 code; None when refused
    p_malignant: Mapped[float | None]
    record: Mapped[bytes]  # sealed: the whole answer as JSON
    audit_number: Mapped[int] = _entry()


class ScreenedPhoto(Base):
    """Which photos a screening looked at, in their order, and the square that was looked at."""

    __tablename__ = "screened_photos"
    screening_id: Mapped[str] = mapped_column(ForeignKey("screenings.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    photo_id: Mapped[str] = _link("photos.id")
    crop: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class Review(Base):
    """One clinician's reading of one screening: their own opinion first, then what they made of the model's.

    Never changed once confirmed; a second thought is a new row with a higher ``version``.
    """

    __tablename__ = "reviews"
    __table_args__ = (UniqueConstraint("screening_id", "reviewer", "version"),)
    id: Mapped[str] = _id()
    screening_id: Mapped[str] = _link("screenings.id")
    reviewer: Mapped[str] = mapped_column(String(120))
    version: Mapped[int]
    own_dx: Mapped[str] = mapped_column(String(20))  # a HAM10000 code, or "unknown"
    own_step: Mapped[str] = mapped_column(String(20))
    own_at: Mapped[datetime]
    decision: Mapped[str] = mapped_column(String(20))  # agree, override
    final_dx: Mapped[str] = mapped_column(String(20))
    final_step: Mapped[str] = mapped_column(String(20))
    reason: Mapped[bytes | None]  # sealed
    confirmed_at: Mapped[datetime] = mapped_column(index=True)
    audit_number: Mapped[int] = _entry()


class Draft(Base):
    """A review not yet confirmed: what a time-out must not lose."""

    __tablename__ = "drafts"
    screening_id: Mapped[str] = mapped_column(ForeignKey("screenings.id", ondelete="CASCADE"), primary_key=True)
    reviewer: Mapped[str] = mapped_column(String(120), primary_key=True)
    saved_at: Mapped[datetime]
    content: Mapped[bytes]  # sealed JSON


class Comment(Base):
    """A remark on a lesion."""

    __tablename__ = "comments"
    id: Mapped[str] = _id()
    lesion_id: Mapped[str] = _link("lesions.id")
    author: Mapped[str] = mapped_column(String(120))
    text: Mapped[bytes]  # sealed
    at: Mapped[datetime]
    audit_number: Mapped[int] = _entry()


class Outcome(Base):
    """What a lesion turned out to be. A correction is a new row; the newest counts."""

    __tablename__ = "outcomes"
    id: Mapped[str] = _id()
    lesion_id: Mapped[str] = _link("lesions.id")
    dx: Mapped[str] = mapped_column(String(20))
    confirmed_by: Mapped[str] = mapped_column(String(60))  # the archive's words (diagnosis_confirm_type)
    found_at: Mapped[datetime]
    entered_at: Mapped[datetime] = mapped_column(index=True)
    entered_by: Mapped[str] = mapped_column(String(120))
    note: Mapped[bytes | None]  # sealed
    audit_number: Mapped[int] = _entry()


class Batch(Base):
    """Many photos screened in the background. ``state``: waiting, paused, done, stopped."""

    __tablename__ = "batches"
    id: Mapped[str] = _id()
    name: Mapped[bytes]  # sealed
    owner: Mapped[str] = mapped_column(String(120), index=True)
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(String(20))
    model: Mapped[str] = mapped_column(String(80))
    image_type: Mapped[str] = mapped_column(String(20))
    n_photos: Mapped[int]
    share_to_read: Mapped[float]  # of the calm ones, drawn by lot when it is done
    n_open_at_start: Mapped[int | None]  # photos left when a process last began with it
    audit_number: Mapped[int] = _entry()
    is_demo: Mapped[bool] = mapped_column(default=False, index=True)


class BatchItem(Base):
    """One photo of a batch. ``state``: waiting, done, failed."""

    __tablename__ = "batch_items"
    __table_args__ = (Index(None, "batch_id", "position", unique=True),)
    id: Mapped[str] = _id()
    batch_id: Mapped[str] = _link("batches.id", index=False)
    lesion_id: Mapped[str] = _link("lesions.id")
    position: Mapped[int]
    file_name: Mapped[bytes]  # sealed
    image_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    row: Mapped[bytes]  # sealed JSON: metadata as edited, lesion and person as given
    state: Mapped[str] = mapped_column(String(20), default="waiting")
    problem: Mapped[str | None]
    screening_id: Mapped[str | None] = _link("screenings.id", nullable=True)
    is_sampled: Mapped[bool] = mapped_column(default=False)  # drawn by lot from the calm ones, to be read all the same
    n_vain: Mapped[int] = mapped_column(
        default=0
    )  # how often a process ended while it came first, and nothing was done
    removed_at: Mapped[datetime | None]  # taken off the list; what was kept of the lesion stays


class ImageRemoval(Base):
    """An image file that nothing needs any more and that is still to be removed, should the program end in between."""

    __tablename__ = "image_removals"
    image_sha256: Mapped[str] = mapped_column(String(64), primary_key=True)


class AuditEntry(Base):
    """Who did what, when; each entry holds the hash of the one before. Rows are only ever added."""

    __tablename__ = "audit"
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 1, 2, 3 ... without a gap
    at: Mapped[datetime]
    actor: Mapped[str] = mapped_column(String(120))
    action: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(String(120))  # "lesion 3f2a..."; an id, never a name
    detail: Mapped[dict[str, Any]]
    previous_sha256: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64))
