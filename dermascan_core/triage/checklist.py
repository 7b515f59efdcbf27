"""The weighted 7-point checklist for pigmented lesions, from what the person said and measured."""

from __future__ import annotations

from ..domain import Answers, Metadata

SEVEN_POINT_URGENT = 3  # NG12: refer on a weighted score of 3 or more.
LARGE_DIAMETER_MM = 7.0  # NG12: largest diameter 7 mm or more is a minor feature.
# Three major features count 2, four minor ones 1 (NG12; Walter et al. 2013).
SEVEN_POINT_WEIGHTS: dict[str, int] = {
    "change in size, shape or colour": 2,
    "irregular shape": 2,
    "irregular colour": 2,
    "7 mm or more": 1,
    "inflammation": 1,
    "oozing or crusting": 1,
    "itch or changed sensation": 1,
}


def seven_point_features(answers: Answers, metadata: Metadata) -> tuple[str, ...]:
    """Return which features of the weighted 7-point checklist were named, by their names in ``SEVEN_POINT_WEIGHTS``.

    Where two answers bear on one feature, a yes to either counts: a change in size, shape or colour is asked as one
    question and counts once, as the checklist's change in size; an unlike half and an uneven edge both make an irregular
    shape.

    >>> seven_point_features(Answers(evolving=True, irregular_border=True), Metadata(clin_size_long_diam_mm=7))
    ('change in size, shape or colour', 'irregular shape', '7 mm or more')
    """
    found = {
        "change in size, shape or colour": answers.changing or answers.evolving,
        "irregular shape": answers.asymmetric or answers.irregular_border,
        "irregular colour": answers.several_colours,
        "7 mm or more": is_large(answers, metadata),
        "inflammation": answers.inflamed,
        "oozing or crusting": answers.bleeding or answers.unstoppable_bleeding,
        "itch or changed sensation": answers.painful,
    }
    return tuple(name for name in SEVEN_POINT_WEIGHTS if found[name])


def seven_point_score(answers: Answers, metadata: Metadata) -> int:
    """Return the weighted 7-point score, 0 to 10. Higher is more urgent. Unknown counts 0, so it is a lower bound.

    Reference: NICE NG12, recommendation on melanoma: refer on a weighted score of 3 or more.

    >>> seven_point_score(Answers(changing=True, bleeding=True), Metadata())
    3
    """
    return sum(SEVEN_POINT_WEIGHTS[name] for name in seven_point_features(answers, metadata))


def is_large(answers: Answers, metadata: Metadata) -> bool:
    """Whether the spot is 7 mm wide or more, by its measured width or by the answer."""
    size_mm = metadata.clin_size_long_diam_mm
    return bool(answers.large_diameter) or (size_mm is not None and size_mm >= LARGE_DIAMETER_MM)
