"""Whom the gate turns away: real lesions, which it should not, and pictures that show none, which it should."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from .measured_charts import Interval, interval_chart
from .measured_table import show_chart, show_nothing_yet, show_table

_REASONS = {
    "not_a_lesion": "no lesion recognised",
    "unlike_training": "unlike what it learnt from",
    "not_skin": "not skin",
    "too_blurry": "blurred",
    "too_dark": "too dark",
    "too_bright": "too bright",
    "low_contrast": "one colour",
    "too_small": "too small",
    "unreadable": "not readable",
}


def show_refusals(found: Mapping[str, Any] | None, name: str) -> None:
    """Show ``refusals.json``."""
    st.header("What it refuses to judge")
    st.markdown(
        "Before any class is computed, a photo must be sharp and bright enough, show skin, and look to the network like the "
        "photos that it learnt from. Real lesions should hardly ever be turned away, everything else nearly always."
    )
    if found is None:
        show_nothing_yet(
            "whom the gate turns away was not counted for this model.",
            f"refusals {name} --data ham10000 --out weights/{name}.evaluation/refusals",
        )
        return
    others, new = found["all_others"], found["new_others"]
    real = ", ".join(f"**{row['n_refused']} of {row['n']}** ({row['name']})" for row in found["lesions"])
    st.markdown(
        f"Refused among real lesions: {real}. Among **{others['n']}** pictures without a lesion: "
        f"**{100 * others['share']:.0f} of 100**; of kinds that its makers never showed it, {100 * new['share']:.0f} of 100."
    )
    rows = [*found["lesions"], *sorted(found["others"], key=lambda row: row["share"])]
    show_chart(
        interval_chart(
            {"refused": [_line(row, is_lesion=row in found["lesions"]) for row in rows if row["n"]]},
            x_title="refused, percent; orange: real lesions",
            in_percent=True,
            x_range=(-3, 103),
        ),
        key="refusals",
        alt="Share of pictures refused in each group, with intervals; the number of pictures in brackets",
    )
    show_table([_table_row(row) for row in rows], key="refusals_table", file_name="refusals")
    st.caption(
        f"Everyday photos: {', '.join(found['libraries']) or 'none'}. Intervals are exact (Clopper and Pearson). "
        f"Model {found['model']['name']}, weights {found['model']['sha256'][:12]}."
    )


def _line(row: Mapping[str, Any], *, is_lesion: bool) -> Interval:
    return Interval(f"{row['name']} ({row['n']})", row["share"], row["low"], row["high"], is_marked=is_lesion)


def _table_row(row: Mapping[str, Any]) -> dict[str, Any]:
    reasons: Sequence[tuple[str, int]] = tuple(row["reasons"].items())
    return {
        "pictures": row["name"],
        "how many": row["n"],
        "refused": row["n_refused"],
        "shown to its makers": "yes" if row["was_fitted"] else "no",
        "why": ", ".join(f"{_REASONS.get(code, code)} {n}" for code, n in reasons),
    }
