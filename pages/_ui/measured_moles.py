"""How often the odd one out was the melanoma, drawn from what ``ugly-duckling`` wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from . import measures
from .measured_charts import Interval, interval_chart
from .measured_table import show_chart, show_nothing_yet, show_table

_ORDERS = {
    "ugly_duckling": "odd one out",
    "p_malignant": "model alone: cancer or pre-cancer",
    "p_mel": "model alone: melanoma",
    "combined": "both together",
    "pictures": "odd one out, by pictures only",
    "traits": "odd one out, by traits only",
}
_MEASURES = {"top_1": "First", "top_3": "Among the first 3", "top_10_percent": "In the first tenth"}
_FEW_MELANOMAS = 50


def show_in_short(measured: Mapping[str, Any] | None) -> None:
    """Say in two sentences how often the comparison put a melanoma first, beside a person's own comparison."""
    if measured is None:
        st.caption("How often the odd one out is a melanoma was not measured for this model.")
        return
    row = measured["rows"][0]
    first, network = (row["measures"][order]["top_3"]["value"] for order in ("ugly_duckling", "p_malignant"))
    st.caption(
        f"Measured on {row['n_people']} people with {row['n_melanoma']} melanomas among {row['n_lesions']} lesions: the "
        f"comparison put {measures.of_100(first)} of 100 melanomas among the first three of their owner's moles, the model "
        f"alone {measures.of_100(network)}, an order drawn by lot {measures.of_100(row['chance']['top_3'])}. "
        "These are few people, so the figures are rough, and a melanoma need not be the odd one."
    )


def show_moles(measured: Mapping[str, Any] | None, name: str, *, archive: str | None) -> None:
    """Show what ``ugly-duckling`` measured of a model.

    Args:
        measured: What it wrote; None where none ships.
        name: Of the model.
        archive: What *Which photos* calls the archive of these moles; None where the model was not evaluated on it.
    """
    st.header("The odd one among a person's moles")
    st.markdown(
        "*Compare your moles* ranks one person's moles by how much each differs from the others. Here it ranked moles of "
        "people of whom the melanomas are known. Where did the melanoma stand among its owner's other moles?"
    )
    if measured is None:
        show_nothing_yet(
            "the comparison was not measured with this model.",
            "ugly-duckling --images isic2020/images --labels isic2020/metadata.csv "
            f"--model {name} --out weights/{name}.evaluation/ugly-duckling",
        )
        return
    st.info(_archive_words(archive), icon=":material/folder_shared:")
    rows = {row["min_lesions"]: row for row in measured["rows"] if row["n_melanoma"]}
    least = st.segmented_control(
        "Whose moles",
        list(rows),
        format_func=lambda n: f"people with {n} moles or more",
        default=next(iter(rows)),
        required=True,
        key="moles_of_people",
    )
    row = rows[least]
    st.markdown(
        f"**{row['n_people']}** people, **{row['n_lesions']}** moles, **{row['n_melanoma']}** melanomas. "
        + ("These are very few: read the intervals, not the dots." if row["n_melanoma"] < _FEW_MELANOMAS else "")
    )
    _draw(row)
    show_table([_table_row(row, order) for order in _ORDERS], key="moles_table", file_name="moles")
    _say_what_it_adds(row, archive)
    _show_limits(measured)
    with st.expander("Every melanoma", icon=":material/table:"):
        show_table([_melanoma_row(one) for one in measured["melanomas"]], key="melanomas_table", file_name="melanomas")


def _draw(row: Mapping[str, Any]) -> None:
    measure = st.segmented_control(
        "The melanoma stood",
        list(_MEASURES),
        format_func=_MEASURES.__getitem__,
        default="top_3",
        required=True,
        key="moles_measure",
    )
    lines = [
        Interval(words, one["value"], one["low"], one["high"], is_marked=order == "ugly_duckling")
        for order, words in _ORDERS.items()
        if (one := row["measures"][order][measure])["value"] is not None
    ]
    show_chart(
        interval_chart(
            {"melanomas": lines},
            x_title="percent of melanomas",
            in_percent=True,
            x_range=(0, 104),
            line_at=row["chance"][measure],
        ),
        key="moles_chart",
        alt=f"Share of melanomas that stood {_MEASURES[measure].lower()}, by order, with intervals",
    )
    st.caption("Dotted line: an order drawn by lot. Orange: the odd one out, as the page ranks. Bars hold 95 %.")


def _table_row(row: Mapping[str, Any], order: str) -> dict[str, str]:
    own = row["measures"][order]
    return {
        "order": _ORDERS[order],
        "mean place (0 first, 1 last)": measures.with_interval(own["mean_rank"], digits=2),
        **{words.lower(): measures.with_interval(own[name], digits=2) for name, words in _MEASURES.items()},
    }


def _archive_words(archive: str | None) -> str:
    if archive is None:
        return "These are not the test photos of *In short*: people with several moles each, so its figures do not hold here."
    return (
        "These photos are of another archive than the test photos of *In short*, of people with several moles each: "
        f"*{archive}*. How the model alone does on them stands in *In short*, with that chosen under *Which photos*."
    )


def _say_what_it_adds(row: Mapping[str, Any], archive: str | None) -> None:
    below = row["below_threshold"]
    where = f"In this archive ({archive}), another than the test's," if archive else "Among these people"
    st.markdown(
        f"{where} the model alone left {below['n']} of these {row['n_melanoma']} melanomas below its line. Of those, the odd "
        f"one out put {below['n_top_1']} first and {below['n_top_3']} among the first three. One never lowers the other."
    )


def _show_limits(measured: Mapping[str, Any]) -> None:
    data = measured["data"]
    st.caption(
        f"One photo a mole, dermoscopic, squashed to squares by the archive, which disturbs size, symmetry and border. The "
        f"quality gate would refuse {data['n_refused']} of the {data['n_lesions']} photos ({data['n_refused_melanoma']} "
        f"melanomas); they are ranked here. Nothing is known of phone photos or of brown or black skin. "
        f"{measured['model']['n_views']} views a photo. The rules were fixed before any melanoma was looked at, but for the neighbours of three moles."
    )


def _melanoma_row(one: Mapping[str, Any]) -> dict[str, Any]:
    positions: Mapping[str, float] = one["positions"]
    return {
        "photo": one["image_id"],
        "person": one["patient_id"],
        "other moles": one["n_beside"],
        **{
            f"place: {words}": positions[order]
            for order, words in _ordered(("ugly_duckling", "p_malignant", "combined"))
        },
        "above the line": one["is_above_threshold"],
        "refused by the gate": one["is_refused"],
        "next step": one["next_step"],
    }


def _ordered(orders: Sequence[str]) -> list[tuple[str, str]]:
    return [(order, _ORDERS[order]) for order in orders]
