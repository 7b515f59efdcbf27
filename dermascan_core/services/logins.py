"""Logging in, staying logged in and logging out; adding, changing and shutting out accounts. Needs the database.

Every answer to a wrong name, a wrong password and a disabled account is the same, and takes as long.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from sqlalchemy.orm import Session

from ..errors import AccessError
from ..storage import accounts, audit, logins, passwords, throttle
from ..storage.accounts import Account, normalize_login
from ..storage.database import Database
from ..storage.logins import Ended, Standing
from ..storage.roles import Role
from .access import Action, User, check, session_length
from .identity import Identity

__all__ = ["ONE_TIME_FOR", "Access", "Account", "Ended", "Entry", "Standing", "access_at"]

ONE_TIME_FOR = timedelta(days=7)
NOT_TOGETHER = "This name and this password do not go together. Capital letters matter in passwords."
_NO_ADDRESS = "own account"  # what stands for the network's address where somebody is logged in already
_ONE_TIME_OVER = "This one-time password has run out. Ask an administrator for a new one."


@lru_cache(maxsize=4)
def access_at(url: str) -> Access:
    """Return the one ``Access`` of a database, its tables up to date."""
    database = Database(url)
    database.upgrade()
    return Access(database)


@dataclass(frozen=True, slots=True)
class Entry:
    """Somebody who just got in.

    Attributes:
        account: Whose.
        token: For the browser alone; it is not stored.
    """

    account: Account
    token: str


class Access:
    """Accounts and sessions of one database. Safe for any number of threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._has_accounts = False
        self._lock = threading.Lock()

    def has_accounts(self) -> bool:
        """Return whether somebody has an account: from then on records need a login, on this machine too."""
        # Accounts are never deleted, so a yes stays true.
        if not self._has_accounts:
            with self.database.reading() as session:
                found = accounts.has_accounts(session)
            with self._lock:
                self._has_accounts = self._has_accounts or found
        return self._has_accounts

    def log_in(self, name: str, password: str, *, browser: str, address: str, now: datetime) -> Entry:
        """Let somebody in who knows a name and its password.

        Args:
            name, password: As typed.
            browser: Mark of the browser; the session is bound to it.
            address: Of the network, for throttling.
            now: The time.

        Raises:
            AccessError: The two do not belong together, or too many tries failed.
        """
        _check_browser(browser)
        login = normalize_login(name)
        account = self._begin(login, address, now)
        is_right = passwords.verify_password(password, account.password_hash if account else None)
        renewed = self._renewed_hash(account, password) if account and is_right else None
        done = self._finish(login, address, browser, account if is_right else None, renewed, now)
        if isinstance(done, str):
            raise AccessError(done)
        return done

    def _begin(self, login: str, address: str, now: datetime) -> Account | None:
        with self.database.transaction() as session:
            wait_s = throttle.begin_try(session, login=login, address=address, now=now)
            if wait_s:
                raise AccessError(f"Too many tries failed. Wait {_duration(wait_s)}, then try again.")
            return accounts.find_account(session, login=login)

    @staticmethod
    def _renewed_hash(account: Account, password: str) -> str | None:
        # Not for a disabled account: the time would say that the password was right.
        is_old = (
            account.is_enabled and account.password_hash is not None and passwords.is_outdated(account.password_hash)
        )
        return passwords.hash_password(password) if is_old else None

    def _finish(
        self, login: str, address: str, browser: str, proven: Account | None, renewed: str | None, now: datetime
    ) -> Entry | str:
        """Begin the session, or return the sentence that says why not; either way the trail has it."""
        with self.database.transaction() as session:
            found = accounts.find_account(session, login=login)
            # Asked again: it may have been disabled, or its password changed, while the password was being hashed.
            is_same = proven is not None and found is not None and found.password_hash == proven.password_hash
            if not (is_same and found and found.is_enabled):
                _note_failure(session, found, now)
                return NOT_TOGETHER
            if found.one_time_until is not None and now >= found.one_time_until:
                _note_failure(session, found, now)
                return _ONE_TIME_OVER
            throttle.forgive(session, login=login, address=address)
            if renewed is not None:
                accounts.renew_hash(session, account_id=found.id, password_hash=renewed)
            token = logins.make_token()
            logins.start_login(session, account=found, token=token, browser=browser, way="password", now=now)
            return Entry(found, token)

    def resume(self, token: str, *, browser: str, now: datetime, is_by_hand: bool = True) -> Standing | Ended:
        """Return whose session a token is, or why it is none.

        Args:
            token: What the browser showed.
            browser: Its mark.
            now: The time.
            is_by_hand: Whether somebody clicked; a page that renews itself keeps nobody logged in.
        """
        shown = logins.Shown(token, browser, now, session_length(), is_by_hand)
        with self.database.reading() as session:
            found = logins.look_up_login(session, shown)
        if found is not None:
            return found
        with self.database.transaction() as session:
            return logins.resume_login(session, shown)

    def resume_identity(
        self, identity: Identity, *, browser: str, now: datetime, is_by_hand: bool = True
    ) -> Standing | Ended:
        """Return the session that an OIDC provider's word began, beginning it at its first showing.

        One word of the provider begins one session: after a time-out or a logout the provider is asked again, though the
        browser keeps the word for weeks.

        Raises:
            AccessError: The provider's account is not known here.
        """
        _check_browser(browser)
        found = self.resume(identity.token, browser=browser, now=now, is_by_hand=is_by_hand)
        if found is not Ended.UNKNOWN:
            return found
        if not identity.is_fresh(now, logins.LONGEST):
            return Ended.TOO_LONG
        with self.database.transaction() as session:
            if logins.is_known(session, identity.token):  # by another browser, or by another tab just now
                return Ended.UNKNOWN
            account = self._account_of(session, identity, now)
            if not account.is_enabled:
                return Ended.DISABLED
            logins.start_login(session, account=account, token=identity.token, browser=browser, way="provider", now=now)
        return self.resume(identity.token, browser=browser, now=now, is_by_hand=is_by_hand)

    @staticmethod
    def _account_of(session: Session, identity: Identity, now: datetime) -> Account:
        found = accounts.find_account(session, subject=identity.subject)
        if found is not None:
            return found
        if not identity.is_admitted() or not accounts.has_accounts(session):
            raise AccessError(
                "The provider knows you, but you have no account here yet. Give this line to an administrator: "
                f"{identity.subject}"
            )
        login = next(name for name in identity.names() if accounts.find_account(session, login=name) is None)
        return accounts.add_account(
            session, login=login, role=Role.CLINICIAN, subject=identity.subject, actor="system", now=now
        )

    def log_out(self, token: str, *, now: datetime) -> None:
        """End a session: its token never lets anybody in again."""
        with self.database.transaction() as session:
            logins.end_login(session, token=token, reason=Ended.LOGGED_OUT, now=now)

    def log_out_elsewhere(self, account: Account, *, but_token: str, now: datetime) -> int:
        """End all other sessions of an account; return how many there were."""
        with self.database.transaction() as session:
            return logins.end_all_logins(
                session, account=account, reason=Ended.LOGGED_OUT, now=now, but_token=but_token
            )

    def change_own_password(self, account: Account, *, old: str, new: str, token: str, now: datetime) -> None:
        """Let somebody choose a new password; their other sessions end.

        Raises:
            AccessError: The old one is wrong, or the new one would be guessed.
        """
        self._begin(account.login, _NO_ADDRESS, now)
        if not passwords.verify_password(old, account.password_hash):
            raise AccessError("The present password is another one. Type it again.")
        if old == new:
            raise AccessError("The new password is the present one. Choose another one.")
        passwords.check_new_password(new, account.login)
        hashed = passwords.hash_password(new)
        with self.database.transaction() as session:
            accounts.set_password(
                session,
                login=account.login,
                password_hash=hashed,
                one_time_until=None,
                actor=account.login,
                now=now,
            )
            throttle.forgive(session, login=account.login, address=_NO_ADDRESS)
            logins.end_all_logins(session, account=account, reason=Ended.REPLACED, now=now, but_token=token)

    def accounts(self, user: User) -> list[Account]:
        """Return every account by name.

        Raises:
            AccessError: The user may not manage accounts. So do all below.
        """
        check(user, Action.MANAGE_ACCOUNTS)
        with self.database.reading() as session:
            return accounts.list_accounts(session)

    def add(self, user: User, name: str, role: Role, *, password: str | None = None, now: datetime) -> str | None:
        """Add an account; without a password, return the one-time password that was made for it."""
        check(user, Action.MANAGE_ACCOUNTS)
        login = normalize_login(name)
        accounts.check_login(login)
        made, hashed = self._password_for(login, password)
        with self.database.transaction() as session:
            accounts.add_account(
                session,
                login=login,
                role=role,
                password_hash=hashed,
                one_time_until=now + ONE_TIME_FOR if made else None,
                actor=user.name,
                now=now,
            )
        return made

    def add_by_provider(self, user: User, name: str, role: Role, *, subject: str, now: datetime) -> None:
        """Add an account that an OIDC provider alone lets in."""
        check(user, Action.MANAGE_ACCOUNTS)
        login = normalize_login(name)
        with self.database.transaction() as session:
            accounts.add_account(session, login=login, role=role, subject=subject.strip(), actor=user.name, now=now)

    def link_provider(self, user: User, name: str, *, subject: str | None, now: datetime) -> None:
        """Say which account of an OIDC provider is this one; None cuts the link."""
        check(user, Action.MANAGE_ACCOUNTS)
        with self.database.transaction() as session:
            accounts.link_subject(
                session,
                login=normalize_login(name),
                subject=subject.strip() if subject else None,
                actor=user.name,
                now=now,
            )

    def reset_password(self, user: User, name: str, *, password: str | None = None, now: datetime) -> str | None:
        """Set a password, or make a one-time password and return it; all sessions of the account end."""
        check(user, Action.MANAGE_ACCOUNTS)
        login = normalize_login(name)
        made, hashed = self._password_for(login, password)
        with self.database.transaction() as session:
            account = accounts.set_password(
                session,
                login=login,
                password_hash=hashed,
                one_time_until=now + ONE_TIME_FOR if made else None,
                actor=user.name,
                now=now,
            )
            throttle.forgive_account(session, login)
            logins.end_all_logins(session, account=account, reason=Ended.REPLACED, now=now)
        return made

    @staticmethod
    def _password_for(login: str, password: str | None) -> tuple[str | None, str]:
        if password is not None:
            passwords.check_new_password(password, login)
            return None, passwords.hash_password(password)
        made = passwords.make_one_time_password()
        return made, passwords.hash_password(made)

    def set_role(self, user: User, name: str, role: Role, *, now: datetime) -> None:
        """Change what somebody may do; holds from their next click on."""
        check(user, Action.MANAGE_ACCOUNTS)
        with self.database.transaction() as session:
            accounts.set_role(session, login=normalize_login(name), role=role, actor=user.name, now=now)

    def set_disabled(self, user: User, name: str, *, is_disabled: bool, now: datetime) -> None:
        """Shut somebody out at once, or let them log in again."""
        check(user, Action.MANAGE_ACCOUNTS)
        with self.database.transaction() as session:
            account = accounts.set_disabled(
                session, login=normalize_login(name), is_disabled=is_disabled, actor=user.name, now=now
            )
            if is_disabled:
                logins.end_all_logins(session, account=account, reason=Ended.DISABLED, now=now)


def _note_failure(session: Session, account: Account | None, now: datetime) -> None:
    # The typed name stays out of the trail: people type their password where the name belongs.
    subject = f"account {account.id}" if account else "account unknown"
    audit.record(session, actor="public", action="login failed", subject=subject, detail={}, now=now)


def _check_browser(browser: str) -> None:
    if not browser:
        raise AccessError(
            "Logging in needs cookies, and this browser sends none. Allow them here, and load the page again."
        )


def _duration(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 120 else f"{-(-seconds // 60)} minutes"
