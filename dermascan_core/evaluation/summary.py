"""The summary of an evaluation in words, for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Summary = Mapping[str, Mapping[str, float | None]]
SUMMARY_NAMES = {
    "macro_auc": "macro AUC",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "malignant_auc": "malignant AUC",
    "specificity_at_95_sensitivity": "specificity at 95 % malignant sensitivity",
    "sensitivity_at_threshold": "malignant sensitivity at the shipped threshold",
    "specificity_at_threshold": "specificity at the shipped threshold",
    "melanoma_sensitivity_at_threshold": "melanoma sensitivity at the shipped threshold",
    "melanoma_auc": "melanoma AUC",
    "melanoma_sensitivity_at_97_specificity": "melanoma sensitivity at 97 % specificity",
    "melanoma_vs_nv_bkl_auc": "melanoma against nevus and keratosis: AUC",
    "melanoma_vs_nv_bkl_sensitivity_at_89_specificity": "melanoma against nevus and keratosis: sensitivity at 89 % specificity",
    "melanoma_vs_nv_bkl_specificity_at_85_sensitivity": "melanoma against nevus and keratosis: specificity at 85 % sensitivity",
    "macro_precision": "macro precision",
    "macro_f1": "macro F1",
    "ece": "expected calibration error",
    "brier": "Brier score (0 to 2)",
    "log_loss": "log loss (natural logarithm)",
}
HEADLINE = ("macro_auc", "balanced_accuracy", "malignant_auc", "specificity_at_95_sensitivity")


def describe_evaluation(metrics: Mapping[str, Any]) -> list[str]:
    """Return what was evaluated, the main measures with their intervals, and how often a screening would abstain."""
    data, abstention = metrics["data"], metrics["abstention"]
    return [
        f"{data['n_predicted']} photos predicted, {data['n_malignant']} of them malignant; "
        f"{data['n_missing']} missing, {data['n_unreadable']} unreadable.",
        *(f"  {line}" for line in summary_lines(metrics["summary"])),
        f"A screening would refuse {abstention['refused']['share']:.1%} of the photos "
        f"and be unsure of {abstention['unsure']['share']:.1%}.",
        *_consistency_lines(metrics),
    ]


@dataclass(frozen=True, slots=True)
class CalmCounts:
    """Whom the model would calm about if every question were answered calmly: cancers of all, other spots of all."""

    cancers: int
    n_cancers: int
    others: int
    n_others: int


def count_calm(calmest_steps: Mapping[str, Mapping[str, int]]) -> CalmCounts:
    """Return what an evaluation's ``calmest_steps`` come to.

    >>> count_calm({"routine_check": {"n": 9, "n_malignant": 4}, "watch": {"n": 6, "n_malignant": 1}})
    CalmCounts(cancers=1, n_cancers=5, others=5, n_others=10)
    """
    n_cancers = sum(step["n_malignant"] for step in calmest_steps.values())
    watch = calmest_steps["watch"]
    return CalmCounts(
        watch["n_malignant"],
        n_cancers,
        watch["n"] - watch["n_malignant"],
        sum(step["n"] for step in calmest_steps.values()) - n_cancers,
    )


def _consistency_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Return how often photos of one lesion get one answer; nothing where too few lesions have several photos."""
    rows = {row["dx"]: row for row in metrics.get("consistency", {}).get("rows", [])}
    everything = rows.get("")
    if not everything or not everything["measures"]:
        return []
    same = everything["measures"]
    return [
        f"Of {everything['n_lesions']} lesions with several photos, {same['same_class']['value']:.1%} got one class and "
        f"{same['same_next_step']['value']:.1%} one next step."
    ]


def evaluation_warnings(metrics: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the measures must know: rows without a prediction, photos that trained the model."""
    data, overlap = metrics["data"], metrics["data"]["overlap"]
    warnings = []
    if lost := data["n_missing"] + data["n_unreadable"]:
        warnings.append(f"{lost} of {data['n_rows']} rows have no prediction; see data.not_predicted in metrics.json.")
    if n_doubled := data["n_duplicates"]:
        warnings.append(f"{n_doubled} rows name a photo that an earlier row names. The first one counts.")
    if overlap["n_photos"] or overlap["n_lesions"]:
        warnings.append(
            f"The training split holds {overlap['n_photos'] or 0} of these photos and {overlap['n_lesions'] or 0} of "
            "their lesions: such numbers are too good. See data.overlap in metrics.json."
        )
    if not overlap["is_the_models_split"]:
        warnings.append(
            "The model was trained on another split than the one that ships, so how many of these photos it was trained "
            "on cannot be known. If it was on any, such numbers are too good."
        )
    return warnings


def summary_lines(summary: Summary) -> list[str]:
    """Return one line a measure, with its 95 % interval.

    Args:
        summary: Of ``metrics.json``.

    >>> summary_lines({"malignant_auc": {"value": 0.95, "low": 0.93, "high": None}})
    ['malignant AUC: 0.9500 (0.9300 to undefined)']
    """
    return [
        f"{words}: {_shown(summary[name]['value'])} ({_shown(summary[name]['low'])} to {_shown(summary[name]['high'])})"
        for name, words in SUMMARY_NAMES.items()
        if name in summary
    ]


def headline(summary: Summary, names: Sequence[str] = HEADLINE) -> str:
    """Return the main measures in one line; those that are undefined are left out.

    >>> headline({"malignant_auc": {"value": 0.95}, "macro_auc": {"value": None}})
    'malignant AUC 0.950'
    """
    values = [(SUMMARY_NAMES[name], summary[name]["value"]) for name in names if name in summary]
    return ", ".join(f"{words} {value:.3f}" for words, value in values if value is not None)


def _shown(number: float | None) -> str:
    return "undefined" if number is None else f"{number:.4f}"
