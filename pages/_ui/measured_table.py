"""What every part of the Model performance page shares: a table with its CSV, a chart with its text, an empty state."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from dermascan_core.tables import safe_cell

from . import charts


def show_table(rows: Sequence[Mapping[str, Any]], *, key: str, file_name: str, column_config: Any = None) -> None:
    """Show rows as a table that can be sorted, with a button that downloads exactly these rows."""
    st.dataframe(rows, hide_index=True, key=key, column_config=column_config)
    offer_csv(rows, key=f"{key}_csv", file_name=file_name)


def offer_csv(rows: Sequence[Mapping[str, Any]], *, key: str, file_name: str) -> None:
    """Offer rows as a CSV file."""
    st.download_button(
        "Download this table (CSV)",
        data=table_csv(rows),
        file_name=f"dermascan-{file_name}.csv",
        mime="text/csv",
        on_click="ignore",
        icon=":material/download:",
        type="tertiary",
        key=key,
    )


def table_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    r"""Return rows as CSV; an unknown value is an empty cell, and no text can run as a formula.

    >>> table_csv([{"run": "=1+1", "score": None}])
    "run,score\n'=1+1,\n"
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]) if rows else [], lineterminator="\n", restval="")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: safe_cell(value) if isinstance(value, str) else value for name, value in row.items()})
    return text.getvalue()


def show_chart(figure: go.Figure, *, key: str, alt: str) -> None:
    """Show a chart that does not catch a phone's scrolling, with a text for those who cannot see it."""
    st.plotly_chart(figure, key=key, config=charts.CONFIG, alt=alt)


def show_nothing_yet(what: str, command: str) -> None:
    """Say what is not there and which command makes it."""
    st.info(
        f"There is nothing to show yet: {what}\n\nIt is written by:\n\n```\npython -m dermascan_core {command}\n```",
        icon=":material/hourglass_empty:",
    )
