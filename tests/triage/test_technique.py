import re

import pytest

from dermascan_core.domain import ImageType
from dermascan_core.triage.technique import DERMATOSCOPE, GROUPS, MACRO_LENS, at_the_camera, with_that_lens

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


def test_dermatoscope_has_lines_of_its_own_on_magnification_contact_bubbles_and_lens() -> None:
    lines = with_that_lens(ImageType.DERMOSCOPIC)

    assert lines == DERMATOSCOPE
    assert all(len(line) <= 55 for line in lines)
    text = " ".join(lines)
    assert "10x to 20x" in text
    assert "Touch the skin lightly, or use polarised light" in text
    assert "fluid or gel, let no air bubble stay" in text
    assert "Wipe the lens" in text


def test_plain_phone_is_told_distance_light_and_angle_and_nothing_of_a_macro_lens() -> None:
    assert with_that_lens(ImageType.CLINICAL) == (
        "10 to 15 cm away. Tap the spot. Hold still.",
        "Bright, even light. Flash off.",
        "Straight above, not at a slant.",
    )


def test_macro_lens_has_a_line_of_its_own_for_whoever_has_one() -> None:
    [line] = MACRO_LENS

    assert line.startswith("Only with a macro lens, 10x to 20x")


def test_distance_and_coin_are_left_out_with_a_dermatoscope() -> None:
    with_phone, with_dermatoscope = at_the_camera(ImageType.CLINICAL), at_the_camera(ImageType.DERMOSCOPIC)

    assert with_phone == at_the_camera()
    assert "10 to 15 cm away. Tap the spot. Hold still." in with_phone
    assert with_dermatoscope == (
        "Skin clean, hair parted.",
        "The spot in the middle, skin all around it.",
        "No filters.",
    )
