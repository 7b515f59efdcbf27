"""What stands in the place of a page that somebody may not see: the login, or what is missing. Then the page itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from dermascan_core.errors import AccessError
from dermascan_core.services.access import NOBODY, Role, User, open_access, session_length

from . import login_token
from .access import shown_token, standing_here
from .frame import as_plain_text
from .provider import ask_provider, provider_names

if TYPE_CHECKING:
    from dermascan_core.services.logins import Access, Standing

FIRST_ACCOUNT = "python -m dermascan_core accounts add NAME --role admin"
_LAST_NAME_KEY = "login_last_name"
_N_TRIES_KEY = "login_n_tries"
_PROBLEM_KEY = "login_problem"
_ROLE_WORDS = {Role.CLINICIAN: "clinicians", Role.ADMIN: "administrators"}
_ENDED_WORDS = {
    "idle": "You were logged out: nothing was clicked for {minutes:.0f} minutes. A review that you had begun is kept as a "
    "draft. Log in to go on.",
    "too_long": "You were logged out: a login lasts 12 hours at most. A review that you had begun is kept as a draft.",
    "logged_out": "You have logged out.",
    "clock": "You were logged out: the clock of the machine that runs this program was set back.",
    "replaced": "You were logged out: the password was changed.",
    "stolen": "You were logged out: another browser showed your login. If that was not you, tell an administrator.",
    "disabled": "This account is disabled. Ask an administrator.",
}


def show_wall(role: Role, user: User) -> None:
    """Show the way in, or why there is none, to somebody whose role is too low."""
    access = open_access()
    if access is None or not access.has_accounts():
        st.info(
            "Records need a login here, and nobody has an account yet. On the machine that runs this program:",
            icon=":material/lock:",
        )
        st.code(FIRST_ACCOUNT, language=None)
        return
    if user != NOBODY:
        st.error(
            f"This page is for {_ROLE_WORDS[role]}. You are logged in as {as_plain_text(user.name)} ({user.role})."
        )
        return
    show_login(access)


def show_login(access: Access) -> None:
    """Show how to log in; or, to somebody with a one-time password, how to choose another."""
    from dermascan_core.services.logins import Standing

    said = st.container()  # has its place whether or not anything is said, so that the form stays where it is
    try:
        standing = standing_here(access)
    except AccessError as error:  # the provider knows them, and nobody here does
        said.warning(as_plain_text(str(error), max_chars=600), icon=":material/person_off:")
        standing = None
    if isinstance(standing, Standing) and standing.account.one_time_until is not None:
        show_password_form(access, standing)
        return
    if standing is not None and not isinstance(standing, Standing):
        minutes = session_length().total_seconds() / 60
        said.info(_ENDED_WORDS[standing].format(minutes=minutes), icon=":material/lock_clock:")
    said.markdown("Records are for those who have an account here. Nobody needs one to have a spot looked at.")
    if problem := st.session_state.pop(_PROBLEM_KEY, None):
        said.error(problem)
    _show_login_form(access)
    for name in provider_names():
        label = f"Log in with {as_plain_text(name) or 'your organisation'}"
        st.button(label, key=f"provider_{name}", on_click=ask_provider, args=(name,))


def _show_login_form(access: Access) -> None:
    # A new key after each try: the password of a failed one does not stay in the session.
    number = st.session_state.setdefault(_N_TRIES_KEY, 0)
    with st.form("login_form"):
        name = st.text_input("Name", max_chars=64, key="login_name", autocomplete="username")
        password = st.text_input(
            "Password", type="password", max_chars=128, key=f"login_password_{number}", autocomplete="current-password"
        )
        is_sent = st.form_submit_button("Log in", type="primary", key="log_in")
    if is_sent:
        _log_in(access, name, password)
        st.session_state.pop(f"login_password_{number}", None)
        st.session_state[_N_TRIES_KEY] = number + 1
        st.rerun()


def _log_in(access: Access, name: str, password: str) -> None:
    try:
        entry = access.log_in(
            name,
            password,
            browser=login_token.browser_here(),
            address=login_token.network_address(),
            now=datetime.now(UTC),
        )
    except AccessError as error:
        st.session_state[_PROBLEM_KEY] = str(error)
        return
    if st.session_state.get(_LAST_NAME_KEY, entry.account.login) != entry.account.login:
        st.session_state.clear()  # what somebody else had open in this tab is not for the next one
    st.session_state[_LAST_NAME_KEY] = entry.account.login
    login_token.keep_token(entry.token)


def show_password_form(access: Access, standing: Standing) -> None:
    """Let somebody who is logged in choose a new password."""
    account = standing.account
    if account.one_time_until is not None:
        st.info("This password was for one use. Choose your own now.", icon=":material/key:")
    with st.form("password_form", clear_on_submit=True):
        old = st.text_input("Present password", type="password", max_chars=128, autocomplete="current-password")
        new = st.text_input(
            "New password, 12 signs or more", type="password", max_chars=128, autocomplete="new-password"
        )
        again = st.text_input("New password once more", type="password", max_chars=128, autocomplete="new-password")
        is_sent = st.form_submit_button("Change the password", type="primary", key="change_password")
    if not is_sent:
        return
    if new != again:
        st.error("The two new passwords differ. Type them again.")
        return
    try:
        access.change_own_password(account, old=old, new=new, token=shown_token(), now=datetime.now(UTC))
    except AccessError as error:
        st.error(str(error))
        return
    if account.one_time_until is not None:
        st.rerun()
    st.success("The password is changed. Logins in other browsers have ended.", icon=":material/check:")
