"""Of a hundred photos with such an answer: how many were cancer or pre-cancer, drawn as dots and said in words."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from dermascan_core.domain import PhotoScreening, Screening
from dermascan_core.model.manifest import Manifest
from dermascan_core.services.decisions import AnswerGroup, group_of_answer
from dermascan_core.triage.frequencies import (
    BAYES_ASSUMES,
    LOW_ANSWERS_MISS,
    WHY_OTHER_FOR_YOU,
    elsewhere_words,
    icons_alt,
    in_the_test_words,
    n_icons,
    of_100,
)
from dermascan_core.triage.wording import Voice, calm_rate_words

from . import charts

PREVALENCES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5)
DEFAULT_PREVALENCE = 0.03
_MAYBE = "#f2c299"  # between none and the colour of cancer: what the interval leaves open


def is_counted(screening: Screening, manifest: Manifest) -> bool:
    """Whether every photo of the result is shown with its count of a hundred."""
    answered = [photo for photo in screening.photos if photo.prediction is not None]
    return all(group_of_answer(screening, photo, manifest) is not None for photo in answered)


def show_frequency(
    screening: Screening, photo: PhotoScreening, index: int, *, manifest: Manifest, voice: Voice
) -> None:
    """Show how many of a hundred such test photos were cancer or pre-cancer; a clinician may choose the prevalence.

    Where nothing was counted for such an answer, a low one still gets the rate at which the model's low answers are
    wrong, where that is known.
    """
    group = group_of_answer(screening, photo, manifest)
    if group is None:
        if words := calm_rate_words(screening, photo):
            st.markdown(f"**{words}** {LOW_ANSWERS_MISS}")
        return
    st.markdown("**Of 100 photos with such an answer**")
    if voice is Voice.CLINICIAN:
        _show_both(group, index)
    else:
        _show_test(group, index, voice)
        st.caption(WHY_OTHER_FOR_YOU)
    if group.code.startswith("below"):
        st.markdown(LOW_ANSWERS_MISS)


def _show_both(group: AnswerGroup, index: int) -> None:
    own = st.select_slider(
        "Cancer or pre-cancer among the lesions in your setting",
        PREVALENCES,
        value=DEFAULT_PREVALENCE,
        format_func=percent,
        key=f"own_prevalence_{index}",
    )
    test, elsewhere = st.columns(2)
    with test:
        st.markdown(f"In the test ({percent(group.test_prevalence)})")
        _show_test(group, index, Voice.CLINICIAN)
    with elsewhere:
        st.markdown(f"In your setting ({percent(own)})")
        share = group.malignant_share(own)
        _show_dots(share.value, share.high, key=f"dots_own_{index}")
        st.markdown(elsewhere_words(share=share.value, low=share.low, high=share.high, prevalence=own))
    st.caption(BAYES_ASSUMES)


def _show_test(group: AnswerGroup, index: int, voice: Voice) -> None:
    share = group.malignant_share()
    _show_dots(share.value, share.high, key=f"dots_test_{index}")
    st.markdown(
        in_the_test_words(
            group.code,
            share=share.value,
            low=share.low,
            high=share.high,
            n=group.n,
            prevalence=group.test_prevalence,
            voice=voice,
        )
    )


def _show_dots(share: float, high: float, *, key: str) -> None:
    st.plotly_chart(icon_array(share, high), key=key, config=charts.CONFIG, width="content", alt=icons_alt(share, high))


def icon_array(share: float, high: float) -> go.Figure:
    """A hundred dots in ten rows of ten: cancer or pre-cancer first, then what the interval leaves open, then the others."""
    n, n_maybe = n_icons(share), max(n_icons(high) - n_icons(share), 0)
    kinds = (
        (f"cancer or pre-cancer: {of_100(share)}", n, charts.MALIGNANT),
        (f"it may be up to {of_100(high)}", n_maybe, _MAYBE),
        ("other spots", 100 - n - n_maybe, charts.FAINT),
    )
    figure = go.Figure()
    first = 0
    for name, count, colour in kinds:
        places = range(first, first + count)
        first += count
        if not count:
            continue
        figure.add_scatter(
            x=[place % 10 for place in places],
            y=[place // 10 for place in places],
            mode="markers",
            name=name,
            marker={"size": 15, "color": colour, "symbol": "circle"},
            hoverinfo="name",
        )
    axis = {"visible": False, "range": [-0.6, 9.6], "fixedrange": True}
    figure.update_layout(
        width=260,
        height=300,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        xaxis=axis,
        yaxis={**axis, "range": [9.6, -0.6]},
        legend={"orientation": "v", "yanchor": "top", "y": -0.01, "x": 0},
        showlegend=True,
    )
    return figure


def percent(share: float) -> str:
    """Return a share in percent, with as many figures as it needs.

    >>> percent(0.001), percent(0.2), percent(0.198567)
    ('0.1 %', '20 %', '19.9 %')
    """
    return f"{round(100 * share, 1):g} %"
