"""Words for one lesion's photos taken in two ways: each kind is answered apart, and nothing was measured of the two together."""

from __future__ import annotations

from ..domain import ImageType, PhotoScreening, Screening

KIND_NAMES = {ImageType.DERMOSCOPIC: "dermatoscope photo", ImageType.CLINICAL: "phone photo"}
_ANSWERED_APART = (
    "These photos were taken in two ways ({which}), so each kind was answered apart, as if it were alone. "
    "The more urgent answer counts. The shares of the two kinds were not joined."
)
FUSION_NOT_MEASURED = (
    "Nobody measured how good the answers to a phone photo and a dermatoscope photo of one spot are together: "
    "no such pairs were at hand."
)


def fusion_words(screening: Screening) -> str | None:
    """Return how photos taken in two ways were put together, and that this was not measured; None for one kind."""
    apart = apart_words(screening)
    return f"{apart} {FUSION_NOT_MEASURED}" if apart else None


def apart_words(screening: Screening) -> str | None:
    """Return which photos are of which kind, and how their answers were put together; None for one kind."""
    if not screening.is_mixed:
        return None
    kinds: dict[ImageType, list[str]] = {kind: [] for kind in map(screening.type_of, screening.photos)}
    for number, photo in enumerate(screening.photos, start=1):
        kinds[screening.type_of(photo)].append(str(number))
    which = "; ".join(f"{KIND_NAMES[kind]}: {', '.join(numbers)}" for kind, numbers in kinds.items())
    return _ANSWERED_APART.format(which=which)


def kind_name(screening: Screening, photo: PhotoScreening) -> str:
    """Return what a photo is called where photos of two kinds stand beside each other; "photo" where all are of one."""
    return KIND_NAMES[screening.type_of(photo)] if screening.is_mixed else "photo"
