"""Takes away what a missing answer gives away: in some archives only harmless lesions lack the person's sex."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import Metadata

_MIN_PHOTOS = 10  # a class with fewer photos of a type says nothing about how often an answer is missing


def hiding_probability(
    metadata: Sequence[Metadata], classes: npt.NDArray[np.integer], fields: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Return how often each photo's answers must be withheld so that no class lacks them more often than another.

    Within an image type, every class is brought to the missing share of the class that lacks the answer most.

    Args:
        metadata: n entries.
        classes: Class of each photo, shape (n,).
        fields: Names of metadata fields; how the photo was taken is never withheld.

    Returns:
        Array (n, len(fields)) of probabilities in [0, 1]; 0 where the answer is missing anyway.
    """
    types = np.array([str(m.image_type) for m in metadata])
    hide = np.zeros((len(metadata), len(fields)))
    for column, name in enumerate(fields):
        if name == "image_type":
            continue
        is_missing = np.array([getattr(m, name) is None for m in metadata])
        for kind in np.unique(types):
            groups = [(types == kind) & (classes == c) for c in np.unique(classes[types == kind])]
            shares = [float(is_missing[group].mean()) for group in groups]
            most = max((s for s, group in zip(shares, groups, strict=True) if group.sum() >= _MIN_PHOTOS), default=0.0)
            for share, group in zip(shares, groups, strict=True):
                if share < most:
                    hide[group & ~is_missing, column] = (most - share) / (1 - share)
    return hide


def withhold(
    metadata: Metadata, fields: Sequence[str], hide: npt.NDArray[np.floating], rng: np.random.Generator
) -> Metadata:
    """Return the metadata without the answers that chance takes away.

    Args:
        metadata: Of one photo.
        fields: Names of its fields.
        hide: Probability for each, shape (len(fields),).
        rng: Source of the choice; always asked for ``len(fields)`` numbers.
    """
    is_hidden = rng.random(len(fields)) < hide
    hidden: dict[str, Any] = {name: None for name, gone in zip(fields, is_hidden, strict=True) if gone}
    return replace(metadata, **hidden) if hidden else metadata
