"""Every sentence about how light the skin in a photo looks, and how many test photos looked like it.

The estimate only warns: no sentence here lowers or raises a next step, and none says what skin a person has.
"""

from __future__ import annotations

from collections.abc import Sequence

DARK_BANDS = ("brown", "dark")
CHANGES_NOTHING = (
    "These are the colours of the photo, its light included, and not your skin type: on phone photos of people whose type is "
    "known, the two did not agree. It changes neither the bars nor the advice; it only says how many photos of such colours "
    "were tested."
)
DARK_NOT_TESTED = (
    "Brown and black skin itself was not tested: the test photos that look so are nearly all of light skin in little light. "
    "The bars may be far off. Show the spot to a doctor."
)
NO_ESTIMATE = (
    "How light the skin looks could not be read from this photo: too little skin is seen, or its light is too blue."
)
NOT_COUNTED = "How many test photos look so was not counted for this model."
_TYPES = ("I", "II", "III", "IV", "V", "VI")


def looks_words(band: str, possible_bands: Sequence[str]) -> str:
    """Return how the skin looks, with its doubt.

    >>> looks_words("light", ("very light", "light", "intermediate"))
    'The skin around the spot looks light in this photo (with the doubt of its light: very light to intermediate).'
    """
    others = [other for other in possible_bands if other != band]
    doubt = f" (with the doubt of its light: {possible_bands[0]} to {possible_bands[-1]})" if others else ""
    return f"The skin around the spot looks {band} in this photo{doubt}."


def alike_words(n: int, n_malignant: int, *, of: str) -> str:
    """Return how many test photos were like this one.

    >>> alike_words(1200, 130, of="look so")
    'Of the test photos, 1,200 look so; 130 of them were cancer or pre-cancer.'
    """
    if not n:
        return f"Of the test photos, none {of}."
    return f"Of the test photos, {n:,} {of}; {n_malignant:,} of them were cancer or pre-cancer."


def hardly_tested_words(n: int, n_malignant: int) -> str:
    """Return the warning where hardly any test photo was like this one.

    >>> hardly_tested_words(12, 1)
    'Hardly tested on such photos (12, with 1 cancer or pre-cancer): the bars may be far off. Show the spot to a doctor.'
    """
    amount = f"{n}, with {n_malignant} cancer or pre-cancer" if n else "none"
    return f"Hardly tested on such photos ({amount}): the bars may be far off. Show the spot to a doctor."


def answered_words(skin_type: int) -> str:
    """Return what the person said of the own skin.

    >>> answered_words(3)
    'You said skin type III.'
    """
    return f"You said skin type {_TYPES[skin_type - 1]}."
