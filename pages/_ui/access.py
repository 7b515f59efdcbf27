"""Who is at the page: ``current_user``, and ``require``, which shows the login in the place of a page that they may not see.

On localhost nobody is asked while nobody has an account. Before there are records nothing here imports a database.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

import streamlit as st

from dermascan_core.errors import AccessError, DermaScanError
from dermascan_core.services.access import LOCAL_USER, NOBODY, Role, User, open_access

from . import login_token
from .local import is_local_visit
from .provider import identity_here

if TYPE_CHECKING:
    from dermascan_core.services.logins import Access, Ended, Standing

# The least role that sees each page; a page that is not named here is for everybody. Each named page calls ``require``.
PAGE_ROLES = {
    "accounts": Role.ADMIN,
    "case_history": Role.CLINICIAN,
    "outcomes": Role.CLINICIAN,
    "review": Role.CLINICIAN,
}
LOGIN_PAGE = "login"


def current_user(*, is_by_hand: bool = True) -> User:
    """Return who is at the page now: asked anew at each call, for a session may end between two clicks.

    Args:
        is_by_hand: False in a part of a page that renews itself (``st.fragment(run_every=...)``): it would keep everybody
            logged in for ever.

    Returns:
        ``LOCAL_USER`` on localhost while nobody has an account; ``NOBODY`` for whoever is not, or no longer, logged in, or has
        yet to replace a one-time password.

    Raises:
        StorageError: The accounts cannot be read.
    """
    access = open_access()
    if access is None or not access.has_accounts():
        return LOCAL_USER if is_local_visit() else NOBODY
    try:
        return user_of(standing_here(access, is_by_hand=is_by_hand))
    except AccessError:
        return NOBODY  # the login says why


def standing_here(access: Access, *, is_by_hand: bool = True) -> Standing | Ended | None:
    """Return the session of this tab or browser, or how it ended; None where there was none.

    Raises:
        AccessError: A provider knows whoever is here, and nobody else does; or a setting is wrong.
        StorageError: The accounts cannot be read.
    """
    from dermascan_core.services.logins import Ended

    now, browser = datetime.now(UTC), login_token.browser_here()
    if token := login_token.token_here():
        found = access.resume(token, browser=browser, now=now, is_by_hand=is_by_hand)
        return None if found is Ended.UNKNOWN else found
    identity = identity_here()
    if identity is None:
        return None
    return access.resume_identity(identity, browser=browser, now=now, is_by_hand=is_by_hand)


def shown_token() -> str:
    """Return what this browser shows: its token, else its provider's word; "" without either."""
    if token := login_token.token_here():
        return token
    identity = identity_here()
    return identity.token if identity is not None else ""


def user_of(standing: Standing | Ended | None) -> User:
    """Return who a session makes somebody."""
    from dermascan_core.services.logins import Standing

    if not isinstance(standing, Standing) or standing.account.one_time_until is not None:
        return NOBODY
    return User(standing.account.login, standing.account.role)


def require(role: Role) -> User:
    """Return who is at the page, if they have a role; else show the login, or why not, and end the page here.

    A page calls it right after ``page_frame``, also for a link that was followed straight to it.

    Raises:
        StorageError: The accounts cannot be read.
    """
    user = current_user()
    if not user.role.includes(role):
        from .login_wall import show_wall

        show_wall(role, user)
        st.stop()
    return user


def visibility(page: str) -> Literal["visible", "hidden"]:
    """Return whether the menu shows a page of the clinic to whoever looks at it; a hidden one can still be asked for."""
    try:
        access = open_access()
        has_accounts = access is not None and access.has_accounts()
        user = current_user()
    except DermaScanError:
        return "hidden"  # the page itself says what is wrong
    if page == LOGIN_PAGE:
        return "visible" if has_accounts else "hidden"
    return "visible" if user.role.includes(PAGE_ROLES[page]) else "hidden"
