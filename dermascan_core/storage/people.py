"""People and what they agreed to. Pseudonyms are made here; names, where given, are sealed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, exists, false, func, select
from sqlalchemy.orm import Session

from .kept import KeptConsent, KeptPerson
from .schema import Consent, Person, is_id, new_id
from .vault import Vault

# None of these is taken for another. They are 31, a prime: so the last one tells every mistyped sign and every two swapped.
_SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_N_CHOSEN = 5


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some people of a longer list, and how many the whole list has."""

    people: tuple[KeptPerson, ...]
    n_people: int


@dataclass(frozen=True, slots=True)
class NewConsent:
    """What somebody agreed to, about to be kept."""

    text_version: str
    keep_until: datetime
    allows_training: bool


def new_pseudonym() -> str:
    """Return a random pseudonym such as ``P-7K3F-23``; its last sign checks the others."""
    return _written("".join(secrets.choice(_SIGNS) for _ in range(_N_CHOSEN)))


def read_pseudonym(text: str) -> str | None:
    """Return a typed pseudonym as it is written here; None where it is none, or one sign is wrong or two are swapped.

    >>> read_pseudonym("p 7k3f23"), read_pseudonym("P-7K3F-24")
    ('P-7K3F-23', None)
    """
    signs = text.upper().replace("-", "").replace(" ", "")
    signs = signs[1:] if len(signs) == _N_CHOSEN + 2 and signs[0] == "P" else signs
    if len(signs) != _N_CHOSEN + 1 or not set(signs) <= set(_SIGNS):
        return None
    pseudonym = _written(signs[:-1])
    return pseudonym if pseudonym[-1] == signs[-1] else None


def _written(chosen: str) -> str:
    check = sum(weight * _SIGNS.index(sign) for weight, sign in enumerate(chosen, start=1)) % len(_SIGNS)
    signs = chosen + _SIGNS[check]
    return f"P-{signs[:4]}-{signs[4:]}"


def add_person(
    session: Session,
    vault: Vault,
    *,
    name: str | None,
    birth_year: int | None,
    sex: str | None,
    is_demo: bool,
    created_by: str,
    now: datetime,
) -> KeptPerson:
    """Add somebody under a pseudonym that nobody has yet."""
    pseudonym = new_pseudonym()
    while session.scalar(select(exists().where(Person.pseudonym == pseudonym))):
        pseudonym = new_pseudonym()
    row = Person(
        id=new_id(),
        pseudonym=pseudonym,
        name=None if name is None else vault.seal(name),
        birth_year=birth_year,
        sex=sex,
        created_at=now,
        created_by=created_by,
        is_demo=is_demo,
    )
    session.add(row)
    session.flush()
    return _person(row, vault)


def add_people(
    session: Session,
    vault: Vault,
    names: Sequence[str | None],
    *,
    consent: NewConsent,
    sexes: Sequence[str | None],
    is_demo: bool,
    created_by: str,
    now: datetime,
) -> tuple[str, ...]:
    """Add many at once, each with the same consent; returns their ids in order. Thousands take about a second."""
    taken = set(session.scalars(select(Person.pseudonym)))
    rows = []
    for name, sex in zip(names, sexes, strict=True):
        while (pseudonym := new_pseudonym()) in taken:
            continue
        taken.add(pseudonym)
        sealed = None if name is None else vault.seal(name)
        rows.append(
            Person(
                id=new_id(),
                pseudonym=pseudonym,
                name=sealed,
                birth_year=None,
                sex=sex,
                created_at=now,
                created_by=created_by,
                is_demo=is_demo,
            )
        )
    session.add_all(rows)
    session.flush()
    session.add_all(Consent(id=new_id(), person_id=row.id, given_at=now, **_consent_values(consent)) for row in rows)
    session.flush()
    return tuple(row.id for row in rows)


def _consent_values(consent: NewConsent) -> dict[str, object]:
    return {
        "text_version": consent.text_version,
        "keep_until": consent.keep_until,
        "allows_training": consent.allows_training,
        "withdrawn_at": None,
    }


def find_person(session: Session, vault: Vault, person: str) -> KeptPerson | None:
    """Return somebody by id or pseudonym, as typed; None where there is nobody."""
    wanted = Person.id == person if is_id(person) else Person.pseudonym == (read_pseudonym(person) or "")
    row = session.scalar(select(Person).where(wanted))
    return None if row is None else _person(row, vault)


