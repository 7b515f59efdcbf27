"""What is said of the odd one out: a trait with its direction and amount, and never a word that calms."""

import math

import pytest

from dermascan_core.imaging.lesion_features import FEATURE_NAMES
from dermascan_core.triage.comparison_words import (
    HARDLY_STANDS_OUT,
    OTHERS_NOT_CLEARED,
    TRAIT_NAMES,
    is_clear,
    trait_reasons,
)


def test_every_feature_has_words_for_both_directions() -> None:
    said = {name: (trait_reasons({name: 2.5}), trait_reasons({name: -2.5})) for name in FEATURE_NAMES}

    assert all(len(more) == len(less) == 1 and more != less for more, less in said.values())
    assert tuple(TRAIT_NAMES) == FEATURE_NAMES


@pytest.mark.parametrize(
    ("name", "z", "said"),
    [
        ("lightness", -2.3, "darker than your others by 2.3 SD"),
        ("size_share", 4.04, "larger in its photo than your others by 4.0 SD"),
        ("redness_against_skin", 3.0, "redder than your others by 3.0 SD (against its skin)"),
        ("border_irregularity", 25.0, "more ragged at its edge than your others by more than 10 SD"),
    ],
)
def test_reason_names_direction_and_amount(name: str, z: float, said: str) -> None:
    assert trait_reasons({name: z}) == (said,)


def test_small_and_unknown_traits_are_no_reasons() -> None:
    assert trait_reasons({"lightness": -1.99, "redness": math.nan, "asymmetry": 0.0}) == ()


def test_strongest_three_traits_are_named_and_a_colour_once() -> None:
    z_scores = {"lightness": -2.1, "lightness_against_skin": -3.0, "redness": 2.5, "asymmetry": 4.0, "size_share": 2.2}

    assert trait_reasons(z_scores) == (
        "less symmetrical than your others by 4.0 SD",
        "darker than your others by 3.0 SD (against its skin)",
        "redder than your others by 2.5 SD",
    )


def test_plain_reasons_hold_the_same_traits_without_a_number() -> None:
    z_scores = {"lightness": -2.1, "lightness_against_skin": -3.9, "asymmetry": 4.0, "size_share": 2.2}

    assert trait_reasons(z_scores, is_plain=True) == (
        "much less symmetrical than your others",
        "darker than your others (against its skin)",
        "larger in its photo than your others",
    )


def test_mole_among_the_others_is_not_called_clear() -> None:
    assert not is_clear(1.2)
    assert is_clear(1.5)


def test_nothing_that_is_said_clears_the_others() -> None:
    assert "not cleared" in OTHERS_NOT_CLEARED
    assert "says nothing good about any of them" in HARDLY_STANDS_OUT
