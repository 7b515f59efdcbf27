"""Words for one lesion's photos taken in two ways: each kind is answered apart, and nothing was measured of the two together."""

from __future__ import annotations

from ..domain import ImageType, PhotoScreening, Screening

KIND_NAMES = {ImageType.DERMOSCOPIC: "dermatoscope photo", ImageType.CLINICAL: "phone photo"}
ANSWERED_APART = (
    "These photos were taken in two ways, so each kind was answered apart, by its own threshold and its own test. "
    "The more urgent answer counts. The shares of the two kinds were not joined."
)
FUSION_NOT_MEASURED = (
    "Nobody measured how good the answers to a phone photo and a dermatoscope photo of one spot are together: "
    "no such pairs were at hand."
)


def fusion_words(screening: Screening) -> str | None:
    """Return how photos taken in two ways were put together, and that this was not measured; None for one kind."""
    return f"{ANSWERED_APART} {FUSION_NOT_MEASURED}" if screening.is_mixed else None


def kind_name(screening: Screening, photo: PhotoScreening) -> str:
    """Return what a photo is called where photos of two kinds stand beside each other; "photo" where all are of one."""
    return KIND_NAMES[screening.type_of(photo)] if screening.is_mixed else "photo"
