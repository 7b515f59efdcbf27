"""Which photos the model gets wrong while sounding sure, and which malignant ones it passes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..domain import Status
from ..taxonomy import HAM_CODES
from .results import ResultTable

MAX_LISTED = 50


def confident_mistakes(table: ResultTable, *, limit: int = MAX_LISTED) -> list[dict[str, Any]]:
    """List the wrong answers, the most probable first.

    Args:
        table: With a diagnosis for every photo.
        limit: How many at most.
    """
    p_shown = table.y_prob[np.arange(len(table.y_pred)), table.y_pred]
    wrong = np.flatnonzero(table.y_pred != table.y_true)
    return [_case(table, i) for i in wrong[np.argsort(-p_shown[wrong], kind="stable")][:limit]]


def missed_malignancies(table: ResultTable, *, limit: int = MAX_LISTED) -> list[dict[str, Any]]:
    """List the malignant photos under the operating threshold, the calmest answer first."""
    missed = np.flatnonzero(table.is_malignant & ~table.is_above)
    return [_case(table, i) for i in missed[np.argsort(table.p_malignant[missed], kind="stable")][:limit]]


def _case(table: ResultTable, index: int) -> dict[str, Any]:
    result, probabilities = table.results[index], table.y_prob[index]
    true = int(table.y_true[index])
    return {
        "image_id": result.photo.image_id,
        "lesion_id": result.photo.lesion_id,
        "dx": HAM_CODES[true] if true >= 0 else "",
        "predicted": HAM_CODES[table.y_pred[index]],
        "p_predicted": round(float(probabilities[table.y_pred[index]]), 6),
        "p_true": round(float(probabilities[true]), 6) if true >= 0 else None,
        "p_malignant": round(float(table.p_malignant[index]), 6),
        "set": [code for code, inside in zip(HAM_CODES, table.in_set["90"][index], strict=True) if inside],
        "refused": result.status is Status.REFUSED,
    }
