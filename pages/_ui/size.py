"""The scale aid: mark a coin or a ruler on a photo, see what was measured, and take the width over if it looks right."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from dermascan_core.imaging.scale import DOUBT_SENTENCE, REFERENCES, Point, SizeEstimate
from dermascan_core.services.intake import Intake, decode_preview
from dermascan_core.services.spot_size import measure_spot
from dermascan_core.triage.checklist import LARGE_DIAMETER_MM

from .case import Case
from .form import SIZE_KEY

_FOLDER = Path(__file__).parent / "size_marks"
_START = ((0.35, 0.5), (0.65, 0.5))
_TASKS = {
    True: "Set the two marks on opposite edges of the coin, so that the circle lies on its rim. Drag them, tap, or use the "
    "arrow keys.",
    False: "Set the two marks on two lines of the ruler that are this far apart. Drag them, tap, or use the arrow keys.",
}


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


_mount = component("dermascan_size_marks", html=_read("marks.html"), css=_read("marks.css"), js=_read("marks.js"))


def offer_size(case: Case, photo: Intake) -> None:
    """Offer to measure the spot in one photo; the width is entered in the form only when the person says so."""
    with st.expander("Measure the spot: a coin or ruler lies beside it", icon=":material/straighten:"):
        chosen = st.selectbox(
            "What lies beside the spot?",
            list(REFERENCES),
            index=None,
            format_func=lambda key: REFERENCES[key].name,
            placeholder="Choose the coin or ruler",
            key=f"reference_{photo.sha256[:12]}",
        )
        if chosen is None:
            st.caption("Without one in the photo, measure with a ruler and write the width in part 3.")
            return
        marks = mark_two_points(photo, is_coin=REFERENCES[chosen].is_coin)
        if marks is not None:
            _show_measured(case, photo, marks, chosen)


def mark_two_points(photo: Intake, *, is_coin: bool) -> tuple[Point, Point] | None:
    """Let a person set two marks on the preview; None until they ask to measure.

    Returns:
        The marks as (x, y), shares of width and height in [0, 1].
    """
    height, width = decode_preview(photo.preview_jpeg).shape[:2]
    result = _mount(
        key=f"marks_{photo.sha256[:12]}_{is_coin}",
        data={
            "jpeg": base64.b64encode(photo.preview_jpeg).decode(),
            "width": width,
            "height": height,
            "is_coin": is_coin,
            "start": _START,
            "words": {
                "photo": "Your photo",
                "task": _TASKS[is_coin],
                "marks": ["First mark", "Second mark"],
                "across": "from the left",
                "down": "from the top",
                "measure": "Measure the spot",
            },
        },
        on_marks_change=_keep_as_sent,
    )
    return read_marks(result.get("marks"))


def _keep_as_sent() -> None:
    """A state needs a callback to be known by; the marks are read after each run."""


def read_marks(sent: Any) -> tuple[Point, Point] | None:
    """Return two marks inside the photo; None where the browser sent anything else.

    >>> read_marks([[0.1, 0.2], [1, 0.5]]), read_marks([[0.1, 2.0], [1, 0.5]]), read_marks("a")
    (((0.1, 0.2), (1.0, 0.5)), None, None)
    """
    try:
        (x1, y1), (x2, y2) = sent
        first, second = (float(x1), float(y1)), (float(x2), float(y2))
    except (TypeError, ValueError):
        return None
    return (first, second) if all(0 <= share <= 1 for share in (*first, *second)) else None


def _show_measured(case: Case, photo: Intake, marks: tuple[Point, Point], reference_key: str) -> None:
    measured = measure_spot(photo, marks, reference_key)
    if measured.estimate is None:
        st.warning(measured.problem)
        return
    with st.container(key=f"photo-measured-{photo.sha256[:8]}"):
        st.image(measured.picture, caption="The outline and the line are what was measured.", width="stretch")
    st.markdown(f"**{size_words(measured.estimate)}**")
    st.caption(f"If the outline does not follow the spot, do not use this. {DOUBT_SENTENCE}")
    st.button(
        f"Use {measured.estimate.width_mm:g} mm as the longest width",
        key=f"use_size_{photo.sha256[:12]}",
        on_click=_use_size,
        args=(case, measured.estimate.width_mm),
    )


def size_words(estimate: SizeEstimate) -> str:
    """Return the estimate as a sentence, with what matters where its doubt reaches the 7 mm of the 7-point list."""
    said = f"About {estimate.width_mm:g} mm ({estimate.low_mm:g} to {estimate.high_mm:g} mm)."
    if estimate.may_reach(LARGE_DIAMETER_MM):
        return (
            f"{said} It may reach the {LARGE_DIAMETER_MM:g} mm that count on the 7-point list: measure it with a ruler."
        )
    return said


def _use_size(case: Case, width_mm: float) -> None:
    st.session_state[SIZE_KEY] = width_mm
    case.form[SIZE_KEY] = width_mm
