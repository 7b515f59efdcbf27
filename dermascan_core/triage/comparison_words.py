"""Every sentence about the comparison of one person's moles: which is the odd one, and what sets it apart.

The comparison only ever adds a reason to see a doctor; no sentence here calms.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

MIN_Z = 2.0  # robust standard deviations: less is no reason
MAX_REASONS = 3
MUCH_Z = 4.0  # as many make a difference "much" in plain words
CLEAR_FACTOR = 1.5  # of the local outlier factor; about 1 is the company of the others

# Feature -> (more of it, less of it).
_TRAITS: dict[str, tuple[str, str]] = {
    "lightness": ("lighter", "darker"),
    "redness": ("redder", "less red"),
    "yellowness": ("yellower", "bluer"),
    "lightness_against_skin": ("lighter against its skin", "darker against its skin"),
    "redness_against_skin": ("redder against its skin", "less red against its skin"),
    "yellowness_against_skin": ("yellower against its skin", "bluer against its skin"),
    "colour_variety": ("more varied in colour", "more even in colour"),
    "size_share": ("larger in its photo", "smaller in its photo"),
    "asymmetry": ("less symmetrical", "more symmetrical"),
    "border_irregularity": ("more ragged at its edge", "smoother at its edge"),
}
TRAIT_NAMES: dict[str, str] = {
    "lightness": "lightness",
    "redness": "redness",
    "yellowness": "yellowness",
    "lightness_against_skin": "lightness against the skin",
    "redness_against_skin": "redness against the skin",
    "yellowness_against_skin": "yellowness against the skin",
    "colour_variety": "variety of colours",
    "size_share": "size in the photo",
    "asymmetry": "asymmetry",
    "border_irregularity": "ragged edge",
}

ODD_ONE_TITLE = "Show this one to a doctor first"
# Where the model's own advice is more urgent for another mole, being odd does not come before it.
ODD_ONE_AFTER_OTHERS_TITLE = "The odd one out: show it to a doctor too, with those named above"
OTHERS_NOT_CLEARED = (
    "The others are not cleared. This page only says which mole differs most; every mole here may need a doctor, and a "
    "melanoma can look like its neighbours. What the model says of each photo stays below, and the more urgent advice counts."
)
STANDS_OUT = "It stands out clearly from the others."
HARDLY_STANDS_OUT = (
    "Taken as a whole it lies hardly further off than the others: one mole is always the most different, and here the order is partly chance. "
    "That says nothing good about any of them."
)
NO_TRAIT = "No single trait explains it; the picture as a whole looks different to the model."
NOT_JUDGED = (
    "Not judged. A photo that cannot be judged says nothing: show this mole to a doctor, or take the photo again."
)
SD_EXPLAINED = (
    "SD: standard deviations of your own moles, from their median (1.4826 times the median absolute deviation, and at least "
    "what two photos of one mole differ by). With few moles it is a rough yardstick."
)
SD_IN_PLAIN_WORDS = (
    "Each line is one trait, each mark one mole. In the middle lies what is usual among your own moles; to the right there is "
    "more of the trait, to the left less. Beyond the dotted lines a trait is named as what sets a mole apart. With few moles "
    "this is a rough yardstick."
)
SIZE_CAUTION = (
    "Sizes compare only where all photos were taken from the same distance, as with one and the same dermatoscope; with a phone "
    "they seldom are."
)


def is_clear(outlier_factor: float) -> bool:
    """Whether a mole stands out clearly, and not only as the most different of a similar lot."""
    return outlier_factor >= CLEAR_FACTOR


def trait_reasons(z_scores: Mapping[str, float], *, is_plain: bool = False) -> tuple[str, ...]:
    """Return what sets a mole apart from its owner's others, the strongest first, three at most.

    A colour is named once, by the stronger of its two readings, alone or against the skin.

    Args:
        z_scores: Feature -> robust standard deviations above the person's median; NaN where unknown.
        is_plain: Say in plain words how much, without the number.

    >>> trait_reasons({"lightness": -2.3, "lightness_against_skin": -2.1, "asymmetry": 0.4})
    ('darker than your others by 2.3 SD',)
    >>> trait_reasons({"lightness": -2.3, "colour_variety": 4.1}, is_plain=True)
    ('much more varied in colour than your others', 'darker than your others')
    """
    known = {name: z for name, z in z_scores.items() if not math.isnan(z) and abs(z) >= MIN_Z}
    strongest: dict[str, str] = {}
    for name in sorted(known, key=lambda name: -abs(known[name])):
        strongest.setdefault(name.removesuffix("_against_skin"), name)
    say = _plain_reason if is_plain else _reason
    return tuple(say(name, known[name]) for name in list(strongest.values())[:MAX_REASONS])


def _reason(name: str, z: float) -> str:
    more, less = _TRAITS[name]
    word, _, against = (more if z > 0 else less).partition(" against ")
    amount = f"{abs(z):.1f} SD" if abs(z) < 10 else "more than 10 SD"
    return f"{word} than your others by {amount}" + (f" (against {against})" if against else "")


def _plain_reason(name: str, z: float) -> str:
    more, less = _TRAITS[name]
    word, _, against = (more if z > 0 else less).partition(" against ")
    much = "much " if abs(z) >= MUCH_Z else ""
    return f"{much}{word} than your others" + (f" (against {against})" if against else "")
