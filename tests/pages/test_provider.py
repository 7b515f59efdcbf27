"""The page that was asked for before a provider was: remembered for one browser, for one new word, for ten minutes."""

import pytest

from pages._ui import provider
from pages._ui.provider import AskedPages


def test_page_is_given_once_when_the_provider_has_said_something_new() -> None:
    pages = AskedPages()
    pages.keep("browser a", "accounts", "old word")

    assert pages.take("browser a", "old word") == ""
    assert pages.take("browser b", "new word") == ""
    assert pages.take("browser a", "new word") == "accounts"
    assert pages.take("browser a", "newer word") == ""


def test_page_is_forgotten_after_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = AskedPages()
    now_s = 1000.0
    monkeypatch.setattr(provider.time, "monotonic", lambda: now_s)
    pages.keep("browser a", "accounts", "")

    now_s = 1601.0

    assert pages.take("browser a", "word") == ""


def test_browser_without_a_mark_is_not_remembered() -> None:
    pages = AskedPages()

    pages.keep("", "accounts", "")

    assert pages.take("", "word") == ""
