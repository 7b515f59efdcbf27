"""A challenger against the model that ships, on photos that were set aside by name beforehand; and the rule that decides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..tables import LabelledPhoto
from .compression import measure_loss
from .intervals import N_RESAMPLES, SEED
from .results import PhotoResult

MIN_MALIGNANT = 30  # with fewer, sensitivity moves by more than three points with one case
RULE = (
    "The challenger is better only if the 95 % interval of its gain in AUC for cancer or pre-cancer (paired, whole people or "
    "lesions drawn) lies above 0, and it finds no fewer cancers and pre-cancers at its own threshold than the shipped model "
    f"at its own, on at least {MIN_MALIGNANT} of them."
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rule says.

    Attributes:
        is_better: Whether the challenger may take the place of the shipped model.
        reasons: One sentence for each part of the rule, in its order.
        measured: From ``measure_loss``; a loss below 0 is a gain.
    """

    is_better: bool
    reasons: tuple[str, ...]
    measured: Mapping[str, Any]


def judge_challenger(
    shipped: Sequence[PhotoResult],
    challenger: Sequence[PhotoResult],
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> Verdict:
    """Compare two models' answers to the frozen photos by ``RULE``.

    Args:
        shipped, challenger: Results for the same photos in the same order.
        n_resamples, seed: Of the bootstrap.

    Raises:
        ValueError: If the photos differ, or none was answered by both.
    """
    measured = measure_loss(shipped, challenger, n_resamples=n_resamples, seed=seed)
    n_malignant = sum(result.photo.is_malignant for result in shipped)
    parts = (
        _enough(n_malignant),
        _auc_gained(measured["loss"].get("malignant_auc")),
        _finds_no_fewer(measured["loss"].get("sensitivity_at_threshold")),
    )
    return Verdict(all(holds for holds, _ in parts), tuple(words for _, words in parts), measured)


def _enough(n_malignant: int) -> tuple[bool, str]:
    words = f"{n_malignant} frozen photos show cancer or pre-cancer; at least {MIN_MALIGNANT} are needed."
    return n_malignant >= MIN_MALIGNANT, words


def _auc_gained(loss: Mapping[str, float | None] | None) -> tuple[bool, str]:
    if loss is None or loss["value"] is None or loss["low"] is None or loss["high"] is None:
        return False, "The gain in AUC has no interval on these photos, so it cannot be told from none."
    gain, low, high = -loss["value"], -loss["high"], -loss["low"]
    words = f"AUC for cancer or pre-cancer: {gain:+.4f} (95 % interval {low:+.4f} to {high:+.4f})"
    return low > 0, f"{words}, {'above 0' if low > 0 else 'not surely above 0'}."


def _finds_no_fewer(loss: Mapping[str, float | None] | None) -> tuple[bool, str]:
    if loss is None or loss["value"] is None:
        return False, "Sensitivity cannot be measured on these photos."
    change = -loss["value"]
    return change >= 0, f"Sensitivity at each model's own threshold: {change:+.4f}{'' if change >= 0 else ', a loss'}."


def frozen_sha256(photos: Sequence[LabelledPhoto], files: Mapping[str, Path]) -> str:
    """Return what names a frozen set: its photos' bytes, diagnoses, lesions and people, in any order.

    Args:
        photos: Labelled photos.
        files: image_id -> file; a photo without one counts by its name alone.
    """
    rows = sorted(
        (p.image_id, p.dx, p.is_malignant, p.lesion_id, p.patient_id, _file_sha256(files.get(p.image_id)))
        for p in photos
    )
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def _file_sha256(path: Path | None) -> str:
    return "" if path is None else hashlib.sha256(path.read_bytes()).hexdigest()
