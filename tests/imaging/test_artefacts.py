"""What lies over the skin: drawn artefacts are found, plain lesions have none."""

import numpy as np
import pytest

from dermascan_core.evaluation.damage import damage_photo
from dermascan_core.evaluation.stress import all_damages
from dermascan_core.imaging.artefacts import ARTEFACTS, find_artefacts
from dermascan_core.imaging.preprocess import PreprocessConfig, preprocess
from dermascan_core.imaging.steps import paint_over
from dermascan_core.triage.evidence import ARTEFACT_WORDS
from tests.fakes import fake_photo


def _square(photo):
    return preprocess(photo, PreprocessConfig())


@pytest.fixture(scope="module")
def photo():
    return fake_photo(width=200, height=150)


def test_plain_lesion_has_no_artefacts(photo):
    report = find_artefacts(_square(photo))

    assert report.flagged == ()
    assert not report.mask.any()
    assert set(report.shares) == set(ARTEFACTS)


@pytest.mark.parametrize("name", ["hair", "ink", "ruler"])
def test_drawn_artefact_is_found(photo, name):
    damaged = [damage_photo(photo, all_damages()[name], image_id=f"p{i}", seed=1) for i in range(8)]

    n_found = sum(name in find_artefacts(_square(one)).flagged for one in damaged)

    assert n_found >= 7


def test_dark_corners_and_glare_are_found(photo):
    square = _square(photo)
    y, x = np.mgrid[0:160, 0:160]
    cornered, shiny = square.copy(), square.copy()
    cornered[np.hypot(y - 80, x - 80) > 84] = 8
    shiny[60:68, 70:80] = 255

    assert find_artefacts(cornered).flagged == ("dark_corners",)
    assert find_artefacts(shiny).flagged == ("glare",)


def test_blue_lesion_is_no_ink():
    assert "ink" not in find_artefacts(_square(fake_photo(width=200, height=150, lesion=(70, 80, 140)))).flagged


def test_white_skin_is_no_glare(photo):
    bright = np.clip(photo.astype(int) + 90, 0, 255).astype(np.uint8)

    assert "glare" not in find_artefacts(_square(bright)).flagged


def test_painting_over_brings_back_the_skin(photo):
    square = _square(photo)
    inked = square.copy()
    inked[10:14, 20:120] = (88, 52, 148)
    mask = (inked != square).any(axis=2)

    painted = paint_over(inked, mask)

    assert np.abs(painted[mask].astype(int) - square[mask]).mean() < 25
    assert np.array_equal(painted[100:], inked[100:])


def test_nothing_to_paint_over_leaves_the_photo(photo):
    square = _square(photo)

    assert paint_over(square, np.zeros(square.shape[:2], bool)) is square
    assert paint_over(square, np.ones(square.shape[:2], bool)) is square


def test_every_artefact_has_words():
    assert set(ARTEFACT_WORDS) == set(ARTEFACTS)
