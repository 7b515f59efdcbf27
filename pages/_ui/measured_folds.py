"""Cross-validation on screen: all folds as one data set with intervals, one dot a fold, and the table by class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dermascan_core.triage.wording import Voice, class_name

from . import measures
from .frame import as_plain_text
from .measured_charts import Interval, fold_chart, interval_chart
from .measured_table import show_chart, show_nothing_yet, show_table

DRAWN = (
    "macro_auc",
    "malignant_auc",
    "melanoma_auc",
    "balanced_accuracy",
    "accuracy",
    "sensitivity_at_threshold",
    "specificity_at_threshold",
    "specificity_at_95_sensitivity",
    "melanoma_sensitivity_at_97_specificity",
)


def show_folds(evaluation: Mapping[str, Any] | None, voice: Voice) -> None:
    """Show what ``cross-validate`` or ``rebuild`` measured of a model's recipe."""
    st.header("Cross-validation")
    st.markdown(
        "The training photos were parted into folds. For each fold a network was trained that never saw it, and answered "
        "for it. So every photo is a test photo once, and one lucky or unlucky draw cannot make the number."
    )
    if evaluation is None:
        show_nothing_yet("no cross-validation ships with this model.", "cross-validate --help")
        return
    _show_all(evaluation, voice, key="folds")


def show_recipe_folds(evaluation: Mapping[str, Any], name: str, voice: Voice, *, validation_fold: str | None) -> None:
    """Show the folds of a recipe that is not the model that answers: whether one fold is like another.

    Args:
        evaluation: From ``load_recipe_folds``.
        name: Of the recipe.
        voice: Of whom it is shown to.
        validation_fold: Of the model that answers; None where it names none.
    """
    st.subheader(f"Another network in all its folds: {as_plain_text(name)}")
    recipes = "; ".join(
        f"{as_plain_text(one['backbone'])}, {one['input_px']} px, "
        f"{one['warmup_epochs'] + one['epochs']} rounds over the photos{', taught by others' if one['teacher'] else ''}"
        for one in evaluation["recipes"]
    )
    st.markdown(
        f"This is **not the model that answers**, but a plainer one ({recipes}), on the same photos and folds. It "
        "shows how far one fold lies from another, and so how far to trust a figure that one fold gave."
    )
    own = next((row for row in evaluation["folds"]["rows"] if row["fold"] == validation_fold), None)
    if own is not None:
        mean, sd = (evaluation["folds"][part]["summary"]["malignant_auc"] for part in ("mean", "sd"))
        st.info(
            f"The model that answers was tuned on {fold_name(own['fold'])}. The plainer network's "
            f"{measures.SUMMARY_WORDS['malignant_auc']} there is {own['summary']['malignant_auc']:.3f}; over all folds "
            f"{mean:.3f} on average, with a standard deviation of {sd:.3f}.",
            icon=":material/info:",
        )
    _show_all(evaluation, voice, key=f"folds_of_{name}")


def _show_all(evaluation: Mapping[str, Any], voice: Voice, *, key: str) -> None:
    folds = evaluation["folds"]
    data = evaluation["data"]
    st.markdown(
        f"**{data['n_predicted']:,}** photos of **{data['n_lesions']:,}** lesions in **{len(folds['rows'])}** folds, "
        f"{data['n_malignant']:,} of them cancer or pre-cancer."
    )
    _show_pooled(evaluation, key)
    _show_each_fold(folds, key)
    if evaluation["classes"]:
        _show_classes(evaluation, voice, key)


def _show_pooled(evaluation: Mapping[str, Any], key: str) -> None:
    st.subheader("All folds together")
    summary = evaluation["summary"]
    lines = [
        Interval(measures.SUMMARY_WORDS[name], summary[name]["value"], summary[name]["low"], summary[name]["high"])
        for name in DRAWN
        if name in summary and summary[name]["value"] is not None
    ]
    show_chart(
        interval_chart({"all folds": lines}, x_title="value, with its 95 % interval"),
        key=f"{key}_pooled",
        alt="Main measures over all folds with 95 % intervals",
    )
    mean, sd = (evaluation["folds"][name]["summary"] for name in ("mean", "sd"))
    rows = [
        {
            "measure": words,
            "all folds together (95 % interval)": measures.with_interval(summary[name]),
            "mean of the folds": mean.get(name),
            "standard deviation": sd.get(name),
        }
        for name, words in measures.SUMMARY_WORDS.items()
        if name in summary
    ]
    number = st.column_config.NumberColumn(format="%.3f")
    show_table(
        rows,
        key=f"{key}_summary",
        file_name="cross-validation",
        column_config={"mean of the folds": number, "standard deviation": number},
    )


def _show_each_fold(folds: Mapping[str, Any], key: str) -> None:
    st.subheader("Fold by fold")
    st.markdown("Dots that lie close together mean: it does not matter much which photos the network learnt from.")
    rows, mean, sd = folds["rows"], folds["mean"]["summary"], folds["sd"]["summary"]
    drawn = [name for name in DRAWN if mean.get(name) is not None]
    words = measures.SUMMARY_WORDS
    show_chart(
        fold_chart(
            {words[name]: [row["summary"].get(name) for row in rows] for name in drawn},
            [fold_name(row["fold"]) for row in rows],
            {words[name]: (mean[name], sd.get(name)) for name in drawn},
        ),
        key=f"{key}_each",
        alt="One dot a fold for each main measure, with mean and standard deviation",
    )
    show_table(
        [
            {
                "fold": fold_name(row["fold"]),
                "photos": row["n"],
                "cancer or pre-cancer": row["n_malignant"],
                "line": row["threshold"],
                **{words[name]: row["summary"].get(name) for name in drawn},
            }
            for row in rows
        ],
        key=f"{key}_rows",
        file_name="folds",
        column_config={words[name]: st.column_config.NumberColumn(format="%.3f") for name in drawn}
        | {"line": st.column_config.NumberColumn(format="%.4f")},
    )


def fold_name(fold: str) -> str:
    """Return a fold's name for a person: a bare number becomes ``fold 0``."""
    return f"fold {fold}" if str(fold).isdigit() else str(fold)


def _show_classes(evaluation: Mapping[str, Any], voice: Voice, key: str) -> None:
    st.subheader("Class by class")
    mean, sd = (evaluation["folds"][name]["classes"] for name in ("mean", "sd"))
    st.markdown("In brackets the 95 % interval over all folds; the last columns say how far the folds lie apart.")
    show_table(
        [
            {
                "class": class_name(code, voice),
                "photos": own["n"],
                **{words: measures.with_interval(own.get(name), digits=2) for name, words in _CLASS.items()},
                **{
                    f"{words}, mean and SD of the folds": _mean_sd(mean.get(code, {}), sd.get(code, {}), name)
                    for name, words in _CLASS.items()
                    if name in ("sensitivity", "auc")
                },
            }
            for code, own in evaluation["classes"].items()
        ],
        key=f"{key}_classes",
        file_name="cross-validation-classes",
    )


_CLASS = measures.CLASS_MEASURES


def _mean_sd(mean: Mapping[str, float | None], sd: Mapping[str, float | None], name: str) -> str:
    if mean.get(name) is None:
        return "-"
    spread = sd.get(name)
    return f"{mean[name]:.3f}" + ("" if spread is None else f" ± {spread:.3f}")
