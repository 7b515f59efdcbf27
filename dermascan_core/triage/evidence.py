"""Sentences about the evidence beside a result: how stable the answer is, what lay over the skin, what moved the model.

None of them calms: they say what was measured of this photo, and what that does not mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..domain import Repeatability, Screening

REPEATABILITY_LIMITS = "A steady answer can still be wrong: steady means that such photos are judged alike, not that they are judged right."


def not_repeatable_sentence(repeatability: Repeatability) -> str:
    """Return why an answer that small changes of the photo change too often is unsure."""
    return (
        f"The answer changed in {repeatability.n_changed} of {len(repeatability.changes)} small changes of this photo, "
        "so it depends more on how the photo was taken than on the spot. Let a doctor look at the spot."
    )


def repeatability_words(repeatability: Repeatability, *, n_other_photos: int = 0, n_others_changed: int = 0) -> str:
    """Return how often the answer changed in small changes of the photo and, where there are any, in other photos.

    Args:
        repeatability: Of the photo.
        n_other_photos: Photos of the same lesion that were answered beside this one.
        n_others_changed: Of these, how many were answered with another class first or another next step.

    >>> repeatability_words(Repeatability(("turned", "darker"), ("darker",), (), 1))
    'The answer changed in 1 of 2 small changes of this photo.'
    """
    n, total = repeatability.n_changed, len(repeatability.changes)
    times = "in none of" if n == 0 else f"in {n} of"
    words = f"The answer changed {times} {total} small changes of this photo"
    if n_other_photos == 1:
        words += f", and {'in' if n_others_changed else 'not in'} your other photo of this spot"
    elif n_other_photos:
        words += f", and in {n_others_changed or 'none'} of your {n_other_photos} other photos of this spot"
    return f"{words}."


def what_changed_words(repeatability: Repeatability) -> str:
    """Return which small changes changed what; empty where none did.

    >>> what_changed_words(Repeatability(("turned", "darker"), ("darker",), ("turned", "darker"), 1))
    'Another class was shown first when the photo was darker. Whether the model asks for a doctor changed when it was turned, or darker.'
    """
    sentences = []
    if repeatability.other_class:
        sentences.append(f"Another class was shown first when the photo was {_either(repeatability.other_class)}.")
    if repeatability.other_advice:
        which = "it" if sentences else "the photo"
        sentences.append(
            f"Whether the model asks for a doctor changed when {which} was {_either(repeatability.other_advice)}."
        )
    return " ".join(sentences)


def _either(words: Sequence[str]) -> str:
    return ", or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def compare_with_other_photos(screening: Screening, index: int) -> tuple[int, int]:
    """Return how many other photos of the lesion were answered, and how many of them with another class or next step.

    Args:
        screening: Of the lesion.
        index: Of the photo that the others are compared with; it must have been answered.
    """
    own = screening.photos[index]
    others = [p for i, p in enumerate(screening.photos) if i != index and p.prediction is not None]
    if own.prediction is None:
        return len(others), 0
    first = own.prediction.predicted
    changed = [p for p in others if p.prediction and (p.prediction.predicted != first or p.next_step != own.next_step)]
    return len(others), len(changed)
