"""When the model should hold back: what stays wrong if the least certain photos go to a doctor, and what its sets promise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dermascan_core.triage.wording import Voice, class_name

from . import measures
from .charts import GREY, LEGEND_BELOW, MALIGNANT
from .measured_charts import SERIES, Interval, interval_chart
from .measured_table import show_chart, show_nothing_yet, show_table

DOUBT_WORDS = {
    "set_size": "how many classes stay possible",
    "top": "how low the largest share is",
    "entropy": "how widely the shares spread",
    "disagreement": "how much turned views and members differ",
}
_GROUP_KINDS = {
    "age": "Age",
    "sex": "Sex",
    "site": "Place",
    "skin_type": "Skin type",
    "ita_band": "Estimated skin tone",
}


def show_doubt(evaluation: Mapping[str, Any], voice: Voice, *, repeatability: Mapping[str, Any] | None) -> None:
    """Show ``selective`` and the coverage of the sets of ``metrics.json``.

    Args:
        evaluation: Contents of ``metrics.json``.
        voice: Of the page.
        repeatability: What ``repeatability`` measured of the model; None where none ships.
    """
    st.header("When it holds back")
    selective = evaluation.get("selective")
    if not selective:
        show_nothing_yet(
            "this evaluation is older than the curve, or knows only whether a photo is malignant.", "evaluate --help"
        )
    else:
        _show_risk(selective, repeatability)
    if evaluation.get("classes"):
        _show_coverage(evaluation, voice)


def _show_risk(selective: Mapping[str, Any], repeatability: Mapping[str, Any] | None) -> None:
    st.markdown(
        "If the photos that the model doubts most go to a doctor unanswered, fewer of the others are wrong. The further left "
        "and the lower a line, the better that sign of doubt tells right from wrong."
    )
    show_chart(
        risk_chart(selective), key="risk_coverage", alt="Share of wrong answers against the share of photos answered"
    )
    served = selective["as_served"]
    if served:
        st.markdown(
            f"As the program answers today, from one look at each photo: **{100 * served['coverage']:.0f} of 100** photos get a "
            f"plain answer; of these **{100 * served['error']:.0f} of 100** are shown a wrong class first, and **{served['n_missed']} of "
            f"{served['n_malignant']}** with cancer or pre-cancer lie below the line."
        )
        st.caption(measures.on_top_words(repeatability))
    show_table(
        [
            {
                "sign of doubt": DOUBT_WORDS.get(name, name),
                "area under the line (lower is better)": curve["area"],
                **{f"wrong, of {100 * p['coverage']:.0f} % answered": p["error"] for p in curve["points"][::5]},
            }
            for name, curve in selective["doubts"].items()
        ],
        key="doubts",
        file_name="doubt",
        column_config={"area under the line (lower is better)": st.column_config.NumberColumn(format="%.3f")},
    )


def risk_chart(selective: Mapping[str, Any]) -> go.Figure:
    """One line a sign of doubt, from every photo answered down to one in twenty; a diamond where the program stands."""
    figure = go.Figure()
    for number, (name, curve) in enumerate(selective["doubts"].items()):
        points = curve["points"]
        figure.add_scatter(
            x=[100 * p["coverage"] for p in points],
            y=[100 * p["error"] for p in points],
            mode="lines",
            name=DOUBT_WORDS.get(name, name),
            line={"color": SERIES[number % len(SERIES)], "dash": ("solid", "dash", "dot", "dashdot")[number % 4]},
            hovertemplate="%{x:.0f} of 100 answered: %{y:.1f} of 100 wrong<extra></extra>",
        )
    if served := selective["as_served"]:
        figure.add_scatter(
            x=[100 * served["coverage"]],
            y=[100 * served["error"]],
            mode="markers",
            name="as the program answers today",
            marker={"symbol": "diamond", "size": 12, "color": MALIGNANT, "line": {"width": 1, "color": GREY}},
            hovertemplate="%{x:.0f} of 100 answered: %{y:.1f} of 100 wrong<extra></extra>",
        )
    figure.update_layout(
        height=420,
        margin={"l": 4, "r": 24, "t": 8, "b": 8},
        xaxis={"title": "photos answered, of 100", "range": [0, 102], "fixedrange": True},
        yaxis={"title": "wrong, of 100 answered", "rangemode": "tozero", "fixedrange": True},
        legend={**LEGEND_BELOW, "y": -0.2},
    )
    return figure


def _show_coverage(evaluation: Mapping[str, Any], voice: Voice) -> None:
    st.subheader("Do the sets keep their promise?")
    st.markdown(
        "A 90 % set should hold the true diagnosis of 90 in 100 such photos, **within every class**, a 95 % set of 95. "
        "These photos were not used to fit the sets."
    )
    lines = {
        f"{level} % set": [
            Interval(f"{class_name(code, voice)} ({own['n']})", share["value"], share["low"], share["high"])
            for code, own in evaluation["classes"].items()
            if (share := own["sets"][level].get("coverage")) and share["value"] is not None
        ]
        for level in ("90", "95")
    }
    show_chart(
        interval_chart(
            lines, x_title="share of photos whose diagnosis is in the set", x_range=(0.4, 1.01), line_at=0.9
        ),
        key="coverage",
        alt="Coverage of the 90 and 95 % sets by class with intervals; the number of photos in brackets",
    )
    rows = _group_rows(evaluation["groups"]["rows"])
    if rows:
        st.markdown(
            "By group. The sets are fitted class by class, not group by group: a group may get less than promised."
        )
        show_table(rows, key="coverage_groups", file_name="coverage-by-group")


def _group_rows(groups: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "group": f"{_GROUP_KINDS[row['kind']]}: {row['name']}",
            "photos": row["n"],
            "90 % set": _coverage(row, "90"),
            "95 % set": _coverage(row, "95"),
        }
        for row in groups
        if row["kind"] in _GROUP_KINDS
    ]


def _coverage(row: Mapping[str, Any], level: str) -> str:
    if not row["measures"] or f"coverage_{level}" not in row["measures"]:
        return "too few cases in this group"
    return measures.with_interval(row["measures"][f"coverage_{level}"], digits=2)
