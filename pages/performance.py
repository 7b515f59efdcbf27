"""The model's measured limits, drawn only from the files that ``evaluate`` wrote and that ship beside the weights."""

from __future__ import annotations

from typing import Any

import streamlit as st

from dermascan_core.errors import DermaScanError
from dermascan_core.services.models import DEFAULT_MODEL
from dermascan_core.services.performance import available_evaluations, load_evaluation
from dermascan_core.triage.wording import TESTED_ON, Voice, class_name
from pages._ui import charts, measures
from pages._ui.frame import Width, as_plain_text, failures_told, page_frame

_EVALUATIONS = {"test": "With age, sex and place", "test-no-metadata": "Photo alone"}


def show_page() -> None:
    voice = page_frame("Model performance", width=Width.TABLE)
    st.markdown("How good the model is, measured on photos that it never saw in training.")
    st.markdown(TESTED_ON)
    others = [name for name in available_evaluations(DEFAULT_MODEL) if name not in _EVALUATIONS]
    which = st.segmented_control(
        "What the model was told" if not others else "Which test",
        [*_EVALUATIONS, *others],
        format_func=lambda name: _EVALUATIONS.get(name, f"Other clinics: {as_plain_text(name)}"),
        default="test",
        required=True,
        key="evaluation",
    )
    try:
        evaluation = load_evaluation(DEFAULT_MODEL, which)
    except DermaScanError as error:
        st.info(f"There is nothing to show yet. {error}", icon=":material/hourglass_empty:")
        return
    _show_plain_numbers(evaluation)
    _show_summary(evaluation)
    _show_operating_point(evaluation)
    if evaluation["classes"]:
        _show_classes(evaluation, voice)
    _show_calibration(evaluation)
    _show_limits(evaluation)
    if voice is Voice.CLINICIAN:
        _show_groups(evaluation)
    _show_errors(evaluation, voice)
    _show_origin(evaluation)


def _show_plain_numbers(evaluation: dict[str, Any]) -> None:
    st.header("In plain numbers")
    st.markdown("\n".join(f"- {line}" for line in measures.plain_lines(evaluation)))


def _show_summary(evaluation: dict[str, Any]) -> None:
    st.header("All in one table")
    st.table(measures.summary_rows(evaluation["summary"]), hide_index=True)
    intervals = evaluation["intervals"]
    st.caption(
        f"Intervals hold {100 * intervals['level']:.0f} %, from {intervals['n_resamples']} bootstrap draws of whole "
        f"{intervals['resampled']}s."
    )


def _show_operating_point(evaluation: dict[str, Any]) -> None:
    malignant = evaluation["malignant"]
    point, summary = malignant["operating_point"], evaluation["summary"]
    st.header("Cancer or pre-cancer: where the line is drawn")
    st.markdown(
        f"At or above a share of **{point['threshold']:.3f}** the model asks for a doctor. "
        f"How this line was chosen: {as_plain_text(evaluation['model']['threshold_rule'], max_chars=300)}."
    )
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
        st.plotly_chart(
            charts.curve_chart(
                {"cancer or pre-cancer": (malignant["roc"]["false_positive_rate"], malignant["roc"]["sensitivity"])},
                x_title="false-positive rate",
                y_title="sensitivity",
                diagonal=True,
                point=(1 - specificity, sensitivity, "operating point"),
            ),
            key="roc",
            config=charts.CONFIG,
            alt="ROC curve for cancer or pre-cancer, with the operating point",
        )
    with precision_recall:
        st.subheader("Precision and recall")
        curve = malignant["precision_recall"]
        st.plotly_chart(
            charts.curve_chart(
                {"cancer or pre-cancer": (curve["recall"], curve["precision"])},
                x_title="recall (sensitivity)",
                y_title="precision",
            ),
            key="precision_recall",
            config=charts.CONFIG,
            alt="Precision-recall curve for cancer or pre-cancer",
        )


def _show_classes(evaluation: dict[str, Any], voice: Voice) -> None:
    classes, confusion = evaluation["classes"], evaluation["confusion"]
    st.header("Class by class")
    st.dataframe(measures.class_rows(classes, voice), hide_index=True, key="classes")
    matrix, curves = st.columns(2)
    with matrix:
        st.subheader("What is taken for what")
        st.plotly_chart(
            charts.confusion_chart(confusion["counts"], confusion["row_normalised"], confusion["codes"]),
            key="confusion",
            config=charts.CONFIG,
            alt="Confusion matrix, each row in percent of its photos",
        )
        st.caption("Each row holds 100 % of the photos of one class. The diagonal is right.")
        st.caption("; ".join(f"{code}: {class_name(code, voice)}" for code in confusion["codes"]))
    with curves:
        st.subheader("ROC, each class against the rest")
        st.plotly_chart(
            charts.curve_chart(
                {code: (one["roc"]["false_positive_rate"], one["roc"]["sensitivity"]) for code, one in classes.items()},
                x_title="false-positive rate",
                y_title="sensitivity",
                diagonal=True,
            ),
            key="class_roc",
            config=charts.CONFIG,
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
            st.plotly_chart(
                charts.calibration_chart(rows, x_title="share said", y_title="share observed"),
                key=f"calibration_{title}",
                config=charts.CONFIG,
                alt=f"Calibration plot: {title}",
            )


def _show_limits(evaluation: dict[str, Any]) -> None:
    st.header("When it holds back, and what it advises")
    st.markdown("\n".join(f"- {line}" for line in measures.abstention_lines(evaluation)))
    st.dataframe(measures.next_step_rows(evaluation["next_steps"]), hide_index=True, key="next_steps")
    st.caption("Next steps of the photos alone, as if no question had been answered.")


def _show_groups(evaluation: dict[str, Any]) -> None:
    groups = evaluation["groups"]
    st.header("By group")
    st.dataframe(measures.group_rows(groups["rows"]), hide_index=True, key="groups")
    st.caption(
        f"Groups under {groups['min_n']} photos or {groups['min_n_malignant']} malignant ones carry no numbers: "
        "they would say more about chance than about the group."
    )


def _show_errors(evaluation: dict[str, Any], voice: Voice) -> None:
    st.header("What it gets wrong")
    st.subheader("Cancers and pre-cancers below the line")
    missed = measures.case_rows(evaluation["missed_malignancies"], voice)
    if missed:
        st.dataframe(missed, hide_index=True, key="missed")
    else:
        st.markdown("None in this test. That does not mean that there are none elsewhere.")
    st.subheader("Wrong, and sounding sure")
    mistakes = measures.case_rows(evaluation["confident_mistakes"], voice)
    if mistakes:
        st.dataframe(mistakes, hide_index=True, key="mistakes")
    else:
        st.markdown("None in this test.")


def _show_origin(evaluation: dict[str, Any]) -> None:
    model, data = evaluation["model"], evaluation["data"]
    st.caption(
        f"Model {as_plain_text(str(model['name']))} {as_plain_text(str(model['version']))}, engine {model['engine']}, "
        f"weights {str(model['sha256'])[:12]}; {data['n_predicted']} photos of {data['n_lesions']} lesions, "
        f"{data['n_malignant']} of them cancer or pre-cancer."
    )


with failures_told("performance"):
    show_page()
