"""Every sentence about similar labelled photos. They are evidence about a picture, and never make an answer calmer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SIMILAR_CAPTION = (
    "These are the photos of the archive that the network finds most like yours, each with what the spot turned out to be. "
    "They say something about the picture, not what you have. Spots that look alike can be different things."
)
DARK_SKIN_NOT_HERE = "The labelled photos show almost no brown or black skin, so none of them is really like this one."
NEVER_CALMER = "Similar photos never make the next step less urgent."


def similarity_words(similarity: float, usual: Mapping[str, float]) -> str:
    """Return how alike a photo is in words, against what is usual for the nearest photo of a new one.

    Args:
        similarity: In [-1, 1].
        usual: Percent -> quantile of the nearest photo's similarity in the test ("5", "25", "50"); may be empty.

    >>> [similarity_words(s, {"5": 0.5, "25": 0.7, "50": 0.8}) for s in (0.9, 0.75, 0.6, 0.4)]
    ['very alike', 'alike', 'somewhat alike', 'hardly alike']
    """
    if not usual:
        return "similar"
    for percent, words in (("50", "very alike"), ("25", "alike"), ("5", "somewhat alike")):
        if similarity >= usual[percent]:
            return words
    return "hardly alike"


def weak_evidence(nearest: float, usual: Mapping[str, float]) -> str | None:
    """Return a sentence where even the nearest photo is less alike than for 95 of 100 photos; None elsewhere."""
    if not usual or nearest >= usual["5"]:
        return None
    return (
        "Even the nearest labelled photo is less alike than for 95 of 100 photos in our tests. "
        "The archive may hold nothing like this spot."
    )


def count_words(n_malignant: int, n_shown: int) -> str:
    """Return how many of the similar photos show cancer or pre-cancer.

    >>> count_words(0, 7), count_words(1, 7)
    ('None of these 7 photos shows cancer or pre-cancer.', '1 of these 7 photos shows cancer or pre-cancer.')
    """
    who = "None" if not n_malignant else str(n_malignant)
    verb = "shows" if n_malignant < 2 else "show"
    return f"{who} of these {n_shown} photos {verb} cancer or pre-cancer."


def disagreement_words(*, points_up: bool, points_down: bool) -> str | None:
    """Return that the similar photos point another way than the network; None where they do not."""
    if points_up:
        return (
            "**The similar photos point another way:** at least half of them show cancer or pre-cancer, though the model's "
            "own share lies below its line. Take that as a reason to show this spot to a doctor."
        )
    if points_down:
        return (
            "**The similar photos point another way:** none of them shows cancer or pre-cancer, though the model's own share "
            "lies at or above its line. The next step above stays as it is."
        )
    return None


def nearest_right_words(measured: Mapping[str, Any], measured_on: str) -> str | None:
    """Return how often the nearest photo had the right label when this was measured; None where that is undefined.

    Args:
        measured: Of one image type, as ``retrieval.json`` holds it.
        measured_on: ``test`` or ``validation fold``.
    """
    summary = measured["summary"]
    nearest, any_right, macro = (
        summary[name]["value"] for name in ("precision_at_1", "any_right", "macro_precision_at_1")
    )
    if nearest is None or any_right is None or macro is None:
        return None
    which = "test photos" if measured_on == "test" else "photos that the network did not learn from"
    return (
        f"Of 100 {which}, the nearest labelled photo had the right label in {100 * nearest:.0f}, and at least one of the "
        f"{measured['k']} nearest in {100 * any_right:.0f}. As a mean over all kinds of spot, rare ones counting as much as "
        f"moles, the nearest was right in {100 * macro:.0f}."
    )
