"""Case history: one person's lesions with all that was answered, read, remarked and found, in order; their data and deletion."""

from __future__ import annotations

import io
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

import streamlit as st

from dermascan_core.services.access import Role, User
from dermascan_core.services.forgetting import delete_person
from dermascan_core.services.history import LesionHistory, PersonHistory, note_view, person_history
from dermascan_core.services.lesion_dates import dated_photos, n_days
from dermascan_core.services.own_data import export_person
from dermascan_core.services.readings import CONFIRM_TYPES, DIAGNOSES, add_comment, add_outcome
from dermascan_core.services.records import Records, list_people, withdraw_consent
from dermascan_core.services.review_case import open_case
from pages._ui.access import require
from pages._ui.frame import as_plain_text, failures_told, link_page, page_frame
from pages._ui.queue import CASE_PARAM, LESION_PARAM, PERSON_PARAM
from pages._ui.records import day, lesion_name, now_utc, open_records_here
from pages._ui.then_and_now import show_then_and_now
from pages._ui.timeline import outcome_name, show_timeline

if TYPE_CHECKING:
    from dermascan_core.storage.kept import KeptPerson

_SEEN_KEY = "history_seen"
_EXPORT_KEY = "history_export"
_DONE_KEY = "history_done"
_PAGE_ROWS = 50


def show_page() -> None:
    page_frame("Case history")
    user = require(Role.CLINICIAN)
    records = open_records_here()
    if done := st.session_state.pop(_DONE_KEY, None):
        st.success(done)
    person = _person_asked_for(records)
    if not person:
        _show_people(records)
        return
    history = person_history(records, person)
    _note_once(records, history, user)
    _show_person(records, history, user)


def _person_asked_for(records: Records) -> str:
    person = str(st.query_params.get(PERSON_PARAM, ""))
    screening_id = str(st.query_params.get(CASE_PARAM, ""))
    return person or (open_case(records, screening_id).person.pseudonym if screening_id else "")


def _choose(person: str) -> None:
    for name in (PERSON_PARAM, CASE_PARAM, LESION_PARAM):
        st.query_params.pop(name, None)
    if person:
        st.query_params[PERSON_PARAM] = person


