"""What the pages say of the kill switch, and the switch itself, for administrators."""

from __future__ import annotations

import streamlit as st

from dermascan_core.errors import DermaScanError
from dermascan_core.services.access import Action, User, may
from dermascan_core.services.withholding import (
    MAX_REASON_CHARACTERS,
    VARIABLE,
    Withheld,
    read_switch,
    read_withholding,
    set_withholding,
)

from . import access

_CHOICES = {
    Withheld.NONE: "Give all answers",
    Withheld.CALM: "Withhold calm answers: none is calmer than a routine check",
    Withheld.ALL: "Stop all answers",
}
_NEWS_KEY = "withheld_news"


def show_withheld() -> None:
    """Say above everything else on a page that answers are withheld, by whom, since when and why; nothing where none are."""
    withholding = read_withholding()
    if withholding.bars_all:
        st.error(withholding.words, icon=":material/block:")
    elif withholding.bars_calm:
        st.warning(withholding.words, icon=":material/back_hand:")


def offer_switch(user: User, *, suggested: Withheld | None = None) -> None:
    """Offer to withhold the model's answers or to give them again, to whoever may.

    Args:
        user: Who is at the page.
        suggested: What to choose first, where the figures ask for it; None for what holds now.
    """
    st.subheader("Withhold the model's answers")
    if news := st.session_state.pop(_NEWS_KEY, ""):
        st.success(news)
    switch = read_switch()
    if switch.by:
        st.markdown(switch.words)
    if not may(user.role, Action.WITHHOLD_ANSWERS):
        st.markdown("An administrator can withhold the model's answers here, or give them again.")
        return
    if read_withholding().withheld is not switch.withheld:
        st.markdown(
            f"The environment of this server ({VARIABLE}) withholds more than this switch; it is changed there."
        )
    now_held = switch.withheld
    chosen = max(now_held, suggested or now_held, key=lambda one: one.strictness)
    with st.form("withhold", border=True):
        st.radio(
            "From the next photo on, in this installation",
            list(_CHOICES),
            format_func=_CHOICES.__getitem__,
            index=list(_CHOICES).index(chosen),
            key=f"withhold_what_{now_held}_{chosen}",
        )
        st.text_input(
            "Why (everybody who meets the switch reads it)", key="withhold_why", max_chars=MAX_REASON_CHARACTERS
        )
        st.caption(
            "What a person's own answers ask for is never withheld. Your name, the time and the reason are kept."
        )
        if st.form_submit_button("Turn the switch", key="turn_switch", icon=":material/power_settings_new:"):
            _turn(st.session_state[f"withhold_what_{now_held}_{chosen}"], st.session_state["withhold_why"])


def _turn(what: Withheld, why: str) -> None:
    from .records import now_utc

    try:
        turned = set_withholding(access.current_user(), what, why=why, now=now_utc())
    except DermaScanError as error:
        st.error(str(error))
        return
    st.session_state[_NEWS_KEY] = turned.words
    st.rerun()
