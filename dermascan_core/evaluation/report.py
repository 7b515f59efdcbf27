"""From results to ``metrics.json``: every number the Model performance page and the manifest show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import __version__
from ..domain import NextStep, Status
from ..model.manifest import Manifest
from ..taxonomy import HAM_CODES, HAM_NAMES
from . import weighted
from .consistency import MIN_LESIONS, consistency_measures, describe_lesions
from .curves import Curve, precision_recall_curve, roc_curve
from .error_analysis import confident_mistakes, missed_malignancies
from .intervals import LEVEL, N_RESAMPLES, SEED, Estimate, bootstrap, none_if_nan
from .melanoma import describe_melanoma, melanoma_measures
from .metrics import (
    N_CALIBRATION_BINS,
    confusion_matrix,
    cross_entropy,
    normalise_rows,
    one_against_rest,
    reliability_bins,
    squared_distance,
)
from .overlap import training_overlap
from .results import LEVELS, PhotoResult, ResultTable, make_table, only_image_type
from .selective import describe_selective
from .subgroups import MIN_BENIGN, MIN_MALIGNANT, MIN_PHOTOS, find_subgroups, subgroup_measures

SCHEMA = 1
TARGET_SENSITIVITY = 0.95
Key = tuple[str, ...]


def build_metrics(
    results: Sequence[PhotoResult],
    manifest: Manifest,
    *,
    engine: str,
    use_metadata: bool,
    split: str = "",
    n_duplicates: int = 0,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> dict[str, Any]:
    """Compute everything that ``metrics.json`` holds; the schema is in docs/evaluation.md.

    Args:
        results: One a labelled photo.
        manifest: Of the model that answered.
        engine: That answered.
        use_metadata: Whether the model was told age, sex and site.
        split: Name of the split evaluated; empty for all rows.
        n_duplicates: How many rows were left out because an earlier row names the same photo.
        n_resamples: Of the bootstrap.
        seed: Of the bootstrap.

    Returns:
        Plain data, ready for JSON; None stands for what is undefined.
    """
    table = make_table(results)
    manifest = manifest.as_for(only_image_type(results))
    subgroups = find_subgroups(table)
    measures = measures_of(table)
    for subgroup in subgroups:
        for name, measure in subgroup_measures(table, subgroup).items():
            measures["groups", subgroup.kind, subgroup.name, name] = measure
    measures |= {("consistency", *key): measure for key, measure in consistency_measures(table).items()}
    estimates = bootstrap(measures, table.groups, n_resamples=n_resamples, seed=seed)
    return {
        "schema": SCHEMA,
        "model": _model(manifest, engine),
        "data": _data(results, table, use_metadata=use_metadata, split=split)
        | {"n_duplicates": n_duplicates, "overlap": training_overlap([r.photo for r in results], manifest)},
        "intervals": {"level": LEVEL, "n_resamples": n_resamples, "seed": seed, "resampled": _unit(table)},
        "summary": _pick(estimates, "summary"),
        "classes": _classes(table, estimates) if table.has_classes else {},
        "malignant": _malignant(table, manifest),
        "melanoma": describe_melanoma(table),
        "confusion": _confusion(table) if table.has_classes else None,
        "calibration": _calibration(table),
        "sets": {level: _pick(estimates, "sets", level) for level in LEVELS} if table.has_classes else {},
        "abstention": _abstention(results),
        "selective": describe_selective(table) if table.has_classes else None,
        "next_steps": _next_steps(table, [r.next_step for r in table.results]),
        "calmest_steps": _next_steps(table, [r.calmest_step for r in table.results]),
        "consistency": {
            "min_n_lesions": MIN_LESIONS,
            "rows": [
                row | {"measures": _pick(estimates, "consistency", row["dx"]) or None}
                for row in describe_lesions(table)
            ],
        },
        "confident_mistakes": confident_mistakes(table) if table.has_classes else [],
        "missed_malignancies": missed_malignancies(table),
        "groups": {
            "min_n": MIN_PHOTOS,
            "min_n_malignant": MIN_MALIGNANT,
            "min_n_benign": MIN_BENIGN,
            "rows": [
                subgroup.to_dict() | {"measures": _pick(estimates, "groups", subgroup.kind, subgroup.name) or None}
                for subgroup in subgroups
            ],
        },
    }


def measures_of(table: ResultTable) -> dict[Key, weighted.Measure]:
    """Return the measures of ``summary`` and ``classes``, by their place in ``metrics.json``."""
    malignant, score, is_above = table.is_malignant, table.p_malignant, table.is_above
    measures: dict[Key, weighted.Measure] = {
        ("summary", "malignant_auc"): weighted.auc(malignant, score),
        ("summary", "malignant_average_precision"): weighted.average_precision(malignant, score),
        ("summary", "specificity_at_95_sensitivity"): weighted.specificity_at_sensitivity(
            malignant, score, TARGET_SENSITIVITY
        ),
        ("summary", "sensitivity_at_threshold"): weighted.share(is_above, malignant),
        ("summary", "specificity_at_threshold"): weighted.share(~is_above, ~malignant),
        ("summary", "malignant_share_above_threshold"): weighted.share(malignant, is_above),
        ("summary", "malignant_share_below_threshold"): weighted.share(malignant, ~is_above),
        ("summary", "malignant_brier"): weighted.share((score - malignant) ** 2),
        ("summary", "malignant_ece"): weighted.expected_calibration_error(malignant, score, n_bins=N_CALIBRATION_BINS),
    }
    measures |= {("summary", name): measure for name, measure in melanoma_measures(table).items()}
    return measures | _class_measures(table) if table.has_classes else measures


def _class_measures(table: ResultTable) -> dict[Key, weighted.Measure]:
    y_true, y_pred, y_prob = table.y_true, table.y_pred, table.y_prob
    is_top_true = y_prob.argmax(axis=1) == y_true
    of_true_class = np.arange(len(y_true)), y_true
    measures: dict[Key, weighted.Measure] = {
        ("summary", "macro_auc"): weighted.macro_auc(y_true, y_prob),
        ("summary", "balanced_accuracy"): weighted.balanced_accuracy(y_true, y_pred, n_classes=len(HAM_CODES)),
        ("summary", "accuracy"): weighted.share(y_pred == y_true),
        ("summary", "accuracy_of_most_probable"): weighted.share(is_top_true),
        ("summary", "ece"): weighted.expected_calibration_error(
            is_top_true, y_prob.max(axis=1), n_bins=N_CALIBRATION_BINS
        ),
        ("summary", "brier"): weighted.share(squared_distance(y_true, y_prob)),
        ("summary", "log_loss"): weighted.share(cross_entropy(y_true, y_prob)),
    }
    by_class = [one_against_rest(y_true, y_pred, k) for k in range(len(HAM_CODES))]
    for k, code in enumerate(HAM_CODES):
        own = by_class[k] | {
            "auc": weighted.auc(y_true == k, y_prob[:, k]),
            "average_precision": weighted.average_precision(y_true == k, y_prob[:, k]),
        }
        measures |= {("classes", code, name): measure for name, measure in own.items()}
    for name in ("precision", "sensitivity", "specificity", "f1"):
        # Over the classes that occur, as scikit-learn's macro averages with zero_division=nan.
        occurring = [one[name] for k, one in enumerate(by_class) if (y_true == k).any()]
        measures["summary", f"macro_{name}"] = weighted.mean_of(occurring)
    for level, in_set in table.in_set.items():
        holds_truth, size = in_set[of_true_class], in_set.sum(axis=1)
        for code, among in [("", None), *((code, y_true == k) for k, code in enumerate(HAM_CODES))]:
            place = ("classes", code, f"sets_{level}") if code else ("sets", level)
            measures[*place, "coverage"] = weighted.share(holds_truth, among)
            measures[*place, "mean_size"] = weighted.share(size, among)
    return measures


def _pick(estimates: dict[Key, Estimate], *place: str) -> dict[str, Any]:
    """Return the estimates that lie directly under a place, by their last name."""
    return {
        key[-1]: estimate.to_dict()
        for key, estimate in estimates.items()
        if key[: len(place)] == place and len(key) == len(place) + 1
    }


def _model(manifest: Manifest, engine: str) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": manifest.sha256,
        "engine": engine,
        "app_version": __version__,
        "codes": list(manifest.codes),
        "n_views": manifest.n_views,
        "threshold": manifest.threshold,
        "threshold_rule": manifest.threshold_rule,
    }


def _data(results: Sequence[PhotoResult], table: ResultTable, *, use_metadata: bool, split: str) -> dict[str, Any]:
    lost = [r for r in results if r.prediction is None]
    return {
        "split": split,
        "use_metadata": use_metadata,
        "n_rows": len(results),
        "n_predicted": len(table.results),
        "n_malignant": int(table.is_malignant.sum()),
        "n_lesions": len({r.photo.lesion_id for r in table.results} - {""}),
        "n_patients": len({r.photo.patient_id for r in table.results} - {""}),
        "n_by_class": {code: int((table.y_true == k).sum()) for k, code in enumerate(HAM_CODES)},
        "n_missing": sum(r.refusal is not None and r.refusal.code == "missing" for r in lost),
        "n_unreadable": sum(r.refusal is not None and r.refusal.code != "missing" for r in lost),
        "not_predicted": [
            {"image_id": r.photo.image_id, "reason": r.refusal.code if r.refusal else ""} for r in lost[:100]
        ],
    }


def _unit(table: ResultTable) -> str:
    kinds = {"patient" if r.photo.patient_id else "lesion" if r.photo.lesion_id else "photo" for r in table.results}
    return " or ".join(sorted(kinds)) or "photo"


def _classes(table: ResultTable, estimates: dict[Key, Estimate]) -> dict[str, Any]:
    return {
        code: {
            "name": HAM_NAMES[code],
            "n": int((table.y_true == k).sum()),
            "n_predicted": int((table.y_pred == k).sum()),
            **_pick(estimates, "classes", code),
            "sets": {level: _pick(estimates, "classes", code, f"sets_{level}") for level in LEVELS},
            **_curves(table.y_true == k, table.y_prob[:, k]),
        }
        for k, code in enumerate(HAM_CODES)
    }


def _malignant(table: ResultTable, manifest: Manifest) -> dict[str, Any]:
    malignant, is_above = table.is_malignant, table.is_above
    full = roc_curve(malignant, table.p_malignant, max_points=len(malignant) + 1)
    reached = np.flatnonzero(full.y >= TARGET_SENSITIVITY - 1e-12)[:1]
    return {
        "n": int(malignant.sum()),
        "prevalence": none_if_nan(float(malignant.mean())) if len(malignant) else None,
        "operating_point": {
            "threshold": manifest.threshold,
            "true_positives": int((malignant & is_above).sum()),
            "false_positives": int((~malignant & is_above).sum()),
            "false_negatives": int((malignant & ~is_above).sum()),
            "true_negatives": int((~malignant & ~is_above).sum()),
        },
        "at_95_sensitivity": {
            "threshold": none_if_nan(full.thresholds[reached[0]]),
            "sensitivity": none_if_nan(full.y[reached[0]]),
            "specificity": none_if_nan(1 - full.x[reached[0]]),
        }
        if len(reached)
        else None,
        **_curves(malignant, table.p_malignant),
    }


def _curves(is_class: np.ndarray, score: np.ndarray) -> dict[str, Any]:
    roc, precision_recall = roc_curve(is_class, score), precision_recall_curve(is_class, score)
    return {
        "roc": _points(roc, "false_positive_rate", "sensitivity"),
        "precision_recall": _points(precision_recall, "recall", "precision"),
    }


def _points(curve: Curve, x_name: str, y_name: str) -> dict[str, list[float | None]]:
    columns = {x_name: curve.x, y_name: curve.y, "threshold": curve.thresholds}
    return {name: [none_if_nan(value) for value in values] for name, values in columns.items()}


def _confusion(table: ResultTable) -> dict[str, Any]:
    counts = confusion_matrix(table.y_true, table.y_pred, n_classes=len(HAM_CODES))
    normalised = [[none_if_nan(value) for value in row] for row in normalise_rows(counts)]
    return {"codes": list(HAM_CODES), "counts": counts.tolist(), "row_normalised": normalised}


def _calibration(table: ResultTable) -> dict[str, Any]:
    def bins(is_true: np.ndarray, score: np.ndarray) -> list[dict[str, Any]]:
        return [
            {
                "low": none_if_nan(b.low),
                "high": none_if_nan(b.high),
                "n": b.n,
                "confidence": none_if_nan(b.confidence),
                "accuracy": none_if_nan(b.accuracy),
            }
            for b in reliability_bins(is_true, score)
        ]

    top = bins(table.y_prob.argmax(axis=1) == table.y_true, table.y_prob.max(axis=1)) if table.has_classes else []
    return {
        "n_bins": N_CALIBRATION_BINS,
        "most_probable": top,
        "malignant": bins(table.is_malignant, table.p_malignant),
    }


def _abstention(results: Sequence[PhotoResult]) -> dict[str, Any]:
    refused = [r for r in results if r.status is Status.REFUSED]
    unsure = [r for r in results if r.status is Status.UNSURE]
    reasons = Counter(r.refusal.code for r in refused if r.refusal)
    return {
        "refused": _count(refused, len(results)) | {"reasons": dict(reasons.most_common())},
        "unsure": _count(unsure, len(results)),
    }


def _count(some: Sequence[PhotoResult], n_all: int) -> dict[str, Any]:
    return {
        "n": len(some),
        "share": none_if_nan(len(some) / n_all) if n_all else None,
        "n_malignant": sum(r.photo.is_malignant for r in some),
    }


def _next_steps(table: ResultTable, steps: Sequence[NextStep | None]) -> dict[str, dict[str, int]]:
    """Return how many photos, and cancers, got each step; nothing where no step was asked for."""
    if not any(steps):
        return {}
    return {
        str(step): {
            "n": sum(own is step for own in steps),
            "n_malignant": sum(
                own is step and r.photo.is_malignant for r, own in zip(table.results, steps, strict=True)
            ),
        }
        for step in NextStep
    }
