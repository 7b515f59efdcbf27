"""Slows guessing down: each failed login of an account, or from an address, makes the next one wait longer."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from .schema import LoginAttempt

FREE_TRIES: Mapping[str, int] = {"account": 5, "address": 20}  # many people may share one address
LONGEST_WAIT = timedelta(minutes=15)
COUNTED_FOR = timedelta(hours=24)
_MAX_DOUBLINGS = 20


def begin_try(session: Session, *, login: str, address: str, now: datetime) -> int:
    """Count a try before its password is looked at, unless it comes too soon.

    Counting first lets a hundred tries at once see each other.

    Args:
        session: Of a transaction of its own, which ends before the password is hashed.
        login: As it was typed and normalised; whether there is such an account makes no difference.
        address: Of the network that it came from.
        now: The time.

    Returns:
        0 where the try was counted and may go on; else how many seconds it came too soon, at least 1.
    """
    _tidy(session, now)
    keys = _keys(login, address)
    wait = max(_wait(session, key, FREE_TRIES[kind], now) for kind, key in keys.items())
    if wait > timedelta():
        return math.ceil(wait.total_seconds())
    session.add_all(LoginAttempt(key=key, at=now) for key in keys.values())
    return 0


def forgive(session: Session, *, login: str, address: str) -> None:
    """Forget the tries of somebody who got in; at their address as many as were theirs, and no more."""
    keys = _keys(login, address)
    n_own = session.scalar(select(func.count()).where(LoginAttempt.key == keys["account"])) or 0
    newest = select(LoginAttempt.id).where(LoginAttempt.key == keys["address"]).order_by(LoginAttempt.id.desc())
    ids = session.scalars(newest.limit(n_own)).all()
    session.execute(delete(LoginAttempt).where(LoginAttempt.id.in_(ids)))
    forgive_account(session, login)


def forgive_account(session: Session, login: str) -> None:
    """Forget the tries at one account: its password was just set anew."""
    session.execute(delete(LoginAttempt).where(LoginAttempt.key == _keys(login, "")["account"]))


def _keys(login: str, address: str) -> dict[str, str]:
    # Hashed, for people type their password where the name belongs.
    return {
        kind: hashlib.sha256(f"{kind} {value}".encode("utf-8", "surrogatepass")).hexdigest()
        for kind, value in (("account", login), ("address", address))
    }


def _tidy(session: Session, now: datetime) -> None:
    session.execute(delete(LoginAttempt).where(LoginAttempt.at < now - COUNTED_FOR))
    # A clock that was set back must neither free anybody nor lock them out until it has caught up.
    session.execute(update(LoginAttempt).where(LoginAttempt.at > now).values(at=now))


def _wait(session: Session, key: str, n_free: int, now: datetime) -> timedelta:
    n_tries, last = session.execute(
        select(func.count(), func.max(LoginAttempt.at)).where(LoginAttempt.key == key)
    ).one()
    if n_tries < n_free:
        return timedelta()
    seconds = 2 ** min(n_tries - n_free, _MAX_DOUBLINGS)
    wait: timedelta = last + min(timedelta(seconds=seconds), LONGEST_WAIT) - now
    return wait
