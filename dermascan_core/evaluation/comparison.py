"""The measured models beside the published systems: figures with their sources, and what may be compared at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

PUBLISHED_FILE = Path(__file__).with_name("published.json")
MEASURES = {
    "macro_auc": "macro AUC, seven classes",
    "balanced_accuracy": "balanced accuracy (mean sensitivity)",
    "accuracy": "accuracy, all classes",
    "macro_precision": "macro precision",
    "macro_specificity": "macro specificity",
    "macro_f1": "macro F1",
    "melanoma_auc": "melanoma AUC",
    "melanoma_sensitivity_at_97_specificity": "melanoma sensitivity at 97 % specificity",
    "melanoma_precision": "melanoma precision (class shown first)",
    "melanoma_sensitivity": "melanoma sensitivity (class shown first)",
    "melanoma_specificity": "melanoma specificity (class shown first)",
    "melanoma_f1": "melanoma F1 (class shown first)",
    "melanoma_vs_nv_bkl_auc": "melanoma against nevus and keratosis: AUC",
    "melanoma_vs_nv_bkl_sensitivity_at_89_specificity": "the same: sensitivity at 89 % specificity",
    "melanoma_vs_nv_bkl_specificity_at_95_sensitivity": "the same: specificity at 95 % sensitivity",
    "malignant_auc": "cancer or pre-cancer: AUC",
    "specificity_at_95_sensitivity": "cancer or pre-cancer: specificity at 95 % sensitivity",
    "two_class_accuracy": "two classes of its own: accuracy",
    "two_class_f1": "two classes of its own: F1",
    "two_class_sensitivity": "two classes of its own: sensitivity",
    "two_class_specificity": "two classes of its own: specificity",
    "ece": "calibration error",
}
UNIT_WORDS = " What is built here as 003 was answers the\nsame question about the same photos as our other columns: these may be compared."
_CLASS_MEASURES = ("precision", "sensitivity", "specificity", "f1")
_WHICH = {"test": "test split", "cross-validation": "folds, held out"}


@lru_cache(maxsize=1)
def load_published() -> dict[str, Any]:
    """Return the published figures: ``systems``, ``readers`` and ``benchmarks``, each entry with its source or system."""
    published: dict[str, Any] = json.loads(PUBLISHED_FILE.read_text(encoding="utf-8"))
    return published


def build_comparison(
    evaluations: Sequence[Mapping[str, Any]], *, units: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Set measured figures beside published ones.

    Args:
        evaluations: One entry an evaluation: ``which`` (test, cross-validation) and ``metrics`` (contents of ``metrics.json``).
        units: Results of ``training.frozen_unit``: how 003 was built, on our photos.

    Returns:
        ``measures`` (key -> words, those that some column has), ``ours`` (model, version, which, n, n_lesions,
        n_malignant, prevalence, prevalence_of, network, values: key -> estimate), ``systems``, ``readers`` and
        ``benchmarks`` as published.
    """
    ours = [_ours(one["which"], one["metrics"]) for one in evaluations]
    ours += [_unit(unit) for unit in units if unit["test"]]
    published = load_published()
    used = {key for column in (*ours, *published["systems"]) for key in column["values"]}
    return {"measures": {key: words for key, words in MEASURES.items() if key in used}, "ours": ours, **published}


