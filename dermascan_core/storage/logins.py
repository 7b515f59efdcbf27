"""Sessions: begun by a login, known by a token that the browser alone holds, and ended by time, by hand or by suspicion."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from . import audit
from .accounts import Account, get_account
from .schema import Login, new_id

LONGEST = timedelta(hours=12)
KEPT_FOR = timedelta(days=30)
# Clicks are noted this far apart, so that reading a page does not write each time; the session is shorter by that much.
NOTED_EVERY = timedelta(seconds=15)
# Threads read the clock a little before or after one another; more than this is a clock that was set back.
SKEW = timedelta(seconds=5)


class Ended(StrEnum):
    """Why a token lets nobody in."""

    UNKNOWN = "unknown"
    LOGGED_OUT = "logged_out"
    IDLE = "idle"
    TOO_LONG = "too_long"
    CLOCK = "clock"
    REPLACED = "replaced"
    STOLEN = "stolen"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a browser shows at one click.

    Attributes:
        token: Said to be of a session.
        browser: Its mark.
        now: The time.
        idle: After how long without a click a session ends.
        is_by_hand: Whether somebody clicked; a page that renews itself keeps nobody logged in.
    """

    token: str
    browser: str
    now: datetime
    idle: timedelta
    is_by_hand: bool = True


@dataclass(frozen=True, slots=True)
class Standing:
    """A session that holds.

    Attributes:
        account: Whose, as it is now.
        login_id: Of the session.
        ends_at: When it ends unless something is clicked.
        longest_until: When it ends whatever is clicked.
    """

    account: Account
    login_id: str
    ends_at: datetime
    longest_until: datetime


def make_token() -> str:
    """Return 256 bits of chance, as text for a cookie."""
    return secrets.token_urlsafe(32)


def start_login(session: Session, *, account: Account, token: str, browser: str, way: str, now: datetime) -> None:
    """Begin a session.

    Args:
        session: Of the transaction that proved who it is.
        account: Whose.
        token: Never used before; its SHA-256 alone is stored.
        browser: Mark of the browser, which must show the same one each time.
        way: "password" or "provider".
        now: The time.
    """
    login_id = new_id()
    session.add(
        Login(
            id=login_id,
            token_sha256=_sha256(token),
            account_id=account.id,
            browser=browser,
            started_at=now,
            seen_at=now,
        )
    )
    session.execute(delete(Login).where(Login.started_at < now - KEPT_FOR))
    session.flush()
    audit.record(
        session,
        actor=account.login,
        action="logged in",
        subject=f"account {account.id}",
        detail={"login": login_id, "way": way},
        now=now,
    )


def resume_login(session: Session, shown: Shown) -> Standing | Ended:
    """Return whose session a token is, or why it is none.

    Notes the click, or that the session has come to its end: from then on it has ended for good.
    """
    row = _row(session, shown.token)
    if row is None:
        return Ended.UNKNOWN
    account = get_account(session, row.account_id)
    reason = _why_ended(row, account, shown)
    if reason is not None:
        _end(session, row, account, reason, shown.now)
    elif _is_worth_noting(row, shown):
        row.seen_at = shown.now
    return _standing(row, account, reason, shown)


def look_up_login(session: Session, shown: Shown) -> Standing | Ended | None:
    """Return the same where nothing has to be written for it, so that a click waits for nobody who writes; else None."""
    row = _row(session, shown.token)
    if row is None:
        return Ended.UNKNOWN
    account = get_account(session, row.account_id)
    reason = _why_ended(row, account, shown)
    has_to_write = _is_worth_noting(row, shown) if reason is None else row.ended_at is None
    return None if has_to_write else _standing(row, account, reason, shown)


def is_known(session: Session, token: str) -> bool:
    """Return whether a token ever began a session."""
    return _row(session, token) is not None


def end_login(session: Session, *, token: str, reason: Ended, now: datetime) -> None:
    """End a session by its token; one that is none, or has ended, stays as it is."""
    row = _row(session, token)
    if row is not None:
        _end(session, row, get_account(session, row.account_id), reason, now)


def end_all_logins(
    session: Session, *, account: Account, reason: Ended, now: datetime, but_token: str | None = None
) -> int:
    """End all sessions of an account, but for one; return how many were ended."""
    kept = None if but_token is None else _sha256(but_token)
    rows = session.scalars(select(Login).where(Login.account_id == account.id, Login.ended_at.is_(None))).all()
    ended = [row for row in rows if row.token_sha256 != kept]
    for row in ended:
        _end(session, row, account, reason, now)
    return len(ended)


def _row(session: Session, token: str) -> Login | None:
    return session.scalar(select(Login).where(Login.token_sha256 == _sha256(token)))


def _standing(row: Login, account: Account, reason: Ended | None, shown: Shown) -> Standing | Ended:
    if not _is_same_browser(row, shown):
        return Ended.UNKNOWN  # another browser learns nothing, not even that the token was one
    if reason is not None:
        return reason
    longest_until = row.started_at + LONGEST
    return Standing(account, row.id, min(row.seen_at + shown.idle, longest_until), longest_until)


def _why_ended(row: Login, account: Account, shown: Shown) -> Ended | None:
    now = shown.now
    if row.ended_at is not None:
        return Ended(row.ended_by or Ended.LOGGED_OUT)
    if not _is_same_browser(row, shown):
        return Ended.STOLEN
    if not account.is_enabled:
        return Ended.DISABLED
    if now < max(row.seen_at, row.started_at) - SKEW:
        return Ended.CLOCK  # how long it has lasted can no longer be told
    if now >= row.started_at + LONGEST:
        return Ended.TOO_LONG
    return Ended.IDLE if now >= row.seen_at + shown.idle else None


def _is_worth_noting(row: Login, shown: Shown) -> bool:
    return shown.is_by_hand and shown.now - row.seen_at >= NOTED_EVERY


def _is_same_browser(row: Login, shown: Shown) -> bool:
    return shown.browser != "" and hmac.compare_digest(row.browser, shown.browser)


def _end(session: Session, row: Login, account: Account, reason: Ended, now: datetime) -> None:
    if row.ended_at is not None:
        return
    row.ended_at, row.ended_by = now, str(reason)
    session.flush()
    audit.record(
        session,
        actor=account.login,
        action="logged out",
        subject=f"account {account.id}",
        detail={"login": row.id, "reason": str(reason)},
        now=now,
    )


def _sha256(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
