import cv2
import numpy as np
import pytest

from dermascan_core.services.intake import Intake, take_in
from dermascan_core.services.spot_size import NO_SPOT, TOO_SHORT, measure_spot
from tests.fakes import fake_photo, photo_bytes

COIN_EDGES = ((980 / 1440, 0.5), (1340 / 1440, 0.5))


@pytest.fixture(scope="module")
def photo() -> Intake:
    """A spot of 216 to 233 px beside a coin of 360 px, in a photo of twice the preview's size."""
    rgb = fake_photo(width=1440, height=1080, radius_share=0.1)
    cv2.circle(rgb, (1160, 540), 180, (196, 160, 70), -1)
    return take_in("coin.jpg", photo_bytes(rgb))


def test_width_follows_the_coin_whatever_the_size_of_the_photo(photo: Intake) -> None:
    measured = measure_spot(photo, COIN_EDGES, "eur_100")

    assert measured.problem == ""
    assert measured.estimate is not None
    assert measured.estimate.low_mm <= 216 / 360 * 23.25
    assert measured.estimate.width_mm == pytest.approx(225 / 360 * 23.25, abs=2)
    assert measured.estimate.high_mm >= 233 / 360 * 23.25


def test_picture_shows_the_outline_that_was_measured(photo: Intake) -> None:
    measured = measure_spot(photo, COIN_EDGES, "eur_100")

    yellow = np.abs(measured.picture.astype(int) - (255, 214, 0)).max(axis=2) < 3
    rows, columns = np.nonzero(yellow)
    assert measured.picture.shape == (540, 720, 3)
    assert rows.size > 100
    assert columns.max() < 980 / 2  # nothing on the coin


def test_marks_on_one_place_are_told(photo: Intake) -> None:
    measured = measure_spot(photo, ((0.7, 0.5), (0.71, 0.5)), "ruler_10")

    assert (measured.estimate, measured.problem) == (None, TOO_SHORT)


def test_skin_without_a_spot_is_told() -> None:
    rng = np.random.default_rng(3)
    skin = np.clip(np.full((450, 600, 3), (222, 176, 150)) + rng.normal(0, 3, (450, 600, 1)), 0, 255).astype(np.uint8)

    measured = measure_spot(take_in("skin.jpg", photo_bytes(skin)), ((0.1, 0.1), (0.3, 0.1)), "ruler_10")

    assert (measured.estimate, measured.problem) == (None, NO_SPOT)
