"""Lists in the clinic's records: added with their ground, worked off in the background, looked through, removed.

Pages import this only where records are wanted: it needs the database.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import streamlit as st

from dermascan_core.errors import AccessError, DermaScanError
from dermascan_core.services import stored_batches as lists
from dermascan_core.services.access import Action, Role, User, may
from dermascan_core.services.performance import calm_rate
from dermascan_core.services.records import CLINIC_BASIS, CONSENT_TEXTS, KEEP_DAYS, ConsentGiven, Records
from dermascan_core.services.stored_batches import BatchState, KeptBatch
from dermascan_core.services.stored_worklist import StoredList, change_mark, stored_list, stored_records, thumbnail_of
from dermascan_core.services.thumbnails import smaller_jpeg
from dermascan_core.services.worklist import WorklistEntry
from dermascan_core.triage.reading_order import DEFAULT_SHARE_TO_READ
from dermascan_core.triage.wording import Voice

from .access import current_user
from .frame import as_plain_text, link_page
from .model import choose_model, shipped_manifest
from .records import now_utc, open_records_here
from .worklist_downloads import offer_downloads
from .worklist_intake import Prepared, ask_grid, forget_photos, show_unused, take_photos_in
from .worklist_runner import worklist_runner
from .worklist_table import WorklistView

_CHOSEN_KEY = "triage_list"
_LIST_KEY = "triage_stored_list"
_TAKEN_OFF_KEY = "triage_taken_off"
_MAX_KEEP_DAYS = 3650
_REFRESH_S = 2.0
_STATES = {
    BatchState.WAITING: "in progress",
    BatchState.PAUSED: "paused",
    BatchState.DONE: "done",
    BatchState.STOPPED: "stopped",
}


def show_stored_lists(user: User, voice: Voice) -> None:
    """Show the clinic's lists and what can be done with them."""
    records = open_records_here()
    worklist_runner()
    batches = lists.list_batches(records)
    with st.expander("Add photos", icon=":material/add_photo_alternate:", expanded=not batches):
        _ask_new_list(records, user, voice)
    if not batches:
        st.info("No list yet. Add photos above.", icon=":material/inbox:")
        _offer_demo()
        return
    batch = _choose(batches)
    _show_progress(records, batch.id, user)
    _show_list(records, batch, user, voice)


def _offer_demo() -> None:
    """Lead to the page that fills the records with a demo clinic, where the map has it."""
    if Path("pages/review.py").is_file():
        link_page("pages/review.py", "Fill with a demo clinic (on the page Review)", icon=":material/science:")


def _ask_new_list(records: Records, user: User, voice: Voice) -> None:
    intake, refusal = take_photos_in(max_photos=lists.MAX_STORED_PHOTOS)
    if refusal:
        st.error(refusal)
    prepared = ask_grid(intake)
    if intake is not None and prepared is None:
        st.caption("Say what took the photos to go on.")
    if prepared is None:
        return
    show_unused(prepared.problems, prepared.unused)
    model = choose_model(voice, key="triage_stored_model")
    with st.form("new_list", border=False):
        name = st.text_input(
            "Name of the list", max_chars=lists.MAX_BATCH_NAME_CHARACTERS, placeholder="Monday, room 3"
        )
        today = now_utc().date()
        until = st.date_input(
            "Keep until",
            value=today + timedelta(days=KEEP_DAYS),
            min_value=today + timedelta(days=1),
            max_value=today + timedelta(days=_MAX_KEEP_DAYS),
        )
        share = st.number_input(
            "Of the calm ones, draw to be read all the same (percent)", 0, 100, round(100 * DEFAULT_SHARE_TO_READ), 1
        )
        agreed = st.checkbox(CONSENT_TEXTS[CLINIC_BASIS])
        if st.form_submit_button("Keep these photos and screen them", type="primary", icon=":material/inventory_2:"):
            if not agreed:
                st.error("Nothing is stored without a ground. Tick the statement above, or screen for this visit only.")
                return
            keep_until = datetime.combine(until, time(23, 59), UTC)
            order = lists.BatchOrder(
                name=name,
                consent=ConsentGiven(keep_until=keep_until, text_version=CLINIC_BASIS),
                model=model,
                image_type=prepared.image_type,
                share_to_read=share / 100,
            )
            _add(records, prepared, order, user)


