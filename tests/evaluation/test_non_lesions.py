"""Pictures without a lesion: every family draws, alike for a seed, and spoilt photos are spoilt."""

import numpy as np
import pytest

from dermascan_core.evaluation.non_lesions import FAMILIES, generated_pictures, library_photos, spoilt_photos
from tests.imaging.pictures import skin_photo


@pytest.mark.parametrize("family", FAMILIES)
def test_family_draws_pictures_that_differ_and_repeat_for_a_seed(family):
    first, second = (picture for _, picture in generated_pictures(2, families=(family,)))
    again, _ = (picture for _, picture in generated_pictures(2, families=(family,)))

    assert first.dtype == np.uint8
    assert first.ndim == 3
    assert min(first.shape[:2]) >= 300
    assert np.array_equal(first, again)
    assert not np.array_equal(first, second)


def test_other_seed_draws_other_pictures():
    (_, first), (_, second) = (next(generated_pictures(1, seed=s, families=("wood",))) for s in (0, 1))

    assert not np.array_equal(first, second)


def test_spoilt_photos_are_named_by_their_damage():
    photo = skin_photo()

    spoilt = dict(spoilt_photos(iter([photo])))

    assert list(spoilt) == [
        "inverted lesion",
        "black and white lesion",
        "lesion out of focus",
        "lesion with a colour filter",
    ]
    assert np.array_equal(spoilt["inverted lesion"], 255 - photo)
    assert np.ptp(spoilt["black and white lesion"].astype(int), axis=2).max() == 0


def test_library_photos_give_the_whole_first_then_crops_large_enough_to_judge():
    grey = np.random.default_rng(0).integers(0, 256, (200, 300), dtype=np.uint8)

    crops = list(library_photos(iter([("one", grey)]), n_crops=5))

    assert [name for name, _ in crops] == ["one"] * 5
    assert crops[0][1].shape == (200, 300, 3)
    assert all(min(crop.shape[:2]) >= 160 for _, crop in crops[1:])
