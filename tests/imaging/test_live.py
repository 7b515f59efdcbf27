import re

import pytest

from dermascan_core.imaging import quality
from dermascan_core.imaging.live import HINTS, LIMITS, READY
from dermascan_core.imaging.quality import FAILURES, WARNINGS

OWN_CODES = {"moving", "hair", "ink"}  # of frames alone: no single photo is refused or warned of for them


def test_every_hint_has_a_reason_of_the_gate_or_is_about_frames_alone() -> None:
    assert set(HINTS) - OWN_CODES <= {*FAILURES, *WARNINGS}


def test_every_fault_of_light_focus_and_distance_has_a_hint() -> None:
    not_seen_live = {"too_small", "not_skin", "few_pixels"}

    assert {code for code in {*FAILURES, *WARNINGS} if code in HINTS} >= {
        "too_dark",
        "too_bright",
        "too_blurry",
        "glare",
        "small_lesion",
        "lesion_fills_frame",
    }
    assert not not_seen_live & set(HINTS)


def test_what_refuses_a_photo_is_hinted_before_what_only_warns() -> None:
    places = {code: place for place, code in enumerate(HINTS)}

    assert max(places[code] for code in FAILURES if code in places) < min(
        places[code] for code in WARNINGS if code in places
    )


@pytest.mark.parametrize("sentence", [*HINTS.values(), READY])
def test_a_hint_is_two_short_sentences_to_read_at_a_glance(sentence: str) -> None:
    assert re.fullmatch(r"[A-Z][^.?]+[.?] [A-Z][^.]+\.", sentence)
    assert len(sentence) < 80


def test_limits_are_those_of_the_gate() -> None:
    assert LIMITS["min_sharpness"] == quality.MIN_SHARPNESS
    assert LIMITS["max_black_luminance"] == quality.MAX_BLACK_LUMINANCE
    assert LIMITS["max_mean_luminance"] == quality.MAX_MEAN_LUMINANCE
    assert LIMITS["glare_share"] == quality.GLARE_SHARE
