"""Training runs compared: the ablation that ships and the user's own runs, by score, by course, and by recipe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import streamlit as st

from dermascan_core.services.experiments import (
    Experiment,
    chance_words,
    differing_fields,
    epoch_curves,
    experiment_rows,
    learning_curve,
    list_experiments,
)

from .frame import as_plain_text
from .measured_charts import Interval, epoch_chart, interval_chart
from .measured_table import offer_csv, show_chart, show_nothing_yet, show_table

_MEASURES = {
    "score": "Score (mean of the next three)",
    "macro_auc": "Macro AUC",
    "malignant_auc": "AUC, cancer or pre-cancer",
    "balanced_accuracy": "Balanced accuracy",
}
_COURSES = {f"val_{name}": words for name, words in _MEASURES.items()} | {
    "loss": "Training loss",
    "val_loss": "Validation loss",
}
_SORTS = {"best": "Best first", "name": "By name", "minutes": "Quickest first"}


def show_experiments() -> None:
    """Show the records of ``weights/experiments`` and of the user's folder of runs."""
    st.header("Experiments")
    st.markdown(
        "What was tried to make the model better. The table says what each run changed, its size and length included: a longer "
        "run had a larger budget."
    )
    found = list_experiments()
    for problem in found.problems:
        st.warning(problem)
    if not found.shipped and not found.own:
        show_nothing_yet(
            "no records of runs ship with the weights, and there are none in the folder of your runs "
            "(DERMASCAN_RUNS, or runs where the program was started).",
            "ablate --data ham10000 --out runs/ablation",
        )
        return
    chosen = _choose(found.shipped, found.own)
    if not chosen:
        st.info("No run fits this filter. Clear it to see all.", icon=":material/filter_alt_off:")
        return
    st.caption(chance_words(chosen))
    _show_scores(chosen, own={one.name for one in found.own})
    _show_learning_curve(learning_curve(chosen))
    _show_together(chosen)


def _choose(shipped: Sequence[Experiment], own: Sequence[Experiment]) -> list[Experiment]:
    """Return the runs that fit the filter."""
    both = {"all": "All", "shipped": "Shipped", "own": "Your runs"}
    where = "all"
    left, right = st.columns(2)
    with left:
        text = st.text_input("Filter by name or change", placeholder="focal", key="run_filter").strip().lower()
    base = ""
    runs_of = Counter(one.base for one in (*shipped, *own) if one.base)
    if runs_of and max(runs_of.values()) > 1:
        names = {"": "All recipes"} | {
            name: f"{name} and what was changed in it" for name, n in runs_of.items() if n > 1
        }
        with right:
            base = st.selectbox(
                "Recipe",
                list(names),
                index=1 + _place_of_largest(runs_of),
                format_func=names.__getitem__,
                key="run_base",
            )
    if shipped and own:
        where = st.segmented_control(
            "From", list(both), format_func=both.__getitem__, default="all", required=True, key="run_source"
        )
    runs = {"all": (*shipped, *own), "shipped": tuple(shipped), "own": tuple(own)}[where]
    return [one for one in runs if text in f"{one.name} {one.change} {one.base}".lower() and base in ("", one.base)]


def _place_of_largest(runs_of: Mapping[str, int]) -> int:
    """Return the place, among the recipes with several runs, of the one with most: an ablation is read by itself."""
    several = [name for name, n in runs_of.items() if n > 1]
    return several.index(max(several, key=runs_of.__getitem__))


def _show_scores(runs: Sequence[Experiment], *, own: set[str]) -> None:
    left, right = st.columns(2)
    with left:
        name = st.selectbox("Measure", list(_MEASURES), format_func=_MEASURES.__getitem__, key="run_measure")
    with right:
        order = st.selectbox("Order", list(_SORTS), format_func=_SORTS.__getitem__, key="run_order")
    rows = experiment_rows(runs)
    n_views = 8 if all(row[f"{name}_8"] is not None for row in rows) else 1
    key = f"{name}_{n_views}"
    measured = [row for row in _sorted(rows, key, order) if row[key] is not None]
    if measured:
        plain = [float(row[key] or 0) for row in measured if row["changed"] == "-"]
        is_one_recipe = len({one.base for one in runs if not one.changed}) == 1
        show_chart(
            interval_chart(
                {
                    _MEASURES[name]: [
                        Interval(str(r["name"]), float(r[key] or 0), is_marked=r["changed"] == "-") for r in measured
                    ]
                },
                x_title=f"{_MEASURES[name]}, {n_views} view{'s' if n_views > 1 else ''}",
                line_at=fmean(plain) if plain and is_one_recipe else None,
            ),
            key="run_scores",
            alt=f"{_MEASURES[name]} of each run",
        )
        st.caption("Orange: the recipe without a change; the dotted line is where it stands.")
    number = st.column_config.NumberColumn(format="%.3f")
    shown = [_shown_row(row, own) for row in _sorted(rows, key, order)]
    show_table(
        shown,
        key="runs",
        file_name="experiments",
        column_config={column: number for column, value in shown[0].items() if column not in _NOT_A_SHARE},
    )
    folds = sorted({one.fold for one in runs})
    st.caption(
        f"Validated on fold {', '.join(map(str, folds))} as served, in the best epoch; "
        f"{', '.join(sorted({name for one in runs for name in one.data}))}."
        + (
            ""
            if len({one.split_sha256 for one in runs}) == 1
            else " **Not all runs used one split: compare with care.**"
        )
    )


