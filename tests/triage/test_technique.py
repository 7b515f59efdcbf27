import re

import pytest

from dermascan_core.triage.technique import GROUPS, at_the_camera

# As the abstract of Katragadda et al. (2017) counts them.
PUBLISHED = {
    "general": 1,
    "lighting": 5,
    "background": 3,
    "field_of_view": 3,
    "orientation": 8,
    "focus": 3,
    "resolution": 4,
    "scale": 3,
    "colour": 2,
    "storage": 1,
}


def test_groups_and_counts_are_those_of_the_standards() -> None:
    assert {group.key: group.n_recommendations for group in GROUPS} == PUBLISHED
    assert sum(group.n_recommendations for group in GROUPS) == 33


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.key)
def test_every_group_gives_advice_in_whole_short_sentences(group) -> None:
    assert group.advice
    assert all(re.fullmatch(r"[A-Z0-9].*\.", line) and len(line) < 110 for line in group.advice)


def test_checklist_at_the_camera_is_short_enough_to_read_with_the_phone_in_hand() -> None:
    lines = at_the_camera()

    assert 5 <= len(lines) <= 8
    assert all(len(line) <= 50 for line in lines)
