"""Keep a result in the records: only when asked, only with consent, only until a day. Nothing is imported for it before."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import streamlit as st

from dermascan_core.errors import DermaScanError
from dermascan_core.services.access import Role

from .access import current_user
from .frame import as_plain_text, link_page
from .records import day, now_utc, open_records_here

if TYPE_CHECKING:
    from dermascan_core.services.access import User
    from dermascan_core.services.records import Records

    from .case import Case

_KEEP_FOR = {"three months": 92, "one year": 365, "five years": 1826, "ten years": 3652}
_NEW = "somebody new"
_KEPT_KEY = "kept_result"
_OPEN_KEY = "keep_open"


def offer_keeping(case: Case) -> None:
    """Offer to keep the result on screen, to whoever may keep cases here; to everybody else this shows nothing."""
    user = current_user()
    if not user.role.includes(Role.CLINICIAN) or case.screening is None:
        return
    # The browser draws the box anew when what stands above it changes, and then as it is told here: open once it is used.
    is_open = bool(st.session_state.get(_OPEN_KEY))
    with st.expander("Keep this in my records", icon=":material/folder_shared:", expanded=is_open):
        if case.example_title:
            st.caption("A generated picture is nobody's: there is nothing to keep.")
            return
        if not st.toggle("Keep this result and its photos on this machine", key=_OPEN_KEY):
            st.caption("Nothing is kept unless you ask for it, and only with the person's consent.")
            return
        try:
            _ask(case, open_records_here(), user)
        except DermaScanError as error:
            st.error(str(error))


def _ask(case: Case, records: Records, user: User) -> None:
    from dermascan_core.services.records import CONSENT_TEXTS, CONSENT_VERSION

    from .queue import CASE_PARAM

    if kept := st.session_state.get(_KEPT_KEY, {}).get(id(case.screening)):
        pseudonym, screening_id = kept
        st.success(f"Kept for {pseudonym}.", icon=":material/check_circle:")
        link_page("pages/review.py", "Read it", icon=":material/rate_review:", query={CASE_PARAM: screening_id})
        return
    whose = st.text_input(
        "Whose? Write the pseudonym of somebody in the records, or leave it empty for somebody new",
        key="keep_person",
        max_chars=40,
        placeholder=_NEW,
    )
    lesion_id = _ask_lesion(records, whose)
    label = "" if lesion_id else st.text_input("Which spot? (such as: left shoulder)", key="keep_label", max_chars=200)
    st.markdown(f"> {as_plain_text(CONSENT_TEXTS[CONSENT_VERSION], max_chars=2_000)}")
    keep_for = st.selectbox("Keep it for", list(_KEEP_FOR), index=1, key="keep_for")
    until = now_utc() + timedelta(days=_KEEP_FOR[keep_for])
    trains = st.checkbox("Confirmed cases may also be used to train (optional)", key="keep_trains")
    agrees = st.checkbox(f"The person agrees to this text, until {day(until)}", key="keep_agrees")
    if st.button("Keep it", key="keep_result", type="primary", disabled=not agrees):
        kept = _keep(
            case, records, user, whose=whose, lesion_id=lesion_id, label=label, days=_KEEP_FOR[keep_for], trains=trains
        )
        st.session_state.setdefault(_KEPT_KEY, {})[id(case.screening)] = kept
        st.rerun()


def _ask_lesion(records: Records, whose: str) -> str:
    """Ask which of somebody's spots it is; empty for a new one."""
    if not whose.strip():
        return ""
    from dermascan_core.services.history import person_history

    history = person_history(records, whose)
    names = {"": "a new spot"} | {
        one.lesion.id: as_plain_text(one.lesion.label or f"the spot of {day(one.lesion.created_at)}")
        for one in history.lesions
    }
    return str(st.selectbox("Which of their spots?", list(names), format_func=names.__getitem__, key="keep_lesion"))


def _keep(
    case: Case, records: Records, user: User, *, whose: str, lesion_id: str, label: str, days: int, trains: bool
) -> tuple[str, str]:
    """Keep it, and return the person's pseudonym and the kept screening's id."""
    from dermascan_core.services.keeping import keep_screening, new_photo
    from dermascan_core.services.records import ConsentGiven, add_lesion, add_person, find_person, give_consent

    screening, now = case.screening, now_utc()
    assert screening is not None
    photos = [None if one.refusal else new_photo(one.name, one.data) for one in case.screened_photos]
    consent = ConsentGiven(keep_until=now + timedelta(days=days), allows_training=trains)
    if whose.strip():
        person = find_person(records, whose)
        give_consent(records, person.id, consent, actor=user.name, now=now)
    else:
        person = add_person(records, consent, actor=user.name, now=now, sex=screening.metadata.sex)
    if not lesion_id:
        site = screening.metadata.anatom_site
        lesion_id = add_lesion(records, person.id, actor=user.name, now=now, label=label, anatom_site=site).id
    kept = keep_screening(records, screening, photos, lesion_id=lesion_id, actor=user.name, now=now)
    return person.pseudonym, kept.id
