"""The charts, as Plotly figures that follow Streamlit's light and dark theme. They draw; they measure nothing."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

# Whole, before any chart: plotly looks for pandas among the loaded modules, and in a cold server would meet it half loaded
# by another thread.
import pandas  # noqa: F401
import plotly.graph_objects as go

from dermascan_core.domain import Prediction
from dermascan_core.taxonomy import HAM_CODES, HAM_MALIGNANT
from dermascan_core.triage.shown import percent_words
from dermascan_core.triage.wording import Voice, class_name

# Blue and orange keep apart for every common colour blindness, on white and on near-black.
MALIGNANT, OTHER, GREY, FAINT = "#d9660a", "#2b7bba", "#8a929c", "#9fb3c8"
CONFIG = {"displayModeBar": False, "scrollZoom": False}
_LEAST_SHARE_DRAWN = 0.02
LEGEND_BELOW = {"orientation": "h", "yanchor": "top", "y": -0.16, "x": 0}


def short_class_name(code: str, voice: Voice) -> str:
    """Return a class name without its bracketed part, for an axis."""
    return class_name(code, voice).partition(" (")[0]


def class_chart(
    prediction: Prediction, without_metadata: Prediction | None, *, voice: Voice, is_greyed: bool
) -> go.Figure:
    """Share of each of the seven classes, with and without what was told about the person."""
    labels = ["<br>".join(textwrap.wrap(short_class_name(code, voice), 17)) for code in HAM_CODES]
    colours = [GREY if is_greyed else (MALIGNANT if code in HAM_MALIGNANT else OTHER) for code in HAM_CODES]
    bars: list[tuple[str, Prediction, dict[str, Any]]] = [("with your answers", prediction, {"color": colours})]
    if without_metadata is not None and without_metadata is not prediction:
        bars.append(("photo alone", without_metadata, {"color": colours, "opacity": 0.45, "pattern": {"shape": "/"}}))
    figure = go.Figure()
    for name, numbers, marker in bars:
        figure.add_bar(
            name=name,
            y=labels,
            x=100 * numbers.ham_probabilities,
            orientation="h",
            marker=marker,
            text=[_short_percent(p) for p in numbers.ham_probabilities],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f} %<extra>" + name + "</extra>",
        )
    figure.update_layout(
        barmode="group",
        height=90 + 62 * len(HAM_CODES),
        margin={"l": 4, "r": 34, "t": 8, "b": 8},
        xaxis={"title": "percent", "range": [0, 104], "fixedrange": True},
        yaxis={"autorange": "reversed", "fixedrange": True},
        legend=LEGEND_BELOW,
        showlegend=len(bars) > 1,
    )
    return figure


def label_mix_chart(
    prediction: Prediction, label_mix: Mapping[str, float], *, voice: Voice, is_greyed: bool
) -> go.Figure:
    """The network's share of each class beside its share among the similar labelled photos; empty classes are left out."""
    network = dict(zip(HAM_CODES, prediction.ham_probabilities, strict=True))
    codes = [code for code in HAM_CODES if network[code] >= _LEAST_SHARE_DRAWN or label_mix[code] > 0]
    labels = ["<br>".join(textwrap.wrap(short_class_name(code, voice), 17)) for code in codes]
    colours = [GREY if is_greyed else (MALIGNANT if code in HAM_MALIGNANT else OTHER) for code in codes]
    figure = go.Figure()
    bars: list[tuple[str, Mapping[str, float], dict[str, Any]]] = [
        ("the network", network, {"color": colours}),
        ("the similar photos", label_mix, {"color": colours, "opacity": 0.45, "pattern": {"shape": "x"}}),
    ]
    for name, shares, marker in bars:
        figure.add_bar(
            name=name,
            y=labels,
            x=[100 * shares[code] for code in codes],
            orientation="h",
            marker=marker,
            # Labels are counted: of a dozen photos, none is none.
            text=[
                f"{100 * shares[code]:.0f} %" if shares is label_mix else _short_percent(shares[code]) for code in codes
            ],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f} %<extra>" + name + "</extra>",
        )
    figure.update_layout(
        barmode="group",
        height=110 + 56 * len(codes),
        margin={"l": 4, "r": 34, "t": 8, "b": 8},
        xaxis={"title": "percent", "range": [0, 108], "fixedrange": True},
        yaxis={"autorange": "reversed", "fixedrange": True},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
    )
    return figure


def _short_percent(share: float) -> str:
    return percent_words(share).replace("under", "<").replace("over", ">")


