import itertools
import math

import cv2
import numpy as np
import pytest

from dermascan_core.domain import SIZE_RANGE_MM
from dermascan_core.imaging.scale import (
    REFERENCES,
    Reference,
    estimate_size,
    longest_width,
    segment_beside_coin,
)
from tests.fakes import fake_photo

RULER_20 = Reference("20 mm on a ruler", 20.0, is_coin=False)


def ellipse(width: int, height: int, degrees: float, *, size: tuple[int, int] = (240, 300)) -> np.ndarray:
    mask = np.zeros(size, np.uint8)
    cv2.ellipse(mask, (size[1] // 2, size[0] // 2), (width // 2, height // 2), degrees, 0, 360, 1, -1)
    return mask > 0


def slow_longest_width(mask: np.ndarray) -> float:
    """Largest distance over all pairs of pixel corners."""
    corners = {(x + dx, y + dy) for y, x in zip(*np.nonzero(mask), strict=True) for dx in (0, 1) for dy in (0, 1)}
    return max(math.dist(a, b) for a, b in itertools.combinations(sorted(corners), 2))


class TestLongestWidth:
    @pytest.mark.parametrize("seed", range(4))
    def test_is_the_largest_of_all_distances(self, seed: int) -> None:
        mask = np.random.default_rng(seed).random((9, 12)) > 0.8

        assert longest_width(mask)[0] == pytest.approx(slow_longest_width(mask))

    @pytest.mark.parametrize("degrees", [0, 30, 90, 145])
    def test_is_the_long_axis_of_an_oval_however_it_lies(self, degrees: float) -> None:
        width_px, ends = longest_width(ellipse(120, 60, degrees))

        assert width_px == pytest.approx(121, abs=2.5)
        assert math.dist(*ends) == pytest.approx(width_px)

    def test_one_pixel_is_as_wide_as_its_diagonal(self) -> None:
        mask = np.zeros((5, 5), bool)
        mask[2, 3] = True

        assert longest_width(mask)[0] == pytest.approx(math.sqrt(2))

    def test_empty_mask_is_a_mistake(self) -> None:
        with pytest.raises(ValueError, match="Expected at least one pixel set"):
            longest_width(np.zeros((4, 4), bool))


class TestEstimate:
    def test_follows_the_rule_of_three(self) -> None:
        estimate = estimate_size(ellipse(120, 60, 20), ((10.0, 10.0), (250.0, 10.0)), RULER_20)

        assert estimate is not None
        assert estimate.width_mm == 10.0
        assert (estimate.low_mm, estimate.high_mm) == (8.0, 13.0)

    def test_does_not_depend_on_the_number_of_pixels(self) -> None:
        small = estimate_size(ellipse(80, 40, 0), ((0.0, 0.0), (160.0, 0.0)), RULER_20)
        large = estimate_size(ellipse(320, 160, 0, size=(960, 1200)), ((0.0, 0.0), (640.0, 0.0)), RULER_20)

        assert small is not None
        assert large is not None
        assert small.width_mm == large.width_mm == 10.0

    def test_short_mark_leaves_more_doubt_and_a_tiny_one_gives_no_answer(self) -> None:
        mask = ellipse(120, 60, 0)
        spans = [(200.0, 20.0), (20.0, 2.0)]

        doubts = [
            estimate.high_mm - estimate.low_mm
            for span_px, width_mm in spans
            if (estimate := estimate_size(mask, ((0.0, 0.0), (span_px, 0.0)), Reference("ruler", width_mm, False)))
        ]

        assert doubts == sorted(doubts)
        assert doubts[0] < doubts[1]
        assert estimate_size(mask, ((0.0, 0.0), (19.0, 0.0)), RULER_20) is None

    def test_doubt_that_reaches_seven_millimetres_is_known(self) -> None:
        estimate = estimate_size(ellipse(65, 40, 0), ((0.0, 0.0), (200.0, 0.0)), RULER_20)

        assert estimate is not None
        assert estimate.width_mm == 6.5
        assert estimate.may_reach(7.0)
        assert not estimate.may_reach(9.0)
        assert not estimate.may_reach(6.0)

    def test_estimate_always_fits_the_form(self) -> None:
        mask = np.zeros((400, 400), bool)
        mask[200, 200] = True

        tiny = estimate_size(mask, ((0.0, 0.0), (390.0, 0.0)), RULER_20)
        huge = estimate_size(~mask, ((0.0, 0.0), (20.0, 0.0)), Reference("50 mm on a ruler", 50.0, False))

        assert tiny is not None
        assert huge is not None
        assert SIZE_RANGE_MM[0] <= tiny.low_mm <= tiny.width_mm <= tiny.high_mm
        assert huge.high_mm == SIZE_RANGE_MM[1]


class TestCoinInThePhoto:
    def photo(self) -> tuple[np.ndarray, tuple[tuple[float, float], tuple[float, float]]]:
        rgb = fake_photo(width=720, height=540, radius_share=0.1)
        cv2.circle(rgb, (580, 270), 90, (196, 160, 70), -1)
        cv2.circle(rgb, (580, 270), 62, (205, 205, 200), -1)
        return rgb, ((490.0, 270.0), (670.0, 270.0))

    def test_spot_beside_a_coin_is_measured_and_not_the_coin(self) -> None:
        rgb, marks = self.photo()

        mask = segment_beside_coin(rgb, marks, is_coin=True)

        assert mask is not None
        assert not mask[270, 580]
        estimate = estimate_size(mask, marks, REFERENCES["eur_100"])
        assert estimate is not None
        # The spot is 2 * 54 px and up to 8 % more wide, the coin 180 px: 13.9 to 15.1 mm.
        assert estimate.low_mm <= 13.9
        assert 13.5 <= estimate.width_mm <= 16.0
        assert estimate.high_mm >= 15.0

    def test_coin_at_the_photos_edge_is_painted_over_all_the_same(self) -> None:
        rgb, _ = self.photo()

        mask = segment_beside_coin(rgb, ((560.0, 270.0), (740.0, 270.0)), is_coin=True)

        assert mask is not None

    def test_plain_skin_beside_a_coin_has_no_spot(self) -> None:
        rgb = np.full((300, 400, 3), (222, 176, 150), np.uint8)
        cv2.circle(rgb, (300, 150), 50, (190, 190, 190), -1)

        assert segment_beside_coin(rgb, ((250.0, 150.0), (350.0, 150.0)), is_coin=True) is None


def test_coins_have_possible_widths_and_names_of_their_own() -> None:
    coins = [reference for reference in REFERENCES.values() if reference.is_coin]

    assert all(15 < coin.width_mm < 30 for coin in coins)
    assert len({reference.name for reference in REFERENCES.values()}) == len(REFERENCES)
