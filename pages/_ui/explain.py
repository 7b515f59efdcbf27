"""Why and what if: where the network looked, and what the optional imaging steps would change."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import streamlit as st

from dermascan_core.domain import Screening
from dermascan_core.imaging.overlay import blend_heat_map, heat_inside
from dermascan_core.imaging.segment import segment_lesion
from dermascan_core.imaging.steps import STEPS
from dermascan_core.triage.evidence import HEAT_LIMITS, heat_words
from dermascan_core.triage.shown import percent_words
from dermascan_core.triage.wording import HEAT_MAP_CAPTION, Voice, class_name, step_title

from .explain_further import show_further
from .frame import failures_told

_METHODS = {"grad_cam": "Grad-CAM", "grad_cam_plus_plus": "Grad-CAM++"}
_METHOD_HELP = (
    "Two ways to read the same answer. Grad-CAM weighs each feature by how much it speaks for the class; Grad-CAM++ lets "
    "features count that speak for it in a small place. Where both agree, the map depends less on how it was made."
)


@st.fragment
@failures_told("heat map")
def show_heat_map(screening: Screening, index: int, *, voice: Voice) -> None:
    """Show the square that the network saw, under the heat map of a class and with an opacity to choose."""
    photo = screening.photos[index]
    if photo.square is None or not photo.heat_maps or photo.prediction is None:
        return
    st.markdown("**Where the network looked**")
    first = photo.prediction.predicted
    codes = sorted(photo.heat_maps, key=lambda code: code != first)
    picture, choices = st.columns(2)
    with choices:
        code = st.selectbox(
            "For which class?", codes, format_func=lambda code: class_name(code, voice), key=f"heat_class_{index}"
        )
        maps = photo.heat_maps
        if photo.heat_maps_plus_plus:
            method = st.segmented_control(
                "How the map is made",
                list(_METHODS),
                format_func=_METHODS.__getitem__,
                default="grad_cam",
                required=True,
                key=f"heat_method_{index}",
                help=_METHOD_HELP,
            )
            maps = photo.heat_maps if method == "grad_cam" else photo.heat_maps_plus_plus
        percent = st.slider("Strength of the colours (percent)", 0, 100, 60, step=5, key=f"heat_opacity_{index}")
        st.markdown(_where_the_heat_lies(photo.square, maps[code]))
    with picture:
        st.image(
            blend_heat_map(photo.square, maps[code], opacity=percent / 100), caption=HEAT_MAP_CAPTION, width="stretch"
        )
    st.caption(HEAT_LIMITS)
    show_further(screening, index, code, voice=voice)


def _where_the_heat_lies(square: npt.NDArray[np.uint8], heat_map: npt.NDArray[np.floating]) -> str:
    lesion = segment_lesion(square)
    if lesion is None:
        return "No spot stands out in this square, so it cannot be said how much of the map lies on it."
    inside, covered = heat_inside(heat_map, lesion)
    return "Nothing speaks for this class." if np.isnan(inside) else heat_words(inside, covered)


def ask_steps() -> tuple[str, ...]:
    """Ask which optional imaging steps to try beside the photo as it is."""
    chosen = st.multiselect(
        "Also try these steps on the photo",
        list(STEPS),
        format_func=lambda name: f"{STEPS[name].label}: {STEPS[name].description}",
        key="imaging_steps",
        placeholder="None",
    )
    st.caption("The result stays that of the photo as it is: the model was tested without these steps.")
    return tuple(chosen)


def show_steps_effect(screening: Screening, with_steps: Screening, steps: tuple[str, ...], voice: Voice) -> None:
    """Show each photo's answer as it is and after the imaging steps, side by side."""
    st.subheader("What the imaging steps change")
    names = ", ".join(STEPS[name].label.lower() for name in steps)
    for index, (plain, changed) in enumerate(zip(screening.photos, with_steps.photos, strict=True), start=1):
        if plain.prediction is None or changed.prediction is None:
            continue
        for column, title, photo in zip(
            st.columns(2), (f"Photo {index} as it is", f"Photo {index}: {names}"), (plain, changed), strict=True
        ):
            prediction = photo.prediction
            if prediction is None or photo.square is None:
                continue
            with column:
                st.image(photo.square, caption=title, width="stretch")
                st.markdown(
                    f"{class_name(prediction.predicted, voice)} first; cancer or pre-cancer "
                    f"**{percent_words(prediction.p_malignant)}**; {step_title(photo.next_step, voice).lower()}"
                )
    st.caption("If a step makes the answer more urgent, tell the doctor. The result above does not use these steps.")
