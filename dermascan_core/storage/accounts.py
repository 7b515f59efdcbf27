"""Accounts: who may log in, and as what. They are disabled and never deleted, so that a name in a record stays one person."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ..errors import AccessError
from . import audit, schema
from .roles import ACCOUNT_ROLES, Role

MAX_LOGIN_CHARS = 64
MAX_SUBJECT_CHARS = 255
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._@-]{1,63}")
RESERVED = {"local", "public", "system"}  # what the audit trail calls those who have no account


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in.

    Attributes:
        id: 32 hex digits.
        login: Their name here; lower case.
        role: Clinician or admin.
        password_hash: argon2id; None where a provider alone lets them in.
        one_time_until: Set where the password must be changed at its first use, and until when it can be used.
        subject: Issuer and subject at an OIDC provider; None without one.
        created_at: When it was added.
        disabled_at: Since when they may not log in; None where they may.
    """

    id: str
    login: str
    role: Role
    password_hash: str | None
    one_time_until: datetime | None
    subject: str | None
    created_at: datetime
    disabled_at: datetime | None

    @property
    def is_enabled(self) -> bool:
        """Whether they may log in."""
        return self.disabled_at is None


def normalize_login(typed: str) -> str:
    """Return a login name as it is compared.

    >>> normalize_login("  Anna.Berg ")
    'anna.berg'
    """
    return unicodedata.normalize("NFKC", typed).strip().casefold()


def check_login(login: str) -> None:
    """Refuse what is no name of an account.

    Raises:
        AccessError: It has other signs than letters a to z, digits and ``. _ @ -``, or is one of ours.
    """
    if not _LOGIN.fullmatch(login) or login in RESERVED:
        msg = (
            f"Expected a name of 2 to {MAX_LOGIN_CHARS} letters a to z, digits and the signs . _ @ - that is not "
            f"{', '.join(sorted(RESERVED))}. Received {login[:80]!r}. Choose another one."
        )
        raise AccessError(msg)


def has_accounts(session: Session) -> bool:
    """Return whether anybody has an account, also a disabled one."""
    return session.scalar(select(schema.Account.id).limit(1)) is not None


def list_accounts(session: Session) -> list[Account]:
    """Return every account by name."""
    return [_plain(row) for row in session.scalars(select(schema.Account).order_by(schema.Account.login))]


def find_account(session: Session, *, login: str | None = None, subject: str | None = None) -> Account | None:
    """Return the account of a normalised login name, or of a provider's subject; None where there is none."""
    if subject is None:
        row = _find_row(session, login or "")
    else:
        row = session.scalar(select(schema.Account).where(schema.Account.subject == subject))
    return None if row is None else _plain(row)


def add_account(
    session: Session,
    *,
    login: str,
    role: Role,
    password_hash: str | None = None,
    one_time_until: datetime | None = None,
    subject: str | None = None,
    actor: str,
    now: datetime,
) -> Account:
    """Add an account; the first of all must be an admin's, for it ends the time without logins.

    Raises:
        AccessError: The name cannot be one or is taken, the subject belongs to another account, or the role is none.
    """
    check_login(login)
    if role not in ACCOUNT_ROLES:
        raise AccessError(f"Expected the role clinician or admin. Received '{role}'. Choose one of the two.")
    if find_account(session, login=login) is not None:
        raise AccessError(f"There is an account '{login}' already. Choose another name, or change that account.")
    if role is not Role.ADMIN and not has_accounts(session):
        raise AccessError("The first account must be an administrator's: nobody could add others otherwise.")
    _check_subject(session, subject)
    row = schema.Account(
        login=login,
        role=str(role),
        password_hash=password_hash,
        one_time_until=one_time_until,
        subject=subject,
        created_at=now,
    )
    session.add(row)
    session.flush()
    _note(session, row, "account added", actor, now, {"role": str(role), "by_provider": subject is not None})
    return _plain(row)