def _add(records: Records, prepared: Prepared, order: lists.BatchOrder, user: User) -> None:
    bar = st.progress(0.0, text="Sealing the photos")

    def show(n_done: int, n_photos: int) -> None:
        bar.progress(n_done / n_photos, text=f"{n_done:,} of {n_photos:,} photos sealed")

    try:
        batch_id = lists.add_batch(
            records,
            prepared.plans,
            prepared.photos,
            order=order,
            actor=user.name,
            now=now_utc(),
            on_progress=show,
        )
    except DermaScanError as error:
        bar.empty()
        st.error(str(error))
        return
    worklist_runner().wake()
    forget_photos()
    st.session_state[_CHOSEN_KEY] = batch_id
    st.rerun()


def _choose(batches: tuple[KeptBatch, ...]) -> KeptBatch:
    by_id = {batch.id: batch for batch in batches}
    if st.session_state.get(_CHOSEN_KEY) not in by_id:
        st.session_state[_CHOSEN_KEY] = batches[0].id
    chosen = st.selectbox("List", list(by_id), format_func=lambda batch_id: _title(by_id[batch_id]), key=_CHOSEN_KEY)
    return by_id[chosen]


def _title(batch: KeptBatch) -> str:
    mark = " (demo)" if batch.is_demo else ""
    return f"{batch.name}{mark}: {batch.n_photos:,} photos, {_STATES[batch.state]}, {batch.owner}, {batch.created_at:%Y-%m-%d}"


@st.fragment(run_every=_REFRESH_S)
def _show_progress(records: Records, batch_id: str, user: User) -> None:
    """How far the list is; looks again by itself, which keeps nobody logged in."""
    if not may(current_user(is_by_hand=False).role, Action.RUN_BATCHES):
        st.rerun()
    try:
        batch = lists.find_batch(records, batch_id)
    except DermaScanError:
        st.rerun()
    read_id, found = _list_read_before()
    shown = found if read_id == batch_id else None
    if batch.state.is_over:
        if shown is not None and change_mark(records, batch_id) != shown.mark:
            _forget_list()
            st.rerun()  # the last photos came in since the list was read
        return
    n_done = batch.n_photos - batch.n_open
    if shown is not None and not shown.ranked and n_done > batch.n_failed:
        _forget_list()
        st.rerun()  # the first answers are there
    runner = worklist_runner()
    st.progress(n_done / max(1, batch.n_photos), text=_progress_words(batch, runner.seconds_left(batch)))
    if runner.problem:
        st.warning(f"{runner.problem} The list goes on by itself when that is put right.", icon=":material/hourglass:")
    _offer_changes(batch, user, has_more=shown is not None and n_done > 0)


def _offer_changes(batch: KeptBatch, user: User, *, has_more: bool) -> None:
    """Each runs the whole page again: a callback would run the fragment alone, and the list below would stay as it was."""
    is_paused = batch.state is BatchState.PAUSED
    with st.container(horizontal=True):
        if is_paused and st.button("Resume", key="resume", icon=":material/play_arrow:"):
            _do("resume", batch, user)
            st.rerun()
        if not is_paused and st.button("Pause", key="pause", icon=":material/pause:"):
            _do("pause", batch, user)
            st.rerun()
        if st.button("Stop: leave out the rest", key="stop", icon=":material/stop:"):
            _do("stop", batch, user)
            st.rerun()
        if has_more and st.button("Show what is answered by now", key="refresh_list", icon=":material/refresh:"):
            _forget_list()
            st.rerun()


def _progress_words(batch: KeptBatch, seconds: float | None) -> str:
    n_done = batch.n_photos - batch.n_open
    said = f"{n_done:,} of {batch.n_photos:,} photos"
    if batch.state is BatchState.PAUSED:
        return f"{said}. Paused: nothing is looked at until somebody resumes it."
    left = "" if seconds is None else f", about {_duration(seconds)} left"
    return f"{said}{left}. It goes on when this page is closed."


def _duration(seconds: float) -> str:
    return f"{max(1, round(seconds))} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _forget_list() -> None:
    st.session_state.pop(_LIST_KEY, None)


def _do(what: str, batch: KeptBatch, user: User) -> None:
    verbs = {"pause": lists.pause, "resume": lists.resume, "stop": lists.stop, "remove": lists.remove_batch}
    try:
        lists.check_owner(batch, user.name, is_admin=user.role.includes(Role.ADMIN))
        verbs[what](open_records_here(), batch.id, actor=user.name, now=now_utc())
    except DermaScanError as error:
        st.toast(str(error), icon=":material/error:")
        return
    worklist_runner().wake()
    _forget_list()


def _list_read_before() -> tuple[str, StoredList | None]:
    found: tuple[str, StoredList | None] = st.session_state.get(_LIST_KEY, ("", None))
    return found


def _read_list(records: Records, batch: KeptBatch) -> StoredList:
    """Read the list once, and again when it changed; while a batch runs, when somebody asks for it."""
    batch_id, known = _list_read_before()
    if known is not None and batch_id == batch.id:
        is_running = batch.state is BatchState.WAITING
        if is_running or change_mark(records, batch.id) == known.mark:
            return known
    found = stored_list(records, batch.id)
    st.session_state[_LIST_KEY] = (batch.id, found)
    return found


def _show_list(records: Records, batch: KeptBatch, user: User, voice: Voice) -> None:
    found = _read_list(records, batch)
    manifest = shipped_manifest(batch.model)
    may_change = batch.owner == user.name or user.role.includes(Role.ADMIN)
    st.header("Who to look at first")
    _offer_undo(records, batch, user)
    if found.ranked:
        view = WorklistView(
            key=f"list_{batch.id[:8]}",
            voice=voice,
            picture_of=lambda entry: thumbnail_of(records, entry),
            is_order_only=True,
            has_readings=True,
            on_open=_open_case,
            on_take_off=(lambda entry: _take_off(batch, found, entry, user)) if may_change else None,
        )
        view.show(found.ranked, rate=None if manifest is None else calm_rate(manifest))
    else:
        st.info("Nothing is answered yet. The first photos come in a moment.", icon=":material/hourglass_top:")
    if manifest is not None and found.ranked:
        offer_downloads(
            found.ranked,
            key="stored",
            manifest=manifest,
            made_by=f"List '{batch.name}', model {batch.model}, added by {batch.owner} on {batch.created_at:%Y-%m-%d}",
            records_of=lambda: stored_records(records, found.ranked, batch, manifest),
            picture_of=lambda entry: _for_print(records, entry),
        )
    if may_change:
        _offer_removal(batch, user)


def _for_print(records: Records, entry: WorklistEntry) -> bytes:
    picture = thumbnail_of(records, entry)
    return smaller_jpeg(picture, side_px=120) if picture else b""


def _open_case(entry: WorklistEntry) -> None:
    st.switch_page("pages/review.py", query_params={"screening": entry.screening_id})


def _take_off(batch: KeptBatch, found: StoredList, entry: WorklistEntry, user: User) -> None:
    items = found.items_of[entry.key]
    try:
        lists.check_owner(batch, user.name, is_admin=user.role.includes(Role.ADMIN))
        lists.take_off(open_records_here(), batch.id, items, actor=user.name, now=now_utc())
    except DermaScanError as error:
        st.toast(str(error), icon=":material/error:")
        return
    st.session_state[_TAKEN_OFF_KEY] = (batch.id, items, entry.names[0])
    _forget_list()


def _offer_undo(records: Records, batch: KeptBatch, user: User) -> None:
    batch_id, items, name = st.session_state.get(_TAKEN_OFF_KEY, ("", (), ""))
    if batch_id != batch.id:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{as_plain_text(name)} was taken off the list. The case itself stays in the records.")
        st.button("Undo", key="undo_take_off", icon=":material/undo:", on_click=_put_back, args=(batch, items, user))


def _put_back(batch: KeptBatch, items: tuple[str, ...], user: User) -> None:
    st.session_state.pop(_TAKEN_OFF_KEY, None)
    try:
        lists.put_back(open_records_here(), batch.id, items, actor=user.name, now=now_utc())
    except AccessError as error:
        st.toast(str(error), icon=":material/error:")
    _forget_list()


def _offer_removal(batch: KeptBatch, user: User) -> None:
    with st.popover("Remove this list", icon=":material/delete:"):
        st.markdown(
            "The list is removed. The cases that it brought stay in the records until their day, or until somebody deletes "
            "a person there."
        )
        st.button("Remove the list now", key="remove_list", type="primary", on_click=_do, args=("remove", batch, user))
