"""The occlusion check with answers that can be told in advance."""

import numpy as np

from dermascan_core.model.occlusion import cover_places, occlusion_map


def test_each_place_is_covered_once_with_the_colour_of_the_rim():
    square = np.full((12, 12, 3), 200, np.uint8)
    square[4:8, 4:8] = 20

    covered = cover_places(square, n_cells=3)

    assert covered.shape == (9, 12, 12, 3)
    assert (covered[4] == 200).all()  # the middle cell is the dark one
    assert [int((one != square).any()) for one in covered] == [0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_what_is_lost_when_the_spot_is_covered_lies_on_the_spot():
    square = np.full((12, 12, 3), 200, np.uint8)
    square[0:4, 8:12] = 20
    square[0, 11] = 200

    found = occlusion_map(square, lambda squares: (squares < 100).mean(axis=(1, 2, 3)), n_cells=3)

    assert np.unravel_index(found.argmax(), found.shape) == (0, 2)
    assert found[0, 2] > 0.1
    assert np.abs(np.delete(found.ravel(), 2)).max() == 0
