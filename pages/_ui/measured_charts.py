"""Charts of the Model performance page beyond one test: intervals, folds, epochs, class counts, runs. They only draw."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from .charts import FAINT, GREY, LEGEND_BELOW, MALIGNANT, OTHER

# Okabe and Ito's colours without black and yellow: apart for every common colour blindness, on white and near-black.
SERIES = ("#2b7bba", "#d9660a", "#009e73", "#cc79a7", "#56b4e9", "#b58900")
_LABEL_CHARS = 24
_MARGIN = {"l": 4, "r": 24, "t": 8, "b": 8}


@dataclass(frozen=True, slots=True)
class Interval:
    """One line of an interval chart: a value, its interval where it has one, and whether it is to stand out."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    is_marked: bool = False


def wrapped(label: str, width: int = _LABEL_CHARS) -> str:
    """Break a label into lines that leave room for the chart on a phone."""
    return "<br>".join(textwrap.wrap(label, width)) or label


def interval_chart(
    series: Mapping[str, Sequence[Interval]],
    *,
    x_title: str,
    in_percent: bool = False,
    x_range: tuple[float, float] | None = None,
    line_at: float | None = None,
) -> go.Figure:
    """Dots with horizontal intervals, one line a label, one colour a series; marked ones are orange.

    Args:
        series: Name -> lines, from the top; with one series there is no legend.
        x_title: Of the axis.
        in_percent: Whether values are shares to be shown in percent.
        x_range: Of the axis, in its unit; None fits it to the values.
        line_at: Where a dotted line is drawn for orientation.
    """
    scale, unit, form = (100, " %", ".1f") if in_percent else (1, "", ".3f")
    figure = go.Figure()
    for number, (name, lines) in enumerate(series.items()):
        colours = [MALIGNANT if one.is_marked else SERIES[number % len(SERIES)] for one in lines]
        has_interval = [one.low is not None and one.high is not None for one in lines]
        figure.add_scatter(
            name=name,
            x=[scale * one.value for one in lines],
            y=[wrapped(one.label) for one in lines],
            mode="markers",
            marker={"color": colours, "size": 11, "symbol": ("circle", "diamond", "square")[number % 3]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [
                    scale * ((one.high or 0) - one.value) if ok else 0
                    for one, ok in zip(lines, has_interval, strict=True)
                ],
                "arrayminus": [
                    scale * (one.value - (one.low or 0)) if ok else 0
                    for one, ok in zip(lines, has_interval, strict=True)
                ],
                "color": SERIES[number % len(SERIES)],
                "thickness": 2,
                "width": 5,
            },
            customdata=[
                f" ({scale * (one.low or 0):{form}} to {scale * (one.high or 0):{form}})" if ok else ""
                for one, ok in zip(lines, has_interval, strict=True)
            ],
            hovertemplate="%{y}: %{x:" + form + "}" + unit + "%{customdata}<extra>" + name + "</extra>",
        )
    n_lines = len({one.label for lines in series.values() for one in lines})
    _lay_out_rows(figure, n_lines, x_title, x_range)
    figure.update_layout(scattermode="group", scattergap=0.5, showlegend=len(series) > 1)
    if line_at is not None:
        figure.add_vline(x=scale * line_at, line={"color": GREY, "dash": "dot"})
    return figure


def kept_chart(lines: Sequence[Interval], *, x_title: str) -> go.Figure:
    """Bars of shares in percent with intervals; the worst ones are marked orange."""
    figure = go.Figure(
        go.Bar(
            x=[100 * one.value for one in lines],
            y=[wrapped(one.label) for one in lines],
            orientation="h",
            marker={"color": [MALIGNANT if one.is_marked else OTHER for one in lines]},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * ((one.value if one.high is None else one.high) - one.value) for one in lines],
                "arrayminus": [100 * (one.value - (one.value if one.low is None else one.low)) for one in lines],
                "color": GREY,
                "thickness": 2,
                "width": 4,
            },
            text=[f"{100 * one.value:.1f} %" for one in lines],
            textposition="inside",
            insidetextanchor="start",
            textfont={"color": "white"},
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        )
    )
    _lay_out_rows(figure, len(lines), x_title, None)
    return figure