def effect_chart(points: Mapping[str, float], *, x_title: str) -> go.Figure:
    """Signed horizontal bars, the largest on top: orange raises, blue lowers."""
    ordered = sorted(points.items(), key=lambda pair: -abs(pair[1]))
    reach = 1.3 * max([abs(value) for _, value in ordered] + [1.0])
    figure = go.Figure(
        go.Bar(
            y=[name for name, _ in ordered],
            x=[value for _, value in ordered],
            orientation="h",
            marker={"color": [MALIGNANT if value > 0 else OTHER for _, value in ordered]},
            text=[f"{value:+.1f}" for _, value in ordered],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:+.1f} points<extra></extra>",
        )
    )
    figure.update_layout(
        height=90 + 20 * x_title.count("<br>") + 40 * len(ordered),
        margin={"l": 4, "r": 24, "t": 8, "b": 8},
        xaxis={
            "title": x_title,
            "range": [-reach, reach],
            "fixedrange": True,
            "zeroline": True,
            "automargin": True,
        },
        yaxis={"autorange": "reversed", "fixedrange": True, "automargin": True},
        showlegend=False,
    )
    return figure


def confusion_chart(
    counts: Sequence[Sequence[int]], shares: Sequence[Sequence[float | None]], codes: Sequence[str]
) -> go.Figure:
    """Rows: what it was; columns: what was shown first; each row in percent of its photos."""
    percent = [[None if share is None else 100 * share for share in row] for row in shares]
    figure = go.Figure(
        go.Heatmap(
            z=percent,
            x=list(codes),
            y=list(codes),
            zmin=0,
            zmax=100,
            colorscale="Blues",
            showscale=False,
            customdata=counts,
            text=[["" if value is None else f"{value:.0f}" for value in row] for row in percent],
            texttemplate="%{text}",
            hovertemplate="was %{y}, shown first %{x}: %{z:.1f} % (%{customdata:.0f} photos)<extra></extra>",
        )
    )
    figure.update_layout(
        height=430,
        margin={"l": 4, "r": 4, "t": 8, "b": 8},
        xaxis={"title": "shown first", "fixedrange": True},
        yaxis={"title": "was", "autorange": "reversed", "fixedrange": True},
    )
    return figure


def curve_chart(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    x_title: str,
    y_title: str,
    diagonal: bool = False,
    point: tuple[float, float, str] | None = None,
) -> go.Figure:
    """Lines in the unit square, with a marked point where one is given as (x, y, label)."""
    figure = go.Figure()
    if diagonal:
        figure.add_scatter(
            x=[0, 1], y=[0, 1], mode="lines", line={"color": GREY, "dash": "dot"}, showlegend=False, hoverinfo="skip"
        )
    for name, (x, y) in curves.items():
        figure.add_scatter(x=list(x), y=list(y), mode="lines", name=name)
    if point is not None:
        x_point, y_point, label = point
        figure.add_scatter(
            x=[x_point],
            y=[y_point],
            mode="markers",
            name=label,
            marker={"size": 12, "color": MALIGNANT, "symbol": "diamond"},
        )
    _square(figure, x_title, y_title)
    return figure


def calibration_chart(bins: Sequence[Mapping[str, Any]], *, x_title: str, y_title: str) -> go.Figure:
    """Mean share said against share observed, one point a bin; the size of a point follows its number of photos."""
    kept = [b for b in bins if b["n"]]
    largest = max((b["n"] for b in kept), default=1)
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": GREY, "dash": "dot"}, name="perfect", hoverinfo="skip"
    )
    figure.add_scatter(
        x=[b["confidence"] for b in kept],
        y=[b["accuracy"] for b in kept],
        mode="lines+markers",
        name="measured",
        marker={"size": [8 + 16 * (b["n"] / largest) ** 0.5 for b in kept], "color": OTHER},
        customdata=[b["n"] for b in kept],
        hovertemplate="said %{x:.2f}, was %{y:.2f} (%{customdata} photos)<extra></extra>",
    )
    _square(figure, x_title, y_title)
    return figure


def _square(figure: go.Figure, x_title: str, y_title: str) -> None:
    axis = {"range": [-0.01, 1.01], "fixedrange": True, "constrain": "domain"}
    figure.update_layout(
        height=420,
        margin={"l": 4, "r": 4, "t": 8, "b": 8},
        xaxis={"title": x_title, **axis},
        yaxis={"title": y_title, **axis},
        legend={**LEGEND_BELOW, "y": -0.2},
    )
