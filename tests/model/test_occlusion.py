"""The occlusion check with answers that can be told in advance."""

import numpy as np

from dermascan_core.model.occlusion import cover_places, cover_round, occlusion_map


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


def test_round_cover_has_its_middle_its_width_and_the_colour_of_the_rim():
    square = np.full((100, 100, 3), 200, np.uint8)
    square[20:40, 60:80] = 20

    covered = cover_round(square, across=0.7, down=0.3, width=0.3)

    assert (covered == 200).all()  # the dark spot is gone, its corners 14 px from its middle
    assert (cover_round(square, across=0.7, down=0.3, width=0.2) != 200).any()
    assert (cover_round(square, across=0.7, down=0.3, width=0) == square).all()
    assert (square[30, 70] == 20).all()  # the photo itself is not painted on


def test_round_cover_may_reach_over_the_edge():
    square = np.full((20, 20, 3), 20, np.uint8)
    square[[0, -1]] = square[:, [0, -1]] = 200

    covered = cover_round(square, across=0, down=1, width=1)

    assert (covered[15, 4] == 200).all()
    assert (covered[4, 15] == 20).all()
