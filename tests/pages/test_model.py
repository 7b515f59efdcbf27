"""The cached model stays cached: once a process, loaded beside the questions, and out of Streamlit's clean-up."""

import gc
import inspect
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest

from dermascan_core.errors import EngineError, WeightsError
from dermascan_core.services import models
from pages._ui import model
from tests.fakes import FakePredictor, fake_manifest

OpenPage = Callable[[str], AppTest]


@pytest.fixture
def cleared(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every call of ``keras.backend.clear_session``, on a stand-in for Keras; Streamlit's own clean-up afterwards."""
    calls: list[str] = []
    backend = SimpleNamespace(clear_session=lambda: calls.append("cleared"))
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(backend=backend))
    yield calls
    gc.unfreeze()


def streamlits_own_clean_up() -> Callable[[], None]:
    """``_clean_problem_modules`` as Streamlit's source has it, whatever the guard did to the module."""
    namespace: dict[str, object] = {}
    source = inspect.getsource(script_runner)
    start = source.index("def _clean_problem_modules")
    body = source[start : source.index("\n\n\n", start)]
    exec(f"import sys\nfrom typing import Any, cast\n{body}", namespace)
    return namespace["_clean_problem_modules"]  # type: ignore[return-value]


def test_streamlit_still_clears_keras_after_each_run_unless_guarded(
    cleared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When this fails, a Streamlit upgrade changed its clean-up: read it again, and drop or mend the guard."""
    monkeypatch.setattr(script_runner, "_clean_problem_modules", streamlits_own_clean_up())

    AppTest.from_string("import streamlit as st\nst.title('no guard here')").run()

    assert cleared == ["cleared"]


def test_streamlit_collects_garbage_after_each_run_only_by_an_option_that_we_turn_off() -> None:
    """When this fails, a Streamlit upgrade changed when it collects: see ``runner.postScriptGC`` in config.toml."""
    source = inspect.getsource(script_runner)

    assert source.count("gc.collect") == 1
    assert 'if config.get_option("runner.postScriptGC"):\n            gc.collect(2)' in source
    assert st.get_option("runner.postScriptGC") is False


def test_guard_keeps_keras_session_after_runs_of_a_page(
    cleared: list[str], monkeypatch: pytest.MonkeyPatch, open_page: OpenPage
) -> None:
    monkeypatch.setattr(script_runner, "_clean_problem_modules", streamlits_own_clean_up())
    page = open_page("know_your_skin")

    page.run()

    assert cleared == []


def test_model_is_loaded_once_for_all_sessions(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    predictor = FakePredictor(manifest=fake_manifest(name=models.DEFAULT_MODEL))
    monkeypatch.setattr(models, "load_predictor", lambda *names, **options: loads.append(names) or predictor)

    for _ in range(2):
        open_page("screening").button(key="example_even-mole").click().run()

    assert loads == [("dermascan", "auto")]


def test_model_is_warm_before_the_first_photo(fake_model: FakePredictor) -> None:
    predictor = model.get_predictor()

    assert predictor is fake_model
    assert fake_model.n_calls == 1


def test_other_weights_are_loaded_anew(fake_model: FakePredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    first = model.get_predictor()
    other = FakePredictor(manifest=fake_manifest(name=models.DEFAULT_MODEL, sha256="1" * 64))
    monkeypatch.setattr(models, "list_models", lambda weights_dir=None: [other.manifest])
    monkeypatch.setattr(models, "load_predictor", lambda *names, **options: other)

    assert first is fake_model
    assert model.get_predictor() is other


def test_failed_load_is_tried_again(fake_model: FakePredictor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*names: str, **options: str) -> FakePredictor:
        raise WeightsError("The weights are altered.")

    monkeypatch.setattr(models, "load_predictor", fail)
    with pytest.raises(WeightsError, match=r"^The weights are altered\.$"):
        model.get_predictor()

    monkeypatch.setattr(models, "load_predictor", lambda *names, **options: fake_model)
    assert model.get_predictor() is fake_model


def test_result_says_in_full_why_a_slower_engine_answers(fake_model: FakePredictor, open_page: OpenPage) -> None:
    note = "The engine's file 'a.tflite' is missing. Restore it from the release. Until then Keras answers: the same, slower."
    fake_model.engine_note = note

    page = open_page("screening").button(key="example_even-mole").click().run()

    assert [caption.value.replace("\\", "") for caption in page.caption if "Until then" in caption.value] == [
        f":material/speed: {note}"
    ]


def test_altered_weights_are_one_sentence_on_the_page(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*names: str, **options: str) -> FakePredictor:
        raise EngineError("Expected one of the engines keras. Received 'other'.")

    monkeypatch.setattr(models, "load_predictor", fail)

    page = open_page("screening").button(key="example_even-mole").click().run()

    assert [error.value for error in page.error] == ["Expected one of the engines keras. Received 'other'."]
    assert not page.exception


def test_clinician_alone_chooses_and_among_measured_models_alone(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {name: fake_manifest(name=name) for name in (models.DEFAULT_MODEL, "large", "unmeasured")}
    monkeypatch.setattr(models, "list_models", lambda weights_dir=None: list(known.values()))
    monkeypatch.setattr(model, "available_evaluations", lambda name: () if name == "unmeasured" else ("test",))

    public = open_page("triage")
    clinician = AppTest.from_file(public._script_path, default_timeout=30)
    clinician.query_params["voice"] = "clinician"
    clinician.run()

    assert [box.label for box in public.selectbox] == []
    assert clinician.selectbox(key="triage_model").options == ["dermascan (default)", "large"]
    assert clinician.selectbox(key="triage_model").value == "dermascan"
