"""The chart of one person's moles: a line a trait, a dot a mole, one mole marked. It only draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from .charts import FAINT, GREY, MALIGNANT
from .measured_charts import wrapped

_SHOWN_SD = 8.0  # beyond, a dot lies at the edge; its own number stands in the text under the pointer


def trait_chart(
    traits: Mapping[str, Sequence[float]], labels: Sequence[str], *, marked: int, is_plain: bool = False
) -> go.Figure:
    """Dots at their z-scores, one line a trait.

    Args:
        traits: Words for the trait -> z-score of each mole; NaN where unknown, and then no dot.
        labels: Of the moles, in the same order; untrusted text.
        marked: Place of the mole that stands out in colour and lies on top.
        is_plain: Without the numbers, which need an explanation.
    """
    figure = go.Figure()
    texts = [label.replace("<", "&lt;") for label in labels]
    others = [i for i in range(len(labels)) if i != marked]
    _add_dots(figure, traits, others, texts, name="other moles", colour=FAINT, size=9, symbol="circle")
    _add_dots(figure, traits, [marked], texts, name="marked mole", colour=MALIGNANT, size=15, symbol="diamond")
    for at in (-2, 2):
        figure.add_vline(x=at, line={"color": GREY, "dash": "dot", "width": 1})
    title = "further out: more unlike the others" if is_plain else "SD from the middle of all"
    if is_plain:
        figure.update_traces(hovertemplate="%{customdata[0]}<br>%{y}<extra></extra>")
    figure.update_layout(
        height=120 + 42 * len(traits),
        margin={"l": 4, "r": 12, "t": 8, "b": 8},
        xaxis={
            "title": title,
            "fixedrange": True,
            "range": [-_SHOWN_SD - 0.5, _SHOWN_SD + 0.5],
            "showticklabels": not is_plain,
        },
        yaxis={"autorange": "reversed", "fixedrange": True, "automargin": True, "dtick": 1, "type": "category"},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.01, "x": 0},
    )
    return figure


def _add_dots(
    figure: go.Figure,
    traits: Mapping[str, Sequence[float]],
    moles: Sequence[int],
    texts: Sequence[str],
    *,
    name: str,
    colour: str,
    size: int,
    symbol: str,
) -> None:
    dots = [
        (min(max(z[i], -_SHOWN_SD), _SHOWN_SD), wrapped(words), texts[i], z[i])
        for words, z in traits.items()
        for i in moles
        if not math.isnan(z[i])
    ]
    figure.add_scatter(
        name=name,
        x=[dot[0] for dot in dots],
        y=[dot[1] for dot in dots],
        mode="markers",
        marker={"color": colour, "size": size, "symbol": symbol, "line": {"width": 1, "color": GREY}},
        customdata=[dot[2:] for dot in dots],
        hovertemplate="%{customdata[0]}<br>%{y}: %{customdata[1]:+.1f} SD<extra></extra>",
    )
