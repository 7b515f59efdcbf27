"""Of a hundred such answers: groups, their shares at any prevalence, and the narrowest one that is large enough."""

from __future__ import annotations

import numpy as np
import pytest

from dermascan_core.evaluation.answer_groups import MIN_PHOTOS, group_answers, own_group, set_of
from dermascan_core.evaluation.referrals import Referrals

MEL, NV = frozenset(["mel"]), frozenset(["nv"])


def referrals_of(*kinds: tuple[int, bool, float, frozenset[str], frozenset[str]]) -> Referrals:
    """Return so many photos of each kind: count, malignant, p, 90 % set, 95 % set."""
    rows = [kind[1:] for kind in kinds for _ in range(kind[0])]
    return Referrals(
        is_malignant=np.array([row[0] for row in rows]),
        p_malignant=np.array([row[1] for row in rows]),
        set_90=tuple(row[2] for row in rows),
        set_95=tuple(row[3] for row in rows),
        groups=tuple(f"L{i}" for i in range(len(rows))),
    )


MEASURED = referrals_of(
    (90, True, 0.8, MEL, MEL),
    (10, True, 0.1, NV, NV | MEL),
    (100, False, 0.7, MEL, MEL),
    (700, False, 0.05, NV, NV),
    (100, False, 0.1, NV, NV | MEL),
)


@pytest.mark.parametrize(
    ("set_90", "set_95", "place"),
    [(["nv", "bcc"], ["nv", "bcc"], "in_90"), (["nv"], ["akiec", "nv"], "in_95_only"), (["bkl"], ["df"], "in_neither")],
)
def test_place_of_a_malignant_class_among_the_sets(set_90, set_95, place):
    assert set_of(set_90, set_95) == place


def test_groups_count_photos_by_side_by_set_and_by_both():
    groups = group_answers(MEASURED, 0.5, n_resamples=20)

    assert {code: (one.n, one.n_malignant) for code, one in groups.items()} == {
        "above": (190, 90),
        "below": (810, 10),
        "in_90": (190, 90),
        "in_95_only": (110, 10),
        "in_neither": (700, 0),
        "above/in_90": (190, 90),
        "below/in_95_only": (110, 10),
        "below/in_neither": (700, 0),
    }


def test_share_in_the_test_is_a_plain_count_and_elsewhere_follows_from_bayes():
    below = group_answers(MEASURED, 0.5, n_resamples=200)["below"]

    assert below.malignant_share().value == pytest.approx(10 / 810)
    # At 1 %: cancers give such an answer in 10 of 100, other spots in 800 of 900.
    assert below.malignant_share(0.01).value == pytest.approx(0.01 * 0.1 / (0.01 * 0.1 + 0.99 * 800 / 900))


def test_group_without_a_cancer_keeps_an_upper_bound():
    share = group_answers(MEASURED, 0.5)["below/in_neither"].malignant_share()

    assert share.value == share.low == 0
    # 0 of 100 cancers: Jeffreys' upper end is 2.5 of 100; 700 of 900 others give the same answer.
    assert share.high == pytest.approx(0.1 * 0.025 / (0.1 * 0.025 + 0.9 * 700 / 900), rel=0.1)


def test_share_rises_with_the_prevalence():
    above = group_answers(MEASURED, 0.5, n_resamples=20)["above"]

    values = [above.malignant_share(p).value for p in (0.001, 0.01, 0.1, 0.5)]

    assert values == sorted(values)


def test_prevalence_outside_its_range_is_refused():
    above = group_answers(MEASURED, 0.5, n_resamples=20)["above"]

    with pytest.raises(ValueError, match=r"^Expected a prevalence above 0 and below 1\. Received 0\.$"):
        above.malignant_share(0.0)


def test_own_group_is_the_narrowest_that_the_test_saw_often_enough():
    few = MIN_PHOTOS - 1
    groups = group_answers(
        referrals_of((few, True, 0.1, NV, NV | MEL), (50, False, 0.1, NV, NV), (few, True, 0.9, MEL, MEL)),
        0.5,
        n_resamples=20,
    )

    assert own_group(groups, side="below", place="in_neither").code == "below/in_neither"
    assert own_group(groups, side="below", place="in_95_only").code == "below"
    assert own_group(groups, side="above", place="in_90") is None
    assert own_group(groups, side="below", place="in_90").code == "below"
