"""Why and what if: where the network looked, and what the optional imaging steps would change."""

from __future__ import annotations

import streamlit as st

from dermascan_core.domain import PhotoScreening, Screening
from dermascan_core.imaging.overlay import blend_heat_map
from dermascan_core.imaging.steps import STEPS
from dermascan_core.triage.wording import HEAT_MAP_CAPTION, Voice, class_name, step_title

from .frame import failures_told


@st.fragment
@failures_told("heat map")
def show_heat_map(photo: PhotoScreening, index: int, *, voice: Voice) -> None:
    """Show the square that the network saw, under the heat map of a class and with an opacity to choose."""
    if photo.square is None or not photo.heat_maps or photo.prediction is None:
        return
    st.markdown("**Where the network looked**")
    codes = sorted(photo.heat_maps, key=lambda code: code != photo.prediction.predicted)  # type: ignore[union-attr]
    picture, choices = st.columns(2)
    with choices:
        code = st.selectbox(
            "For which class?", codes, format_func=lambda code: class_name(code, voice), key=f"heat_class_{index}"
        )
        percent = st.slider("Strength of the colours (percent)", 0, 100, 60, step=5, key=f"heat_opacity_{index}")
    with picture:
        st.image(
            blend_heat_map(photo.square, photo.heat_maps[code], opacity=percent / 100),
            caption=HEAT_MAP_CAPTION,
            width="stretch",
        )


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
                    f"**{100 * prediction.p_malignant:.0f} %**; {step_title(photo.next_step, voice).lower()}"
                )
    st.caption("If a step makes the answer more urgent, tell the doctor. The result above does not use these steps.")
