"""Metadata as numbers: one-hot answers with an explicit "unknown", only for the fields that training knew.

A field that no training photo carries has no column here, so it cannot reach the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..domain import HISTORY_FIELDS, SYMPTOM_FIELDS, ImageType, Metadata
from ..taxonomy import REGION_OF, REGIONS, SITES

# Every field the branch can encode, with its number of columns.
FIELD_WIDTHS: dict[str, int] = {
    "age_approx": 2,
    "sex": 3,
    "anatom_site": len(REGIONS) + 1 + len(SITES),
    "clin_size_long_diam_mm": 2,
    **dict.fromkeys(HISTORY_FIELDS, 3),
    "image_type": 3,
    **dict.fromkeys(SYMPTOM_FIELDS, 3),
}


@dataclass(frozen=True, slots=True)
class MetadataEncoder:
    """Turns metadata into the network's second input.

    Attributes:
        fields: The fields with a path into the network, in column order.
    """

    fields: tuple[str, ...] = ("age_approx", "sex", "anatom_site")

    def __post_init__(self) -> None:
        unknown = set(self.fields) - set(FIELD_WIDTHS)
        if unknown:
            raise ValueError(
                f"Invalid value received for argument `fields`. Expected some of {list(FIELD_WIDTHS)}. "
                f"Received: {sorted(unknown)}"
            )

    @property
    def width(self) -> int:
        """Number of columns."""
        return sum(FIELD_WIDTHS[name] for name in self.fields)

    def encode(self, rows: Sequence[Metadata]) -> npt.NDArray[np.float32]:
        """Return an array of shape (len(rows), width), float32, values in [-2, 2].

        >>> MetadataEncoder(("age_approx", "sex")).encode([Metadata(age_approx=80), Metadata(sex="male")]).tolist()
        [[1.0, 1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0, 0.0]]
        """
        encoded = np.zeros((len(rows), self.width), np.float32)
        for row, metadata in zip(encoded, rows, strict=True):
            start = 0
            for name in self.fields:
                row[start : start + FIELD_WIDTHS[name]] = _encode_field(name, metadata)
                start += FIELD_WIDTHS[name]
        return encoded


def _encode_field(name: str, metadata: Metadata) -> npt.NDArray[np.float32]:
    value = getattr(metadata, name)
    if name in SYMPTOM_FIELDS and metadata.image_type is not ImageType.CLINICAL:
        value = None  # archives of dermoscopy record none: nothing is known of what they mean there
    if name == "age_approx":
        known = value is not None
        return np.array([np.clip((value - 50) / 30, -2, 2) if known else 0, known], np.float32)
    if name == "clin_size_long_diam_mm":
        known = value is not None
        return np.array([np.clip(np.log(value / 6.0), -2, 2) if known else 0, known], np.float32)
    if name == "sex":
        return _one_hot(("female", "male", None).index(value), 3)
    if name == "image_type":
        return _one_hot((ImageType.DERMOSCOPIC, ImageType.CLINICAL, None).index(value), 3)
    if name == "anatom_site":
        return _encode_site(value)
    return _one_hot((True, False, None).index(value), 3)


def _encode_site(site: str | None) -> npt.NDArray[np.float32]:
    """Region and finer site side by side, so that "head/neck" alone is a sound answer too."""
    regions, fine = tuple(REGIONS), np.zeros(len(SITES), np.float32)
    if site not in REGION_OF:  # unknown, or a site that no training photo shows
        return np.concatenate([_one_hot(len(regions), len(regions) + 1), fine])
    fine[SITES.index(site)] = 1
    return np.concatenate([_one_hot(regions.index(REGION_OF[site]), len(regions) + 1), fine])


def _one_hot(index: int, width: int) -> npt.NDArray[np.float32]:
    encoded = np.zeros(width, np.float32)
    encoded[index] = 1
    return encoded
