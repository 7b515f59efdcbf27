"""Everything that was measured of the models, drawn only from files that commands wrote and that ship with the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dermascan_core.errors import DermaScanError, WeightsError
from dermascan_core.model.manifest import Manifest
from dermascan_core.services import models
from dermascan_core.services.performance import (
    available_evaluations,
    load_evaluation,
    load_recipe_folds,
    load_refusals,
    load_repeatability,
    load_stress,
    load_ugly_duckling,
)
from dermascan_core.services.similar_cases import load_retrieval
from dermascan_core.triage.wording import Voice, tested_on
from pages._ui import (
    measured_answers,
    measured_decisions,
    measured_doubt,
    measured_experiments,
    measured_folds,
    measured_groups,
    measured_mistakes,
    measured_moles,
    measured_others,
    measured_pair,
    measured_refusals,
    measured_similar,
    measured_steady,
    measured_stress,
    measured_training,
)
from pages._ui.frame import Width, as_plain_text, failures_told, page_frame

_VIEWS = {
    "answers": "In short",
    "decisions": "In your clinic",
    "mistakes": "Mistakes",
    "groups": "Groups",
    "doubt": "Doubt",
    "refusals": "Refusals",
    "folds": "Cross-validation",
    "stress": "Worse photos",
    "similar": "Similar photos",
    "moles": "Odd one out",
    "training": "Training",
    "pair": "Two models",
    "experiments": "Experiments",
    "others": "Other systems",
}
# What these show depends on the evaluation that is chosen.
_OF_ONE_EVALUATION = ("answers", "decisions", "mistakes", "groups", "doubt", "pair")
_EVALUATIONS = {
    "test": "Test photos, told age, sex and place",
    "test-no-metadata": "Test photos alone",
    "cross-validation": "Cross-validation, told age, sex and place",
    "cross-validation-no-metadata": "Cross-validation, photos alone",
    "test-phone": "Phone photos of the test, told what is known",
    "test-phone-no-metadata": "Phone photos of the test alone",
    "cross-validation-phone": "Cross-validation of phone photos, told what is known",
    "cross-validation-phone-no-metadata": "Cross-validation of phone photos, photos alone",
}
_ARCHIVES = {
    "isic_uda1": "Other clinics",
    "isic2020_patients": "Other clinics, person by person",
    "pad_ufes_20": "Phone photos",
}
_REMEMBERED_KEY = "remembered_evaluation"


def show_page() -> None:
    voice = page_frame("Model performance", width=Width.TABLE)
    st.markdown("How good the model is, measured on photos that it never saw in training.")
    manifests = {manifest.name: manifest for manifest in models.list_models()}
    name = _choose_model(list(manifests))
    st.markdown(tested_on(manifests[name].phone_test if name in manifests else None))
    view = st.segmented_control(
        "What to look at",
        _views_for(voice),
        format_func=_VIEWS.__getitem__,
        default="answers",
        required=True,
        key="view",
    )
    if view in _OF_ONE_EVALUATION:
        _show_one_evaluation(view, name, voice, list(manifests))
    else:
        _show_model(view, name, manifests.get(name), voice)


def _views_for(voice: Voice) -> list[str]:
    """Weighing missed cancers against referrals is a clinician's decision; nobody else is asked for it."""
    views = [view for view in _VIEWS if view != "decisions" or voice is Voice.CLINICIAN]
    if st.session_state.get("view") not in (None, *views):
        del st.session_state["view"]
    return views


def _choose_model(names: Sequence[str]) -> str:
    """Return the model that is looked at, the one that answers by default where nobody chose another."""
    ordered = sorted(names, key=lambda name: (name != models.DEFAULT_MODEL, name)) or [models.DEFAULT_MODEL]
    if len(ordered) == 1:
        return ordered[0]
    chosen: str = st.segmented_control(
        "Model",
        ordered,
        format_func=lambda name: f"{name} (answers in this app)" if name == models.DEFAULT_MODEL else name,
        default=ordered[0],
        required=True,
        key="model",
    )
    return chosen


def _show_one_evaluation(view: str, name: str, voice: Voice, names: Sequence[str]) -> None:
    which = _choose_evaluation(name)
    try:
        evaluation = load_evaluation(name, which)
    except DermaScanError as error:
        st.info(f"There is nothing to show yet. {error}", icon=":material/hourglass_empty:")
        return
    if view == "answers":
        measured_answers.show_evaluation(evaluation, voice, repeatability=_repeatability_or_none(name))
    elif view == "decisions":
        measured_decisions.show_decisions(name, which)
    elif view == "mistakes":
        measured_mistakes.show_mistakes(evaluation, which, voice)
    elif view == "groups":
        measured_groups.show_groups(evaluation)
    elif view == "doubt":
        measured_doubt.show_doubt(evaluation, voice, repeatability=_repeatability_or_none(name))
    else:
        measured_pair.show_pair(evaluation, which, evaluation_words(which), names)
    _show_origin(evaluation)


