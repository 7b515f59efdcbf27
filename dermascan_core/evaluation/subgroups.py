"""Results by what the labels say of the person, the lesion and the photo; silent where a group is too small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import ImageType, Metadata
from ..imaging.skin_tone import BANDS, NO_BAND
from ..taxonomy import HAM_CODES, REGION_OF, REGIONS, UNTESTED_SITES
from . import weighted
from .results import PhotoResult, ResultTable

MIN_PHOTOS = 20
MIN_MALIGNANT = 5
MIN_BENIGN = 5
UNKNOWN = "unknown"
_AGE_BANDS = ((0, 30, "under 30"), (30, 45, "30 to 44"), (45, 60, "45 to 59"), (60, 75, "60 to 74"))
_OLDEST = "75 and over"
_CONFIRMED_BY = ("histopathology", "confocal", "follow-up", "consensus", "clinic")
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class Subgroup:
    """Photos that share one answer.

    Attributes:
        kind: ``sex``, ``age``, ``site``, ``skin_type``, ``ita_band``, ``image_type``, ``confirmed_by`` or ``status``.
        name: The answer.
        members: Booleans (n_samples,).
        n: How many photos.
        n_malignant: How many of them are malignant.
    """

    kind: str
    name: str
    members: npt.NDArray[np.bool_]
    n: int
    n_malignant: int

    @property
    def is_too_small(self) -> bool:
        """Whether its numbers would say more about chance than about the group."""
        return self.n < MIN_PHOTOS or self.n_malignant < MIN_MALIGNANT

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the measures."""
        return {
            "kind": self.kind,
            "name": self.name,
            "n": self.n,
            "n_malignant": self.n_malignant,
            "too_few": self.is_too_small,
        }


def age_band(age: float | None) -> str:
    """Return the band of an age in years.

    >>> age_band(30), age_band(80), age_band(None)
    ('30 to 44', '75 and over', 'unknown')
    """
    if age is None:
        return UNKNOWN
    return next((name for low, high, name in _AGE_BANDS if low <= age < high), _OLDEST)


def _region(metadata: Metadata) -> str:
    site = metadata.anatom_site
    return UNKNOWN if site is None else REGION_OF.get(site, site)


def _skin_type(metadata: Metadata) -> str:
    return UNKNOWN if metadata.fitzpatrick_skin_type is None else str(metadata.fitzpatrick_skin_type)


def _confirmed_by(text: str) -> str:
    return (text if text in _CONFIRMED_BY else _OTHER) if text else UNKNOWN


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[PhotoResult], str]]] = {
    "sex": (("female", "male", UNKNOWN), lambda r: r.photo.metadata.sex or UNKNOWN),
    "age": (
        (*(name for *_, name in _AGE_BANDS), _OLDEST, UNKNOWN),
        lambda r: age_band(r.photo.metadata.age_approx),
    ),
    "site": ((*REGIONS, *UNTESTED_SITES, UNKNOWN), lambda r: _region(r.photo.metadata)),
    "skin_type": (("1", "2", "3", "4", "5", "6", UNKNOWN), lambda r: _skin_type(r.photo.metadata)),
    # How the skin looks in the photo, whatever the labels say; empty, and in no row, where the photos were not looked at.
    "ita_band": ((*BANDS, NO_BAND), lambda r: r.ita_band),
    "image_type": (tuple(map(str, ImageType)), lambda r: str(r.image_type)),
    "confirmed_by": (
        (*_CONFIRMED_BY, _OTHER, UNKNOWN),
        lambda r: _confirmed_by(r.photo.confirmed_by),
    ),
    "status": (("answered", "unsure", "refused"), lambda r: str(r.status)),
}


def find_subgroups(table: ResultTable) -> list[Subgroup]:
    """Return the subgroups that occur, in a fixed order; what the labels say counts, told to the model or not."""
    found = []
    for kind, (names, name_of) in _KINDS.items():
        belongs = np.array([name_of(result) for result in table.results], dtype=str)
        for name in names:
            members = belongs == name
            if members.any():
                n_malignant = int(table.is_malignant[members].sum())
                found.append(Subgroup(kind, name, members, int(members.sum()), n_malignant))
    return found


def subgroup_measures(table: ResultTable, subgroup: Subgroup) -> dict[str, weighted.Measure]:
    """Return the measures of a subgroup; none when it is too small.

    With fewer than ``MIN_BENIGN`` photos that are not malignant, those that need them are left out.
    """
    if subgroup.is_too_small:
        return {}
    members = subgroup.members
    malignant, is_above = table.is_malignant[members], table.is_above[members]
    measures = {"sensitivity_at_threshold": weighted.share(is_above, malignant)}
    if (~malignant).sum() >= MIN_BENIGN:
        measures["malignant_auc"] = weighted.auc(malignant, table.p_malignant[members])
        measures["specificity_at_threshold"] = weighted.share(~is_above, ~malignant)
    if table.has_classes:
        y_true, y_pred = table.y_true[members], table.y_pred[members]
        measures["accuracy"] = weighted.share(y_true == y_pred)
        measures["balanced_accuracy"] = weighted.balanced_accuracy(y_true, y_pred, n_classes=len(HAM_CODES))
        for level, in_set in table.in_set.items():
            measures[f"coverage_{level}"] = weighted.share(in_set[members, y_true])
    return {name: weighted.within(members, measure) for name, measure in measures.items()}
