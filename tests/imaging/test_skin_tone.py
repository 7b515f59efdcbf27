"""How light skin looks: the angle by hand, bands, doubt, and what is no skin to judge."""

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from dermascan_core.imaging.skin_tone import (
    BANDS,
    LIGHT_SD_DEGREES,
    band_of,
    estimate_skin_tone,
    individual_typology_angle,
)
from tests.imaging.pictures import SKIN_TONES, skin_photo

Photo = npt.NDArray[np.uint8]


def rgb_of(lightness: float, a: float, b: float) -> tuple[int, ...]:
    colour = cv2.cvtColor(np.array([[[lightness, a, b]]], np.float32), cv2.COLOR_LAB2RGB)[0, 0]
    return tuple(round(255 * value) for value in colour)


def plain(colour: tuple[int, ...], lesion: tuple[int, int, int] = (60, 35, 30)) -> Photo:
    photo = np.full((150, 200, 3), colour, np.uint8)
    cv2.circle(photo, (100, 75), 25, lesion, -1)
    return photo


@pytest.mark.parametrize(
    ("lightness", "yellowness", "degrees"),
    [(70, 20, 45.0), (50, 15, 0.0), (40, 10, -45.0), (50 + 10 * math.sqrt(3), 10, 60.0)],
)
def test_angle_by_hand(lightness: float, yellowness: float, degrees: float) -> None:
    assert individual_typology_angle(lightness, yellowness) == pytest.approx(degrees)


@pytest.mark.parametrize(
    ("degrees", "band"),
    [
        (56, "very light"),
        (42, "light"),
        (29, "intermediate"),
        (11, "tan"),
        (-29, "brown"),
        (-31, "dark"),
        (-90, "dark"),
    ],
)
def test_bands_of_chardon(degrees: float, band: str) -> None:
    assert band_of(degrees) == band


def test_skin_of_a_known_colour_has_its_angle() -> None:
    tone = estimate_skin_tone(plain(rgb_of(70, 10, 20)))

    assert tone is not None
    assert tone.ita_degrees == pytest.approx(45, abs=1)
    assert tone.band == "light"
    # 45 degrees, give or take 25, lie in the bands above 55, 41, 28 and 10.
    assert tone.possible_bands == ("very light", "light", "intermediate", "tan")


def test_lesion_itself_does_not_count() -> None:
    pale, dark = (estimate_skin_tone(plain(rgb_of(70, 10, 20), lesion)) for lesion in ((150, 100, 80), (20, 10, 10)))

    assert pale is not None
    assert dark is not None
    assert pale.ita_degrees == pytest.approx(dark.ita_degrees, abs=0.5)


def test_tones_come_in_the_order_of_the_fitzpatrick_types() -> None:
    tones = [estimate_skin_tone(skin_photo(colour)) for name, colour in SKIN_TONES.items() if "," not in name]

    angles = [tone.ita_degrees for tone in tones if tone is not None]
    assert len(angles) == 6
    assert angles == sorted(angles, reverse=True)
    assert tones[0] is not None
    assert tones[0].band == "very light"
    assert tones[-1] is not None
    assert tones[-1].band == "dark"


def test_photo_without_a_lesion_is_all_skin() -> None:
    tone = estimate_skin_tone(np.full((150, 200, 3), rgb_of(70, 10, 20), np.uint8))

    assert tone is not None
    assert tone.ita_degrees == pytest.approx(45, abs=1)


def test_band_lies_among_those_that_are_possible() -> None:
    for lightness in range(30, 90, 10):
        tone = estimate_skin_tone(plain(rgb_of(lightness, 10, 20), lesion=(5, 5, 5)))

        assert tone is not None
        assert tone.band in tone.possible_bands
        assert tone.possible_bands == tuple(band for band in BANDS if band in tone.possible_bands)


def test_shade_on_one_side_is_more_doubt() -> None:
    even = plain(rgb_of(70, 10, 20))
    shaded = (even * np.linspace(0.55, 1.0, 200)[None, :, None]).astype(np.uint8)

    first, second = estimate_skin_tone(even), estimate_skin_tone(shaded)

    assert first is not None
    assert second is not None
    assert first.doubt_degrees == pytest.approx(LIGHT_SD_DEGREES, abs=0.5)
    assert second.doubt_degrees > first.doubt_degrees + 1


@pytest.mark.parametrize(
    "colour", [rgb_of(70, 5, -15), (0, 0, 0), (255, 255, 255)], ids=["blue light", "black", "white"]
)
def test_no_estimate_where_the_colour_says_nothing(colour: tuple[int, ...]) -> None:
    assert estimate_skin_tone(np.full((150, 200, 3), colour, np.uint8)) is None


def test_round_stop_of_a_dermatoscope_is_no_skin() -> None:
    photo = np.zeros((150, 150, 3), np.uint8)
    cv2.circle(photo, (75, 75), 74, rgb_of(70, 10, 20), -1)
    cv2.circle(photo, (75, 75), 40, (60, 35, 30), -1)

    tone = estimate_skin_tone(photo)

    assert tone is not None
    assert tone.ita_degrees == pytest.approx(45, abs=2)
