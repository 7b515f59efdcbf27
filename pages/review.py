"""Review: kept cases by urgency, each read by the clinician first, then with the model's answer beside it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from dermascan_core.domain import Screening
from dermascan_core.errors import DermaScanError
from dermascan_core.services.access import Role, User
from dermascan_core.services.history import LesionHistory, lesion_history, list_screenings, next_unread, note_view
from dermascan_core.services.keeping import keep_again
from dermascan_core.services.map_audit import judge_map, map_verdicts
from dermascan_core.services.records import Records
from dermascan_core.services.review_case import CaseAtHand, open_case
from dermascan_core.services.reviewing import (
    Reading,
    confirm,
    find_reading,
    keep_draft,
    reviews_of,
    standing,
    withdraw,
)
from pages._ui import reading as parts
from pages._ui.access import require
from pages._ui.frame import Width, as_plain_text, failures_told, link_page, page_frame, scroll_to_top
from pages._ui.queue import CASE_PARAM, choose_case, show_queue
from pages._ui.reading import Wish
from pages._ui.records import now_utc, open_records_here
from pages._ui.what_if import NEW_ANSWER_KEY, offer_another_answer

_SEEN_KEY = "review_seen"
_CASE_KEY = "review_case"
_LAST_KEY = "review_last_confirmed"


def show_page() -> None:
    page_frame("Review: your own opinion first", width=Width.TABLE)
    user = require(Role.CLINICIAN)
    records = open_records_here()
    _do_what_was_asked(records, user)
    screening_id = str(st.query_params.get(CASE_PARAM, ""))
    _offer_undo(screening_id)
    if not screening_id:
        show_queue(records, user)
        return
    try:
        case = _case(records, screening_id)
    except DermaScanError as error:
        st.error(str(error))
        st.button("Back to the list", key="back", on_click=choose_case, args=("",))
        return
    _note_once(records, case, user)
    _show_case(records, case, user)


def _case(records: Records, screening_id: str) -> CaseAtHand:
    kept: CaseAtHand | None = st.session_state.get(_CASE_KEY)
    if kept is None or kept.screening.id != screening_id:
        kept = open_case(records, screening_id)
        st.session_state[_CASE_KEY] = kept
    return kept


def _note_once(records: Records, case: CaseAtHand, user: User) -> None:
    seen: set[tuple[str, str]] = st.session_state.setdefault(_SEEN_KEY, set())
    if (user.name, case.screening.id) not in seen:
        note_view(records, case.person.id, actor=user.name, now=now_utc())
        seen.add((user.name, case.screening.id))


def _show_case(records: Records, case: CaseAtHand, user: User) -> None:
    history = lesion_history(records, case.lesion.id)
    mine = [one for one in standing(reviews_of(history, case.screening.id)) if one.reviewer == user.name]
    reading = find_reading(records, case.screening.id, reviewer=user.name)
    _show_head(records, case, user)
    photo, said = st.columns([3, 2])
    with photo:
        parts.show_photos(case)
    with said:
        if mine:
            others = tuple(one for one in standing(reviews_of(history, case.screening.id)) if one.reviewer != user.name)
            parts.show_confirmed(mine[0], others)
        elif reading.is_model_shown:
            parts.ask_decision(case, reading)
        else:
            parts.ask_own_opinion(case, reading)
    if mine or reading.is_model_shown:
        shown = (
            reading if reading.is_model_shown else Reading(mine[0].own_dx, mine[0].own_step, mine[0].own_at.isoformat())
        )
        parts.show_model_answer(case, shown)
        parts.ask_about_map(case, map_verdicts(records.database).get((user.name, case.screening.id)))
        offer_another_answer(case)
        _show_replaced(history, case)


def _show_head(records: Records, case: CaseAtHand, user: User) -> None:
    page = list_screenings(records, not_read_by=user.name, is_demo=case.person.is_demo, limit=1)
    mark = " (demo, generated)" if case.person.is_demo else ""
    label = f", {as_plain_text(case.lesion.label)}" if case.lesion.label else ""
    st.markdown(f"**{case.person.pseudonym}**{mark}{label}. {page.n_screenings} left to read.")
    with st.container(horizontal=True):
        st.button("Next case", key="next", shortcut="N", on_click=_ask_next, args=(case,), icon=":material/skip_next:")
        st.button("List", key="back", shortcut="L", on_click=choose_case, args=("",), icon=":material/list:")
    link_page(
        "pages/case_history.py",
        "History, remarks and outcome of this case",
        icon=":material/history:",
        query={CASE_PARAM: case.screening.id},
    )


def _ask_next(case: CaseAtHand) -> None:
    parts.wish("next", case.screening.id)


def _offer_undo(screening_id: str) -> None:
    last = st.session_state.get(_LAST_KEY)
    if last:
        st.button(
            "Undo the last confirmed reading",
            key="undo_reading",
            shortcut="U",
            on_click=parts.wish,
            args=("withdraw", last),
            icon=":material/undo:",
            help="A new version takes it back; nothing is erased. What you had said becomes your draft again.",
        )


def _show_replaced(history: LesionHistory, case: CaseAtHand) -> None:
    before = next((one.screening for one in history.cases if one.screening.id == case.screening.replaces_id), None)
    if before is None:
        return
    st.subheader("What the new answer changed")
    for title, kept in (("Before", before), ("Now", case.screening)):
        share = "not assessed" if kept.p_malignant is None else f"{100 * kept.p_malignant:.1f} % cancer or pre-cancer"
        first = parts.DX_WORDS.get(kept.predicted or "", "no class")
        st.markdown(f"- **{title}**: {first}, {share}, {parts.STEP_WORDS[kept.next_step].lower()}, {kept.image_type}")
    st.caption("Both answers are kept.")


def _do_what_was_asked(records: Records, user: User) -> None:
    """Widgets note wishes before anybody knows who clicked; they are done here, for the person who is logged in now."""
    for wanted in parts.take_wishes():
        try:
            _do(records, user, wanted)
        except DermaScanError as error:
            st.error(str(error))
    new: Screening | None = st.session_state.pop(NEW_ANSWER_KEY, None)
    if new is not None:
        _keep_new_answer(records, user, new)


def _do(records: Records, user: User, wanted: Wish) -> None:
    if wanted.what == "next":
        _go_on(records, user, wanted.screening_id)
        return
    case = _case(records, wanted.screening_id)
    if wanted.what == "judge_map":
        is_demo = case.person.is_demo
        judge_map(records.database, wanted.screening_id, wanted.value, is_demo=is_demo, actor=user.name, now=now_utc())
        return
    history = lesion_history(records, case.lesion.id)
    if wanted.what == "withdraw":
        withdraw(records, history, wanted.screening_id, reviewer=user.name, now=now_utc())
        st.session_state.pop(_LAST_KEY, None)
        choose_case(wanted.screening_id)
        return
    reading = find_reading(records, wanted.screening_id, reviewer=user.name)
    if wanted.what == "confirm":
        confirm(records, history, case.screening, reading, wanted.value, reviewer=user.name, now=now_utc())
        st.session_state[_LAST_KEY] = wanted.screening_id
        return
    keep_draft(records, wanted.screening_id, _said(reading, wanted), reviewer=user.name, now=now_utc())


def _said(reading: Reading, wanted: Wish) -> Reading:
    if wanted.what != "say":
        return parts.changed(reading, wanted)
    if not wanted.value and not reading.is_model_shown:
        return replace(reading, own_dx=None)
    offered = {"own_dx": parts.DX_WORDS, "own_step": parts.STEP_WORDS}.get(wanted.name, {})
    if wanted.value not in offered:
        return reading  # a browser can send anything
    return reading.say(now=now_utc(), **{wanted.name.removeprefix("own_"): wanted.value})


def _go_on(records: Records, user: User, screening_id: str) -> None:
    """Open the next case that the reader has not read, in the list's order and round; the list, where there is none."""
    case = _case(records, screening_id)
    following = next_unread(records, case.screening, reviewer=user.name, is_demo=case.person.is_demo)
    choose_case(following or "")
    scroll_to_top()


def _keep_new_answer(records: Records, user: User, new: Screening) -> None:
    case: CaseAtHand = st.session_state[_CASE_KEY]
    kept = keep_again(
        records,
        new,
        [intake.data for intake in case.intakes],
        lesion_id=case.lesion.id,
        replaces_id=case.screening.id,
        actor=user.name,
        now=now_utc(),
    )
    reading = find_reading(records, case.screening.id, reviewer=user.name)
    if reading.is_model_shown:  # the opinion was given before either answer was seen, so it is that of the new one too
        keep_draft(records, kept.id, reading, reviewer=user.name, now=now_utc())
    choose_case(kept.id)


with failures_told("review"):
    show_page()
