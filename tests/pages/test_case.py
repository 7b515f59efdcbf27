"""The case at hand outlives a reload of the same browser, for half an hour, and nobody else's."""

import gc
import threading
import time

import pytest
from streamlit.web.server.starlette import starlette_app_utils as xsrf

from dermascan_core.services.intake import Intake
from pages._ui.case import KEPT_FOR_S, MAX_KEPT_BYTES, Case, CaseStore, browser_mark, sweep_in_background
from pages._ui.photos import is_camera_allowed


def test_store_finds_the_case_of_the_same_browser() -> None:
    store, case = CaseStore(), Case()

    store.keep("token", "browser", case, now_s=0)

    assert store.find("token", "browser", now_s=700) is case


def test_store_shows_no_case_to_another_browser() -> None:
    store = CaseStore()

    store.keep("token", "browser", Case(), now_s=0)

    assert store.find("token", "another", now_s=1) is None


def test_store_forgets_after_half_an_hour() -> None:
    store = CaseStore()

    store.keep("token", "browser", Case(), now_s=0)

    assert store.find("token", "browser", now_s=KEPT_FOR_S + 1) is None


def test_store_forgets_a_dropped_case_at_once() -> None:
    store = CaseStore()
    store.keep("token", "browser", Case(), now_s=0)

    store.drop("token", "browser")

    assert store.find("token", "browser", now_s=0) is None


def test_store_drops_the_oldest_where_all_together_are_too_large() -> None:
    store = CaseStore()
    large = [Case(photos=[Intake("a", bytes(MAX_KEPT_BYTES // 2 + 1), "")]) for _ in range(2)]

    for second, case in enumerate(large):
        store.keep(str(second), "browser", case, now_s=second)

    assert store.find("0", "browser", now_s=2) is None
    assert store.find("1", "browser", now_s=2) is large[1]


def test_browser_is_known_though_streamlit_masks_its_cookie_anew() -> None:
    first = xsrf.generate_xsrf_token_string(None, None)
    token, time_s = xsrf.decode_xsrf_token_string(first)
    later = xsrf.generate_xsrf_token_string(token, time_s)

    assert first != later
    assert browser_mark(first) == browser_mark(later) != ""


@pytest.mark.parametrize("cookie", ["", "1|a", "2|zz|00|1", "2|00"])
def test_browser_without_a_readable_cookie_has_no_mark(cookie: str) -> None:
    assert browser_mark(cookie) == ""


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://skin.example.org/", True),
        ("http://localhost:8501/", True),
        ("http://127.0.0.1:8501/", True),
        ("http://[::1]:8501/", True),
        ("http://192.168.1.5:8501/", False),
        ("http://localhost.example.org/", False),
        (None, False),
    ],
)
def test_camera_is_offered_only_where_a_browser_gives_it(url: str | None, is_allowed: bool) -> None:
    assert is_camera_allowed(url) is is_allowed


def test_idle_server_forgets_too() -> None:
    store = CaseStore()
    store.keep("token", "browser", Case(), now_s=time.monotonic() - KEPT_FOR_S - 1)
    store._kept["token", "browser"] = (time.monotonic() - KEPT_FOR_S - 1, Case())

    sweep = sweep_in_background(store, every_s=0.01)
    deadline = time.monotonic() + 10
    while store._kept and time.monotonic() < deadline:
        time.sleep(0.01)

    assert store._kept == {}
    assert sweep.daemon
    del store
    gc.collect()
    sweep.join(timeout=10)
    assert sweep not in threading.enumerate()


def test_copy_of_a_case_has_lists_of_its_own() -> None:
    case = Case(photos=[Intake("a", b"1", "1")], form={"age": 61})

    other = case.copy()
    other.photos.clear()
    other.form.clear()

    assert [photo.name for photo in case.photos] == ["a"]
    assert case.form == {"age": 61}


def test_photo_in_form_and_result_weighs_once() -> None:
    photo = Intake("a", bytes(100), "1")

    assert Case(photos=[photo], screened_photos=(photo,)).size_bytes == 100
