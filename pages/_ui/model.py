"""The one cached model of this process, loaded in the background, and the guard that keeps it fast."""

from __future__ import annotations

import gc
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
from dermascan_core.services.performance import load_evaluation

ENGINE = "keras"


def shipped_manifest() -> Manifest | None:
    """Return the default model's manifest, or None when no weights ship.

    Raises:
        WeightsError: If a manifest is there and cannot be used.
    """
    return next((m for m in models.list_models() if m.name == models.DEFAULT_MODEL), None)


def shipped_evaluation() -> dict[str, Any] | None:
    """Return the default model's test with metadata, as ``evaluate`` wrote it; None when it does not ship."""
    try:
        return load_evaluation(models.DEFAULT_MODEL, "test")
    except WeightsError:
        return None


def start_loading() -> None:
    """Start to load the model in the background, once a process: it is ready while the questions are answered."""
    try:
        manifest = shipped_manifest()
    except WeightsError:
        return  # the page that needs the model says so, in full
    if manifest is not None:
        _loading(manifest.sha256, ENGINE)


def get_predictor() -> Predictor:
    """Return the cached predictor, waiting for it where it is still loading.

    Raises:
        WeightsError: If the weights are missing, altered, or disagree with their manifest.
        EngineError: If the engine is not available.
    """
    manifest = shipped_manifest()
    if manifest is None:
        raise WeightsError(
            "No model is installed: the folder 'weights' holds no manifest. "
            "Restore it from the release, or train and release a model."
        )
    loading = _loading(manifest.sha256, ENGINE)
    if loading.done() and loading.exception() is not None:
        _loading.clear()  # the weights may have been put right since
        loading = _loading(manifest.sha256, ENGINE)
    return loading.result()


@st.cache_resource(max_entries=1, show_spinner=False)
def _loading(weights_sha256: str, engine: str) -> Future[Predictor]:
    """The cached resource is the loading itself, so that nobody waits for it who does not need it yet."""
    worker = ThreadPoolExecutor(1, thread_name_prefix="load-model")
    future = worker.submit(_load_and_warm_up, engine)
    worker.shutdown(wait=False)
    return future


def _load_and_warm_up(engine: str) -> Predictor:
    predictor = models.load_predictor(models.DEFAULT_MODEL, engine)
    side = predictor.manifest.preprocess.input_px
    # The first answer compiles the network and the heat map; a person should not wait for that.
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
