"""Sentences about the evidence beside a result: how stable the answer is, what lay over the skin, what moved the model.

None of them calms: they say what was measured of this photo, and what that does not mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..domain import ArtefactCheck, PhotoScreening, Repeatability, Screening
from .shown import percent_words
from .wording import Voice, class_name

REPEATABILITY_LIMITS = "A steady answer can still be wrong: steady means that such photos are judged alike, not that they are judged right."
HEAT_LIMITS = (
    "A map shows which places the network used, not whether it used them rightly, and not where disease is. "
    "A network with random weights gives another map, which is tested; that alone does not make a map true."
)
ARTEFACT_WORDS: dict[str, str] = {
    "hair": "hair",
    "ink": "ink from a pen",
    "ruler": "a ruler",
    "dark_corners": "dark corners",
    "glare": "glare",
}
_FIELD_WORDS: dict[str, str] = {
    "age_approx": "age",
    "sex": "sex",
    "anatom_site": "body site",
    "clin_size_long_diam_mm": "size",
    "fitzpatrick_skin_type": "skin type",
    "personal_hx_skin_cancer": "earlier skin cancer",
    "family_hx_skin_cancer": "melanoma in the family",
    "high_sun_exposure": "sun",
    "immunosuppressed": "weakened defences",
    "itch": "itching",
    "grew": "growth",
    "hurt": "pain",
    "changed": "change",
    "bleed": "bleeding",
    "elevation": "height",
}
_SMALL_EFFECT = 0.01  # less is said as "hardly"


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
    'In 2 small changes of this photo, the answer changed once.'
    """
    n, total = repeatability.n_changed, len(repeatability.changes)
    words = f"In {total} small changes of this photo, the answer {_how_often_changed(n)}."
    if n_other_photos == 1:
        words += f" Your other photo of this spot got {'another' if n_others_changed else 'the same'} answer."
    elif n_other_photos:
        n_same = n_other_photos - n_others_changed
        words += f" Of your {n_other_photos} other photos of this spot, {n_others_changed or 'none'} got another answer"
        words += f", {n_same or 'none'} the same."
    return words


def _how_often_changed(n: int) -> str:
    return {0: "stayed the same", 1: "changed once"}.get(n, f"changed {n} times")


def what_changed_words(repeatability: Repeatability) -> str:
    """Return which small changes changed what; empty where none did.

    >>> what_changed_words(Repeatability(("turned", "darker"), ("darker",), (), 1))
    'Another class was shown first when the photo was darker.'
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


def artefact_words(artefacts: ArtefactCheck) -> str:
    """Return what lies over the skin in a photo; empty where nothing was flagged.

    >>> artefact_words(ArtefactCheck({"hair": 0.05}, ("hair",)))
    'There is hair in this photo.'
    """
    if not artefacts.flagged:
        return ""
    names = [ARTEFACT_WORDS[name] for name in artefacts.flagged]
    verb = "are" if names[0] == ARTEFACT_WORDS["dark_corners"] else "is"
    return (
        f"There {verb} {' and '.join([', '.join(names[:-1]), names[-1]] if len(names) > 1 else names)} in this photo."
    )


def painted_over_words(photo: PhotoScreening, voice: Voice) -> str:
    """Return what the model answers with that painted over; empty where nothing was."""
    artefacts, shown = photo.artefacts, photo.prediction
    if artefacts is None or artefacts.prediction is None or shown is None:
        return ""
    again = artefacts.prediction
    first = class_name(again.predicted, voice)
    percent = f"{percent_words(again.p_malignant)} (was {percent_words(shown.p_malignant)})"
    if again.predicted == shown.predicted:
        return f"Painted over, the same class is shown first; cancer or pre-cancer {percent}."
    return (
        f"Painted over, another class is shown first: {first}; cancer or pre-cancer {percent}. "
        "The more urgent of the two answers counts. A photo without it would be better."
    )


def heat_words(inside: float, covered: float) -> str:
    """Return how much of a heat map lies inside the spot, beside what a look at every place alike would have.

    Args:
        inside: Share of the heat inside the spot, in [0, 1].
        covered: Share of the picture that the spot covers.

    >>> heat_words(0.72, 0.41)
    '72 % of what the model looked at lies inside the spot; a blind look would have 41 %.'
    """
    words = f"{100 * inside:.0f} % of what the model looked at lies inside the spot; a blind look would have {100 * covered:.0f} %."
    if inside < covered:
        words += " It looked more beside the spot than on it: be doubtful of this answer."
    return words


def metadata_effect_words(effects: Mapping[str, float]) -> str:
    """Return what each thing that the model was told changed, in one sentence; empty where it was told nothing.

    Args:
        effects: Field -> how much higher the share of cancer or pre-cancer is with it than without it, in [-1, 1].

    >>> metadata_effect_words({"age_approx": 0.123, "sex": -0.002})
    'Telling the model the age raised the share of cancer or pre-cancer by 12 points; the sex hardly changed it.'
    """
    parts: list[str] = []
    for name, effect in sorted(effects.items(), key=lambda pair: -abs(pair[1])):
        what = "it" if parts else "the share of cancer or pre-cancer"
        said = f"the {field_words(name)}"
        if abs(effect) < _SMALL_EFFECT:
            parts.append(f"{said} hardly changed {what}")
        else:
            points = f"{100 * abs(effect):.0f}"
            by = f"{points} point{'' if points == '1' else 's'}"
            parts.append(f"{said} {'raised' if effect > 0 else 'lowered'} {what} by {by}")
    return f"Telling the model {'; '.join(parts)}." if parts else ""


def field_words(name: str) -> str:
    """Return a metadata field's name for a person."""
    return _FIELD_WORDS.get(name, name.replace("_", " "))
