"""How steady answers are when a photo changes a little: what ``repeatability`` measured, and the limit that it fitted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dermascan_core.triage.wording import Voice, class_name

from . import measures
from .measured_charts import Interval, interval_chart
from .measured_table import show_chart, show_nothing_yet, show_table


def show_steadiness(measured: Mapping[str, Any] | None, name: str, voice: Voice) -> None:
    """Show what ``repeatability`` measured of a model."""
    st.subheader("How steady is an answer?")
    if measured is None:
        show_nothing_yet(
            "how often small changes change an answer was not measured for this model.",
            "repeatability "
            f"{name} --images ham10000/images --labels ham10000/metadata.csv --split train --fold 0 "
            f"--out weights/{name}.evaluation/repeatability",
        )
        return
    data, limit = measured["data"], measured["limit"]
    changed, of_limit = measured["changed"], limit["measures"]
    n_changes = len(measured["changes"])
    st.markdown(
        f"Every result says in how many of {n_changes} small changes of the photo the class shown first changed, or "
        f"whether the model asks for a doctor. Here the same was counted for {data['n']:,} photos that the model did not learn from. "
        f"**{measures.of_100(changed['any']['value'])}** of 100 changed at least once."
    )
    st.markdown(
        f"An answer that changes more than **{limit['value']}** times is called unsure: "
        f"{measures.of_100(of_limit['made_unsure']['value'])} of 100 answered photos. The rule: {limit['rule']}."
    )
    rows = [
        (row, row["measures"]["accuracy"]) for row in measured["rows"] if row["n"] and "accuracy" in row["measures"]
    ]
    if rows:
        show_chart(
            interval_chart(
                {
                    "right": [
                        Interval(
                            f"{row['n_changed']} changed ({row['n']})",
                            accuracy["value"],
                            accuracy["low"],
                            accuracy["high"],
                            is_marked=row["n_changed"] > limit["value"],
                        )
                        for row, accuracy in rows
                    ]
                },
                x_title="class shown first was right, percent",
                in_percent=True,
                x_range=(0, 104),
            ),
            key="steady_right",
            alt="Share of right answers by the number of small changes that changed the answer",
        )
        st.caption(
            "Orange: above the limit. In brackets: photos. The more often an answer changes, the more often it is wrong."
        )
    with st.expander("Every number", icon=":material/table:"):
        show_table(
            [
                {
                    "diagnosis": "cancer or pre-cancer" if row["dx"] == "malignant" else class_name(row["dx"], voice),
                    "photos": row["n"],
                    "changed answers, mean share": measures.with_interval(row["measures"]["mean_changed"]),
                    "changed at least once": measures.with_interval(row["measures"]["any_changed"]),
                    "above the limit": measures.with_interval(row["measures"]["above_limit"]),
                }
                for row in measured["classes"]
            ],
            key="steady_classes",
            file_name="repeatability-classes",
        )
        show_table(
            [
                {
                    "the photo was": row["words"],
                    "another class first": measures.with_interval(row["measures"]["other_class"]),
                    "asked for a doctor, or no longer": measures.with_interval(row["measures"]["other_advice"]),
                }
                for row in measured["changes"]
            ],
            key="steady_changes",
            file_name="repeatability-changes",
        )