_NOT_A_SHARE = {"run", "from", "changed", "fold", "epochs", "best epoch", "finished", "minutes"}


def _shown_row(row: dict[str, Any], own: set[str]) -> dict[str, Any]:
    return {
        "run": row["name"],
        "changed": row["changed"],
        "score, 1 view": row["score_1"],
        "score, 8 views": row["score_8"],
        "against no change": row["difference"],
        "macro AUC": row["macro_auc_1"],
        "AUC, cancer or pre-cancer": row["malignant_auc_1"],
        "balanced accuracy": row["balanced_accuracy_1"],
        "fold": row["fold"],
        "epochs": row["epochs"],
        "best epoch": row["best_epoch"],
        "minutes": row["minutes"],
        "finished": row["is_finished"],
        "from": "your runs" if row["name"] in own else "shipped",
    }


def _sorted(rows: Sequence[dict[str, Any]], key: str, order: str) -> list[dict[str, Any]]:
    if order == "best":
        return sorted(rows, key=lambda row: -(row[key] or 0.0))
    return sorted(rows, key=lambda row: row[order])


def _show_learning_curve(runs: Sequence[Experiment]) -> None:
    """Show what one recipe reached on growing shares of the lesions, where it was tried."""
    curves = {
        words: ([one.n_train for one in runs], [value for one in runs if (value := one.measure(name)) is not None])
        for name, words in _MEASURES.items()
        if name != "score"
    }
    curves = {words: (x, y) for words, (x, y) in curves.items() if x and len(x) == len(y)}
    if not curves:
        return
    st.subheader("With more lesions")
    st.markdown(
        "One recipe on a part of the lesions and on all, with up to as many steps. Where a line still rises, more may help."
    )
    show_chart(
        epoch_chart(curves, y_title="One view", x_title="photos learnt from"),
        key="run_learning_curve",
        alt="What one recipe reached, by photos learnt from",
    )


def _show_together(runs: Sequence[Experiment]) -> None:
    st.subheader("Some runs together")
    by_name = {one.name: one for one in runs}
    best = [str(row["name"]) for row in experiment_rows(runs)]
    plain = [one.name for one in runs if not one.changed][:1]
    chosen = st.multiselect(
        "Runs", list(by_name), default=list(dict.fromkeys([*plain, *best]))[:3], max_selections=6, key="runs_together"
    )
    if not chosen:
        return
    together = [by_name[name] for name in chosen]
    measure = st.selectbox("Over the epochs", list(_COURSES), format_func=_COURSES.__getitem__, key="run_course")
    curves = epoch_curves(together, measure)
    if curves:
        show_chart(
            epoch_chart(curves, y_title=_COURSES[measure]),
            key="run_courses",
            alt=f"{_COURSES[measure]} by epoch and run",
        )
    else:
        st.caption("These runs did not record it.")
    fields = differing_fields(together)
    if not fields:
        st.markdown("Their recipes are the same." if len(together) > 1 else "Choose a second run to compare recipes.")
        return
    st.markdown(f"Options in which they differ; what differs from **{chosen[0]}** is marked.")
    rows = [
        {"option": field}
        | {one.name: "-" if one.recipe.get(field) is None else str(one.recipe[field]) for one in together}
        for field in fields
    ]
    st.table([_marked(row) for row in rows], hide_index=True)
    offer_csv(rows, key="run_recipes_csv", file_name="recipes")


def _marked(row: Mapping[str, str]) -> dict[str, str]:
    """Return a row of recipes as Markdown, values that differ from the first run's on an orange ground."""
    option, first, *others = row.values()
    cells = [as_plain_text(first), *(_cell(value, is_other=value != first) for value in others)]
    return {"option": option} | dict(zip(list(row)[1:], cells, strict=True))


def _cell(value: str, *, is_other: bool) -> str:
    return f":orange-background[{as_plain_text(value)}]" if is_other else as_plain_text(value)
