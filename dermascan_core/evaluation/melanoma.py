"""Melanoma apart: against everything else, and against the two it is mistaken for most, at stated operating points."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..taxonomy import HAM_CODES
from . import weighted
from .curves import roc_curve
from .intervals import none_if_nan
from .results import ResultTable

SPECIFICITY = 0.97  # of seed 001's melanoma row
SPECIFICITY_OF_THREE, SENSITIVITY_OF_THREE = 0.89, 0.85  # of seed 003's test, and what is asked of us
_MELANOMA, _NEVUS, _KERATOSIS = (HAM_CODES.index(code) for code in ("mel", "nv", "bkl"))
SCORE_OF_THREE = "p_mel / (p_mel + p_nv + p_bkl)"


def melanoma_measures(table: ResultTable) -> dict[str, weighted.Measure]:
    """Return the measures of melanoma for ``summary``; none where the labels do not tell melanoma from other cancers.

    Args:
        table: The predicted photos; only those of melanoma, nevus and keratosis count in ``melanoma_vs_nv_bkl_*``.
    """
    if not table.knows_melanoma:
        return {}
    is_melanoma, score = table.is_melanoma, table.y_prob[:, _MELANOMA]
    measures = {
        "melanoma_auc": weighted.auc(is_melanoma, score),
        "melanoma_sensitivity_at_97_specificity": weighted.sensitivity_at_specificity(is_melanoma, score, SPECIFICITY),
        "melanoma_sensitivity_at_threshold": weighted.share(table.is_above, is_melanoma),
    }
    if not table.has_classes:
        return measures
    members, is_one, score = _of_three(table)
    of_three = {
        "melanoma_vs_nv_bkl_auc": weighted.auc(is_one, score),
        "melanoma_vs_nv_bkl_sensitivity_at_89_specificity": weighted.sensitivity_at_specificity(
            is_one, score, SPECIFICITY_OF_THREE
        ),
        "melanoma_vs_nv_bkl_specificity_at_85_sensitivity": weighted.specificity_at_sensitivity(
            is_one, score, SENSITIVITY_OF_THREE
        ),
        "melanoma_vs_nv_bkl_specificity_at_95_sensitivity": weighted.specificity_at_sensitivity(is_one, score, 0.95),
    }
    return measures | {name: weighted.within(members, measure) for name, measure in of_three.items()}


def describe_melanoma(table: ResultTable) -> dict[str, Any] | None:
    """Return the operating points behind the measures, with their thresholds; None where melanoma is not known."""
    if not table.knows_melanoma:
        return None
    described: dict[str, Any] = {
        "n": int(table.is_melanoma.sum()),
        "against_all": {
            "n": len(table.y_true),
            "score": "p_mel",
            "at_97_specificity": _point(table.is_melanoma, table.y_prob[:, _MELANOMA], specificity=SPECIFICITY),
        },
        "against_nv_bkl": None,
    }
    if table.has_classes:
        _, is_one, score = _of_three(table)
        described["against_nv_bkl"] = {
            "n": len(is_one),
            "score": SCORE_OF_THREE,
            "at_89_specificity": _point(is_one, score, specificity=SPECIFICITY_OF_THREE),
            "at_85_sensitivity": _point(is_one, score, sensitivity=SENSITIVITY_OF_THREE),
        }
    return described


def _of_three(table: ResultTable) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return (members among all photos, whether each member is a melanoma, its share among the three classes)."""
    members = np.isin(table.y_true, (_MELANOMA, _NEVUS, _KERATOSIS))
    three = table.y_prob[members][:, [_MELANOMA, _NEVUS, _KERATOSIS]]
    return members, table.is_melanoma[members], np.nan_to_num(weighted.ratio(three[:, 0], three.sum(axis=1)))


def _point(
    is_one: npt.NDArray[np.bool_],
    score: npt.NDArray[np.float64],
    *,
    specificity: float | None = None,
    sensitivity: float | None = None,
) -> dict[str, float | None] | None:
    """Describe the point of the ROC with at least this specificity (or sensitivity) that is best in the other.

    Returns:
        Threshold, sensitivity, specificity, precision, f1 and accuracy there; None when one class is absent.
    """
    curve = roc_curve(is_one, score, max_points=len(score) + 1)
    if not len(curve.x):
        return None
    if specificity is not None:
        place = int(np.flatnonzero(1 - curve.x >= specificity - 1e-12)[-1])
    else:
        place = int(np.flatnonzero(curve.y >= (sensitivity or 0) - 1e-12)[0])
    said = score >= curve.thresholds[place]
    hits = float((said & is_one).sum())
    values = {
        "threshold": curve.thresholds[place],
        "sensitivity": curve.y[place],
        "specificity": 1 - curve.x[place],
        "precision": hits / said.sum() if said.any() else np.nan,
        "f1": 2 * hits / (said.sum() + is_one.sum()),
        "accuracy": (said == is_one).mean(),
    }
    return {name: none_if_nan(float(value)) for name, value in values.items()}