def set_role(session: Session, *, login: str, role: Role, actor: str, now: datetime) -> Account:
    """Change what somebody may do; holds from their next click on.

    Raises:
        AccessError: There is no such account, the role is none, or nobody could administer accounts any more.
    """
    row = _row(session, login)
    if role not in ACCOUNT_ROLES:
        raise AccessError(f"Expected the role clinician or admin. Received '{role}'. Choose one of the two.")
    if role is not Role.ADMIN:
        _keep_an_admin(session, row)
    before, row.role = row.role, str(role)
    _note(session, row, "role changed", actor, now, {"from": before, "to": str(role)})
    return _plain(row)


def set_disabled(session: Session, *, login: str, is_disabled: bool, actor: str, now: datetime) -> Account:
    """Shut somebody out, or let them in again; holds from their next click on.

    Raises:
        AccessError: There is no such account, or nobody could administer accounts any more.
    """
    row = _row(session, login)
    if is_disabled:
        _keep_an_admin(session, row)
    row.disabled_at = now if is_disabled else None
    _note(session, row, "account disabled" if is_disabled else "account enabled", actor, now, {})
    return _plain(row)


def set_password(
    session: Session, *, login: str, password_hash: str, one_time_until: datetime | None, actor: str, now: datetime
) -> Account:
    """Set a password, for good or for one use.

    Raises:
        AccessError: There is no such account.
    """
    row = _row(session, login)
    row.password_hash, row.one_time_until = password_hash, one_time_until
    _note(session, row, "password set", actor, now, {"for_one_use": one_time_until is not None})
    return _plain(row)


def renew_hash(session: Session, *, account_id: str, password_hash: str) -> None:
    """Keep the same password under newer parameters."""
    session.get_one(schema.Account, account_id).password_hash = password_hash


def link_subject(session: Session, *, login: str, subject: str | None, actor: str, now: datetime) -> Account:
    """Say which account of a provider is this one; None cuts the link.

    Raises:
        AccessError: There is no such account, or the subject belongs to another one.
    """
    row = _row(session, login)
    if subject != row.subject:
        _check_subject(session, subject)
    row.subject = subject
    _note(session, row, "provider linked" if subject else "provider unlinked", actor, now, {})
    return _plain(row)


def get_account(session: Session, account_id: str) -> Account:
    """Return an account by its id."""
    return _plain(session.get_one(schema.Account, account_id))


def _row(session: Session, login: str) -> schema.Account:
    row = _find_row(session, login)
    if row is None:
        raise AccessError(f"There is no account '{login[:80]}'. See: python -m dermascan_core accounts list")
    return row


def _find_row(session: Session, login: str) -> schema.Account | None:
    if not _LOGIN.fullmatch(login):
        return None  # no database is asked about a half sign or a NUL, which some cannot take
    return session.scalar(select(schema.Account).where(schema.Account.login == login))


def _keep_an_admin(session: Session, leaving: schema.Account) -> None:
    others = select(func.count()).where(
        schema.Account.role == str(Role.ADMIN), schema.Account.disabled_at.is_(None), schema.Account.id != leaving.id
    )
    if leaving.role == Role.ADMIN and not session.scalar(others):
        raise AccessError(f"'{leaving.login}' is the last administrator. Make somebody else one first.")


def _check_subject(session: Session, subject: str | None) -> None:
    if subject is None:
        return
    issuer, _, name = subject.partition(" ")
    if not issuer or not name or len(subject) > MAX_SUBJECT_CHARS or not subject.isprintable():
        msg = (
            "Expected the provider's issuer and subject with a space between, as in "
            f"'https://login.example.org 248289761001', at most {MAX_SUBJECT_CHARS} signs. Received something else. "
            "Copy the line that the login page shows to its owner."
        )
        raise AccessError(msg)
    if find_account(session, subject=subject) is not None:
        raise AccessError("That provider's account is linked to another account here. Unlink it there first.")


def _note(
    session: Session, row: schema.Account, action: str, actor: str, now: datetime, detail: Mapping[str, Any]
) -> None:
    session.flush()
    audit.record(session, actor=actor, action=action, subject=f"account {row.id}", detail=detail, now=now)


def _plain(row: schema.Account) -> Account:
    return Account(
        id=row.id,
        login=row.login,
        role=Role(row.role),
        password_hash=row.password_hash,
        one_time_until=row.one_time_until,
        subject=row.subject,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )
