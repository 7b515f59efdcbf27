"""Triage: many photos at once, ranked by who should be looked at first, for this visit or in the clinic's records."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from dermascan_core.domain import ImageType
from dermascan_core.errors import DermaScanError
from dermascan_core.model.manifest import Manifest
from dermascan_core.services.access import Action, User, may, records_exist
from dermascan_core.services.lesion_batch import screen_lesions
from dermascan_core.services.performance import calm_rate
from dermascan_core.services.worklist import WorklistEntry, draw_to_read, entry_of, photo_records, rank
from dermascan_core.triage.reading_order import DEFAULT_SHARE_TO_READ
from dermascan_core.triage.wording import Voice, phone_words
from pages._ui.access import current_user
from pages._ui.frame import Width, as_plain_text, failures_told, page_frame
from pages._ui.model import choose_model, get_predictor
from pages._ui.turns import wait_for_turn
from pages._ui.worklist_downloads import offer_downloads
from pages._ui.worklist_intake import (
    Prepared,
    ask_grid,
    forget_photos,
    offer_sample_table,
    show_unused,
    take_photos_in,
)
from pages._ui.worklist_table import WorklistView

_LIST_KEY = "triage_visit_list"
_UNDO_KEY = "triage_visit_undo"
_MAX_PHOTOS = 200
_WHERE = {"visit": "This visit (nothing is stored)", "records": "The clinic's records"}


def show_page() -> None:
    voice = page_frame("Triage: many photos, most urgent first", width=Width.TABLE)
    st.markdown(
        "The order comes from the photos and the table alone: nobody was asked about warning signs beyond what the table "
        "says, so a calm row calms nobody. Photos of one lesion are judged together where names or table say so."
    )
    user = _clinic_user(voice)
    if user is not None and _ask_where() == "records":
        from pages._ui.worklist_stored import show_stored_lists

        show_stored_lists(user, voice)
    else:
        _show_visit(voice)


def _clinic_user(voice: Voice) -> User | None:
    """Return who may keep lists in the records; None for everybody else, who is shown nothing of them."""
    if voice is not Voice.CLINICIAN:
        return None
    user = current_user()
    return user if may(user.role, Action.RUN_BATCHES) else None


def _ask_where() -> str:
    default = "records" if records_exist() else "visit"
    chosen = st.segmented_control(
        "Where the list lives",
        list(_WHERE),
        format_func=_WHERE.__getitem__,
        default=default,
        required=True,
        key="triage_where",
    )
    return str(chosen)


@dataclass(frozen=True, slots=True)
class _VisitList:
    """A ranking of this visit and what it was made from.

    Attributes:
        ranked: Most urgent first.
        records: Key of an entry -> what each of its photos' line says.
        prepared: What was screened.
        manifest: Of the model.
        made_by: Model, engine, weights and program, in words.
    """

    ranked: tuple[WorklistEntry, ...]
    records: Mapping[str, Sequence[Mapping[str, Any]]]
    prepared: Prepared
    manifest: Manifest
    made_by: str


def _show_visit(voice: Voice) -> None:
    intake, refusal = take_photos_in(max_photos=_MAX_PHOTOS)
    if refusal:
        st.error(refusal)
    prepared = ask_grid(intake)
    model_name = choose_model(voice, key="triage_model")
    if st.button("Rank these photos", type="primary", key="rank", icon=":material/sort:"):
        st.session_state.pop(_LIST_KEY, None)  # an old list under a new failure would be taken for the new one
        _rank(prepared, model_name)
    found: _VisitList | None = st.session_state.get(_LIST_KEY)
    if found is None:
        _show_empty_state()
    elif intake is not None and intake.source != found.prepared.source:
        st.info("The photos above changed since the last ranking. Rank them again.", icon=":material/sort:")
        _offer_deletion()
    else:
        _show_list(found, voice)
        _offer_deletion()


def _rank(prepared: Prepared | None, model_name: str) -> None:
    if prepared is None:
        st.error("Add photos and say what took them, then rank them.")
        return
    try:
        entries, records, made_by = _screen_all(prepared, model_name)
    except DermaScanError as error:
        st.error(str(error))
        return
    drawn = draw_to_read(entries, share=DEFAULT_SHARE_TO_READ, chance=random.SystemRandom())
    manifest = get_predictor(model_name).manifest
    st.session_state[_LIST_KEY] = _VisitList(tuple(rank(drawn)), records, prepared, manifest, made_by)
    st.session_state.pop(_UNDO_KEY, None)


def _screen_all(
    prepared: Prepared, model_name: str
) -> tuple[list[WorklistEntry], dict[str, list[dict[str, Any]]], str]:
    bar = st.progress(0.0, text="Getting the model ready")
    entries: list[WorklistEntry] = []
    records: dict[str, list[dict[str, Any]]] = {}
    made_by = ""
    predictor = get_predictor(model_name)
    n_lesions = len(prepared.plans)
    with wait_for_turn(lambda words: bar.progress(0.0, text=words)):
        for index, screened in enumerate(screen_lesions(prepared.plans, prepared.photos, predictor=predictor)):
            key = str(index)
            entries.append(entry_of(screened, key=key))
            records[key] = photo_records(screened.screening, predictor.manifest.codes)
            one = screened.screening
            made_by = (
                f"Model {one.model}, engine {one.engine}, weights {one.model_sha256[:12]}, program {one.app_version}"
            )
            bar.progress(len(entries) / n_lesions, text=f"{len(entries)} of {n_lesions} lesions")
    bar.empty()
    return entries, records, made_by


def _show_list(found: _VisitList, voice: Voice) -> None:
    st.header("Who to look at first")
    if found.prepared.image_type is ImageType.CLINICAL:
        st.warning(phone_words(found.manifest.phone_test), icon=":material/smartphone:")
    show_unused(found.prepared.problems, found.prepared.unused)
    _offer_undo()
    view = WorklistView(key="visit", voice=voice, picture_of=lambda entry: entry.thumbnail, on_take_off=_take_off)
    view.show(found.ranked, rate=calm_rate(found.manifest))
    offer_downloads(
        found.ranked,
        key="download_worklist",
        manifest=found.manifest,
        made_by=found.made_by,
        records_of=lambda: found.records,
        picture_of=lambda entry: entry.thumbnail,
    )
    st.caption(as_plain_text(found.made_by, max_chars=200))


def _take_off(entry: WorklistEntry) -> None:
    found: _VisitList = st.session_state[_LIST_KEY]
    st.session_state[_UNDO_KEY] = (found, entry.names[0])
    left = tuple(one for one in found.ranked if one.key != entry.key)
    st.session_state[_LIST_KEY] = replace(found, ranked=left)


def _offer_undo() -> None:
    if _UNDO_KEY not in st.session_state:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"{as_plain_text(st.session_state[_UNDO_KEY][1])} was taken off the list.")
        st.button("Undo", key="undo_take_off", icon=":material/undo:", on_click=_undo)


def _undo() -> None:
    st.session_state[_LIST_KEY], _ = st.session_state.pop(_UNDO_KEY)


def _offer_deletion() -> None:
    st.button("Delete this list", key="delete_list", icon=":material/delete:", on_click=_delete_list)


def _delete_list() -> None:
    st.session_state.pop(_LIST_KEY, None)
    st.session_state.pop(_UNDO_KEY, None)
    forget_photos()


def _show_empty_state() -> None:
    st.info(
        "Nothing ranked yet. Add photos above. A table is optional: its rows name the photo and what is known.",
        icon=":material/inbox:",
    )
    offer_sample_table()


with failures_told("triage"):
    show_page()
