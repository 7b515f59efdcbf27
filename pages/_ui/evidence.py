"""How far an answer can be trusted, measured on the very photo: how steady it is, what lies over the skin, what moved it."""

from __future__ import annotations

import streamlit as st

from dermascan_core.domain import PhotoScreening, Screening
from dermascan_core.triage.evidence import (
    REPEATABILITY_LIMITS,
    artefact_words,
    compare_with_other_photos,
    field_words,
    metadata_effect_words,
    painted_over_words,
    repeatability_words,
    what_changed_words,
)
from dermascan_core.triage.wording import Voice

from . import charts


def show_evidence(screening: Screening, index: int, voice: Voice) -> None:
    """Show what was measured of one answered photo beside its answer."""
    photo = screening.photos[index]
    if photo.prediction is None:
        return
    _show_artefacts(photo, voice)
    _show_repeatability(screening, index, voice)
    _show_metadata_effects(photo, index, voice)


def _show_artefacts(photo: PhotoScreening, voice: Voice) -> None:
    if photo.artefacts is None or not photo.artefacts.flagged:
        return
    st.markdown("**What lies over the skin**")
    st.markdown(f"{artefact_words(photo.artefacts)} {painted_over_words(photo, voice)}")
    if photo.artefacts.square is not None and photo.square is not None:
        with st.expander("See the photo with it painted over", icon=":material/format_paint:"):
            before, after = st.columns(2)
            before.image(photo.square, caption="As it is", width="stretch")
            after.image(photo.artefacts.square, caption="Painted over", width="stretch")


def _show_repeatability(screening: Screening, index: int, voice: Voice) -> None:
    meter = screening.photos[index].repeatability
    if meter is None:
        return
    n_others, n_others_changed = compare_with_other_photos(screening, index)
    st.markdown("**How steady is this answer?**")
    words = repeatability_words(meter, n_other_photos=n_others, n_others_changed=n_others_changed)
    st.progress(1 - meter.n_changed / len(meter.changes), text=f"{words} (Full bar: it never changed.)")
    limit = f" More than {meter.limit} changed answers make it unsure." if voice is Voice.CLINICIAN else ""
    st.caption(f"{what_changed_words(meter)}{limit} {REPEATABILITY_LIMITS}".strip())


def _show_metadata_effects(photo: PhotoScreening, index: int, voice: Voice) -> None:
    if not photo.metadata_effects:
        return
    st.markdown("**What your answers changed**" if voice is Voice.PUBLIC else "**What the metadata changed**")
    st.markdown(metadata_effect_words(photo.metadata_effects))
    if voice is Voice.CLINICIAN:
        points = {field_words(name): 100 * effect for name, effect in photo.metadata_effects.items()}
        st.plotly_chart(
            charts.effect_chart(points, x_title="points of cancer or pre-cancer,<br>with it against without it"),
            key=f"effects_{index}",
            config=charts.CONFIG,
            alt="Bars: how much each thing that the model was told raised or lowered cancer or pre-cancer",
        )
        st.caption("Each withheld alone, the others told. The effects need not add up.")
