"""How well photos of such skin were tested, beside a result: the person's own answer first, then what the photo looks like."""

from __future__ import annotations

import streamlit as st

from dermascan_core.domain import Screening
from dermascan_core.imaging.skin_tone import NO_BAND
from dermascan_core.model.manifest import Manifest
from dermascan_core.services.intake import Intake
from dermascan_core.services.skin_tone import PhotosAlike, count_alike, tone_of
from dermascan_core.triage.skin_tone_words import (
    CHANGES_NOTHING,
    DARK_BANDS,
    DARK_NOT_TESTED,
    NO_ESTIMATE,
    NOT_COUNTED,
    alike_words,
    answered_words,
    hardly_tested_words,
    looks_words,
)
from dermascan_core.triage.wording import Voice


def show_skin_tone(screening: Screening, intake: Intake, *, manifest: Manifest, voice: Voice) -> None:
    """Show how light the skin looks and how many test photos look so; warn where hardly any do."""
    st.markdown("**How well such skin was tested**")
    _show_answer(screening, manifest)
    tone = tone_of(intake)
    if tone is None:
        group = count_alike(manifest, screening.image_type, kind="ita_band", name=NO_BAND)
        st.markdown(
            f"{NO_ESTIMATE} {'' if group is None else alike_words(group.n, group.n_malignant, of='are like that')}"
        )
    else:
        group = count_alike(manifest, screening.image_type, kind="ita_band", name=tone.band)
        said = NOT_COUNTED if group is None else alike_words(group.n, group.n_malignant, of="look so")
        st.markdown(f"{looks_words(tone.band, tone.possible_bands)} {said}")
        if tone.band in DARK_BANDS:
            st.warning(DARK_NOT_TESTED, icon=":material/contrast:")
        else:
            _warn_if_too_few(group)
        if voice is Voice.CLINICIAN:
            st.caption(
                f"Individual typology angle {tone.ita_degrees:.0f} degrees, one standard deviation of doubt "
                f"{tone.doubt_degrees:.0f} degrees."
            )
    st.caption(CHANGES_NOTHING)


def _show_answer(screening: Screening, manifest: Manifest) -> None:
    skin_type = screening.metadata.fitzpatrick_skin_type
    if skin_type is None:
        return
    group = count_alike(manifest, screening.image_type, kind="skin_type", name=str(skin_type))
    if group is None:
        st.markdown(f"{answered_words(skin_type)} The skin types of the people in the test photos are not known.")
        return
    st.markdown(f"{answered_words(skin_type)} {alike_words(group.n, group.n_malignant, of='are of that type')}")
    _warn_if_too_few(group)


def _warn_if_too_few(group: PhotosAlike | None) -> None:
    if group is not None and group.is_too_few:
        st.warning(hardly_tested_words(group.n, group.n_malignant), icon=":material/contrast:")
