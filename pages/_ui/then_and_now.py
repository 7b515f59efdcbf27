"""Then and now: two photos of one spot side by side, with their dates and what was answered. It measures no change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go
import streamlit as st

from dermascan_core.domain import NextStep
from dermascan_core.errors import WeightsError
from dermascan_core.services.lesion_dates import (
    DatedPhoto,
    LeftOut,
    comparable_answers,
    dated_photos,
    left_out_answers,
    n_days,
    read_cases,
    standing_step,
)
from dermascan_core.services.performance import load_repeatability
from dermascan_core.services.review_case import has_pixels, open_photo
from dermascan_core.services.thumbnails import on_square
from dermascan_core.triage.change_words import (
    CHANGE_IS_A_REASON,
    DATES_ARE_SCREENINGS,
    DIFFERENT_KINDS,
    NO_PHOTO_SO_FAR,
    NOT_MEASURED,
    ONE_DATE_SO_FAR,
    SHARES_VARY,
    camera_words,
    days_between_words,
    left_out_words,
    standing_step_words,
    steadiness_words,
)

from . import measures
from .charts import GREY, LEGEND_BELOW, MALIGNANT
from .measured_table import show_chart
from .reading import STEP_WORDS
from .records import day
from .timeline import answer_line

if TYPE_CHECKING:
    from datetime import datetime

    from dermascan_core.services.history import KeptCase, LesionHistory
    from dermascan_core.services.records import Records

_PICTURES_KEY = "then_and_now_pictures"
_MAX_PICTURES = 12  # held for one session; each is some 100 kB


def show_then_and_now(records: Records, history: LesionHistory, *, reviewer: str, is_open: bool) -> None:
    """Offer two photos of a lesion side by side; say what is missing where they are not of two dates.

    Args:
        records: Where the photos lie.
        history: Of the lesion.
        reviewer: Who looks: the answer of a case that they have not read is not shown.
        is_open: Whether the photos are shown at once, or only when asked for: opening them takes a moment.
    """
    photos = dated_photos(history)
    if n_days(photos) < 2:
        st.caption(ONE_DATE_SO_FAR if photos else NO_PHOTO_SO_FAR)
        return
    lesion_id = history.lesion.id
    days = f"{day(photos[0].seen_at)} to {day(photos[-1].seen_at)}"
    if not st.toggle(f"Then and now: photos side by side ({days})", value=is_open, key=f"then_and_now_{lesion_id}"):
        return
    then, now = _ask_two(photos, lesion_id)
    st.markdown(f"**{days_between_words((now.day - then.day).days)}**")
    _show_pair(records, then, now, lesion_id)
    if then.photo.image_type != now.photo.image_type:
        st.warning(DIFFERENT_KINDS, icon=":material/photo_camera:")
    _show_answers(then, now, reviewer)
    st.warning(f"{NOT_MEASURED} **{CHANGE_IS_A_REASON}**", icon=":material/stethoscope:")
    read = read_cases(history, reviewer)
    step = standing_step(read)
    if step is not None:
        n_not_assessed = sum(case.screening.next_step == NextStep.NOT_ASSESSED.value for case in read)
        st.markdown(standing_step_words(STEP_WORDS[step.value], n_not_assessed=n_not_assessed))
    left_out = left_out_answers(photos, read)
    _show_shares(comparable_answers(photos, read), left_out, lesion_id, n_unread=len(history.cases) - len(read))
    st.caption(DATES_ARE_SCREENINGS)


def _ask_two(photos: tuple[DatedPhoto, ...], lesion_id: str) -> tuple[DatedPhoto, DatedPhoto]:
    """Ask which two; the older one comes first, whichever way round they were chosen."""
    by_id = {one.photo.id: one for one in photos}
    names = {photo_id: _name(one) for photo_id, one in by_id.items()}
    ids = list(by_id)
    left, right = st.columns(2)
    then = left.selectbox("Then", ids, index=0, format_func=names.__getitem__, key=f"then_{lesion_id}")
    now = right.selectbox("Now", ids, index=len(ids) - 1, format_func=names.__getitem__, key=f"now_{lesion_id}")
    first, last = sorted((then, now), key=ids.index)
    return by_id[first], by_id[last]


def _name(one: DatedPhoto) -> str:
    which = f", photo {one.number} of {one.n_of_day}" if one.n_of_day > 1 else ""
    return f"{day(one.seen_at)}{which} ({camera_words(one.photo.image_type)})"


def _show_pair(records: Records, then: DatedPhoto, now: DatedPhoto, lesion_id: str) -> None:
    with st.container(key=f"photo-pair-{lesion_id}"):
        for column, one in zip(st.columns(2), (then, now), strict=True):
            with column:
                picture = _picture(records, one)
                if isinstance(picture, str):
                    st.warning(f"{_name(one)}: {picture}", icon=":material/no_photography:")
                else:
                    st.image(picture, caption=_name(one), width="stretch")


def _picture(records: Records, one: DatedPhoto) -> bytes | str:
    """Return the photo on a square ground, or a sentence that says why there is none."""
    held: dict[str, bytes] = st.session_state.setdefault(_PICTURES_KEY, {})
    sha256 = one.photo.image_sha256
    if sha256 not in held or not records.images.has(sha256):  # one that was deleted meanwhile is not shown from memory
        held.pop(sha256, None)
        intake = open_photo(records, one.photo, one.photo.file_name or "photo")
        if not has_pixels(intake):
            return intake.refusal.sentence if intake.refusal else "This photo cannot be shown any more."
        for oldest in list(held)[: max(0, len(held) - _MAX_PICTURES + 1)]:
            del held[oldest]
        held[sha256] = on_square(intake.preview_jpeg)
    return held[sha256]


def _show_answers(then: DatedPhoto, now: DatedPhoto, reviewer: str) -> None:
    st.markdown("**What was answered**")
    cases = list(dict.fromkeys(case.screening.id for one in (then, now) for case in one.cases))
    by_id = {case.screening.id: case for one in (then, now) for case in one.cases}
    st.markdown("\n".join(f"- {answer_line(by_id[found], reviewer=reviewer)}" for found in cases))


def _show_shares(
    answers: tuple[tuple[datetime, KeptCase], ...], left_out: LeftOut, lesion_id: str, *, n_unread: int
) -> None:
    """Draw the shares of cancer or pre-cancer by date, where two dates have one that can be compared."""
    if len({at.date() for at, _ in answers}) < 2:
        return
    show_chart(
        _share_chart([(at, case.screening.p_malignant, case.screening.threshold) for at, case in answers]),
        key=f"shares_{lesion_id}",
        alt="Share of cancer or pre-cancer that the model answered, by date, with the line from which it asks for a doctor",
    )
    hidden = f" Not shown: {n_unread}, not read by you yet." if n_unread else ""
    steadiness = _steadiness(answers[-1][1])
    others = left_out_words(
        left_out.image_type,
        n_of_other_kind=left_out.n_of_other_kind,
        n_by_other_model=left_out.n_by_other_model,
    )
    st.caption(" ".join(words for words in (f"{SHARES_VARY}{hidden}", others, steadiness) if words))


def _share_chart(points: list[tuple[datetime, float | None, float | None]]) -> go.Figure:
    """Dots at (date, percent), and the line from which the model asks for a doctor, where it is known."""
    dates = [f"{at:%Y-%m-%d}" for at, _, _ in points]
    figure = go.Figure()
    figure.add_scatter(
        name="cancer or pre-cancer, percent",
        x=dates,
        y=[100 * (share or 0.0) for _, share, _ in points],
        mode="markers",  # unjoined: a line between two dots would look like a course that was measured
        marker={"color": MALIGNANT, "size": 12},
        hovertemplate="%{x}: %{y:.0f} %<extra></extra>",
    )
    thresholds = [100 * line if line is not None else None for _, _, line in points]
    if all(line is not None for line in thresholds):
        figure.add_scatter(
            name="from here on it asks for a doctor",
            x=dates,
            y=thresholds,
            mode="lines",
            line={"color": GREY, "dash": "dot", "shape": "hv"},
            hovertemplate="asks for a doctor from %{y:.0f} % on<extra></extra>",
        )
    figure.update_layout(
        height=300,
        margin={"l": 4, "r": 12, "t": 8, "b": 8},
        xaxis={"type": "date", "fixedrange": True, "tickformat": "%Y-%m-%d", "nticks": 4},
        yaxis={"title": "percent", "range": [-3, 103], "fixedrange": True},
        legend=LEGEND_BELOW,
    )
    return figure


def _steadiness(case: KeptCase) -> str:
    """Return what was measured of how answers vary; empty where nothing was measured of the very weights that answered."""
    try:
        measured = load_repeatability(case.screening.model)
    except WeightsError:
        return ""
    if measured is None or measured["model"]["sha256"] != case.screening.model_sha256:
        return ""
    return steadiness_words(measures.of_100(measured["changed"]["any"]["value"]), measured["data"]["n"])
