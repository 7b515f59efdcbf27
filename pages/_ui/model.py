"""The cached model of this process, loaded in the background, which one answers, and the guard that keeps it fast."""

from __future__ import annotations

import gc
import os
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import script_runner

from dermascan_core.domain import Metadata
from dermascan_core.errors import WeightsError
from dermascan_core.model.manifest import Manifest
from dermascan_core.model.predictor import Predictor
from dermascan_core.services import models
from dermascan_core.services.performance import available_evaluations, load_evaluation, may_answer_people
from dermascan_core.triage.wording import Voice

ENGINE_VARIABLE = "DERMASCAN_ENGINE"  # of the server: auto, keras, or an exported engine by name
_CHOSEN_KEY = "chosen_model"
_N_KEPT = 2  # models in memory at once: the default, and one that a clinician chose


def choose_model(voice: Voice, *, key: str) -> str:
    """Offer a clinician the models whose shipped test says how good they are, unless they refuse too little.

    Everyone else gets the default.

    Args:
        voice: Who is spoken to.
        key: Of the widget; each page its own.

    Returns:
        Name of the model that is to answer.
    """
    if voice is not Voice.CLINICIAN:
        return models.DEFAULT_MODEL
    try:
        measured = [m.name for m in models.list_models() if "test" in available_evaluations(m.name)]
        names = [name for name in measured if may_answer_people(name)]
    except WeightsError:
        return models.DEFAULT_MODEL  # told in full when the model is to answer
    offered = list(dict.fromkeys([models.DEFAULT_MODEL, *names]))
    if len(offered) < 2:
        return models.DEFAULT_MODEL
    remembered = st.session_state.get(_CHOSEN_KEY)
    st.session_state.setdefault(key, remembered if remembered in offered else models.DEFAULT_MODEL)
    chosen: str = st.selectbox(
        "Model that answers",
        offered,
        format_func=lambda name: f"{name} (default)" if name == models.DEFAULT_MODEL else name,
        key=key,
        help="How good each is: the page Model performance. The result names the model that gave it.",
    )
    st.session_state[_CHOSEN_KEY] = chosen
    return chosen


def shipped_manifest(name: str = models.DEFAULT_MODEL) -> Manifest | None:
    """Return a model's manifest, or None when it does not ship.

    Raises:
        WeightsError: If a manifest is there and cannot be used.
    """
    return next((m for m in models.list_models() if m.name == name), None)


def shipped_evaluation(name: str = models.DEFAULT_MODEL) -> dict[str, Any] | None:
    """Return a model's test with metadata, as ``evaluate`` wrote it; None when it does not ship."""
    try:
        return load_evaluation(name, "test")
    except WeightsError:
        return None


def start_loading() -> None:
    """Start to load the model in the background, once a process: it is ready while the questions are answered."""
    try:
        manifest = shipped_manifest()
    except WeightsError:
        return  # the page that needs the model says so, in full
    if manifest is not None:
        _loading(manifest.name, manifest.sha256, _engine())


def get_predictor(name: str = models.DEFAULT_MODEL) -> Predictor:
    """Return a model's cached predictor, waiting for it where it is still loading.

    Raises:
        WeightsError: If the weights are missing, altered, or disagree with their manifest.
        EngineError: If the engine is not available.
    """
    manifest = shipped_manifest(name)
    if manifest is None:
        raise WeightsError(
            "No model is installed: the folder 'weights' holds no manifest. "
            "Restore it from the release, or train and release a model."
        )
    loading = _loading(manifest.name, manifest.sha256, _engine())
    if loading.done() and loading.exception() is not None:
        _loading.clear()  # the weights may have been put right since
        loading = _loading(manifest.name, manifest.sha256, _engine())
    return loading.result()


def engine_note(name: str = models.DEFAULT_MODEL) -> str:
    """Return why a slower engine answers than this model has; empty where the wanted one does, or none is loaded yet."""
    manifest = shipped_manifest(name)
    if manifest is None:
        return ""
    loading = _loading(manifest.name, manifest.sha256, _engine())
    if not loading.done() or loading.exception() is not None:
        return ""
    return str(getattr(loading.result(), "engine_note", ""))


def _engine() -> str:
    return os.environ.get(ENGINE_VARIABLE) or models.AUTO


@st.cache_resource(max_entries=_N_KEPT, show_spinner=False)
def _loading(name: str, weights_sha256: str, engine: str) -> Future[Predictor]:
    """The cached resource is the loading itself, so that nobody waits for it who does not need it yet."""
    worker = ThreadPoolExecutor(1, thread_name_prefix="load-model")
    future = worker.submit(_load_and_warm_up, name, engine)
    worker.shutdown(wait=False)
    return future


def _load_and_warm_up(name: str, engine: str) -> Predictor:
    predictor = models.load_predictor(name, engine)
    side = predictor.manifest.preprocess.input_px
    # Keras compiles the network at its first answer; a person should not wait for that.
    predictor.predict(np.full((1, side, side, 3), 160, np.uint8), [Metadata()], explain=True)
    gc.freeze()  # hundreds of thousands of objects live as long as the process: no collection need walk them again
    return predictor


def guard_cached_model() -> None:
    """Keep Streamlit from clearing Keras' session after every script run.

    Streamlit calls ``keras.backend.clear_session()`` after each run once Keras is imported, which throws away the
    compiled functions of a cached model: 0.4 answers a second instead of 12.6. The other half of the guard is
    ``runner.postScriptGC = false``.
    """
    if script_runner._clean_problem_modules is not _close_figures_only:
        script_runner._clean_problem_modules = _close_figures_only


def _close_figures_only() -> None:
    """What remains of ``script_runner._clean_problem_modules`` without its Keras part."""
    pyplot: Any = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")
