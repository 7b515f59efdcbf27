"""The sidebar of everybody who is logged in: who they are, until when, and the way out."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import streamlit as st

from dermascan_core.errors import AccessError, DermaScanError
from dermascan_core.services.access import open_access

from . import login_token
from .access import standing_here
from .case import forget_deleted, start_over
from .provider import go_on_to_asked_page, identity_here

if TYPE_CHECKING:
    from dermascan_core.services.logins import Access, Standing

LOOKED_AT_EVERY_S = 20.0
_WARNED_BEFORE = timedelta(minutes=2)
_SAID_KEY = "login_said"
_WARNED_KEY = "login_warned"


def show_login_state() -> None:
    """Show in the sidebar who is logged in; nothing, and nothing is imported, where nobody is."""
    login_token.send_cookie()
    if said := st.session_state.pop(_SAID_KEY, None):
        st.toast(said)
    try:
        if (login_token.token_here() or identity_here() is not None) and (access := open_access()) is not None:
            _show_standing(access)
    except AccessError:
        st.sidebar.caption("Nobody is logged in. The page *Login* says why.")
    except DermaScanError as error:  # a page for everybody stays open though the records do not answer
        st.sidebar.caption(f"Nobody is logged in. {error}")
    go_on_to_asked_page()


def log_out() -> None:
    """End the session of this browser, and forget what this tab had open."""
    access, token, identity, now = open_access(), login_token.token_here(), identity_here(), datetime.now(UTC)
    if access is not None:
        for shown in filter(None, (token, identity.token if identity else "")):
            access.log_out(shown, now=now)
    start_over()
    forget_deleted()
    st.session_state.clear()
    st.session_state[_SAID_KEY] = "You have logged out."
    login_token.forget_token()
    if identity is not None:
        st.logout()


def _show_standing(access: Access) -> None:
    from dermascan_core.services.logins import Standing

    standing = standing_here(access)
    if not isinstance(standing, Standing):
        return
    with st.sidebar:
        st.text(f"Logged in as {standing.account.login} ({standing.account.role})")
        st.button("Log out", icon=":material/logout:", on_click=log_out, key="log_out")
        _watch(access)


@st.fragment(run_every=LOOKED_AT_EVERY_S)
def _watch(access: Access) -> None:
    """Take the page off the screen when the session ends, though nobody clicks; say so a little before."""
    from dermascan_core.services.logins import Standing

    # The button keeps its place, so that a click is known before the session is looked at.
    stays = st.session_state.get("stay_logged_in", False)
    standing = standing_here(access, is_by_hand=stays)
    if not isinstance(standing, Standing):
        st.rerun()
    _show_time_left(standing)


def _show_time_left(standing: Standing) -> None:
    left = standing.ends_at - datetime.now(UTC)
    minutes = max(1, math.ceil(left.total_seconds() / 60))
    words = f"{minutes} minute" if minutes == 1 else f"{minutes} minutes"
    if left > _WARNED_BEFORE:
        st.session_state.pop(_WARNED_KEY, None)
        st.caption(f"You are logged out after {words} without a click.")
        return
    if not st.session_state.get(_WARNED_KEY):  # on a phone the sidebar is closed
        st.session_state[_WARNED_KEY] = True
        st.toast(f"You are logged out in {words}, unless you click.", icon=":material/lock_clock:")
    st.warning(f"You are logged out in {words}.", icon=":material/lock_clock:")
    if standing.ends_at < standing.longest_until:
        st.button("Stay logged in", key="stay_logged_in", type="primary", width="stretch")
