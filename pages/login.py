"""Login: the door for those who have an account; behind it their password and their sessions."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from dermascan_core.services.access import NOBODY, open_access
from dermascan_core.services.logins import Access, Standing
from pages._ui.access import current_user, shown_token, standing_here
from pages._ui.frame import as_plain_text, failures_told, page_frame
from pages._ui.login_wall import show_login, show_password_form


def show_page() -> None:
    page_frame("Login")
    access = open_access()
    if access is None or not access.has_accounts():
        st.info(
            "Nobody has an account here, and nobody needs one to have a spot looked at. How a clinic adds accounts: "
            "docs/accounts.md, or the page *Accounts* on the machine that runs this program.",
            icon=":material/lock_open:",
        )
        return
    standing = standing_here(access) if current_user() != NOBODY else None
    if isinstance(standing, Standing):
        _show_account(access, standing)
    else:
        show_login(access)


def _show_account(access: Access, standing: Standing) -> None:
    account = standing.account
    st.markdown(f"You are logged in as **{as_plain_text(account.login)}** ({account.role}).")
    st.header("Other browsers")
    st.markdown("A login that you left open elsewhere ends with one click.")
    if st.button("Log out everywhere else", icon=":material/logout:", key="log_out_elsewhere"):
        n_ended = access.log_out_elsewhere(account, but_token=shown_token(), now=datetime.now(UTC))
        st.success(f"{n_ended} other {'login has' if n_ended == 1 else 'logins have'} ended.", icon=":material/check:")
    if account.password_hash is None:
        return
    st.header("Password")
    show_password_form(access, standing)


with failures_told("login"):
    show_page()
