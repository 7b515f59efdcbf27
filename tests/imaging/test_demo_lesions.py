"""Generated lesions: the same bits for the same seed, no two alike, and good enough to be judged."""

import numpy as np
import pytest

from dermascan_core.imaging.crop import find_crop
from dermascan_core.imaging.demo_lesions import KINDS, draw_lesion
from dermascan_core.imaging.quality import assess_quality


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_draws_the_same_picture_and_another_seed_another(kind):
    first, again, other = draw_lesion(kind, 1), draw_lesion(kind, 1), draw_lesion(kind, 2)

    assert first.shape == (450, 600, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("kind", ["even", "uneven", "red"])
def test_picture_passes_the_quality_gate(kind):
    rgb = draw_lesion(kind, 3)

    quality = assess_quality(rgb, find_crop(rgb))

    assert quality.failures == ()


def test_blurred_picture_is_refused_as_blurred():
    rgb = draw_lesion("blurred", 3)

    quality = assess_quality(rgb, find_crop(rgb))

    assert quality.failures[0].code == "too_blurry"


def test_unknown_kind_names_the_known_ones():
    with pytest.raises(ValueError, match=r"Expected \['even', 'uneven', 'red', 'blurred'\]\. Received: 'green'"):
        draw_lesion("green", 1)
