"""The case at hand: photos, answers and result of one lesion, kept through reruns, pages and a phone's pauses.

It lives in the session. A copy of the reference lies in this process's memory for half an hour, so that the same
browser finds it again when a phone has thrown the tab away. Nothing is written to disk.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
import weakref
from dataclasses import dataclass, field, replace
from typing import Any

import streamlit as st

from dermascan_core.domain import CropBox, ImageType, Screening
from dermascan_core.model.manifest import Manifest
from dermascan_core.services.intake import Intake
from dermascan_core.triage.refusals import MAX_REFUSALS

MAX_PHOTOS = 6
KEPT_FOR_S = 1800.0
MAX_KEPT_BYTES = 512 * 2**20
SWEEP_EVERY_S = 60.0
TOKEN_PARAM = "case"  # noqa: S105  the name of the query parameter, no secret
_CASE_KEY = "current_case"
_DELETED_KEY = "deleted_case"
_TOKEN_KEY = "case_token"  # noqa: S105  a key of the session


@dataclass(slots=True)
class Case:
    """One lesion being looked at.

    Attributes:
        photos: As they came in, at most six.
        hand_crops: sha256 of a photo -> the square set by hand.
        photo_types: sha256 of a photo -> how it was taken, where the person said so of this photo alone.
        form: Widget key -> value of everything that was asked.
        screening: The result; None before the first.
        screened_photos: The photos of the result, in its order; ``photos`` may have changed since.
        screened_by: Manifest of the model that answered, so that a result stays readable without its weights.
        screening_with_steps: The same after the optional imaging steps, where some were chosen.
        is_form_replaced: Whether the widgets still hold another form and must take this one over.
        is_editing: Whether the questions are shown rather than the result.
        example_title: Title of the generated picture in use; empty for a person's own photos.
        n_uploads: How often the uploader was emptied; part of its key.
        refused: sha256 of each photo that was refused and could be taken better, also of those removed since.
    """

    photos: list[Intake] = field(default_factory=list)
    hand_crops: dict[str, CropBox] = field(default_factory=dict)
    photo_types: dict[str, ImageType] = field(default_factory=dict)
    form: dict[str, Any] = field(default_factory=dict)
    screening: Screening | None = None
    screened_photos: tuple[Intake, ...] = ()
    screened_by: Manifest | None = None
    screening_with_steps: Screening | None = None
    is_form_replaced: bool = False
    is_editing: bool = True
    example_title: str = ""
    n_uploads: int = 0
    refused: set[str] = field(default_factory=set)

    @property
    def is_given_up(self) -> bool:
        """Whether photos were refused so often, and none was usable, that no other one is asked for."""
        return len(self.refused) >= MAX_REFUSALS and all(photo.sha256 in self.refused for photo in self.photos)

    @property
    def size_bytes(self) -> int:
        """Memory its photos take."""
        photos = {photo.sha256: photo for photo in (*self.photos, *self.screened_photos)}
        return sum(len(photo.data) + len(photo.preview_jpeg) for photo in photos.values())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to lose."""
        return not self.photos and self.screening is None and not any(self.form.values())

    def copy(self) -> Case:
        """Return a case of its own with the same photos: what one tab changes, another does not show."""
        return replace(
            self,
            photos=list(self.photos),
            hand_crops=dict(self.hand_crops),
            photo_types=dict(self.photo_types),
            form=dict(self.form),
            refused=set(self.refused),
        )


