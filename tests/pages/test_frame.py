"""The frame: every page, by whatever door, says what this is not; names of files stay text."""

import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import StopException, magic
from streamlit.testing.v1 import AppTest

from dermascan_core.errors import WeightsError
from dermascan_core.services import failure_log
from pages._ui.frame import as_plain_text, failures_told
from tests.pages.reading import voice_switch

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
OpenPage = Callable[[str], AppTest]
RECORD_FAILURE = failure_log.record_failure


def open_app() -> AppTest:
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30).run()


def says_what_it_is_not(page: AppTest) -> bool:
    return any("not a diagnosis" in alert.value.lower() for alert in (*page.warning, *page.info))


@pytest.mark.parametrize("name", PAGES)
def test_page_run_by_itself_shows_the_disclaimer(name: str, open_page: OpenPage) -> None:
    page = open_page(name)

    assert says_what_it_is_not(page)
    assert len(page.title) == 1


@pytest.mark.parametrize("name", PAGES)
def test_page_opened_from_the_map_shows_the_disclaimer(name: str) -> None:
    app = open_app()

    app.switch_page(f"pages/{name}.py").run()

    assert not app.exception
    assert says_what_it_is_not(app)


@pytest.mark.parametrize("name", PAGES)
def test_page_speaks_to_clinicians_too(name: str) -> None:
    page = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=30)
    page.query_params["voice"] = "clinician"

    page.run()

    assert not page.exception
    assert voice_switch(page).value == "clinician"


def test_app_opens_on_the_screening_page() -> None:
    app = open_app()

    assert app.title[0].value == "Check a mole or spot"


def test_app_says_which_python_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 14, "final", 0))

    app = open_app()

    assert [error.value for error in app.error] == [
        "DermaScan needs Python 3.11 or 3.12. This is Python 3.10. Install one of them, then start again with: make run"
    ]
    assert len(app.title) == 0


@pytest.mark.parametrize(
    ("untrusted", "shown"),
    [
        ("<script>alert(1)</script>.jpg", r"\<script\>alert\(1\)\</script\>\.jpg"),
        ("![x](http://a.b/c)", r"\!\[x\]\(http\:\/\/a\.b\/c\)".replace(r"\/", "/")),
        ("a\nb\t c", "a b c"),
        (":red[x] $y$", r"\:red\[x\] \$y\$"),
    ],
)
def test_untrusted_text_is_shown_as_it_is(untrusted: str, shown: str) -> None:
    assert as_plain_text(untrusted) == shown


def test_long_untrusted_text_is_cut() -> None:
    assert as_plain_text("x" * 100, max_chars=10) == "xxxxxxxxx…"


def test_voice_stays_on_the_way_to_another_page() -> None:
    app = open_app()
    voice_switch(app).set_value("clinician").run()

    app.switch_page("pages/know_your_skin.py").run()

    assert voice_switch(app).value == "clinician"
    assert app.query_params["voice"] == "clinician"


def test_link_is_plain_text_where_there_is_no_map(open_page: OpenPage) -> None:
    page = open_page("about")

    assert "How good it is, measured (in the menu)" in [text.value for text in page.markdown]


def test_config_keeps_a_session_for_ten_minutes_in_the_background() -> None:
    assert st.get_option("server.disconnectedSessionTTL") >= 600


def test_page_opens_without_its_source_being_parsed(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python up to 3.11.7 fails where two threads parse at once: see ``runner.magicEnabled`` in config.toml."""

    def parse(*args: object, **options: object) -> None:
        raise SystemError("AST constructor recursion depth mismatch")

    monkeypatch.setattr(magic, "add_magic", parse)

    page = open_page("about")

    assert not page.exception
    assert page.title


def test_unforeseen_failure_is_told_with_its_id_and_logged(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    log_file = tmp_path / "log.txt"
    monkeypatch.setattr(failure_log, "record_failure", partial(RECORD_FAILURE, log_file=log_file))

    def break_down(*arguments: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("dermascan_core.services.models.list_models", break_down)
    page = open_page("about")

    assert says_what_it_is_not(page)
    log_id = re.search(r"It has the id ([0-9a-f]{8}), in ", page.error[0].value)
    assert page.error[0].value.startswith("Something unexpected went wrong \\(RuntimeError\\)\\.")
    assert "secret detail" not in page.error[0].value
    assert log_id is not None
    assert f"{log_id[1]} page about\nTraceback" in log_file.read_text(encoding="utf-8")


def test_known_failure_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(st, "error", told.append)

    with failures_told("screening"):
        raise WeightsError("Restore the weights.")

    assert told == ["Restore the weights."]


def test_stop_is_no_failure() -> None:
    with pytest.raises(StopException), failures_told("screening"):
        raise StopException
