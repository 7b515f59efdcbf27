"""The summary of an evaluation in words, for the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    "ece": "expected calibration error",
    "brier": "Brier score (0 to 2)",
}
HEADLINE = ("macro_auc", "balanced_accuracy", "malignant_auc", "specificity_at_95_sensitivity")


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
