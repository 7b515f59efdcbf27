"""Whether several photos of one lesion get one answer; of three photos of a melanoma, seed 001 got one right."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..taxonomy import HAM_CODES
from . import weighted
from .results import ResultTable

MIN_LESIONS = 10  # with two photos or more; below, a share would say more about chance
ALL = ""  # the row over every class


@dataclass(frozen=True, slots=True)
class _Lesion:
    """The photos of one lesion: their places in the table."""

    photos: tuple[int, ...]

    def agrees(self, values: tuple[object, ...]) -> bool:
        return len({values[i] for i in self.photos}) == 1


def consistency_measures(table: ResultTable) -> dict[tuple[str, str], weighted.Measure]:
    """Return the measures of the lesions with two photos or more, by diagnosis and name.

    A lesion counts once, however many photos it has. Rows with fewer than ``MIN_LESIONS`` lesions have none.

    Returns:
        (dx, name) -> measure over the table's photos; dx is empty for all lesions. Names: ``same_class``,
        ``same_next_step``, ``same_set`` (the 90 % set), ``sets_overlap`` (one class is in every photo's set) and,
        where the diagnosis is known, ``all_right`` and ``any_right``.
    """
    lesions = _lesions(table)
    measures = {}
    for dx, members in _by_diagnosis(table, lesions).items():
        if len(members) < MIN_LESIONS:
            continue
        is_first = np.zeros(len(table.results))
        is_first[[lesion.photos[0] for lesion in members]] = 1  # its weight is the lesion's
        for name, holds in _facts(table, members).items():
            values = np.zeros(len(table.results), bool)
            values[[lesion.photos[0] for lesion in members]] = holds
            measures[dx, name] = weighted.share(values, is_first)
    return measures


def describe_lesions(table: ResultTable) -> list[dict[str, Any]]:
    """Return one row for all lesions with two photos or more and one for each diagnosis among them."""
    return [
        {
            "dx": dx,
            "n_lesions": len(members),
            "n_photos": sum(len(lesion.photos) for lesion in members),
            "too_few": len(members) < MIN_LESIONS,
        }
        for dx, members in _by_diagnosis(table, _lesions(table)).items()
    ]


def _lesions(table: ResultTable) -> list[_Lesion]:
    photos = defaultdict(list)
    for i, result in enumerate(table.results):
        if result.photo.lesion_id:
            photos[result.photo.patient_id, result.photo.lesion_id].append(i)
    return [_Lesion(tuple(places)) for places in photos.values() if len(places) > 1]


def _by_diagnosis(table: ResultTable, lesions: list[_Lesion]) -> dict[str, list[_Lesion]]:
    rows = {ALL: lesions}
    for k, code in enumerate(HAM_CODES):
        # A lesion whose photos carry different diagnoses is in no row but the first.
        if own := [lesion for lesion in lesions if all(table.y_true[i] == k for i in lesion.photos)]:
            rows[code] = own
    return rows


def _facts(table: ResultTable, lesions: list[_Lesion]) -> dict[str, list[bool]]:
    predicted = tuple(int(label) for label in table.y_pred)
    steps = tuple(result.next_step for result in table.results)
    sets = tuple(row.tobytes() for row in table.in_set["90"])
    facts = {
        "same_class": [lesion.agrees(predicted) for lesion in lesions],
        "same_next_step": [lesion.agrees(steps) for lesion in lesions],
        "same_set": [lesion.agrees(sets) for lesion in lesions],
        "sets_overlap": [bool(table.in_set["90"][list(lesion.photos)].all(axis=0).any()) for lesion in lesions],
    }
    if table.has_classes:
        right = table.y_pred == table.y_true
        facts["all_right"] = [bool(right[list(lesion.photos)].all()) for lesion in lesions]
        facts["any_right"] = [bool(right[list(lesion.photos)].any()) for lesion in lesions]
    return facts
