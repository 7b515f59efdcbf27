"""Know your skin: the signs, how to photograph a spot, and when to go to a doctor, in plain words."""

from __future__ import annotations

import streamlit as st

from dermascan_core.reports.checklist import render_checklist
from dermascan_core.triage.technique import DERMATOSCOPE, GROUPS, MACRO_LENS, SOURCE, WHOSE_ADVICE
from dermascan_core.triage.wording import SEVEN_POINT_LIST, Voice
from pages._ui.frame import failures_told, link_page, page_frame

_ABCDE = """
- **A, asymmetry.** One half does not look like the other.
- **B, border.** The edge is ragged, notched or blurred.
- **C, colour.** There are several shades: brown, black, red, white or blue.
- **D, diameter.** It is wider than 6 mm, about the end of a pencil. A smaller one can be melanoma too.
- **E, evolving.** It changes in size, shape, colour or feel. This is the most important sign.
"""
_EFG = """
Some melanomas have no dark colour and grow fast. For a bump, look for:
- **E, elevated.** It stands out from the skin.
- **F, firm.** It feels firm when you touch it.
- **G, growing.** It has grown for more than a month.
"""
_NOW = """
- **Today, at an emergency room:** bleeding that does not stop after ten minutes of firm pressure; fever, or redness
  that spreads fast.
- **Within 2 weeks:** three points or more on the 7-point list; a new spot that grows and bleeds; a dark stripe or
  spot under a nail that is new or gets wider; a firm bump that grows.
- **Soon:** a sore that has not healed after four weeks; a scaly patch that stays; a spot unlike your others.
- **Any time:** you are worried. Worry is reason enough.
"""
_SOURCES = """
ABCDE: Abbasi et al. (2004), JAMA 292:2771. EFG: Kelly et al. (2003), Australian Family Physician 32:706. Ugly duckling:
Scope et al. (2008), https://doi.org/10.1001/archdermatol.2007.15. 7-point list: NICE guideline NG12, weighted score of 3
or more.
"""


def show_page() -> None:
    voice = page_frame("Know your skin")
    st.markdown("Nobody can be sure from a photo. These signs tell you when to go to a doctor.")
    st.header("When to go to a doctor")
    st.markdown(_NOW)
    st.header("The signs")
    abcde, other = st.columns(2)
    with abcde, st.container(border=True):
        st.subheader("A, B, C, D, E")
        st.markdown(_ABCDE)
    with other, st.container(border=True):
        st.subheader("E, F, G")
        st.markdown(_EFG)
    seven, duckling = st.columns(2)
    with seven, st.container(border=True):
        st.subheader("The 7-point list")
        st.markdown("\n".join(f"- {sign}" for sign in SEVEN_POINT_LIST))
        if voice is Voice.CLINICIAN:
            st.caption(
                "Weighted (NG12): change in size, irregular shape and irregular colour count 2 each; diameter of 7 mm "
                "or more, inflammation, oozing and change in sensation 1 each. Refer at 3 or more, or on strong concern."
            )
        else:
            st.caption("The first three count double. Three points or more: see a doctor within 2 weeks.")
    with duckling, st.container(border=True):
        st.subheader("The ugly duckling")
        st.markdown(
            "Your moles look like a family. The one that looks different from all the others is the one to show, "
            "even if none of the letters fits."
        )
        st.markdown(
            "**Look everywhere.** Scalp, back, palms, soles, between the toes, under the nails. Ask someone to help."
        )
    st.info(
        "On brown and black skin, melanoma is found more often on palms, soles and under nails. "
        "This program was not tested on such skin: rely on the signs and on a doctor.",
        icon=":material/info:",
    )
    st.header("How to take a good photo")
    _show_checklist()
    link_page("pages/screening.py", "Check a spot", icon=":material/search:")
    st.caption(_SOURCES)


def _show_checklist() -> None:
    st.markdown(WHOSE_ADVICE)
    columns = st.columns(2)
    for number, group in enumerate(GROUPS):
        with columns[number % 2], st.container(border=True):
            st.markdown(f"**{group.name}**\n" + "\n".join(f"- {line}" for line in group.advice))
    with st.container(border=True):
        st.markdown(
            "**With a dermatoscope or a macro lens**\n" + "\n".join(f"- {line}" for line in DERMATOSCOPE + MACRO_LENS)
        )
    st.download_button(
        "Checklist to print",
        data=render_checklist,
        file_name="photo-checklist.html",
        mime="text/html",
        icon=":material/print:",
        on_click="ignore",
        key="print_checklist",
    )
    st.caption(SOURCE)


with failures_told("know_your_skin"):
    show_page()