def list_people(
    session: Session, vault: Vault, *, search: str = "", is_demo: bool | None = None, offset: int = 0, limit: int = 50
) -> PeoplePage:
    """Return people, the last added first.

    Args:
        session, vault: To read and to open names with.
        search: A part of the pseudonym, as typed, with or without its hyphens. Empty finds everybody.
        is_demo: Only made-up people, or only others; None for all.
        offset, limit: Which part of the list.
    """
    query = select(Person)
    if search.strip():
        query = query.where(pseudonym_holds(search))
    if is_demo is not None:
        query = query.where(Person.is_demo == is_demo)
    n_people = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    rows = session.scalars(query.order_by(Person.created_at.desc(), Person.pseudonym).offset(offset).limit(limit))
    return PeoplePage(tuple(_person(row, vault) for row in rows), n_people)


def pseudonym_holds(search: str) -> ColumnElement[bool]:
    """Return the condition that a pseudonym holds what was typed, with or without its hyphens."""
    signs = search.upper().replace("-", "").replace(" ", "")
    if not signs or not signs.isascii() or not signs.isalnum():
        return false()  # no pseudonym holds anything else, and some texts no database takes
    return func.replace(Person.pseudonym, "-", "").contains(signs, autoescape=True)


def remove_person(session: Session, person_id: str) -> None:
    """Remove somebody with everything that hangs on them: consents, lesions, photos, screenings, reviews, outcomes."""
    session.execute(delete(Person).where(Person.id == person_id))


def add_consent(
    session: Session, *, person_id: str, text_version: str, keep_until: datetime, allows_training: bool, now: datetime
) -> KeptConsent:
    """Keep what somebody agreed to."""
    row = Consent(
        id=new_id(),
        person_id=person_id,
        text_version=text_version,
        given_at=now,
        keep_until=keep_until,
        allows_training=allows_training,
        withdrawn_at=None,
    )
    session.add(row)
    session.flush()
    return _consent(row)


def consents_of(session: Session, person_id: str) -> tuple[KeptConsent, ...]:
    """Return what somebody agreed to, the earliest first, with what they withdrew."""
    query = select(Consent).where(Consent.person_id == person_id).order_by(Consent.given_at, Consent.id)
    return tuple(_consent(row) for row in session.scalars(query))


def withdraw_consents(session: Session, person_id: str, *, now: datetime) -> int:
    """Withdraw whatever somebody agreed to; returns how many consents that were still standing."""
    standing = select(Consent).where(Consent.person_id == person_id, Consent.withdrawn_at.is_(None))
    rows = session.scalars(standing).all()
    for row in rows:
        row.withdrawn_at = now
    session.flush()
    return len(rows)


def people_without_consent(session: Session, *, now: datetime) -> tuple[str, ...]:
    """Return the ids of those whose consents are all withdrawn or past their day."""
    in_force = exists().where(Consent.person_id == Person.id, Consent.withdrawn_at.is_(None), Consent.keep_until > now)
    return tuple(session.scalars(select(Person.id).where(~in_force).order_by(Person.id)))


def kept_until(session: Session, person_ids: Sequence[str], *, now: datetime) -> dict[str, datetime]:
    """Return person id -> the last day of their consents in force; nothing for who has none."""
    query = select(Consent.person_id, func.max(Consent.keep_until)).group_by(Consent.person_id)
    standing = query.where(Consent.person_id.in_(person_ids), Consent.withdrawn_at.is_(None), Consent.keep_until > now)
    return {person_id: day for person_id, day in session.execute(standing)}  # noqa: C416  # rows are no pairs to dict()


def _person(row: Person, vault: Vault) -> KeptPerson:
    return KeptPerson(
        id=row.id,
        pseudonym=row.pseudonym,
        name=None if row.name is None else vault.open(row.name),
        birth_year=row.birth_year,
        sex=row.sex,
        created_at=row.created_at,
        created_by=row.created_by,
        is_demo=row.is_demo,
    )


def _consent(row: Consent) -> KeptConsent:
    return KeptConsent(
        id=row.id,
        person_id=row.person_id,
        text_version=row.text_version,
        given_at=row.given_at,
        keep_until=row.keep_until,
        allows_training=row.allows_training,
        withdrawn_at=row.withdrawn_at,
    )
