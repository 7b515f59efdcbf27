"""A comparison of one person's moles on screen: the odd one first, then all of them with their own next steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from dermascan_core.domain import NextStep, Status
from dermascan_core.services.mole_comparison import MIN_MOLES, ComparedMole, MoleComparison
from dermascan_core.triage.comparison_words import (
    HARDLY_STANDS_OUT,
    NO_TRAIT,
    NOT_JUDGED,
    ODD_ONE_AFTER_OTHERS_TITLE,
    ODD_ONE_TITLE,
    OTHERS_NOT_CLEARED,
    SD_EXPLAINED,
    SD_IN_PLAIN_WORDS,
    SIZE_CAUTION,
    STANDS_OUT,
    TRAIT_NAMES,
    trait_reasons,
)
from dermascan_core.triage.wording import UNSURE_SENTENCE, Voice, refusal_text, step_text, step_title

from .frame import as_plain_text
from .measured_table import show_chart
from .mole_chart import trait_chart

_N_COLUMNS = 3


def show_odd_one(comparison: MoleComparison, voice: Voice) -> None:
    """Show the odd one out and why it is; before it the moles for which the model's own advice is more urgent."""
    odd, others = comparison.judged[0], comparison.judged[1:]
    more_urgent = [mole for mole in others if mole.next_step.urgency > odd.next_step.urgency]
    _show_own_advice(more_urgent, voice, opening="First, by the model's own advice")
    title = ODD_ONE_AFTER_OTHERS_TITLE if _ask_for_a_doctor(more_urgent) else ODD_ONE_TITLE
    picture, words = st.columns([1, 2])
    with picture, st.container(key="photo-odd-one"):
        st.image(odd.thumbnail_jpeg, caption=as_plain_text(odd.name), width="stretch")
    with words:
        st.error(f"### {title}\n\n{STANDS_OUT if odd.is_clear else HARDLY_STANDS_OUT}", icon=":material/looks_one:")
        st.markdown("**What sets it apart**\n" + "\n".join(f"- {reason}" for reason in _reasons(odd, voice)))
        st.markdown(f"**The model's own advice for this photo:** {step_title(odd.next_step, voice)}.")
    st.warning(OTHERS_NOT_CLEARED, icon=":material/warning:")
    _show_own_advice(
        [mole for mole in others if mole.next_step.urgency <= odd.next_step.urgency],
        voice,
        opening="Also, by the model's own advice",
    )


def _reasons(mole: ComparedMole, voice: Voice) -> tuple[str, ...]:
    """What sets a mole apart: with the numbers for a clinician, in plain words for everybody else."""
    if voice is Voice.CLINICIAN or NO_TRAIT in mole.reasons:
        return mole.reasons
    return trait_reasons(mole.z_scores, is_plain=True)


_ASKS_FOR_A_DOCTOR = (NextStep.EMERGENCY, NextStep.URGENT_2_WEEKS, NextStep.SEE_DOCTOR)


def _ask_for_a_doctor(moles: Sequence[ComparedMole]) -> bool:
    return any(mole.next_step in _ASKS_FOR_A_DOCTOR for mole in moles)


def _show_own_advice(moles: Sequence[ComparedMole], voice: Voice, *, opening: str) -> None:
    """Name the moles that the model itself sends to a doctor: being like the others is no reason to wait."""
    for step in _ASKS_FOR_A_DOCTOR:
        names = [as_plain_text(mole.name) for mole in moles if mole.next_step is step]
        if names:
            show = st.warning if step is NextStep.SEE_DOCTOR else st.error
            show(
                f"**{opening}: {step_title(step, voice)}**\n\n"
                + "\n".join(f"- {name}" for name in names)
                + f"\n\n{step_text(step, voice)}",
                icon=":material/stethoscope:",
            )


def show_not_compared(comparison: MoleComparison, voice: Voice) -> None:
    """Say that too few photos could be judged to compare, and what the model advises for those that could."""
    answered = [mole for mole in comparison.moles if mole.photo.prediction is not None]
    st.error(
        f"Only {len(answered)} of {len(comparison.moles)} photos could be judged, and a comparison needs {MIN_MOLES}. "
        "Take the others again. Until then nothing is known of how these moles differ.",
        icon=":material/compare:",
    )
    if answered:
        st.markdown(
            "**The model's own advice**\n"
            + "\n".join(f"- {as_plain_text(mole.name)}: {step_title(mole.next_step, voice)}" for mole in answered)
        )


def show_all(comparison: MoleComparison, voice: Voice) -> None:
    """Show every judged mole with its rank, its reasons and the model's own next step."""
    st.header("All moles, the most different first")
    moles = comparison.judged
    for start in range(0, len(moles), _N_COLUMNS):
        columns = st.columns(_N_COLUMNS)
        for column, mole in zip(columns, moles[start : start + _N_COLUMNS], strict=False):
            with column, st.container(border=True, key=f"photo-mole-{mole.rank}"):
                _show_mole(mole, voice)


def _show_mole(mole: ComparedMole, voice: Voice) -> None:
    st.markdown(f"**{mole.rank}. {as_plain_text(mole.name, max_chars=40)}**")
    st.image(mole.thumbnail_jpeg, width=200)
    st.markdown(f"Advice for this photo: **{step_title(mole.next_step, voice)}**")
    if mole.photo.status is Status.UNSURE:
        st.caption(mole.photo.reason.sentence if mole.photo.reason else UNSURE_SENTENCE)
    if reasons := _reasons(mole, voice):
        st.markdown("\n".join(f"- {reason}" for reason in reasons))
    if all(math.isnan(z) for z in mole.z_scores.values()):
        st.caption("No lesion stands out from the skin in this photo, so no trait was measured.")
    if voice is Voice.CLINICIAN and mole.photo.prediction is not None:
        st.caption(
            f"local outlier factor {mole.outlier_factor:.2f}; p(malignant) {mole.photo.prediction.p_malignant:.3f}"
        )


def show_not_judged(comparison: MoleComparison) -> None:
    """List the photos that were refused, each with its reason."""
    refused = [mole for mole in comparison.not_judged if mole.photo.prediction is None]
    if not refused:
        return
    listed = "\n".join(
        f"- **{as_plain_text(mole.name)}**: {refusal_text(mole.photo.reason) if mole.photo.reason else 'Not assessed.'}"
        for mole in refused
    )
    st.warning(f"{NOT_JUDGED}\n\n{listed}", icon=":material/no_photography:")


def show_traits(comparison: MoleComparison, voice: Voice) -> None:
    """Draw every mole's traits beside the others', one of them marked."""
    st.header("How they differ")
    moles = comparison.judged
    labels = [f"{mole.rank}. {mole.name}" for mole in moles]
    marked = st.selectbox("Mole that is marked", range(len(moles)), format_func=labels.__getitem__, key="marked_mole")
    rows = {TRAIT_NAMES[name]: [mole.z_scores[name] for mole in moles] for name in TRAIT_NAMES}
    show_chart(
        trait_chart(rows, labels, marked=marked, is_plain=voice is not Voice.CLINICIAN),
        key="mole_traits",
        alt="For each trait, how far each mole lies from the middle of all; one mole is marked",
    )
    st.caption(f"{SD_EXPLAINED if voice is Voice.CLINICIAN else SD_IN_PLAIN_WORDS} {SIZE_CAUTION}")