def _show_people(records: Records) -> None:
    search = st.text_input("Search a pseudonym", key="people_search", max_chars=40, placeholder="P-7K3F")
    place = st.session_state.get("people_page", 1) - 1
    page = list_people(records, search=search, offset=place * _PAGE_ROWS, limit=_PAGE_ROWS)
    if not page.people:
        st.info("Nobody is in the records yet." if not search else "Nobody of that pseudonym.", icon=":material/inbox:")
        link_page("pages/screening.py", "Screen a spot, then keep it", icon=":material/search:")
        return
    for person in page.people:
        mark = " (demo)" if person.is_demo else ""
        st.button(
            f"{person.pseudonym}{mark}, since {day(person.created_at)}",
            key=f"open_{person.pseudonym}",
            on_click=_choose,
            args=(person.pseudonym,),
        )
    if page.n_people > _PAGE_ROWS:
        st.pagination(-(-page.n_people // _PAGE_ROWS), key="people_page")


def _note_once(records: Records, history: PersonHistory, user: User) -> None:
    seen: set[tuple[str, str]] = st.session_state.setdefault(_SEEN_KEY, set())
    if (user.name, history.person.id) not in seen:
        note_view(records, history.person.id, actor=user.name, now=now_utc())
        seen.add((user.name, history.person.id))


def _show_person(records: Records, history: PersonHistory, user: User) -> None:
    person = history.person
    st.button("All people", key="all_people", on_click=_choose, args=("",), icon=":material/group:")
    st.header(person.pseudonym)
    named = f"Name: {as_plain_text(person.name)}. " if person.name else ""
    born = f"Born {person.birth_year}. " if person.birth_year else ""
    demo = "**Made up, for trying the program.** " if person.is_demo else ""
    st.markdown(f"{demo}{named}{born}{_counted(len(history.lesions), 'lesion')} kept.")
    dated = [lesion for lesion in history.lesions if n_days(dated_photos(lesion)) > 1]
    asked_for = str(st.query_params.get(LESION_PARAM, ""))
    for lesion in sorted(history.lesions, key=lambda one: one.lesion.id != asked_for):
        _show_lesion(records, lesion, user, shows_photos=[lesion] == dated)
    _show_rights(records, history, user)


def _show_lesion(records: Records, history: LesionHistory, user: User, *, shows_photos: bool) -> None:
    lesion = history.lesion
    site = f" ({lesion.anatom_site})" if lesion.anatom_site else ""
    st.subheader(f"{as_plain_text(lesion.label or 'A lesion')}{site}")
    st.caption(f"On Against biopsy: {lesion_name(lesion.id)}")
    show_timeline(history, reviewer=user.name)
    show_then_and_now(records, history, reviewer=user.name, is_open=shows_photos)
    _ask_comment(records, lesion.id, user)
    _ask_outcome(records, history, user)


def _ask_comment(records: Records, lesion_id: str, user: User) -> None:
    with st.form(f"comment_{lesion_id}", clear_on_submit=True, border=False):
        text = st.text_area("A remark", max_chars=4_000, key=f"comment_text_{lesion_id}")
        if st.form_submit_button("Keep the remark", key=f"comment_send_{lesion_id}"):
            add_comment(records, lesion_id, text, author=user.name, now=now_utc())
            st.session_state[_DONE_KEY] = "The remark is kept."
            st.rerun()


def _ask_outcome(records: Records, history: LesionHistory, user: User) -> None:
    known = history.outcome is not None
    title = "Correct the outcome (what was entered stays)" if known else "Enter what it turned out to be"
    with st.expander(title, icon=":material/biotech:"), st.form(f"outcome_{history.lesion.id}", border=False):
        dx = st.selectbox(
            "Diagnosis", DIAGNOSES, index=None, format_func=outcome_name, key=f"outcome_dx_{history.lesion.id}"
        )
        way = st.selectbox("Confirmed by", CONFIRM_TYPES, key=f"outcome_way_{history.lesion.id}")
        found = st.date_input("Day of the finding", max_value="today", key=f"outcome_day_{history.lesion.id}")
        words = st.text_area("Words of the report (optional)", max_chars=4_000, key=f"outcome_note_{history.lesion.id}")
        if not st.form_submit_button("Keep the outcome", key=f"outcome_send_{history.lesion.id}"):
            return
        if dx is None:
            st.error("Choose the diagnosis first.")
            return
        now = now_utc()
        found_at = min(datetime.combine(found, time(12), UTC), now)
        add_outcome(
            records,
            history.lesion.id,
            dx=dx,
            confirmed_by=way,
            found_at=found_at,
            actor=user.name,
            now=now,
            note_text=words,
        )
        st.session_state[_DONE_KEY] = f"Kept: {outcome_name(dx)}, by {way}."
        st.rerun()


def _show_rights(records: Records, history: PersonHistory, user: User) -> None:
    person = history.person
    st.subheader("Consent, and what the person may ask for")
    for consent in history.consents:
        training = ", and for training" if consent.allows_training else ""
        taken_back = f", taken back {day(consent.withdrawn_at)}" if consent.withdrawn_at else ""
        st.markdown(
            f"- Text {consent.text_version}, given {day(consent.given_at)}, until {day(consent.keep_until)}{training}{taken_back}"
        )
    if st.button("Give me all my data (make the file)", key="make_export", icon=":material/archive:"):
        whole = io.BytesIO()
        export_person(records, person.id, whole, actor=user.name, now=now_utc())
        st.session_state[_EXPORT_KEY] = (person.id, whole.getvalue())
    made = st.session_state.get(_EXPORT_KEY)
    if made and made[0] == person.id:
        st.download_button(
            "Download it (zip)",
            data=made[1],
            file_name=f"dermascan-{person.pseudonym}.zip",
            mime="application/zip",
            on_click="ignore",
            key="download_export",
        )
    is_agreed = any(consent.is_in_force(now_utc()) for consent in history.consents)
    if is_agreed:
        _ask_withdrawal(records, person, user)
    typed = st.text_input(
        f"To delete everything about this person, write {person.pseudonym}", key="delete_word", max_chars=40
    )
    if st.button("Delete everything about me", key="delete_person", type="primary", disabled=typed != person.pseudonym):
        gone = delete_person(records, person.id, actor=user.name, now=now_utc())
        st.session_state.pop(_EXPORT_KEY, None)
        _choose("")
        st.session_state[_DONE_KEY] = (
            f"Deleted: {gone.person.pseudonym} with {_counted(gone.n_lesions, 'lesion')}, "
            f"{_counted(gone.n_photos, 'photo')} and {_counted(gone.n_screenings, 'screening')}. Backups made before still hold them."
        )
        st.rerun()


def _ask_withdrawal(records: Records, person: KeptPerson, user: User) -> None:
    """Take the consent back once the pseudonym was typed: there is no way to give it again without the person."""
    typed = st.text_input(
        f"To take the consent back, write {person.pseudonym}: nothing new is kept then, and the next clean-up deletes all",
        key="withdraw_word",
        max_chars=40,
    )
    if st.button("Take the consent back", key="withdraw_consent", disabled=typed != person.pseudonym):
        withdraw_consent(records, person.id, actor=user.name, now=now_utc())
        st.session_state[_DONE_KEY] = (
            "The consent is taken back. Nothing new is kept, and the next clean-up deletes what is there; delete it at once below."
        )
        st.rerun()


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


with failures_told("case history"):
    show_page()
