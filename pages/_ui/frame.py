"""The frame around every page: title, disclaimer, voice, style, and links that survive without the map."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import streamlit as st
from streamlit import runtime
from streamlit.errors import StreamlitPageNotFoundError
from streamlit.runtime.pages_manager import PagesManager

from dermascan_core.errors import DermaScanError
from dermascan_core.services import failure_log
from dermascan_core.triage.wording import DISCLAIMER, Voice

from .case import current_case, keep_case
from .login_state import show_login_state
from .model import guard_cached_model, start_loading
from .withheld import show_withheld
from .worklist_runner import go_on_with_batches

VOICE_KEY = "voice"
VOICE_LABEL = "Words on every page"
_REMEMBERED_VOICE_KEY = "remembered_voice"
_VOICES = {Voice.PUBLIC.value: "Plain words", Voice.CLINICIAN.value: "For clinicians"}
_MARKDOWN_SIGNS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:^=&])")

# Greyed answers; chosen options readable on any ground; long words and commands never widen a phone's page; pictures of a photo never taller than the screen;
# tables of facts wrap anywhere, tables of words between words.
_STYLE = """<style>
[class*="st-key-greyed"] { filter: grayscale(1); opacity: .62; }
[class*="st-key-photo-"] img { max-height: 62vh; object-fit: contain; }
[data-testid="stPageLink"] a, [data-testid="stPageLink"] p { white-space: normal; }
[data-testid="stButtonGroup"] button[aria-checked="true"] {
  color: inherit !important; font-weight: 600; box-shadow: inset 0 -3px 0 currentColor;
}
[class*="st-key-thumb-"] { max-width: 220px; }
[class*="st-key-photo-pair-"] [data-testid="stHorizontalBlock"] { flex-wrap: nowrap; }
[class*="st-key-photo-pair-"] [data-testid="stColumn"] { min-width: 0; }
[data-testid="stMain"] { overflow-wrap: anywhere; }
[data-testid="stMain"] pre, [data-testid="stMain"] pre code { white-space: pre-wrap !important; }
[class*="st-key-facts-"] td, [class*="st-key-facts-"] td * {
  white-space: normal !important; overflow-wrap: anywhere !important; max-width: none !important;
}
[class*="st-key-words-"] td, [class*="st-key-words-"] td * { white-space: normal !important; max-width: none !important; }
[data-testid="stMainBlockContainer"] { padding-top: 3.5rem; padding-bottom: 4rem; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding-left: 1rem; padding-right: 1rem; }
  [data-testid="stMainBlockContainer"] h1 { font-size: 1.8rem; }
  [data-testid="stMainBlockContainer"] h2 { font-size: 1.45rem; }
  [data-testid="stMainBlockContainer"] h3 { font-size: 1.2rem; }
  [class*="st-key-question-"] [data-testid="stButtonGroup"] button { min-height: 2.75rem; }
}
</style>"""


# A file of ours: the browser would fetch a named Material icon for its tab from Google.
_ICON = Path(__file__).with_name("icon.svg")


class Width(StrEnum):
    """How wide a page's content may grow."""

    READING = "centered"
    TABLE = "wide"


def page_frame(title: str, *, width: Width = Width.READING) -> Voice:
    """Open a page: every page calls this first, because a deep link may run the page without the map.

    Shows the title, the disclaimer and whether answers are withheld, asks for the voice in the sidebar, says there who is logged in, starts to load the
    model, and goes on with lists that an earlier process left unfinished.

    Returns:
        The voice chosen, kept in the address (``?voice=clinician``) across pages.
    """
    _go_through_the_map()
    st.set_page_config(page_title=f"{title} - DermaScan", page_icon=_ICON, layout=width.value)
    st.html(_STYLE)
    st.title(title)
    st.warning(DISCLAIMER, icon=":material/warning:")
    show_withheld()
    guard_cached_model()
    start_loading()
    go_on_with_batches()
    voice = _choose_voice(title)
    show_login_state()
    keep_case(current_case())  # the way to another page drops the address' query, and with it the case
    return voice


@contextmanager
def failures_told(page: str) -> Iterator[None]:
    """Tell a failure inside a page as one sentence: a known one as it is, an unforeseen one with its id in the log.

    Streamlit's own stop and rerun are no failures and pass. What was typed and shown stays in the session.
    """
    try:
        yield
    except DermaScanError as error:
        st.error(str(error))
    except Exception as error:  # noqa: BLE001  outermost boundary of a page: logged in full, told with its id
        st.error(as_plain_text(failure_log.record_failure(error, what=f"page {page}"), max_chars=600))


def _go_through_the_map() -> None:
    """Run again through ``streamlit_app.py`` where a fresh server answers its first link by this page alone.

    Streamlit takes a top-level ``pages/`` folder for its old kind of app until ``st.navigation`` was called once; the
    menu would then list files instead of the map's sections.
    """
    if PagesManager.uses_pages_directory and runtime.exists():
        PagesManager.uses_pages_directory = False
        st.rerun()


def _choose_voice(title: str) -> Voice:
    # On the way to another page a widget's value is dropped, and so is the address' query. A key of each page's own
    # keeps the value of the page just left from standing in the way.
    key = f"{VOICE_KEY}: {title}"
    asked = st.session_state.get(_REMEMBERED_VOICE_KEY) or st.query_params.get(VOICE_KEY, "")
    st.session_state.setdefault(key, asked if asked in _VOICES else Voice.PUBLIC.value)
    with st.sidebar:
        chosen = st.segmented_control(
            VOICE_LABEL, list(_VOICES), format_func=_VOICES.__getitem__, required=True, key=key
        )
    voice = Voice(chosen or Voice.PUBLIC)
    st.session_state[_REMEMBERED_VOICE_KEY] = voice.value
    if voice is Voice.PUBLIC:
        st.query_params.pop(VOICE_KEY, None)
    else:
        st.query_params[VOICE_KEY] = voice.value
    return voice


def link_page(path: str, label: str, *, icon: str | None = None, query: Mapping[str, str] | None = None) -> None:
    """Link to another page; plain text where that page is not on the map (a page run by itself)."""
    try:
        st.page_link(path, label=label, icon=icon, query_params=dict(query or {}))
    except StreamlitPageNotFoundError:
        st.markdown(f"{label} (in the menu)")


def as_plain_text(untrusted: str, *, max_chars: int = 60) -> str:
    r"""Return text for Markdown that is shown as it is: no HTML, no picture, no link, no colour, no formula.

    >>> as_plain_text("<script>[a](b)")
    '\<script\>\[a\]\(b\)'
    """
    one_line = " ".join(untrusted.split())
    shown = one_line if len(one_line) <= max_chars else f"{one_line[: max_chars - 1]}…"
    return _MARKDOWN_SIGNS.sub(r"\\\1", shown)


def scroll_to_top() -> None:
    """Bring a phone's reader to the top of what has just been replaced."""
    st.html(
        "<script>document.querySelector('[data-testid=\"stMain\"]')?.scrollTo({top: 0})</script>",
        unsafe_allow_javascript=True,
    )
