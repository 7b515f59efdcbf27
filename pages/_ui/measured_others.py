"""The measured models beside five published systems and beside people, with what may be compared and what may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dermascan_core.services.performance import load_comparison, title_of

from . import measures
from .frame import as_plain_text
from .measured_charts import Interval, interval_chart
from .measured_table import offer_csv, show_chart, show_nothing_yet, show_table

_MARKS = {
    "yes": ":material/check_circle: may be compared",
    "partly": ":material/contrast: partly",
    "no": ":material/block: not comparable",
}
_WHICH = {"test": "test photos", "cross-validation": "cross-validation"}


def show_others() -> None:
    """Show what ``comparison`` writes, from the same plain data."""
    st.header("Beside other systems, and beside people")
    st.markdown(
        "Numbers from two papers can be set side by side only where the question, the kind of photos and the way they were "
        "parted are alike. Mostly they are not: a higher number elsewhere is then no better system, and a lower one no worse."
    )
    comparison = load_comparison()
    if not comparison["ours"]:
        show_nothing_yet("no evaluation ships.", "evaluate --images images --labels labels.csv --split test --out out")
    _show_chart(comparison)
    _show_systems(comparison["systems"])
    _show_figures(comparison)
    _show_people(comparison)


def _column(one: Mapping[str, Any]) -> str:
    return title_of(one, _WHICH)


def _system(one: Mapping[str, Any]) -> str:
    return f"{one['id']} {one['name']}"


def _show_chart(comparison: Mapping[str, Any]) -> None:
    systems = [one for one in comparison["systems"] if one["comparable"] != "no"]
    words = comparison["measures"]
    keys = [
        key
        for key in words
        if any(one["values"].get(key) is not None for one in systems)
        and any((ours["values"].get(key) or {}).get("value") is not None for ours in comparison["ours"])
    ]
    if not keys:
        return
    series = {
        _column(one): [
            Interval(words[key], found["value"], found["low"], found["high"])
            for key in keys
            if (found := one["values"].get(key)) and found["value"] is not None
        ]
        for one in comparison["ours"]
    } | {
        f"{_system(one)} ({'comparable' if one['comparable'] == 'yes' else 'partly comparable'})": [
            Interval(words[key], one["values"][key]) for key in keys if one["values"].get(key) is not None
        ]
        for one in systems
    }
    st.subheader("Where a comparison says something")
    show_chart(
        interval_chart(series, x_title="value; ours with 95 % intervals"),
        key="others",
        alt="Our measures with intervals beside the published figures that may be compared",
    )
    st.caption("Published figures come without intervals. Only measures that both sides have are drawn.")


def _show_systems(systems: Sequence[Mapping[str, Any]]) -> None:
    st.subheader("The five systems")
    for one in systems:
        with st.expander(f"{_MARKS[one['comparable']]} - {_system(one)}", expanded=one["comparable"] == "yes"):
            st.markdown(
                "\n".join(
                    f"- **{title}**: {as_plain_text(str(one[key]), max_chars=600)}"
                    for title, key in (
                        ("Why", "why"),
                        ("Network", "network"),
                        ("Photos", "data"),
                        ("How they were parted", "split"),
                        ("Share of cancers", "prevalence"),
                    )
                )
            )


def _show_figures(comparison: Mapping[str, Any]) -> None:
    st.subheader("Every figure")
    systems = comparison["systems"]
    rows = [
        {"measure": "may be compared"}
        | {_column(one): "-" for one in comparison["ours"]}
        | {_system(one): one["comparable"] for one in systems}
    ]
    rows += [
        {"measure": words}
        | {_column(one): measures.with_interval(one["values"].get(key)) for one in comparison["ours"]}
        | {_system(one): "-" if (value := one["values"].get(key)) is None else f"{value:.3g}" for one in systems}
        for key, words in comparison["measures"].items()
    ]
    show_table(rows, key="figures", file_name="comparison")


def _show_people(comparison: Mapping[str, Any]) -> None:
    st.subheader("Beside people")
    st.markdown(
        "Readers judged photos, not patients. A doctor in a clinic also looks around, feels and asks: no figure here is a "
        "reason to do without one."
    )
    columns = {"who": "who", "question": "question", "figure": "figure", "source": "source"}
    readers = [{title: one[key] for key, title in columns.items()} for one in comparison["readers"]]
    st.table(readers, hide_index=True)
    offer_csv(readers, key="readers_csv", file_name="readers")
    with st.expander("Other published figures", icon=":material/menu_book:"):
        columns = {
            "who": "who",
            "question": "question",
            "figure": "figure",
            "comparable": "comparable",
            "source": "source",
        }
        others = [{title: one[key] for key, title in columns.items()} for one in comparison["benchmarks"]]
        st.table(others, hide_index=True)
        offer_csv(others, key="benchmarks_csv", file_name="benchmarks")