def _ours(which: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    melanoma = metrics["classes"].get("mel", {})
    values = {
        # Files of earlier versions hold melanoma's AUC among the classes only.
        **({"melanoma_auc": melanoma["auc"]} if "auc" in melanoma else {}),
        **{key: metrics["summary"][key] for key in MEASURES if key in metrics["summary"]},
        **{f"melanoma_{name}": melanoma[name] for name in _CLASS_MEASURES if name in melanoma},
    }
    return {
        "model": metrics["model"]["name"],
        "version": metrics["model"]["version"],
        "sha256": metrics["model"]["sha256"],
        "which": which,
        "n": metrics["data"]["n_predicted"],
        "n_lesions": metrics["data"]["n_lesions"],
        "n_malignant": metrics["data"]["n_malignant"],
        "prevalence": metrics["malignant"]["prevalence"],
        "prevalence_of": "cancer or pre-cancer",
        "network": f"sha256 `{metrics['model']['sha256'][:12]}`",
        "values": values,
    }


def _unit(result: Mapping[str, Any]) -> dict[str, Any]:
    measured = result["test"]
    return {
        "model": f"003 built here, frozen {result['recipe']['backbone']}",
        "version": "",
        "sha256": result["sha256"],
        "which": "test",
        "n": measured["n"],
        "n_lesions": measured["n_lesions"],
        "n_malignant": measured["n_positive"],
        "prevalence": measured["n_positive"] / measured["n"],
        "prevalence_of": "melanoma (nevus and keratosis besides, nothing else)",
        "network": f"one sigmoid unit, {result['n_trained_parameters']:,} of {result['n_parameters']:,} parameters trained; "
        f"not shipped, sha256 `{result['sha256'][:12]}`",
        "values": dict(measured["values"]),
    }


def title_of(one: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Return the heading of one of ``ours``.

    Args:
        one: From ``build_comparison``.
        words: Evaluation -> its name in words.
    """
    return f"{one['model']} {one['version']}".strip() + f", {words.get(one['which'], one['which'])}"


def render_comparison(comparison: Mapping[str, Any]) -> str:
    """Return the page as Markdown.

    Args:
        comparison: From ``build_comparison``.
    """
    ours, systems = comparison["ours"], comparison["systems"]
    columns = [title_of(one, _WHICH) for one in ours]
    heads = ["", *columns, *(f"{s['id']} {s['name']}" for s in systems)]
    rows = [
        [words, *(_estimate(one["values"].get(key)) for one in ours), *(_figure(s["values"].get(key)) for s in systems)]
        for key, words in comparison["measures"].items()
    ]
    comparable = [["may be compared", *(["-"] * len(ours)), *(f"**{s['comparable']}**" for s in systems)]]
    parts = [
        "# Comparison: the measured models beside five published systems, and beside people",
        "Generated by `python -m dermascan_core comparison --out docs/comparison.md` from the evaluations that ship with\n"
        "the weights and from `dermascan_core/evaluation/published.json`; do not edit by hand.",
        "Ours have 95 % intervals in brackets; the published figures come without. A dash is a figure that nobody gave, or\n"
        "that no shipped evaluation holds yet. What each measure means: [evaluation.md](evaluation.md). No figure here is a\n"
        "claim about patients: these are photos of archives, chosen by doctors, with far more cancers than everyday life.",
        "## Side by side",
        _table(heads, [*comparable, *rows]),
        "## What each figure was measured on, and what is comparable",
        _table(
            ["system", "network", "data", "split", "prevalence", "comparable", "why"],
            [_our_origin(one) for one in ours]
            + [
                [
                    f"{s['id']} {s['name']}",
                    *(s[k] for k in ("network", "data", "split", "prevalence", "comparable", "why")),
                ]
                for s in systems
            ],
        ),
        "Only 001 answers the same question on the same kind of split. A figure of another row that is higher than ours, or\n"
        "lower, says nothing about which network is better." + UNIT_WORDS * any("003" in one["model"] for one in ours),
        "## People, for context",
        "Readers judged photos, not patients. A doctor in a clinic also looks around, feels and asks: no figure here is a\n"
        "reason to do without one.",
        _table(
            ["who", "question", "figure", "source"],
            [[r["who"], r["question"], r["figure"], r["source"]] for r in comparison["readers"]],
        ),
        "## Other published figures",
        _table(
            ["who", "question", "figure", "comparable with ours", "source"],
            [[b[k] for k in ("who", "question", "figure", "comparable", "source")] for b in comparison["benchmarks"]],
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _our_origin(one: Mapping[str, Any]) -> list[str]:
    return [
        title_of(one, _WHICH),
        one["network"],
        f"HAM10000 at 200x150 px, {one['n']:,} photos of {one['n_lesions']:,} lesions",
        "by lesion",
        "-" if one["prevalence"] is None else f"{one['prevalence']:.0%} {one['prevalence_of']}",
        "-",
        "Each photo answered by a network that never saw its lesion.",
    ]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}".rstrip("0").ljust(4, "0")


def _estimate(estimate: Mapping[str, float | None] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "-"
    if estimate["low"] is None or estimate["high"] is None:
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"
