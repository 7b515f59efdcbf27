"""Two models side by side on one evaluation, with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dermascan_core.errors import DermaScanError
from dermascan_core.services.performance import available_evaluations, load_evaluation

from . import measures
from .frame import as_plain_text
from .measured_charts import Interval, interval_chart
from .measured_folds import DRAWN
from .measured_table import show_chart, show_nothing_yet, show_table


def show_pair(first: Mapping[str, Any], which: str, words: str, names: Sequence[str]) -> None:
    """Show a model beside another that was measured in the same way.

    Args:
        first: Evaluation of the model that was chosen.
        which: Name of the evaluation.
        words: For it.
        names: Models that ship.
    """
    st.header("Two models side by side")
    own = first["model"]["name"]
    others = [name for name in names if name != own and which in available_evaluations(name)]
    if not others:
        show_nothing_yet(
            "no other model ships with this evaluation.",
            "release runs/second --data ham10000 --name second --weights-dir weights",
        )
        return
    other = st.selectbox("Beside", others, key="beside") if len(others) > 1 else others[0]
    try:
        second = load_evaluation(other, which)
    except DermaScanError as error:
        st.error(as_plain_text(str(error), max_chars=600))
        return
    n_first, n_second = (one["data"]["n_predicted"] for one in (first, second))
    st.markdown(
        f"**{as_plain_text(own)}** and **{as_plain_text(other)}**, both on: {words}. Where the intervals overlap widely, the "
        "difference may be chance."
    )
    if (n_first, first["data"]["n_malignant"]) != (n_second, second["data"]["n_malignant"]):
        st.warning(
            f"They did not answer the same photos ({n_first:,} and {n_second:,}): compare with care.",
            icon=":material/warning:",
        )
    show_chart(
        interval_chart(
            {f"{one['model']['name']} {one['model']['version']}": _lines(one["summary"]) for one in (first, second)},
            x_title="value, with its 95 % interval",
        ),
        key="pair",
        alt=f"Main measures of {own} and {other} with 95 % intervals",
    )
    show_table(
        [
            {
                "measure": text,
                own: measures.with_interval(first["summary"].get(name)),
                other: measures.with_interval(second["summary"].get(name)),
                "difference": _difference(first["summary"].get(name), second["summary"].get(name)),
            }
            for name, text in measures.SUMMARY_WORDS.items()
            if name in first["summary"] or name in second["summary"]
        ],
        key="pair_table",
        file_name="two-models",
    )
    st.caption(f"Difference: {as_plain_text(own)} less {as_plain_text(other)}.")


def _lines(summary: Mapping[str, Mapping[str, Any]]) -> list[Interval]:
    return [
        Interval(measures.SUMMARY_WORDS[name], one["value"], one["low"], one["high"])
        for name in DRAWN
        if (one := summary.get(name)) and one["value"] is not None
    ]


def _difference(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> str:
    if not first or not second or first["value"] is None or second["value"] is None:
        return "-"
    return f"{first['value'] - second['value']:+.3f}"
