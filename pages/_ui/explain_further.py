"""More looks at an answer, made when a person asks: the pixels that speak for a class, and what covering places does."""

from __future__ import annotations

import numpy as np
import streamlit as st

from dermascan_core.domain import Screening
from dermascan_core.imaging.overlay import blend_heat_map
from dermascan_core.services.explanations import Explanation, answer_covered, explain_further
from dermascan_core.taxonomy import HAM_CODES
from dermascan_core.triage.shown import percent_words
from dermascan_core.triage.wording import Voice, class_name

from .frame import failures_told
from .model import get_predictor

_NO_GUIDED = "Guided Grad-CAM needs a backward pass that this engine, or this network, does not offer. It is left out."


def show_further(screening: Screening, index: int, code: str, *, voice: Voice) -> None:
    """Offer Guided Grad-CAM and the occlusion check of one class; show them once they were asked for."""
    key = f"further_{index}_{code}"
    kept: tuple[str, Explanation] | None = st.session_state.get(key)
    if kept is None or kept[0] != screening.screened_at:
        if not st.button(
            "Check this map in two other ways (some seconds)", key=f"{key}_button", icon=":material/search:"
        ):
            return
        with st.spinner("Looking again, with places covered"):
            found = explain_further(screening, index, code, predictor=get_predictor(screening.model))
        st.session_state[key] = kept = (screening.screened_at, found)
    _show(screening, index, kept[1], voice)
    _let_cover(screening, index, code, voice)


def _show(screening: Screening, index: int, found: Explanation, voice: Voice) -> None:
    square = screening.photos[index].square
    if square is None:
        return
    pixels, covered = st.columns(2)
    with pixels:
        if found.guided is None:
            st.info(_NO_GUIDED)
        else:
            st.image(
                blend_heat_map(square, np.sqrt(found.guided), opacity=0.85),
                caption="Guided Grad-CAM: the fine detail that speaks for this class.",
                width="stretch",
            )
    lost = np.maximum(found.occlusion, 0)
    top = float(lost.max())
    with covered:
        st.image(
            blend_heat_map(square, lost / top if top > 0 else lost, opacity=0.7),
            caption="Covering: the warmer a place, the more is lost when it is covered.",
            width="stretch",
        )
    name = class_name(found.code, voice)
    st.markdown(
        f"With one view of the photo, {name} has {percent_words(found.probability)}. "
        + (
            f"Covering the place that matters most lowers it by {100 * top:.0f} points."
            if top >= 0.005
            else "Covering any single place hardly lowers it."
        )
        + " Where the maps do not agree, none of them should be relied on."
    )


@st.fragment
@failures_told("covered answer")
def _let_cover(screening: Screening, index: int, code: str, voice: Voice) -> None:
    """Let a person cover a place, and show what the model says of the rest: the map, put to the test by hand."""
    with st.expander("Cover a place yourself", icon=":material/ink_eraser:"):
        st.markdown(
            "Move the cover over what you think matters. Where the answer moves, the network used that place; where it stays, "
            "it did not need it. **The result above does not change**: the model was not tested on covered photos."
        )
        key = f"cover_{index}_{code}"
        across, down, width = (
            st.slider(words, 0, 100, start, step=5, format="%d %%", key=f"{key}_{name}")
            for name, words, start in (
                ("across", "From the left", 50),
                ("down", "From the top", 50),
                ("width", "Width of the cover", 30),
            )
        )
        found = answer_covered(
            screening,
            index,
            across=across / 100,
            down=down / 100,
            width=width / 100,
            predictor=get_predictor(screening.model),
        )
        picture, numbers = st.columns(2)
        with picture:
            st.image(found.square, caption="This is what the model is asked about.", width="stretch")
        with numbers:
            answers, place = (found.before, found.after), HAM_CODES.index(code)
            rows = {
                class_name(code, voice): [one.ham_probabilities[place] for one in answers],
                "Cancer or pre-cancer": [one.p_malignant for one in answers],
            }
            st.table(
                [
                    {"share of": title, "uncovered": percent_words(before), "covered": percent_words(after)}
                    for title, (before, after) in rows.items()
                ],
                hide_index=True,
            )
            st.caption("With one view of the photo; the result above averages more.")