def _choose_evaluation(name: str) -> str:
    found = available_evaluations(name)
    offered = list(dict.fromkeys(["test", "test-no-metadata", *found]))
    remembered = st.session_state.get(_REMEMBERED_KEY)
    # A widget that another view did not draw has lost its value.
    if st.session_state.get("evaluation") not in offered:
        st.session_state["evaluation"] = remembered if remembered in offered else "test"
    which: str = st.selectbox("Which photos", offered, format_func=evaluation_words, key="evaluation")
    st.session_state[_REMEMBERED_KEY] = which
    return which


def evaluation_words(which: str) -> str:
    """Return an evaluation's name for a person."""
    if which in _EVALUATIONS:
        return _EVALUATIONS[which]
    archive = next((words for key, words in _ARCHIVES.items() if which.startswith(key)), "Other archive")
    return f"{archive}: {which}"


def _show_model(view: str, name: str, manifest: Manifest | None, voice: Voice) -> None:
    engine = ""
    if view == "folds":
        folds = _evaluation_or_none(name, "cross-validation")
        measured_folds.show_folds(folds, voice)
        if folds is None:
            fold = manifest.data.get("validation_fold") if manifest else None
            for recipe, of_recipe in load_recipe_folds().items():
                measured_folds.show_recipe_folds(
                    of_recipe, recipe, voice, validation_fold=None if fold is None else str(fold)
                )
        engine = folds["model"]["engine"] if folds else ""
    elif view == "stress":
        stress = load_stress(name)
        measured_stress.show_stress(stress, name)
        measured_steady.show_steadiness(load_repeatability(name), name, voice)
        which = next((one for one in ("cross-validation", "test") if one in available_evaluations(name)), "test")
        lesions = (_evaluation_or_none(name, which) or {}).get("consistency")
        measured_stress.show_lesions(lesions, evaluation_words(which).lower(), voice)
        engine = stress["model"]["engine"] if stress else ""
    elif view == "moles":
        measured = load_ugly_duckling(name)
        measured_moles.show_moles(measured, name, archive=_archive_of(name, measured))
        engine = measured["model"]["engine"] if measured else ""
    elif view == "refusals":
        measured_refusals.show_refusals(load_refusals(name), name)
    elif view == "similar":
        retrieval = load_retrieval(name)
        measured_similar.show_retrieval(retrieval, name, voice)
        engine = retrieval["model"]["engine"] if retrieval else ""
    elif view == "training":
        measured_training.show_training(name, manifest)
    elif view == "experiments":
        measured_experiments.show_experiments()
    elif view == "others":
        measured_others.show_others()
    is_of_the_model = view in ("stress", "similar", "moles", "training") or (view == "folds" and engine)
    if manifest is not None and is_of_the_model:
        answered = f", engine {engine}" if engine else ""
        st.caption(
            f"Model {as_plain_text(name)} {as_plain_text(manifest.version)}{answered}, weights {manifest.sha256[:12]}."
        )


def _evaluation_or_none(name: str, which: str) -> dict[str, Any] | None:
    return load_evaluation(name, which) if which in available_evaluations(name) else None


def _repeatability_or_none(name: str) -> dict[str, Any] | None:
    """What was measured of the model; None also where the file is of other weights, which *Worse photos* tells in full."""
    try:
        return load_repeatability(name)
    except WeightsError:
        return None


def _archive_of(name: str, measured: dict[str, Any] | None) -> str | None:
    """The name of the evaluation of the very table whose moles were ranked, by its photos and people; None where none is."""
    if measured is None:
        return None
    ranked = tuple(measured["data"].get(key) for key in ("n_rows", "n_people_in_table"))
    for which in available_evaluations(name):
        if which.startswith(tuple(_ARCHIVES)):
            data = load_evaluation(name, which)["data"]
            if (data["n_rows"], data["n_patients"]) == ranked:
                return evaluation_words(which)
    return None


def _show_origin(evaluation: dict[str, Any]) -> None:
    model, data = evaluation["model"], evaluation["data"]
    st.caption(
        f"Model {as_plain_text(str(model['name']))} {as_plain_text(str(model['version']))}, engine {model['engine']}, "
        f"weights {str(model['sha256'])[:12]}; {data['n_predicted']} photos of {data['n_lesions']} lesions, "
        f"{data['n_malignant']} of them cancer or pre-cancer."
    )


with failures_told("performance"):
    show_page()
