"""Accounts, for administrators: who may log in and as what; new ones, one-time passwords, and the way out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import streamlit as st

from dermascan_core.errors import DermaScanError
from dermascan_core.services.access import ACCOUNT_ROLES, Role, User, make_access, open_access
from dermascan_core.services.logins import ONE_TIME_FOR, Access, Account
from pages._ui.access import current_user, require
from pages._ui.frame import Width, as_plain_text, failures_told, page_frame

_NEWS_KEY = "accounts_news"
_PASSWORD_KEY = "accounts_one_time"  # noqa: S105  a key of the session
_NAME_HELP = "2 to 64 letters a to z, digits and the signs . _ @ -"
_ROLE_NAMES = {Role.CLINICIAN: "Clinician", Role.ADMIN: "Administrator"}


def show_page() -> None:
    page_frame("Accounts", width=Width.TABLE)
    user = require(Role.ADMIN)
    _show_news()
    access = open_access()
    found = [] if access is None else access.accounts(user)
    if found:
        st.dataframe([_table_row(account) for account in found], hide_index=True, key="accounts_table")
        _offer_changes(found, user)
        _offer_new()
    else:
        _show_empty_state()
        _offer_first()


def _show_news() -> None:
    is_done, news = st.session_state.pop(_NEWS_KEY, (True, ""))
    if news:
        (st.success if is_done else st.error)(news)
    if made := st.session_state.pop(_PASSWORD_KEY, None):
        st.markdown(
            "**One-time password.** It is shown only now. Hand it over in person or by telephone; it works for "
            f"{ONE_TIME_FOR.days} days, and the first login asks for another one."
        )
        st.code(made, language=None)


def _show_empty_state() -> None:
    st.info(
        "Nobody has an account. Whoever sits at this machine sees every page, and nobody else sees any record. With the "
        "first account, which must be an administrator's, that changes: records need a login from then on, here too.",
        icon=":material/group_off:",
    )


def _table_row(account: Account) -> dict[str, object]:
    return {
        "name": account.login,
        "role": _ROLE_NAMES[account.role],
        "logs in with": _way_of(account),
        "state": "may log in" if account.is_enabled else "disabled",
        "added": account.created_at.date(),
    }


def _way_of(account: Account) -> str:
    if account.password_hash is None:
        return "provider"
    way = "password" if account.one_time_until is None else "one-time password, not used yet"
    return f"{way}, or provider" if account.subject else way


def _offer_changes(found: Sequence[Account], user: User) -> None:
    st.header("Change an account")
    by_name = {account.login: account for account in found}
    name = st.selectbox("Account", list(by_name), key="accounts_chosen")
    account = by_name[name]
    other = Role.CLINICIAN if account.role is Role.ADMIN else Role.ADMIN
    if name == user.name:
        st.markdown(
            "This is your own account. Its password is changed on the page *Login*; another administrator may do the rest."
        )
        return
    with st.container(horizontal=True):
        st.button(f"Make {_ROLE_NAMES[other].lower()}", key="change_role", on_click=_set_role, args=(name, other))
        if account.is_enabled:
            st.button("Disable", key="disable", icon=":material/block:", on_click=_set_disabled, args=(name, True))
        else:
            st.button("Enable", key="enable", icon=":material/check:", on_click=_set_disabled, args=(name, False))
        st.button("New one-time password", key="reset", icon=":material/key:", on_click=_reset, args=(name,))
    st.caption(
        "A change holds from the next click of whoever it is about. Accounts are disabled and never deleted: a name in a "
        "record stays one person's."
    )


def _offer_first() -> None:
    st.header("Add the first administrator")
    with st.form("first_account"):
        st.text_input("Name", max_chars=64, key="first_name", help=_NAME_HELP, autocomplete="username")
        for label, key in (("Password, 12 signs or more", "first_password"), ("Password once more", "first_again")):
            st.text_input(label, type="password", max_chars=128, key=key, autocomplete="new-password")
        st.form_submit_button("Add, then log in", type="primary", key="add_first", on_click=_add_first)


def _add_first() -> None:
    name, password = str(st.session_state["first_name"]), str(st.session_state["first_password"])
    if password != st.session_state["first_again"]:
        st.session_state[_NEWS_KEY] = (False, "The two passwords differ. Type them again.")
        return
    # Whoever adds it knows its password, so that nobody has to hand one over: the login comes next.
    _act(lambda user, now: make_access().add(user, name, Role.ADMIN, password=password, now=now), "Added.")


def _offer_new() -> None:
    st.header("Add an account")
    roles = list(ACCOUNT_ROLES)
    with st.form("new_account"):
        st.text_input("Name", max_chars=64, key="new_name", help=_NAME_HELP)
        st.segmented_control(
            "Role", roles, format_func=_ROLE_NAMES.__getitem__, default=roles[0], required=True, key="new_role"
        )
        st.text_input(
            "Issuer and subject at your OIDC provider (leave empty for a password)",
            max_chars=255,
            key="new_subject",
            help="The line that the login page shows to somebody who is not known here.",
        )
        st.form_submit_button("Add", type="primary", key="add_account", on_click=_add)


def _add() -> None:
    name, role = str(st.session_state["new_name"]), Role(st.session_state["new_role"])
    subject = str(st.session_state["new_subject"]).strip()

    def add(user: User, now: datetime) -> str | None:
        access = make_access()
        if not subject:
            return access.add(user, name, role, now=now)
        access.add_by_provider(user, name, role, subject=subject, now=now)
        return None

    if _act(add, f"Added {as_plain_text(name)}."):
        st.session_state["new_name"] = st.session_state["new_subject"] = ""


def _set_role(name: str, role: Role) -> None:
    _act(lambda user, now: _opened().set_role(user, name, role, now=now), f"Changed the role of {as_plain_text(name)}.")


def _set_disabled(name: str, is_disabled: bool) -> None:
    done = "Disabled" if is_disabled else "Enabled"
    _act(
        lambda user, now: _opened().set_disabled(user, name, is_disabled=is_disabled, now=now),
        f"{done} {as_plain_text(name)}.",
    )


def _reset(name: str) -> None:
    _act(
        lambda user, now: _opened().reset_password(user, name, now=now),
        f"{as_plain_text(name)} has a new password, and was logged out everywhere.",
    )


def _act(verb: Callable[[User, datetime], str | None], done: str) -> bool:
    """Do what a button asks for, as whoever is here now: the session may have ended since the page was shown."""
    try:
        made = verb(current_user(), datetime.now(UTC))
    except DermaScanError as error:
        st.session_state[_NEWS_KEY] = (False, as_plain_text(str(error), max_chars=400))
        return False
    st.session_state[_NEWS_KEY] = (True, done)
    if made is not None:
        st.session_state[_PASSWORD_KEY] = made
    return True


def _opened() -> Access:
    return open_access() or make_access()


with failures_told("accounts"):
    show_page()