class CaseStore:
    """Cases of this process by token and browser; forgets them half an hour after their last use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], tuple[float, Case]] = {}

    def keep(self, token: str, browser: str, case: Case, *, now_s: float) -> None:
        """Keep a case, dropping the oldest where all together grow too large."""
        with self._lock:
            self._kept.pop((token, browser), None)
            self._kept[token, browser] = (now_s, case)
            self._drop_old(now_s)

    def find(self, token: str, browser: str, *, now_s: float) -> Case | None:
        """Return the case, or None when it is unknown, too old, or was kept by another browser."""
        with self._lock:
            self._drop_old(now_s)
            return self._kept.get((token, browser), (0.0, None))[1]

    def drop(self, token: str, browser: str) -> None:
        """Forget a case at once."""
        with self._lock:
            self._kept.pop((token, browser), None)

    def forget_old(self, *, now_s: float) -> None:
        """Forget what is too old, though nobody asks for anything."""
        with self._lock:
            self._drop_old(now_s)

    def _drop_old(self, now_s: float) -> None:
        for key, (kept_s, _) in list(self._kept.items()):
            total = sum(case.size_bytes for _, case in self._kept.values())
            if now_s - kept_s > KEPT_FOR_S or (total > MAX_KEPT_BYTES and len(self._kept) > 1):
                del self._kept[key]


@st.cache_resource(show_spinner=False)
def _store() -> CaseStore:
    store = CaseStore()
    sweep_in_background(store)
    return store


def sweep_in_background(store: CaseStore, *, every_s: float = SWEEP_EVERY_S) -> threading.Thread:
    """Let a server that nobody visits forget old cases too, for as long as the store is in use elsewhere."""
    watched = weakref.ref(store)
    del store

    def sweep() -> None:
        while (kept := watched()) is not None:
            kept.forget_old(now_s=time.monotonic())
            del kept
            time.sleep(every_s)

    thread = threading.Thread(target=sweep, name="forget-cases", daemon=True)
    thread.start()
    return thread


def current_case() -> Case:
    """Return this session's case; in a new session the one that the same browser left, else an empty one."""
    if _CASE_KEY not in st.session_state:
        token = str(st.query_params.get(TOKEN_PARAM, ""))
        found = _store().find(token, _browser(), now_s=time.monotonic()) if token else None
        st.session_state[_TOKEN_KEY] = token if found else secrets.token_urlsafe(16)
        st.session_state[_CASE_KEY] = Case() if found is None else found.copy()
    case: Case = st.session_state[_CASE_KEY]
    return case


def keep_case(case: Case) -> None:
    """Keep the case for a reload of the page; an empty one is not kept."""
    if case.is_empty:
        return
    token = st.session_state[_TOKEN_KEY]
    if st.query_params.get(TOKEN_PARAM) != token:
        st.query_params[TOKEN_PARAM] = token
    _store().keep(token, _browser(), case, now_s=time.monotonic())


def start_over() -> None:
    """Delete the case; one undo is possible until the next photo comes in or the session ends."""
    old = current_case()
    st.session_state[_DELETED_KEY] = old
    _replace(Case(n_uploads=old.n_uploads + 1))


def make_room_for_example() -> Case:
    """Return a new case for an example; a person's own case is set aside, and undo brings it back."""
    old = current_case()
    if not old.example_title and not old.is_empty:
        st.session_state[_DELETED_KEY] = old
    _replace(Case(n_uploads=old.n_uploads + 1))
    return current_case()


def can_undo() -> bool:
    """Whether a deleted case can still be brought back."""
    return st.session_state.get(_DELETED_KEY) is not None


def undo_start_over() -> None:
    """Bring the deleted case back."""
    case = st.session_state.pop(_DELETED_KEY, None)
    if case is not None:
        _replace(case)


def forget_deleted() -> None:
    """Make a deletion final."""
    st.session_state.pop(_DELETED_KEY, None)


def _replace(case: Case) -> None:
    _store().drop(st.session_state.get(_TOKEN_KEY, ""), _browser())
    st.query_params.pop(TOKEN_PARAM, None)
    case.is_form_replaced = True
    st.session_state[_TOKEN_KEY] = secrets.token_urlsafe(16)
    st.session_state[_CASE_KEY] = case


def _browser() -> str:
    return browser_mark(str(st.context.cookies.get("_streamlit_xsrf", "")))


def browser_mark(xsrf_cookie: str) -> str:
    """Return what tells browsers apart: a hash of the token inside Streamlit's own XSRF cookie; "" without one.

    The cookie's value changes with each page load (the token is masked anew), so it is unmasked first. With it, a
    link that was passed on does not show its photo to anyone else.

    Args:
        xsrf_cookie: ``2|mask|masked token|time``, as Streamlit (and Tornado before it) writes it.

    >>> browser_mark("2|0f|f0|1795224416") == browser_mark("2|00|ff|1795224416")
    True
    """
    parts = xsrf_cookie.split("|")
    if len(parts) != 4 or parts[0] != "2":
        return ""
    try:
        mask, masked = bytes.fromhex(parts[1]), bytes.fromhex(parts[2])
    except ValueError:
        return ""
    token = bytes(byte ^ mask[i % len(mask)] for i, byte in enumerate(masked)) if mask else masked
    return hashlib.sha256(token).hexdigest()
