"""Reading one case: the own opinion by one key each, then the model's answer, then agree, override or refer.

Widgets here only note what was asked; ``take_wish`` hands it to the page after it has made sure who is there. So nothing is
written for somebody whose login has ended, and what they typed waits in the session for their next login.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import streamlit as st

from dermascan_core.domain import NextStep
from dermascan_core.services.map_audit import VERDICTS
from dermascan_core.services.review_case import CaseAtHand, has_pixels, zoom_jpeg
from dermascan_core.services.reviewing import AGREE, OVERRIDE, READ_DX, READ_STEPS, REFER, UNKNOWN, Reading
from dermascan_core.taxonomy import HAM_NAMES
from dermascan_core.triage.two_kinds import kind_name
from dermascan_core.triage.wording import BARS_CAPTION, Voice, class_name, step_title

from . import result
from .form import describe_form
from .frame import as_plain_text
from .zoom import show_zoomable

if TYPE_CHECKING:
    from dermascan_core.storage.kept import KeptReview

_WISH_KEY = "review_wish"
_MAX_WORDS = 4_000
DX_WORDS = {code: HAM_NAMES.get(code, "other, or cannot say") for code in READ_DX}
STEP_WORDS = {step.value: step_title(step, Voice.CLINICIAN) for step in READ_STEPS}
# Keys by place, so that a hand learns them; C and R belong to Streamlit.
DX_KEYS = {**{code: str(place) for place, code in enumerate(READ_DX[:-1], start=1)}, UNKNOWN: "0"}
STEP_KEYS = {step.value: str(place) for place, step in enumerate(READ_STEPS, start=1)}


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked for at a case, by a key or a click.

    Attributes:
        what: ``say``, ``write``, ``begin_override``, ``drop_override``, ``confirm``, ``withdraw``, ``judge_map``.
        screening_id: Of the case that was on the screen.
        name, value: Which field, or which decision.
    """

    what: str
    screening_id: str
    name: str = ""
    value: str = ""


def wish(what: str, screening_id: str, name: str = "", value: str = "") -> None:
    """Note what was asked for; several of one click are done in turn."""
    st.session_state.setdefault(_WISH_KEY, []).append(Wish(what, screening_id, name, value))


def take_wishes() -> list[Wish]:
    """Return what was asked for since the last run, and forget it."""
    wishes: list[Wish] = st.session_state.pop(_WISH_KEY, [])
    return wishes


def show_photos(case: CaseAtHand) -> None:
    """Show the photos at full resolution, and what was told about the person; nothing of the model's."""
    shown = [intake for intake in case.intakes if has_pixels(intake)]
    if not shown:
        st.warning("No photo of this case can be shown.", icon=":material/no_photography:")
    for number, intake in enumerate(shown, start=1):
        _show_photo(intake, number, len(shown))
    told = describe_form(case.answer.metadata, case.answer.answers)
    with st.expander("What was told", icon=":material/list:", expanded=True):
        st.markdown("\n".join(f"- {as_plain_text(line, max_chars=300)}" for line in told) or "Nothing.")


def _show_photo(intake: object, number: int, n_photos: int) -> None:
    key = f"zoomable_{intake.sha256}"  # type: ignore[attr-defined]
    if key not in st.session_state:
        for old in [name for name in st.session_state if str(name).startswith("zoomable_")][5:]:
            del st.session_state[old]  # a long list of large photos stays out of memory
        st.session_state[key] = zoom_jpeg(intake)  # type: ignore[arg-type]
    jpeg = st.session_state[key]
    if jpeg is None:
        st.warning("This photo cannot be shown any more.", icon=":material/no_photography:")
        return
    words = "The photo" if n_photos == 1 else f"Photo {number} of {n_photos}"
    show_zoomable(jpeg, name=intake.sha256[:16], words=words)  # type: ignore[attr-defined]


