"""Answers that contradict each other: pointed out kindly, and always read the more careful way.

``policy`` reads them so; here is only what is said about it.
"""

from __future__ import annotations

from ..domain import Answers, Metadata
from .checklist import LARGE_DIAMETER_MM

CAREFUL_READING = "The more careful answer counts."
# Sites that have no nail, and sites that have no mucosa: "yes, under a nail" about the back is a slip of the finger.
_WITHOUT_NAILS = frozenset(
    ("scalp", "face", "ear", "neck", "head/neck", "chest", "abdomen", "back", "torso", "trunk", "genital", "mucosa")
)
_WITHOUT_MUCOSA = frozenset(
    ("scalp", "ear", "neck", "chest", "abdomen", "back", "torso", "trunk", "upper extremity", "hand")
) | {"palms/soles", "acral", "lower extremity", "foot", "nail"}


def contradictions(answers: Answers, metadata: Metadata) -> tuple[str, ...]:
    """Return one sentence for each two answers that cannot both be so; empty where there are none.

    >>> contradictions(Answers(changing=False, evolving=True), Metadata())[0]
    'You said that it has not changed, and also that it is changing lately. The more careful answer counts.'
    """
    return tuple(f"{sentence} {CAREFUL_READING}" for is_so, sentence in _found(answers, metadata) if is_so)


def _found(answers: Answers, metadata: Metadata) -> tuple[tuple[bool, str], ...]:
    size_mm, site = metadata.clin_size_long_diam_mm, metadata.anatom_site
    width = "" if size_mm is None else f"{size_mm:g} mm"
    return (
        (
            answers.changing is False and answers.evolving is True,
            "You said that it has not changed, and also that it is changing lately.",
        ),
        (
            answers.bleeding is False and answers.unstoppable_bleeding is True,
            "You said that it does not bleed, and also that the bleeding does not stop.",
        ),
        (
            answers.large_diameter is True and size_mm is not None and size_mm < LARGE_DIAMETER_MM,
            f"You gave a width of {width}, and also said that it is {LARGE_DIAMETER_MM:g} mm wide or more.",
        ),
        (
            answers.large_diameter is False and size_mm is not None and size_mm >= LARGE_DIAMETER_MM,
            f"You gave a width of {width}, and also said that it is less than {LARGE_DIAMETER_MM:g} mm wide.",
        ),
        (
            answers.under_nail is False and site == "nail",
            "You said that it is not at a nail, and also chose a nail as its place.",
        ),
        (
            answers.on_mucosa is False and site == "mucosa",
            "You said that it is not inside the mouth, nose, eyelid or genitals, and also chose that as its place.",
        ),
        (
            answers.under_nail is True and site in _WITHOUT_NAILS,
            "You said that it is at a nail, and also chose a place that has none.",
        ),
        (
            answers.on_mucosa is True and site in _WITHOUT_MUCOSA,
            "You said that it is inside the mouth, nose, eyelid or genitals, and also chose another place.",
        ),
    )
