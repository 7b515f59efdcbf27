"""Referring by the model at a clinic's own prevalence and its own weighing of harms: two sliders, a curve, a table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import streamlit as st

from dermascan_core.errors import DermaScanError
from dermascan_core.services.decisions import (
    HARM_RATIOS,
    POLICIES,
    Estimate,
    Policy,
    best_policies,
    curve_at,
    policies_at,
    policy_rows,
)
from dermascan_core.triage.frequencies import BAYES_ASSUMES

from . import charts
from .frame import as_plain_text
from .frequencies import DEFAULT_PREVALENCE, PREVALENCES, percent
from .measured_table import show_chart, show_nothing_yet, show_table

DEFAULT_HARM_RATIO = 20
_HARM_CHOICES = tuple(ratio for ratio in HARM_RATIOS if ratio == int(ratio))
_COLOURS = {"all": charts.GREY, "none": charts.GREY, "own_line": charts.OTHER, "moved_line": charts.MALIGNANT}
_DASHES = {"all": "dash", "none": "dot", "own_line": "solid", "moved_line": "solid"}


def show_decisions(name: str, which: str) -> None:
    """Show what each way to refer does to 1,000 lesions of a clinic.

    Args:
        name: Of the model.
        which: The evaluation whose answers are counted.
    """
    st.header("In your clinic")
    st.markdown(
        "The test is not your clinic. Say how common cancer or pre-cancer is among the lesions you see, and how many "
        "unneeded referrals weigh as much as one missed cancer. What follows is counted from the test's own answers, "
        "carried over to your prevalence."
    )
    prevalence = st.select_slider(
        "Cancer or pre-cancer among your lesions",
        PREVALENCES,
        value=DEFAULT_PREVALENCE,
        format_func=percent,
        key="clinic_prevalence",
    )
    harm_ratio = st.select_slider(
        "One missed cancer weighs as much as so many unneeded referrals",
        _HARM_CHOICES,
        value=DEFAULT_HARM_RATIO,
        key="harm_ratio",
        help="20 means: to find one more cancer you would accept 20 referrals that turn out unneeded, and no more.",
    )
    try:
        policies = policies_at(name, which, prevalence=prevalence, harm_ratio=harm_ratio)
        curves, own_ratio = curve_at(name, which, prevalence=prevalence)
    except DermaScanError as error:
        show_nothing_yet(as_plain_text(str(error), max_chars=600), "evaluate --help")
        return
    st.markdown(_in_short(policies))
    st.markdown(_counts(next(policy for policy in policies if policy.code == "own_line")))
    show_chart(
        decision_chart(curves, harm_ratio=harm_ratio, own_ratio=own_ratio, prevalence=prevalence),
        key="decision_curve",
        alt="Net benefit of 1,000 lesions over the harm ratio, for referring everybody, nobody, by the model's own line, "
        "and by a line moved to the harm ratio; the table below holds the values at the chosen ratio",
    )
    st.caption(f"{_own_line_words(own_ratio, prevalence)} The band is the 95 % interval.")
    show_table(policy_rows(policies), key="decisions", file_name="decisions")
    st.caption(
        "Of 1,000 lesions. Net benefit: cancers found, less the unneeded referrals divided by the ratio "
        f"(Vickers and Elkin 2006). {BAYES_ASSUMES} Photos count alone here: a warning sign or worry is reason to refer "
        "whatever the model says. The program itself always advises by the model's own line, never by a moved one."
    )


def _in_short(policies: Sequence[Policy]) -> str:
    best = best_policies(policies)
    names = [f"**{POLICIES[code].lower()}**" for code in best]
    also = f" By the intervals it may as well be: {' or '.join(names[1:])}." if names[1:] else ""
    return f"The way with the most net benefit at this weighing: {names[0]}.{also}"


def _counts(own: Policy) -> str:
    def text(name: str, digits: int) -> str:
        one = getattr(own, name)
        return f"**{one.value:,.{digits}f}** ({one.low:,.{digits}f} to {one.high:,.{digits}f})"

    return (
        f"Of 1,000 lesions, the model's own line refers {text('n_referred', 0)} and misses {text('n_missed', 1)} cancers or "
        f"pre-cancers; {text('n_unneeded', 0)} of the referrals are unneeded."
    )


def _own_line_words(own_ratio: float, prevalence: float) -> str:
    if not math.isfinite(own_ratio):
        return "The model's own line refers everybody."
    return (
        f"At {percent(prevalence)}, the model's own line stands for a ratio of 1 to {own_ratio:,.0f}: it was set to find "
        "cancers, not to spare referrals."
        if own_ratio >= 1
        else f"At {percent(prevalence)}, the model's own line stands for a ratio of 1 to {own_ratio:.1f}."
    )


def decision_chart(
    curves: Mapping[str, Sequence[Estimate]], *, harm_ratio: float, own_ratio: float, prevalence: float
) -> go.Figure:
    """Net benefit over the harm ratio, with the chosen ratio and the one that the model's own line stands for.

    Args:
        curves: Code of ``POLICIES`` -> one estimate for each of ``HARM_RATIOS``.
        harm_ratio: The one chosen.
        own_ratio: The one of the model's line; not drawn where it lies beyond the axis.
        prevalence: Which no net benefit can exceed.
    """
    figure = go.Figure()
    for code in ("all", "none", "own_line", "moved_line"):
        estimates = curves[code]
        values = [one.value for one in estimates]
        if not math.isnan(estimates[0].low):
            _add_band(figure, estimates, _COLOURS[code])
        figure.add_scatter(
            x=list(HARM_RATIOS),
            y=values,
            mode="lines",
            name=POLICIES[code],
            line={"color": _COLOURS[code], "dash": _DASHES[code], "width": 2.5},
            hovertemplate="1 to %{x}: net benefit %{y:.1f} of 1,000<extra>" + POLICIES[code] + "</extra>",
        )
    top = 1000 * prevalence
    _add_mark(figure, harm_ratio, f"your ratio, 1 to {harm_ratio:g}", top=top, colour=charts.GREY, dash="solid")
    if HARM_RATIOS[0] <= own_ratio <= HARM_RATIOS[-1]:
        name = f"what the model's own line stands for, 1 to {own_ratio:.0f}"
        _add_mark(figure, own_ratio, name, top=top, colour=charts.OTHER, dash="dot")
    ticks = (1, 2, 5, 10, 20, 50, 100, 200, 500)
    figure.update_layout(
        height=440,
        margin={"l": 4, "r": 8, "t": 24, "b": 8},
        xaxis={
            "title": "unneeded referrals per missed cancer",
            "type": "log",
            "tickvals": ticks,
            "fixedrange": True,
        },
        yaxis={"title": "net benefit of 1,000", "range": [-0.35 * top, 1.08 * top], "fixedrange": True},
        legend={**charts.LEGEND_BELOW, "y": -0.2},
    )
    return figure


def _add_mark(figure: go.Figure, at: float, name: str, *, top: float, colour: str, dash: str) -> None:
    figure.add_scatter(
        x=[at, at],
        y=[-0.35 * top, 1.08 * top],
        mode="lines",
        name=name,
        line={"color": colour, "dash": dash, "width": 1.5},
        hoverinfo="skip",
    )


def _add_band(figure: go.Figure, estimates: Sequence[Estimate], colour: str) -> None:
    lows = [one.low for one in estimates]
    highs = [one.high for one in estimates]
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    figure.add_scatter(
        x=[*HARM_RATIOS, *reversed(HARM_RATIOS)],
        y=[*highs, *reversed(lows)],
        fill="toself",
        fillcolor=f"rgba({red},{green},{blue},0.16)",
        line={"width": 0},
        hoverinfo="skip",
        showlegend=False,
    )
