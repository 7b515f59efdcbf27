"""Logging in through an OIDC provider (``st.login``), where ``.streamlit/secrets.toml`` names one."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitPageNotFoundError
from streamlit.runtime.secrets import secrets_singleton

from dermascan_core.errors import AccessError

from . import login_token

if TYPE_CHECKING:
    from dermascan_core.services.identity import Identity

_ASKED_FOR_S = 600.0
_NOT_CLAIMS = {"is_logged_in", "tokens"}


def provider_names() -> list[str]:
    """Return the providers that are configured; "" stands for the one without a name."""
    section = _auth_section()
    named = [name for name, value in section.items() if isinstance(value, Mapping) and "client_id" in value]
    return ([""] if "client_id" in section else []) + sorted(named)


def identity_here() -> Identity | None:
    """Return what a provider has said about whoever is here, as Streamlit has verified it; None without a word."""
    if not _auth_section() or not st.user.get("is_logged_in"):
        return None
    from dermascan_core.services.identity import read_identity

    return read_identity({name: value for name, value in st.user.to_dict().items() if name not in _NOT_CLAIMS})


def ask_provider(name: str) -> None:
    """Send the browser to a provider, and remember which page it wanted."""
    _asked_pages().keep(login_token.browser_here(), _page_name(), _word_here())
    st.login(name or None)


def go_on_to_asked_page() -> None:
    """Go to the page that was asked for before a provider was: Streamlit comes back to the first page."""
    word = _word_here()
    if not word:
        return
    page = _asked_pages().take(login_token.browser_here(), word)
    if page and page != _page_name():
        with suppress(StreamlitPageNotFoundError):  # a page run by itself has no map
            st.switch_page(f"pages/{page}.py")


class AskedPages:
    """Which page each browser wanted, for ten minutes; in memory alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: dict[str, tuple[float, str, str]] = {}

    def keep(self, browser: str, page: str, word: str) -> None:
        """Remember a page for a browser that has a mark, and which word of a provider it had so far."""
        now_s = time.monotonic()
        with self._lock:
            self._pages = {b: kept for b, kept in self._pages.items() if now_s - kept[0] < _ASKED_FOR_S}
            if browser:
                self._pages[browser] = (now_s, page, word)

    def take(self, browser: str, word: str) -> str:
        """Return the page once the provider has said something new, and forget it; "" before, and without one."""
        with self._lock:
            kept_s, page, old_word = self._pages.get(browser, (0.0, "", ""))
            if not page or word == old_word:
                return ""
            del self._pages[browser]
        return page if time.monotonic() - kept_s < _ASKED_FOR_S else ""


@st.cache_resource(show_spinner=False)
def _asked_pages() -> AskedPages:
    return AskedPages()


def _word_here() -> str:
    try:
        identity = identity_here()
    except AccessError:
        return ""  # a word that does not say who: the login tells
    return identity.token if identity is not None else ""


def _page_name() -> str:
    return urlsplit(str(st.context.url or "")).path.rstrip("/").rpartition("/")[2]


def _auth_section() -> Mapping[str, Any]:
    section = st.secrets.get("auth", {}) if secrets_singleton.load_if_toml_exists() else {}
    return section if isinstance(section, Mapping) else {}
