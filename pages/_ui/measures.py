"""Rows and sentences for the Model performance page, read from ``metrics.json`` as it is; nothing is measured here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dermascan_core.domain import NextStep
from dermascan_core.services.performance import count_calm
from dermascan_core.triage.wording import Voice, class_name, step_title

Estimate = Mapping[str, float | None]

SUMMARY_WORDS = {
    "macro_auc": "Macro AUC, seven classes",
    "balanced_accuracy": "Balanced accuracy (class shown first)",
    "accuracy": "Accuracy (class shown first)",
    "accuracy_of_most_probable": "Accuracy of the most probable class",
    "melanoma_auc": "AUC, melanoma",
    "malignant_auc": "AUC, cancer or pre-cancer",
    "malignant_average_precision": "Average precision, cancer or pre-cancer",
    "specificity_at_95_sensitivity": "Specificity at 95 % sensitivity, cancer or pre-cancer",
    "melanoma_sensitivity_at_97_specificity": "Sensitivity at 97 % specificity, melanoma",
    "melanoma_vs_nv_bkl_auc": "AUC, melanoma against nevus and keratosis",
    "melanoma_vs_nv_bkl_sensitivity_at_89_specificity": "The same: sensitivity at 89 % specificity",
    "melanoma_vs_nv_bkl_specificity_at_85_sensitivity": "The same: specificity at 85 % sensitivity",
    "melanoma_vs_nv_bkl_specificity_at_95_sensitivity": "The same: specificity at 95 % sensitivity",
    "sensitivity_at_threshold": "Sensitivity at the line, cancer or pre-cancer",
    "specificity_at_threshold": "Specificity at the line, cancer or pre-cancer",
    "melanoma_sensitivity_at_threshold": "Sensitivity at the line, melanoma",
    "malignant_share_above_threshold": "Cancer or pre-cancer among photos at or above the line",
    "malignant_share_below_threshold": "Cancer or pre-cancer among photos below the line",
    "macro_precision": "Precision, mean over classes",
    "macro_sensitivity": "Sensitivity, mean over classes",
    "macro_specificity": "Specificity, mean over classes",
    "macro_f1": "F1, mean over classes",
    "ece": "Calibration error (lower is better)",
    "malignant_ece": "Calibration error, cancer or pre-cancer (lower is better)",
    "brier": "Brier score, seven classes (lower is better)",
    "log_loss": "Log loss, seven classes (lower is better)",
    "malignant_brier": "Brier score, cancer or pre-cancer (lower is better)",
}
CLASS_MEASURES = {
    "precision": "precision",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "f1": "F1",
    "auc": "AUC",
}
GROUP_MEASURES = {
    "malignant_auc": "AUC",
    "sensitivity_at_threshold": "sensitivity",
    "specificity_at_threshold": "specificity",
    "balanced_accuracy": "balanced accuracy",
}


def with_interval(estimate: Estimate | None, *, digits: int = 3) -> str:
    """Return a value with its interval, or a dash where it is undefined.

    >>> with_interval({"value": 0.9612, "low": 0.95, "high": 0.971})
    '0.961 (0.950 to 0.971)'
    """
    if not estimate or estimate["value"] is None:
        return "-"
    value = f"{estimate['value']:.{digits}f}"
    if estimate["low"] is None or estimate["high"] is None:
        return value
    return f"{value} ({estimate['low']:.{digits}f} to {estimate['high']:.{digits}f})"


def plain_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Return the main numbers as counts of a hundred, with the mix of photos they hold for."""
    summary, data = evaluation["summary"], evaluation["data"]
    lines = [
        f"The test had {data['n_predicted']} photos; {of_100(evaluation['malignant']['prevalence'])} of 100 showed "
        "cancer or pre-cancer. Everyday life has far fewer.",
    ]
    told = {
        "sensitivity_at_threshold": "Of 100 photos of cancer or pre-cancer, {n} were at or above the line. "
        "The others would have been missed by the photo alone.",
        "melanoma_sensitivity_at_threshold": "Of 100 photos of melanoma, {n} were at or above the line.",
        "specificity_at_threshold": "Of 100 photos of other spots, {n} were below the line.",
        "malignant_share_below_threshold": "Of 100 photos below the line, {n} were cancer or pre-cancer all the same.",
    }
    for name, sentence in told.items():
        if name in summary and summary[name]["value"] is not None:
            lines.append(sentence.format(n=_range_of_100(summary[name])))
    return lines


def among_such_answers(evaluation: Mapping[str, Any], *, is_above: bool) -> str:
    """Return how many photos with such an answer were cancer or pre-cancer, with the mix of photos it holds for."""
    name, where = ("above", "at or above the model's line") if is_above else ("below", "below the model's line")
    share = evaluation["summary"][f"malignant_share_{name}_threshold"]
    return (
        f"Of 100 test photos {where}, as here, {_range_of_100(share)} were cancer or pre-cancer "
        f"({of_100(evaluation['malignant']['prevalence'])} of 100 in the whole test; everyday life has far fewer)."
    )


def of_100(share: float | None) -> str:
    """Return a share as a count of a hundred, one decimal under 10.

    >>> of_100(0.196), of_100(0.0123), of_100(None)
    ('20', '1.2', 'an unknown number')
    """
    if share is None:
        return "an unknown number"
    return f"{100 * share:.0f}" if share >= 0.1 or share == 0 else f"{100 * share:.1f}"


def _range_of_100(estimate: Estimate) -> str:
    if estimate["low"] is None or estimate["high"] is None:
        return of_100(estimate["value"])
    return f"{of_100(estimate['value'])} ({of_100(estimate['low'])} to {of_100(estimate['high'])})"


