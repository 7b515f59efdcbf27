"""The list of kept cases to read: urgency order, and nothing of what the model says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dermascan_core.services.history import list_screenings

from .demo import offer_demo
from .records import moment

if TYPE_CHECKING:
    from dermascan_core.services.access import User
    from dermascan_core.services.records import Records

CASE_PARAM = "screening"  # of the address: ``?screening=ID`` opens a case
PERSON_PARAM = "person"  # of Case history's address: ``?person=PSEUDONYM``
LESION_PARAM = "lesion"  # beside it, ``&lesion=ID`` shows that lesion before the others
_PAGE_ROWS = 50
_WHOSE = {"real": "Kept cases", "demo": "Demo clinic"}


def choose_case(screening_id: str) -> None:
    """Open a case, or the list where none is named."""
    if screening_id:
        st.query_params[CASE_PARAM] = screening_id
    else:
        st.query_params.pop(CASE_PARAM, None)


def show_queue(records: Records, user: User) -> None:
    """Show the cases in the order to read them, most urgent first, and offer to begin."""
    st.markdown(
        "Most urgent first; right below what is urgent come photos that could not be assessed. The list says nothing else of "
        "the model's answer, so that your opinion is your own."
    )
    is_demo = _ask_whose(records)
    only_unread = st.toggle("Only what I have not read", value=True, key="queue_unread")
    search = st.text_input("Search a pseudonym", key="queue_search", max_chars=40, placeholder="P-7K3F")
    page = list_screenings(
        records,
        not_read_by=user.name if only_unread else None,
        search=search,
        is_demo=is_demo,
        offset=(st.session_state.get("queue_page", 1) - 1) * _PAGE_ROWS,
        limit=_PAGE_ROWS,
    )
    if not page.screenings:
        st.info("Nothing to read here." if only_unread or search else "No case is kept yet.", icon=":material/inbox:")
        offer_demo(records, user)
        return
    st.button(
        f"Begin with the first of {page.n_screenings}",
        key="begin",
        type="primary",
        shortcut="N",
        on_click=choose_case,
        args=(page.screenings[0].screening_id,),
        icon=":material/play_arrow:",
    )
    first = (st.session_state.get("queue_page", 1) - 1) * _PAGE_ROWS + 1
    chosen = st.dataframe(
        [
            {"order": place, "person": one.pseudonym, "kept": moment(one.screened_at), "readings": one.n_reviews}
            for place, one in enumerate(page.screenings, start=first)
        ],
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="queue_table",
        alt="Cases in the order to read them",
    )
    rows = chosen.selection.rows
    if rows and rows[0] < len(page.screenings):
        st.button(
            f"Open the chosen case of {page.screenings[rows[0]].pseudonym}",
            key="open_chosen",
            on_click=choose_case,
            args=(page.screenings[rows[0]].screening_id,),
        )
    if page.n_screenings > _PAGE_ROWS:
        st.pagination(-(-page.n_screenings // _PAGE_ROWS), key="queue_page")
    if is_demo:
        offer_demo(records, user)


def _ask_whose(records: Records) -> bool:
    """Ask for kept cases or the demo clinic's, where there is one; they are never shown together."""
    if not list_screenings(records, is_demo=True, limit=1).n_screenings:
        return False
    whose = st.segmented_control(
        "Which cases",
        list(_WHOSE),
        format_func=_WHOSE.__getitem__,
        default="real" if list_screenings(records, is_demo=False, limit=1).n_screenings else "demo",
        required=True,
        key="queue_whose",
    )
    return whose == "demo"