def ask_own_opinion(case: CaseAtHand, reading: Reading) -> None:
    """Ask diagnosis, then next step; one key each. The model's answer stays away until both are said."""
    st.subheader("Your own opinion first")
    st.caption("One key each. The model's answer appears after both, and your opinion then stays as you gave it.")
    screening_id = case.screening.id
    if reading.own_dx is None:
        st.markdown("**What do you take it for?**")
        _buttons("own_dx", DX_WORDS, DX_KEYS, screening_id)
        return
    st.markdown(f"Diagnosis: **{DX_WORDS[reading.own_dx]}**")
    st.button(
        "Another diagnosis",
        key="redo_dx",
        on_click=wish,
        args=("say", screening_id, "own_dx", ""),
        shortcut="Backspace",
    )
    st.markdown("**What should happen next?**")
    _buttons("own_step", STEP_WORDS, STEP_KEYS, screening_id)


def _buttons(name: str, words: dict[str, str], keys: dict[str, str], screening_id: str) -> None:
    for value, label in words.items():
        st.button(
            label[0].upper() + label[1:],
            key=f"{name}_{value}",
            shortcut=keys[value],
            on_click=wish,
            args=("say", screening_id, name, value),
            width="stretch",
        )


def show_model_answer(case: CaseAtHand, reading: Reading) -> None:
    """Show what the model says: its step, class, bars, doubt, heat map and similar photos, as on the Screening page."""
    own, model = st.columns(2)
    with own, st.container(border=True):
        st.markdown(f"**You**\n\n{DX_WORDS[reading.own_dx or UNKNOWN]}\n\n{STEP_WORDS[str(reading.own_step)]}")
    with model, st.container(border=True):
        predicted = case.screening.predicted
        first = "no class (not assessed)" if predicted is None else class_name(predicted, Voice.CLINICIAN)
        st.markdown(f"**The model**\n\n{first}\n\n{STEP_WORDS[case.screening.next_step]}")
    if case.answer.step_reasons:
        st.markdown("**Why this step**\n" + "\n".join(f"- {reason}" for reason in case.answer.step_reasons))
    result.show_agreement(case.answer, Voice.CLINICIAN)
    for index, intake in enumerate(case.intakes):
        if case.manifest is not None:
            result.show_photo_result(case.answer, index, intake=intake, manifest=case.manifest, voice=Voice.CLINICIAN)
        else:
            _show_old_answer(case, index)


def ask_about_map(case: CaseAtHand, verdict: str | None) -> None:
    """Ask, after the answer, whether the network looked at what matters; nothing where it left no map.

    Args:
        case: That was answered.
        verdict: What this clinician said before; None for nothing yet.
    """
    if case.manifest is None or not any(photo.heat_maps for photo in case.answer.photos):
        return
    st.markdown("**Where did the network look?** By the heat map, and by your eye.")
    with st.container(horizontal=True):
        for name, words in VERDICTS.items():
            st.button(
                words,
                key=f"map_{name}",
                type="primary" if name == verdict else "secondary",
                on_click=wish,
                args=("judge_map", case.screening.id, "", name),
            )
    counted = "Of demo people it is not counted" if case.person.is_demo else "Counted on Against biopsy"
    st.caption(f"{counted}. It changes neither answer." + (" You may change your mind." if verdict else ""))


def _show_old_answer(case: CaseAtHand, index: int) -> None:
    photo = case.answer.photos[index]
    if case.answer.is_mixed:
        st.markdown(f"**Photo {index + 1}: {kind_name(case.answer, photo)}**")
    st.caption(
        f"Answered by weights {case.screening.model_sha256[:12]}, which are not installed here now: heat maps and how often "
        "such answers were wrong are left out."
    )
    if photo.prediction is None:
        st.warning("Not assessed. Do not use this as reassurance.", icon=":material/no_photography:")
        return
    result.show_ranked(photo.prediction, Voice.CLINICIAN)
    st.caption(BARS_CAPTION)


