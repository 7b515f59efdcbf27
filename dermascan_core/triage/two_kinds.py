"""Words for several photos of one lesion: which photo is meant, and what it means that they were taken in two ways.

Each kind is answered apart, and nothing was measured of the two together.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..domain import ImageType, PhotoScreening, Screening

KIND_NAMES = {ImageType.DERMOSCOPIC: "dermatoscope photo", ImageType.CLINICAL: "phone photo"}
_TAKEN = {ImageType.DERMOSCOPIC: "with a dermatoscope", ImageType.CLINICAL: "by phone"}
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
    kinds: dict[ImageType, list[int]] = {kind: [] for kind in map(screening.type_of, screening.photos)}
    for number, photo in enumerate(screening.photos, start=1):
        kinds[screening.type_of(photo)].append(number)
    which = ", ".join(f"{photos_by_number(numbers)} {_TAKEN[kind]}" for kind, numbers in kinds.items())
    return _ANSWERED_APART.format(which=which)


def kind_name(screening: Screening, photo: PhotoScreening) -> str:
    """Return what a photo is called where photos of two kinds stand beside each other; "photo" where all are of one."""
    return KIND_NAMES[screening.type_of(photo)] if screening.is_mixed else "photo"


def photos_by_number(numbers: Sequence[int]) -> str:
    """Return photos by their numbers, in upload order from 1.

    >>> photos_by_number([2]), photos_by_number([1, 2, 4])
    ('photo 2', 'photos 1, 2 and 4')
    """
    if len(numbers) == 1:
        return f"photo {numbers[0]}"
    return f"photos {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def say_which_photo(reason: str, numbers: Sequence[int]) -> str:
    """Return a reason that speaks of "this photo" with the photos that it holds for; any other as it is.

    Args:
        reason: One sentence or more.
        numbers: Of the photos that gave it, from 1; where none did, it stays as it is.

    >>> say_which_photo("This photo has features.", [2]), say_which_photo("It is in this photo.", [1, 2])
    ('Photo 2 has features.', 'It is in each of photos 1 and 2.')
    >>> say_which_photo("This photo has features.", [])
    'This photo has features.'
    """
    if not numbers or not re.search(r"\bthis photo\b", reason, re.IGNORECASE):
        return reason
    which = f"{'each of ' if len(numbers) > 1 else ''}{photos_by_number(numbers)}"
    named = re.sub(r"\bThis photo\b", which[0].upper() + which[1:], reason)
    return re.sub(r"\bthis photo\b", which, named)
