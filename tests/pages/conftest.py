"""Pages without weights: every page test gets ``FakePredictor`` where the app would load the shipped model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dermascan_core.services import failure_log, models
from tests.fakes import FakePredictor, fake_manifest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def fake_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakePredictor:
    """The model that every page finds; set ``fixed`` on it to choose its answer."""
    predictor = FakePredictor(manifest=fake_manifest(name=models.DEFAULT_MODEL))
    monkeypatch.setattr(models, "list_models", lambda weights_dir=None: [predictor.manifest])
    monkeypatch.setattr(models, "load_predictor", lambda *names, **options: predictor)
    monkeypatch.setattr(models, "WEIGHTS_DIR", tmp_path)
    st.cache_resource.clear()
    return predictor


@pytest.fixture(autouse=True)
def records_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where records would lie: a folder of the test's own, which is not there yet."""
    folder = tmp_path / "records"
    for name in ("DERMASCAN_DATABASE_URL", "DERMASCAN_KEY", "DERMASCAN_KEY_FILE", "DERMASCAN_SESSION_MINUTES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DERMASCAN_RECORDS", str(folder))
    return folder


@pytest.fixture(autouse=True)
def unforeseen_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that a page would tell as a sentence is an exception of the page in tests."""

    def raise_again(error: BaseException, *, what: str) -> str:
        raise error

    monkeypatch.setattr(failure_log, "record_failure", raise_again)


@pytest.fixture
def open_page() -> Callable[[str], AppTest]:
    """Open one page as an entry script and run it."""

    def run(name: str) -> AppTest:
        page = AppTest.from_file(str(ROOT / "pages" / f"{name}.py"), default_timeout=30).run()
        assert not page.exception
        return page

    return run