def fold_chart(
    folds: Mapping[str, Sequence[float | None]], names: Sequence[str], means: Mapping[str, tuple[float, float | None]]
) -> go.Figure:
    """One dot a fold for each measure, with the mean and one standard deviation to both sides.

    Args:
        folds: Words of a measure -> its value in each fold.
        names: Of the folds.
        means: Words of a measure -> mean and standard deviation over the folds.
    """
    figure = go.Figure()
    labels = [wrapped(words) for words in folds]
    figure.add_scatter(
        x=[means[words][0] for words in folds],
        y=labels,
        mode="markers",
        name="mean, with one standard deviation to both sides",
        marker={"symbol": "line-ns-open", "size": 26, "color": GREY, "line": {"width": 2}},
        error_x={"type": "data", "array": [means[words][1] or 0 for words in folds], "color": GREY, "width": 0},
        hovertemplate="%{y}: mean %{x:.3f}<extra></extra>",
    )
    for number, name in enumerate(names):
        values = [values[number] for values in folds.values()]
        figure.add_scatter(
            x=values,
            y=labels,
            mode="markers",
            name=name,
            marker={"size": 11, "color": SERIES[number % len(SERIES)], "line": {"width": 1, "color": FAINT}},
            hovertemplate="%{y}: %{x:.3f}<extra>" + name + "</extra>",
        )
    _lay_out_rows(figure, len(labels), "value in each fold", None)
    n_lines = sum(label.count("<br>") + 1 for label in labels)
    # The legend has a line a fold on a phone, and no name of a measure may run into the next.
    figure.update_layout(showlegend=True, height=120 + 20 * (len(names) + 1) + 20 * n_lines + 12 * len(labels))
    return figure


def epoch_chart(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    y_title: str,
    x_title: str = "epoch",
    kept_epoch: int | None = None,
) -> go.Figure:
    """Lines over epochs, or what ``x_title`` names; a dotted line marks the epoch that validated best."""
    figure = go.Figure()
    for number, (name, (x, y)) in enumerate(curves.items()):
        figure.add_scatter(
            x=list(x),
            y=list(y),
            mode="lines+markers",
            name=name,
            line={"color": SERIES[number % len(SERIES)], "dash": ("solid", "dash", "dot")[number // len(SERIES) % 3]},
            hovertemplate=x_title + " %{x}: %{y:.4f}<extra>" + name + "</extra>",
        )
    if kept_epoch:
        figure.add_vline(
            x=kept_epoch,
            line={"color": GREY, "dash": "dot"},
            annotation={"text": "best epoch", "xanchor": "right" if _is_late(kept_epoch, curves) else "left"},
            annotation_position="top",  # above the lines, not over them
        )
    figure.update_layout(
        height=380,
        margin={**_MARGIN, "t": 24},
        xaxis={"title": x_title, "fixedrange": True},
        yaxis={"title": y_title, "fixedrange": True},
        legend={**LEGEND_BELOW, "y": -0.22},
        showlegend=True,
    )
    return figure


def _is_late(epoch: int, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> bool:
    """Whether an epoch lies in the second half, where words to its right would leave the chart."""
    return 2 * epoch > max((max(x) for x, _ in curves.values() if len(x)), default=0)


def count_chart(labels: Sequence[str], bars: Mapping[str, Sequence[float]]) -> go.Figure:
    """Horizontal bars of counts, one group a label, one colour a name."""
    figure = go.Figure()
    for name, colour in zip(bars, (GREY, OTHER, MALIGNANT), strict=False):
        figure.add_bar(
            name=name,
            y=[wrapped(label) for label in labels],
            x=list(bars[name]),
            orientation="h",
            marker={"color": colour},
            text=[f"{n:,.0f}" for n in bars[name]],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:,.0f}<extra>" + name + "</extra>",
        )
    _lay_out_rows(figure, len(labels), "photos", (0, 1.18 * max((max(v) for v in bars.values() if v), default=1)))
    figure.update_layout(barmode="group", height=120 + 52 * len(labels), showlegend=True)
    return figure


def _lay_out_rows(figure: go.Figure, n_rows: int, x_title: str, x_range: tuple[float, float] | None) -> None:
    figure.update_layout(
        height=120 + 40 * n_rows,
        margin=_MARGIN,
        xaxis={"title": x_title, "fixedrange": True, "automargin": True, **({"range": x_range} if x_range else {})},
        # Without a fixed list of ticks Plotly drops every second label on a phone.
        yaxis={"autorange": "reversed", "fixedrange": True, "automargin": True, "dtick": 1, "type": "category"},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0},
        showlegend=False,
    )
