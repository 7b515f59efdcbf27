"""Who may see and do what. One table of actions; logging in, staying logged in, logging out; nobody is asked where nobody need be.

Imports no database before there are records: whoever asks about one spot never waits for this.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from ..errors import AccessError
from ..storage.places import read_places
from ..storage.roles import ACCOUNT_ROLES, Role

if TYPE_CHECKING:
    from .logins import Access

__all__ = [
    "ACCOUNT_ROLES",
    "LOCAL_USER",
    "NOBODY",
    "Action",
    "Role",
    "User",
    "check",
    "make_access",
    "may",
    "open_access",
    "records_exist",
    "session_length",
]

SESSION_VARIABLE = "DERMASCAN_SESSION_MINUTES"
DEFAULT_SESSION_MINUTES = 15
_MAX_SESSION_MINUTES = 720


class Action(StrEnum):
    """What somebody may want to do; named as an error would say it."""

    SCREEN = "screen a spot"
    SEE_CASES = "see cases"
    KEEP_CASES = "keep cases"
    REVIEW = "review cases"
    ENTER_OUTCOMES = "enter outcomes"
    RUN_BATCHES = "screen many photos in the background"
    EXPORT_PERSON = "export a person's data"
    DELETE_PERSON = "delete a person's data"
    EXPORT_TRAINING = "export verified cases for training"
    SEE_AUDIT = "see the audit trail"
    MANAGE_RECORDS = "back up, restore or re-key records"
    MANAGE_ACCOUNTS = "manage accounts"
    WITHHOLD_ANSWERS = "turn the kill switch"


_LEAST_ROLE = {
    Action.SCREEN: Role.PUBLIC,
    Action.SEE_CASES: Role.CLINICIAN,
    Action.KEEP_CASES: Role.CLINICIAN,
    Action.REVIEW: Role.CLINICIAN,
    Action.ENTER_OUTCOMES: Role.CLINICIAN,
    Action.RUN_BATCHES: Role.CLINICIAN,
    Action.EXPORT_PERSON: Role.CLINICIAN,
    Action.DELETE_PERSON: Role.CLINICIAN,
    Action.EXPORT_TRAINING: Role.ADMIN,
    Action.SEE_AUDIT: Role.ADMIN,
    Action.MANAGE_RECORDS: Role.ADMIN,
    Action.MANAGE_ACCOUNTS: Role.ADMIN,
    Action.WITHHOLD_ANSWERS: Role.ADMIN,
}


@dataclass(frozen=True, slots=True)
class User:
    """Who is asking.

    Attributes:
        name: Login name, "local" where no login is needed, "public" for everybody else: what the audit trail says.
        role: What they are here.
    """

    name: str
    role: Role


LOCAL_USER = User("local", Role.ADMIN)  # whoever sits at the machine, while nobody has an account
NOBODY = User("public", Role.PUBLIC)


def may(role: Role, action: Action) -> bool:
    """Return whether a role may do something.

    >>> may(Role.CLINICIAN, Action.REVIEW), may(Role.CLINICIAN, Action.MANAGE_ACCOUNTS)
    (True, False)
    """
    return role.includes(_LEAST_ROLE[action])


def check(user: User, action: Action) -> None:
    """Refuse what a person may not do.

    Raises:
        AccessError: Says who may.
    """
    if may(user.role, action):
        return
    least = _LEAST_ROLE[action]
    if user == NOBODY:
        raise AccessError(f"To {action}, log in as {_WORDS[least]}. Nobody is logged in here, or not any more.")
    raise AccessError(f"To {action} takes {_WORDS[least]}. '{user.name}' is {_WORDS[user.role]}. Ask an administrator.")


_WORDS = {Role.PUBLIC: "a visitor", Role.CLINICIAN: "a clinician", Role.ADMIN: "an administrator"}


def session_length() -> timedelta:
    """Return after how long without a click somebody is logged out.

    Raises:
        AccessError: ``DERMASCAN_SESSION_MINUTES`` is no whole number of minutes from 1 to 720.
    """
    given = os.environ.get(SESSION_VARIABLE, "").strip() or str(DEFAULT_SESSION_MINUTES)
    if not (given.isascii() and given.isdigit() and 1 <= int(given) <= _MAX_SESSION_MINUTES):
        msg = (
            f"Expected {SESSION_VARIABLE} to be whole minutes from 1 to {_MAX_SESSION_MINUTES}. "
            f"Received '{given[:20]}'. Correct it, or unset it for {DEFAULT_SESSION_MINUTES}."
        )
        raise AccessError(msg)
    return timedelta(minutes=int(given))


def records_exist() -> bool:
    """Return whether there is a database to ask; looks at a setting and a file alone."""
    file = read_places().database_file
    return file is None or file.is_file()


def open_access() -> Access | None:
    """Return who may log in here; None where no records exist, so that nobody can have an account."""
    return make_access() if records_exist() else None


def make_access() -> Access:
    """Return who may log in here, making an empty database for the first account if need be."""
    from ..storage.files import make_private_folder
    from .logins import access_at

    places = read_places()
    if places.database_file is not None:
        make_private_folder(places.database_file.parent)
    return access_at(places.database_url)
