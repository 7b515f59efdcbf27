"""Results by groups of people, places and photos; a group that is too small says so instead of a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from . import measures
from .measured_charts import Interval, interval_chart
from .measured_table import show_chart, show_table

_KINDS = {
    "sex": "Sex",
    "age": "Age",
    "site": "Place on the body",
    "skin_type": "Skin type (Fitzpatrick)",
    "ita_band": "How light the skin looks in the photo",
    "image_type": "How the photo was taken",
    "confirmed_by": "How the diagnosis was confirmed",
    "status": "What the program would have said",
}
_DRAWN = {
    "malignant_auc": "AUC",
    "sensitivity_at_threshold": "Sensitivity at the line",
    "specificity_at_threshold": "Specificity at the line",
}


def show_groups(evaluation: Mapping[str, Any]) -> None:
    """Show ``groups`` of ``metrics.json``."""
    groups = evaluation["groups"]
    rows = groups["rows"]
    st.header("By group")
    st.markdown(
        "Is it as good for women as for men, for the old as for the young, on the back as on the face? Where the intervals "
        "of two groups overlap widely, the difference may be chance."
    )
    name = st.segmented_control(
        "What is drawn",
        list(_DRAWN),
        format_func=_DRAWN.__getitem__,
        default="malignant_auc",
        required=True,
        key="group_by",
    )
    kinds = [kind for kind in dict.fromkeys(row["kind"] for row in rows) if kind in _KINDS]
    for kind in kinds:
        _show_kind(_KINDS[kind], [row for row in rows if row["kind"] == kind], name)
    if "skin_type" not in kinds:
        st.info(
            "Skin type: not known for these photos, so nothing can be said about brown or black skin (types V and VI).",
            icon=":material/visibility_off:",
        )
    with st.expander("Every number", icon=":material/table:"):
        show_table(measures.group_rows(rows), key="groups", file_name="groups")
    st.caption(
        f"Groups under {groups['min_n']} photos or {groups['min_n_malignant']} with cancer or pre-cancer carry no numbers: "
        "they would say more about chance than about the group."
    )


def _show_kind(words: str, rows: Sequence[Mapping[str, Any]], name: str) -> None:
    st.subheader(words)
    lines = [
        Interval(f"{row['name']} ({row['n']})", one["value"], one["low"], one["high"])
        for row in rows
        if (one := (row["measures"] or {}).get(name)) and one["value"] is not None
    ]
    if lines:
        show_chart(
            interval_chart({words: lines}, x_title=_DRAWN[name], x_range=(min(0.4, *(_low(x) for x in lines)), 1.01)),
            key=f"group_{rows[0]['kind']}",
            alt=f"{_DRAWN[name]} by {words.lower()}, with intervals; the number of photos in brackets",
        )
    if too_few := [f"{row['name']} ({row['n']})" for row in rows if row["too_few"]]:
        st.markdown(f"Too few cases: {', '.join(too_few)}.")


def _low(line: Interval) -> float:
    return line.value if line.low is None else line.low
