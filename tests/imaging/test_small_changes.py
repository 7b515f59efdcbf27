"""The ten small changes: what they are, and that they change a little and nothing more."""

import numpy as np
import pytest

from dermascan_core.domain import CropBox
from dermascan_core.imaging.crop import find_crop
from dermascan_core.imaging.preprocess import PreprocessConfig, preprocess
from dermascan_core.imaging.small_changes import SMALL_CHANGES, brighten, changed_squares, move, turn, zoom
from dermascan_core.model.views import make_views
from tests.fakes import fake_photo

CONFIG = PreprocessConfig(64, 60)


def _mean_difference(one, other):
    return float(np.abs(one.astype(float) - other.astype(float)).mean())


def test_there_are_ten_with_names_and_words_of_their_own():
    assert len(SMALL_CHANGES) == len({c.name for c in SMALL_CHANGES}) == len({c.words for c in SMALL_CHANGES}) == 10


@pytest.mark.parametrize("number", range(10), ids=[c.name for c in SMALL_CHANGES])
def test_change_shows_the_same_lesion_a_little_otherwise(number):
    photo = fake_photo()
    crop = find_crop(photo)
    plain = preprocess(photo, CONFIG, crop=crop)

    changed = changed_squares(photo, crop, CONFIG)[number]

    assert changed.shape == plain.shape
    assert 0.5 < _mean_difference(plain, changed) < 40


def test_no_change_is_one_of_the_views_that_are_averaged():
    photo = fake_photo()
    photo[200:240, 330:360] = (10, 10, 120)  # the lesion itself is nearly round
    crop = find_crop(photo)
    views = make_views(preprocess(photo, CONFIG, crop=crop))

    for square in changed_squares(photo, crop, CONFIG):
        assert min(_mean_difference(square, view) for view in views) > 0.5


def test_square_at_the_photo_s_corner_gets_mirrored_margins():
    photo = fake_photo(width=200, height=160)

    squares = changed_squares(photo, CropBox(0, 0, 160, "hand"), CONFIG)

    assert squares.shape == (10, 64, 64, 3)
    assert squares.min() > 0  # no black wedge where the photo ends


def test_large_photo_is_changed_at_a_size_that_costs_little():
    photo = fake_photo(width=1600, height=1200)
    small, large = (changed_squares(p, find_crop(p), CONFIG) for p in (photo[::2, ::2], photo))

    assert _mean_difference(small, large) < 8


def test_turn_by_a_quarter_is_the_quarter_turn():
    picture = np.random.default_rng(0).integers(0, 256, (21, 21, 3)).astype(np.uint8)

    assert _mean_difference(turn(picture, degrees=90), np.rot90(picture)) < 1


def test_move_brings_the_left_to_the_right():
    picture = np.zeros((10, 20, 3), np.uint8)
    picture[:, 5] = 200

    assert move(picture, right_share=0.1, down_share=0.0)[4, 7].tolist() == [200, 200, 200]


def test_zoom_out_keeps_the_size_and_mirrors_the_border():
    picture = np.full((30, 40, 3), 7, np.uint8)

    assert np.array_equal(zoom(picture, factor=0.8), picture)


def test_light_stays_within_a_byte():
    assert brighten(np.array([[[100, 250, 0]]], np.uint8), factor=1.15).tolist() == [[[115, 255, 0]]]