def ask_decision(case: CaseAtHand, reading: Reading) -> None:
    """Ask for agree, override or refer; an override asks for what is to hold, and why."""
    st.subheader("Your decision")
    screening_id = case.screening.id
    if reading.final_dx is not None:
        _ask_override(screening_id, reading)
        return
    with st.container(horizontal=True):
        st.button(
            "Agree with the model",
            key="agree",
            shortcut="A",
            type="primary",
            disabled=case.screening.predicted is None,
            on_click=wish,
            args=("confirm", screening_id, "decision", AGREE),
            icon=":material/check:",
        )
        st.button(
            "Override",
            key="override",
            shortcut="O",
            on_click=wish,
            args=("begin_override", screening_id),
            icon=":material/edit:",
        )
        st.button(
            "Refer",
            key="refer",
            shortcut="F",
            on_click=wish,
            args=("confirm", screening_id, "decision", REFER),
            icon=":material/forward:",
        )
    st.caption(
        "Agree takes the model's class and step over. Refer keeps your diagnosis with the more urgent of both steps, and at "
        "least a doctor's visit. Nothing replaces the model's answer: yours stands beside it."
    )


def _ask_override(screening_id: str, reading: Reading) -> None:
    st.markdown("**What holds instead, and why**")
    _choice("final_dx", "Diagnosis", DX_WORDS, reading.final_dx or UNKNOWN, screening_id)
    _choice("final_step", "Next step", STEP_WORDS, reading.final_step or NextStep.SEE_DOCTOR.value, screening_id)
    key = f"reason_{screening_id}"
    # Values come from the draft, not from the session: after a time-out the session may hold a widget's default again.
    st.text_area(
        "Why (kept beside the model's answer)",
        value=reading.reason,
        key=key,
        max_chars=_MAX_WORDS,
        on_change=_write,
        args=(screening_id, "reason", key),
    )
    with st.container(horizontal=True):
        st.button(
            "Confirm the override",
            key="confirm_override",
            type="primary",
            shortcut="Ctrl+Enter",
            on_click=wish,
            args=("confirm", screening_id, "decision", OVERRIDE),
        )
        st.button("Back", key="drop_override", on_click=wish, args=("drop_override", screening_id))


def _choice(name: str, label: str, words: dict[str, str], value: str, screening_id: str) -> None:
    key = f"{name}_{screening_id}"
    st.selectbox(
        label,
        list(words),
        index=list(words).index(value),
        format_func=words.__getitem__,
        key=key,
        on_change=_write,
        args=(screening_id, name, key),
    )


def _write(screening_id: str, name: str, key: str) -> None:
    wish("write", screening_id, name, str(st.session_state[key]))


def changed(reading: Reading, wanted: Wish) -> Reading:
    """Return a reading with what a wish of kind ``write``, ``begin_override`` or ``drop_override`` changes."""
    if wanted.what == "begin_override":
        return replace(reading, final_dx=reading.own_dx, final_step=reading.own_step)
    if wanted.what == "drop_override":
        return replace(reading, final_dx=None, final_step=None)
    values = {"final_dx": DX_WORDS, "final_step": STEP_WORDS}
    if wanted.name in values and wanted.value not in values[wanted.name]:
        return reading  # a browser can send anything
    return replace(reading, **{wanted.name: wanted.value})


def show_confirmed(mine: KeptReview, others: tuple[KeptReview, ...]) -> None:
    """Show the confirmed reading, and what others said of the case."""
    st.success(f"**{review_words(mine)}** Kept beside the model's answer.", icon=":material/check_circle:")
    for one in others:
        st.info(f"{as_plain_text(one.reviewer)} has read this case too. {review_words(one)} Both are kept.")


def review_words(review: KeptReview) -> str:
    """Return a confirmed reading as two sentences."""
    verbs = {AGREE: "Agreed with the model", OVERRIDE: "Overrode the model", REFER: "Referred"}
    own = f"Own opinion first: {DX_WORDS[review.own_dx]}, {STEP_WORDS[review.own_step].lower()}."
    final = f"{verbs.get(review.decision, 'Taken back')}: {DX_WORDS[review.final_dx]}, {STEP_WORDS[review.final_step].lower()}."
    why = f" Reason: {as_plain_text(review.reason, max_chars=_MAX_WORDS)}" if review.reason else ""
    return f"{final} {own}{why}"
