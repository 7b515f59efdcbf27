"""What is asked: the questions that overrule any model, and what is known about the person and the lesion.

Every question may stay open, and "prefer not to say" means the same. The form is plain data (widget key -> value),
so that an example, an undo or a reload can fill it.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from dermascan_core.domain import Answers, Metadata, NextStep
from dermascan_core.errors import MetadataError
from dermascan_core.triage.contradictions import contradictions
from dermascan_core.triage.policy import step_from_answers
from dermascan_core.triage.wording import (
    QUESTIONS,
    SIGN_EXPLANATIONS,
    SIGN_QUESTIONS,
    Voice,
    how_soon,
    step_text,
    step_title,
)

from .case import Case

_YES_NO = {"yes": "Yes", "no": "No", "unsaid": "Rather not say"}
_SEXES = {"female": "Female", "male": "Male", "unsaid": "Rather not say"}
_SITES = {
    "scalp": "Scalp",
    "face": "Face",
    "ear": "Ear",
    "neck": "Neck",
    "chest": "Chest",
    "abdomen": "Belly",
    "back": "Back",
    "torso": "Trunk, elsewhere",
    "upper extremity": "Arm or shoulder",
    "hand": "Hand",
    "palms/soles": "Palm or sole",
    "lower extremity": "Leg or hip",
    "foot": "Foot",
    "genital": "Genital skin",
    "nail": "Under or beside a nail",
    "mucosa": "Inside the mouth, nose, eyelid or genitals",
}
_HISTORY = {
    "personal_hx_skin_cancer": "Have you had skin cancer before?",
    "family_hx_skin_cancer": "Has a parent, brother, sister or child had melanoma?",
    "high_sun_exposure": "Blistering sunburns, years of outdoor work, or sunbeds?",
    "immunosuppressed": "Do medicines or an illness weaken your defences?",
}
_SKIN_TYPES = {
    1: "I: very fair, always burns, never tans",
    2: "II: fair, burns easily, tans little",
    3: "III: burns sometimes, tans slowly",
    4: "IV: olive, burns rarely, tans well",
    5: "V: brown, burns very rarely",
    6: "VI: black or dark brown, almost never burns",
}
ANSWER_KEYS = {name: f"answer_{name}" for name in (*QUESTIONS, *SIGN_QUESTIONS)}
HISTORY_KEYS = {name: f"history_{name}" for name in _HISTORY}
AGE_KEY, SEX_KEY, SITE_KEY, SIZE_KEY, SKIN_KEY = "age", "sex", "site", "size_mm", "skin_type"
IMAGE_TYPE_KEY, STEPS_KEY = "image_type", "imaging_steps"
FORM_KEYS = (
    *ANSWER_KEYS.values(),
    *HISTORY_KEYS.values(),
    AGE_KEY,
    SEX_KEY,
    SITE_KEY,
    SIZE_KEY,
    SKIN_KEY,
    IMAGE_TYPE_KEY,
    STEPS_KEY,
)


def fill_form(case: Case) -> None:
    """Give the widgets what the case remembers; to be called before any of them is drawn.

    Widgets that are on screen keep what was typed, unless the whole form was replaced: then each is set, the empty
    ones too, because a browser holds on to a value that is only forgotten here.
    """
    if case.is_form_replaced:
        for key in FORM_KEYS:
            st.session_state[key] = case.form.get(key, [] if key == STEPS_KEY else None)
        case.is_form_replaced = False
    for key, value in case.form.items():
        st.session_state.setdefault(key, value)


def remember_form(case: Case) -> None:
    """Let the case remember what the widgets hold."""
    case.form = {key: st.session_state[key] for key in FORM_KEYS if st.session_state.get(key) is not None}


def fill_told(case: Case, told: Metadata) -> None:
    """Let the form take over what a DICOM file tells, where nobody answered; to be called before a rerun."""
    said = form_of(told, Answers(), None)
    if not said:
        return
    if not case.is_form_replaced:
        remember_form(case)
    if new := {key: value for key, value in said.items() if key not in case.form}:
        case.form |= new
        case.is_form_replaced = True


def ask_questions(case: Case) -> Answers:
    """Ask the questions that overrule any model, and offer the signs that can be looked for."""
    for name, question in QUESTIONS.items():
        with st.container(key=f"question-{name}"):
            st.segmented_control(question, list(_YES_NO), format_func=_YES_NO.__getitem__, key=ANSWER_KEYS[name])
    st.button(
        "None of these is true: answer all with no",
        on_click=_answer_all_no,
        args=(case, tuple(QUESTIONS)),
        icon=":material/done_all:",
        width="stretch",
        key="none_of_these",
    )
    _ask_signs(case)
    return read_answers(st.session_state)


def _ask_signs(case: Case) -> None:
    is_begun = any(st.session_state.get(ANSWER_KEYS[name]) for name in SIGN_QUESTIONS)
    with st.expander("Six more signs to look for (ABCDE), optional", icon=":material/search:", expanded=is_begun):
        st.caption("A yes counts. What you leave open takes nothing away from the questions above.")
        for name, question in SIGN_QUESTIONS.items():
            with st.container(key=f"question-{name}"):
                st.segmented_control(question, list(_YES_NO), format_func=_YES_NO.__getitem__, key=ANSWER_KEYS[name])
                st.caption(SIGN_EXPLANATIONS[name])
        st.button(
            "I looked, and saw none of these six",
            on_click=_answer_all_no,
            args=(case, tuple(SIGN_QUESTIONS)),
            icon=":material/done_all:",
            width="stretch",
            key="none_of_these_signs",
        )


def _answer_all_no(case: Case, names: tuple[str, ...]) -> None:
    for name in names:
        st.session_state[ANSWER_KEYS[name]] = "no"
        case.form[ANSWER_KEYS[name]] = "no"


def show_contradictions(answers: Answers) -> None:
    """Point out answers that contradict each other, where the form holds some; to be called below all questions."""
    try:
        found = contradictions(answers, read_metadata(st.session_state))
    except MetadataError:
        return  # told when the spot is checked
    if found:
        listed = "\n".join(f"- {sentence}" for sentence in found)
        st.info(f"**Two answers do not fit together. You may change one, or go on.**\n{listed}", icon=":material/edit:")


def show_overruling_step(answers: Answers, voice: Voice) -> None:
    """Show what the answers alone ask for; nothing when they ask for nothing."""
    step, reasons = step_from_answers(answers, Metadata())
    if step is None:
        return
    show = st.error if step in (NextStep.EMERGENCY, NextStep.URGENT_2_WEEKS) else st.warning
    listed = "\n".join(f"- {reason}" for reason in reasons)
    show(
        f"**{step_title(step, voice)}, whatever a photo shows.** {how_soon(step)}.\n\n"
        f"{step_text(step, voice)}\n\n{listed}",
        icon=":material/priority_high:",
    )


def ask_metadata() -> None:
    """Ask what is known about the person and the lesion. Everything may stay empty."""
    age, size = st.columns(2)
    age.number_input("Age in years", value=None, step=1, key=AGE_KEY, placeholder="Rather not say")
    size.number_input(
        "Longest width of the spot, in mm", value=None, step=0.5, format="%g", key=SIZE_KEY, placeholder="Not measured"
    )
    st.segmented_control("Sex", list(_SEXES), format_func=_SEXES.__getitem__, key=SEX_KEY)
    st.selectbox(
        "Where on the body is it?",
        list(_SITES),
        index=None,
        format_func=_SITES.__getitem__,
        key=SITE_KEY,
        placeholder="Rather not say",
    )
    st.selectbox(
        "Skin type",
        list(_SKIN_TYPES),
        index=None,
        format_func=_SKIN_TYPES.__getitem__,
        key=SKIN_KEY,
        placeholder="Rather not say",
    )
    for name, question in _HISTORY.items():
        st.segmented_control(question, list(_YES_NO), format_func=_YES_NO.__getitem__, key=HISTORY_KEYS[name])


def read_answers(form: Any) -> Answers:
    """Return the answers that a form holds."""
    return Answers(**{name: _yes_no(form.get(key)) for name, key in ANSWER_KEYS.items()})


def read_metadata(form: Any) -> Metadata:
    """Return the metadata that a form holds.

    Raises:
        MetadataError: If a value cannot be true.
    """
    sex = form.get(SEX_KEY)
    history: dict[str, Any] = {name: _yes_no(form.get(key)) for name, key in HISTORY_KEYS.items()}
    return Metadata(
        age_approx=form.get(AGE_KEY),
        sex=None if sex == "unsaid" else sex,
        anatom_site=form.get(SITE_KEY),
        clin_size_long_diam_mm=form.get(SIZE_KEY),
        fitzpatrick_skin_type=form.get(SKIN_KEY),
        **history,
    )


def form_of(metadata: Metadata, answers: Answers, image_type: str | None) -> dict[str, Any]:
    """Return the form that reads back as this; sites that the form does not offer stay out."""
    form: dict[str, Any] = {
        AGE_KEY: None if metadata.age_approx is None else int(metadata.age_approx),
        SEX_KEY: metadata.sex,
        SITE_KEY: metadata.anatom_site if metadata.anatom_site in _SITES else None,
        SIZE_KEY: metadata.clin_size_long_diam_mm,
        SKIN_KEY: metadata.fitzpatrick_skin_type,
        IMAGE_TYPE_KEY: image_type,
    }
    form |= {key: _option(getattr(answers, name)) for name, key in ANSWER_KEYS.items()}
    form |= {key: _option(getattr(metadata, name)) for name, key in HISTORY_KEYS.items()}
    return {key: value for key, value in form.items() if value is not None}


def describe_form(metadata: Metadata, answers: Answers) -> list[str]:
    """Return what was told, one short line each, for reading beside a result."""
    lines = []
    if metadata.age_approx is not None:
        lines.append(f"Age: {metadata.age_approx:g}")
    if metadata.sex is not None:
        lines.append(f"Sex: {metadata.sex}")
    if metadata.anatom_site is not None:
        lines.append(f"Place: {_SITES.get(metadata.anatom_site, metadata.anatom_site)}")
    if metadata.clin_size_long_diam_mm is not None:
        lines.append(f"Width: {metadata.clin_size_long_diam_mm:g} mm")
    if metadata.fitzpatrick_skin_type is not None:
        lines.append(f"Skin type {_SKIN_TYPES[metadata.fitzpatrick_skin_type]}")
    lines += [f"{_HISTORY[name]} {_said(getattr(metadata, name))}" for name in _HISTORY if _is_told(metadata, name)]
    lines += [
        f"{question} {_said(getattr(answers, name))}"
        for name, question in (QUESTIONS | SIGN_QUESTIONS).items()
        if _is_told(answers, name)
    ]
    return lines


def _is_told(record: Metadata | Answers, name: str) -> bool:
    return getattr(record, name) is not None


def _said(value: bool) -> str:
    return "Yes." if value else "No."


def _yes_no(option: str | None) -> bool | None:
    return {"yes": True, "no": False}.get(option or "")


def _option(value: bool | None) -> str | None:
    return None if value is None else ("yes" if value else "no")
