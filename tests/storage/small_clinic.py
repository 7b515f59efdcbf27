"""Records of two people for the tests of keys, backups and restoring: rows of many tables, two photos, an audit trail."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from dermascan_core.storage import audit
from dermascan_core.storage.copying import count_rows
from dermascan_core.storage.opening import Storage, open_storage
from dermascan_core.storage.places import Places, read_places
from dermascan_core.storage.schema import (
    Account,
    Comment,
    Consent,
    Lesion,
    Login,
    LoginAttempt,
    Person,
    Photo,
    ScreenedPhoto,
    Screening,
)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def places_of(folder: Path, url: str, **more: str) -> Places:
    return read_places({"DERMASCAN_RECORDS": str(folder), "DERMASCAN_DATABASE_URL": url, **more})


def open_clinic(folder: Path, url: str, **more: str) -> Storage:
    return open_storage(places_of(folder, url, **more))


def fill(clinic: Storage, *, n_people: int = 2) -> None:
    """Add people 0, 1, ... each with a consent, a spot, a photo, a screening, a comment; somebody is logged in."""
    with clinic.database.transaction() as session:
        account = Account(login="anna", role="admin", password_hash="hash", created_at=AT)
        session.add(account)
        session.flush()
        session.add(Login(token_sha256="0" * 64, account_id=account.id, browser="b", started_at=AT, seen_at=AT))
        session.add(LoginAttempt(key="k", at=AT))
        for number in range(n_people):
            _add_person(clinic, session, number)


def _add_person(clinic: Storage, session: Session, number: int) -> None:
    seal = clinic.vault.seal
    person = Person(pseudonym=f"P-{number}", name=seal(f"Name {number}"), created_at=AT, created_by="anna")
    session.add(person)
    session.flush()
    entry = audit.record(session, actor="anna", action="added", subject=f"person {person.id}", detail={}, now=AT)
    session.add(Consent(person_id=person.id, text_version="1", given_at=AT, keep_until=AT + timedelta(days=365)))
    lesion = Lesion(person_id=person.id, label=seal("left shoulder"), created_at=AT)
    session.add(lesion)
    session.flush()
    sha256 = clinic.images.put(f"photo {number}".encode(), thumbnail=b"small")
    photo = Photo(lesion_id=lesion.id, image_sha256=sha256, image_type="clinical", width_px=9, height_px=9, added_at=AT)
    screening = Screening(
        lesion_id=lesion.id,
        screened_at=AT,
        model="m",
        model_sha256="0" * 64,
        engine="litert",
        app_version="0.1.0",
        gate_scores={"sharpness": 0.1 + number},
        image_type="clinical",
        status="answered",
        next_step="watch",
        p_malignant=1 / 3,
        record=seal('{"a": 1}'),
        audit_number=entry.number,
    )
    session.add_all([photo, screening])
    session.flush()
    session.add(ScreenedPhoto(screening_id=screening.id, position=0, photo_id=photo.id, crop={"x": 1}))
    session.add(Comment(lesion_id=lesion.id, author="anna", text=seal("<b>"), at=AT, audit_number=entry.number))


def contents_of(clinic: Storage) -> tuple[object, ...]:
    """What a person would find there: rows by table, opened names, photos, and whether the trail is whole."""
    with clinic.database.reading() as session:
        rows = count_rows(session.connection())
        names = sorted(clinic.vault.open(name) for name in session.scalars(select(Person.name)) if name)
        photos = [clinic.images.get(sha256) for sha256 in session.scalars(select(Photo.image_sha256))]
        is_intact = audit.verify(session).is_intact
    kept = {table: n for table, n in rows.items() if table not in ("logins", "login_attempts", "audit")}
    return kept, names, sorted(photos), is_intact
