"""How far an answer can be trusted, measured on the very photo: how steady it is when the photo changes a little."""

from __future__ import annotations

import streamlit as st

from dermascan_core.domain import Screening
from dermascan_core.triage.evidence import (
    REPEATABILITY_LIMITS,
    compare_with_other_photos,
    repeatability_words,
    what_changed_words,
)
from dermascan_core.triage.wording import Voice


def show_repeatability(screening: Screening, index: int, voice: Voice) -> None:
    """Show in how many small changes, and in how many other photos of the spot, the answer changed."""
    photo = screening.photos[index]
    meter = photo.repeatability
    if meter is None or photo.prediction is None:
        return
    n_others, n_others_changed = compare_with_other_photos(screening, index)
    st.markdown("**How steady is this answer?**")
    words = repeatability_words(meter, n_other_photos=n_others, n_others_changed=n_others_changed)
    share_kept = 1 - meter.n_changed / len(meter.changes)
    st.progress(share_kept, text=f"{words} (A full bar: it never changed.)")
    limit = f" More than {meter.limit} changed answers make it unsure." if voice is Voice.CLINICIAN else ""
    st.caption(f"{what_changed_words(meter)}{limit} {REPEATABILITY_LIMITS}".strip())