def summary_rows(summary: Mapping[str, Estimate]) -> list[dict[str, str]]:
    """Return one row a headline measure."""
    return [
        {"measure": label, "value (95 % interval)": with_interval(summary[name])}
        for name, label in SUMMARY_WORDS.items()
        if name in summary
    ]


def class_rows(classes: Mapping[str, Any], voice: Voice) -> list[dict[str, Any]]:
    """Return one row a class, each measure with its interval."""
    return [
        {
            "class": class_name(code, voice),
            "photos": one["n"],
            **{label: with_interval(one.get(name), digits=2) for name, label in CLASS_MEASURES.items()},
        }
        for code, one in classes.items()
    ]


def next_step_rows(next_steps: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Return one row a next step that occurred."""
    return [
        {
            "next step": step_title(NextStep(step), Voice.REPORT),
            "photos": counts["n"],
            "of these cancer or pre-cancer": counts["n_malignant"],
        }
        for step, counts in next_steps.items()
        if counts["n"]
    ]


def calm_sentence(evaluation: Mapping[str, Any]) -> str:
    """Return about how many cancers the model would calm, were every question answered calmly; empty where not measured."""
    steps = evaluation.get("calmest_steps")
    if not steps:
        return ""
    calm, advice = count_calm(steps), step_title(NextStep.WATCH, Voice.REPORT).lower()
    if not calm.cancers + calm.others:
        return f"Even if every question were answered calmly, no photo would get the calmest advice: {advice}."
    return (
        f"If every question were answered calmly, {calm.cancers} of {calm.n_cancers} cancers and pre-cancers, and "
        f"{calm.others} of {calm.n_others} other spots, would get the calmest advice: {advice}."
        + (" So that advice is wrong for some." if calm.cancers else "")
    )


def abstention_lines(evaluation: Mapping[str, Any]) -> list[str]:
    """Return how many photos are refused, why, and how many answers are unsure."""
    refused, unsure = evaluation["abstention"]["refused"], evaluation["abstention"]["unsure"]
    n_untested = sum(n for code, n in refused["reasons"].items() if code.startswith("not_tested"))
    return [
        f"Refused: {refused['n']} photos ({of_100(refused['share'])} of 100), {refused['n_malignant']} of them cancer or "
        f"pre-cancer. {n_untested} because the person or place was not tested (under 18, nail, mucosa), "
        f"{refused['n'] - n_untested} for quality.",
        f"Unsure, so a doctor is advised: {unsure['n']} photos ({of_100(unsure['share'])} of 100), "
        f"{unsure['n_malignant']} of them cancer or pre-cancer.",
    ]


def of_100_with_interval(one: Mapping[str, float | None]) -> str:
    """Return a share and its interval as counts of a hundred; without the interval where there is none.

    >>> of_100_with_interval({"value": 0.0847, "low": 0.057, "high": 0.113})
    '8.5 (5.7 to 11)'
    """
    low, high = one["low"], one["high"]
    return of_100(one["value"]) + ("" if low is None or high is None else f" ({of_100(low)} to {of_100(high)})")


def not_assessed_words(evaluation: Mapping[str, Any]) -> str:
    """Return why fewer photos are "not assessed" than were refused; empty where nobody was refused as untested.

    A refused photo asks for nothing by itself; a person or a place that was not tested asks for a doctor.
    """
    refused = evaluation["abstention"]["refused"]
    n_untested = sum(n for code, n in refused["reasons"].items() if code.startswith("not_tested"))
    if not n_untested or not evaluation["next_steps"]:
        return ""
    return (
        f"Of the {refused['n']} refused photos, {refused['n'] - n_untested} are not assessed, for their quality. The other "
        f"{n_untested}, of people or places that were not tested, are sent to a doctor and counted there."
    )


def on_top_words(repeatability: Mapping[str, Any] | None) -> str:
    """Return what the look at small changes, which no evaluation counts, makes unsure on top of it.

    Args:
        repeatability: What ``repeatability`` measured of the model; None where none ships.
    """
    said = (
        "Not counted here: Screening also looks at each answered photo with small changes, and calls an answer that changes "
        "too often unsure too. That comes on top; "
    )
    if repeatability is None:
        return f"{said}how often was not measured for this model."
    own = repeatability["limit"]["measures"]["made_unsure"]
    return (
        f"{said}with {repeatability['data']['n']:,} other photos it made {of_100_with_interval(own)} of 100 answered ones "
        f"unsure (more than {repeatability['limit']['value']} changed answers of {len(repeatability['changes'])}; see "
        "*Worse photos*)."
    )


def group_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row a group; a group that is too small says so in place of every number."""
    return [
        {
            "by": row["kind"].replace("_", " "),
            "group": row["name"],
            "photos": row["n"],
            "cancer or pre-cancer": row["n_malignant"],
            **{
                label: "too few cases" if row["too_few"] else with_interval((row["measures"] or {}).get(name), digits=2)
                for name, label in GROUP_MEASURES.items()
            },
        }
        for row in rows
    ]


def case_rows(cases: Sequence[Mapping[str, Any]], voice: Voice) -> list[dict[str, Any]]:
    """Return one row a photo that was answered wrong."""
    return [
        {
            "photo": case["image_id"],
            "was": class_name(case["dx"], voice) if case["dx"] else "",
            "shown first": class_name(case["predicted"], voice),
            "its share, %": round(100 * case["p_predicted"], 1),
            "cancer or pre-cancer, %": round(100 * case["p_malignant"], 1),
            "refused for quality": "yes" if case["refused"] else "",
        }
        for case in cases
    ]
