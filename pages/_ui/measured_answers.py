"""One evaluation of one model, as ``evaluate`` wrote it: plain numbers, curves, classes, calibration, limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dermascan_core.triage.wording import Voice, class_name

from . import charts, measures
from .frame import as_plain_text
from .measured_table import offer_csv, show_chart, show_table

_WORDS = """
- **Sensitivity**: of 100 photos of cancer, how many were noticed. **Specificity**: of 100 other photos, how many were
  left alone. One is bought with the other: where the line is drawn decides.
- **AUC**: one photo of cancer and one of another spot; how often the cancer gets the larger share. 0.5 is a coin, 1 never fails.
- **Balanced accuracy**: how often the class shown first is right, every class counted alike, rare ones too.
- **Calibration error**: how far a share is from what then happened; 0 is perfect.
- **Interval**: where the number would lie in 95 of 100 repetitions with other photos of the same kind.
- **Cross-validation**: the photos are parted into folds; for each fold a network is trained that never sees it and then
  answers for it. So every photo is a test photo once.
"""


def show_evaluation(evaluation: dict[str, Any], voice: Voice, *, repeatability: Mapping[str, Any] | None) -> None:
    """Show everything that ``metrics.json`` says about all photos together.

    Args:
        evaluation: Contents of ``metrics.json``.
        voice: Of the page.
        repeatability: What ``repeatability`` measured of the model; None where none ships.
    """
    _show_plain_numbers(evaluation)
    _show_summary(evaluation)
    _show_operating_point(evaluation)
    if evaluation["classes"]:
        _show_classes(evaluation, voice)
    _show_calibration(evaluation)
    _show_limits(evaluation, repeatability)


def _show_plain_numbers(evaluation: dict[str, Any]) -> None:
    st.header("In plain numbers")
    st.markdown("\n".join(f"- {line}" for line in measures.plain_lines(evaluation)))


def _show_summary(evaluation: dict[str, Any]) -> None:
    st.header("All in one table")
    rows = measures.summary_rows(evaluation["summary"])
    st.table(rows, hide_index=True)
    offer_csv(rows, key="summary_csv", file_name="summary")
    with st.expander("What these words mean", icon=":material/dictionary:"):
        st.markdown(_WORDS)
    intervals = evaluation["intervals"]
    st.caption(
        f"Intervals hold {100 * intervals['level']:.0f} %, from {intervals['n_resamples']} bootstrap draws of whole "
        f"{intervals['resampled']}s."
    )


def _show_operating_point(evaluation: dict[str, Any]) -> None:
    malignant = evaluation["malignant"]
    point, summary = malignant["operating_point"], evaluation["summary"]
    st.header("Cancer or pre-cancer: where the line is drawn")
    st.markdown(_line_words(evaluation))
    st.dataframe(
        [
            {
                "": "at or above the line",
                "cancer or pre-cancer": point["true_positives"],
                "other": point["false_positives"],
            },
            {"": "below the line", "cancer or pre-cancer": point["false_negatives"], "other": point["true_negatives"]},
        ],
        hide_index=True,
        key="operating_point",
    )
    sensitivity, specificity = (summary[f"{name}_at_threshold"]["value"] for name in ("sensitivity", "specificity"))
    roc, precision_recall = st.columns(2)
    with roc:
        st.subheader("ROC curve")
        show_chart(
            charts.curve_chart(
                {"cancer or pre-cancer": (malignant["roc"]["false_positive_rate"], malignant["roc"]["sensitivity"])},
                x_title="false-positive rate",
                y_title="sensitivity",
                diagonal=True,
                point=(1 - specificity, sensitivity, "operating point"),
            ),
            key="roc",
            alt="ROC curve for cancer or pre-cancer, with the operating point",
        )
    with precision_recall:
        st.subheader("Precision and recall")
        curve = malignant["precision_recall"]
        show_chart(
            charts.curve_chart(
                {"cancer or pre-cancer": (curve["recall"], curve["precision"])},
                x_title="recall (sensitivity)",
                y_title="precision",
            ),
            key="precision_recall",
            alt="Precision-recall curve for cancer or pre-cancer",
        )


def _show_classes(evaluation: dict[str, Any], voice: Voice) -> None:
    classes, confusion = evaluation["classes"], evaluation["confusion"]
    st.header("Class by class")
    show_table(measures.class_rows(classes, voice), key="classes", file_name="classes")
    matrix, curves = st.columns(2)
    with matrix:
        st.subheader("What is taken for what")
        show_chart(
            charts.confusion_chart(confusion["counts"], confusion["row_normalised"], confusion["codes"]),
            key="confusion",
            alt="Confusion matrix, each row in percent of its photos",
        )
        st.caption("Each row holds 100 % of the photos of one class. The diagonal is right.")
        st.caption("; ".join(f"{code}: {class_name(code, voice)}" for code in confusion["codes"]))
    with curves:
        st.subheader("ROC, each class against the rest")
        show_chart(
            charts.curve_chart(
                {code: (one["roc"]["false_positive_rate"], one["roc"]["sensitivity"]) for code, one in classes.items()},
                x_title="false-positive rate",
                y_title="sensitivity",
                diagonal=True,
            ),
            key="class_roc",
            alt="ROC curve of each class against the rest",
        )


def _show_calibration(evaluation: dict[str, Any]) -> None:
    calibration = evaluation["calibration"]
    st.header("Does a share mean what it says?")
    st.markdown("On the dotted line a share of 30 % was right in 30 of 100 photos. Larger points hold more photos.")
    bins = {"Cancer or pre-cancer": calibration["malignant"], "Most probable class": calibration["most_probable"]}
    for column, (title, rows) in zip(st.columns(2), bins.items(), strict=True):
        if not rows:
            continue
        with column:
            st.subheader(title)
            show_chart(
                charts.calibration_chart(rows, x_title="share said", y_title="share observed"),
                key=f"calibration_{title}",
                alt=f"Calibration plot: {title}",
            )


def _show_limits(evaluation: dict[str, Any], repeatability: Mapping[str, Any] | None) -> None:
    st.header("When it holds back, and what it advises")
    lines = [*measures.abstention_lines(evaluation), measures.calm_sentence(evaluation)]
    st.markdown("\n".join(f"- {line}" for line in lines if line))
    st.caption(measures.on_top_words(repeatability))
    st.dataframe(measures.next_step_rows(evaluation["next_steps"]), hide_index=True, key="next_steps")
    about = "Next steps of the photos alone, as if no question had been answered."
    st.caption(f"{about} {measures.not_assessed_words(evaluation)}".strip())


def _line_words(evaluation: dict[str, Any]) -> str:
    rule = as_plain_text(evaluation["model"]["threshold_rule"], max_chars=300)
    if lines := [
        row["threshold"] for row in evaluation.get("folds", {}).get("rows", []) if row["threshold"] is not None
    ]:
        return (
            f"Each fold's network has a line of its own, from **{min(lines):.3f}** to **{max(lines):.3f}**; at or above "
            f"it, it asks for a doctor. How such a line is chosen: {rule}."
        )
    line = evaluation["malignant"]["operating_point"]["threshold"]
    return f"At or above a share of **{line:.3f}** the model asks for a doctor. How this line was chosen: {rule}."
