"""Large JPEGs come out reduced, upright, and as area averaging would show them."""

import io

import numpy as np
import pytest
from PIL import Image

from dermascan_core.imaging.decode import decode_photo
from tests.imaging.test_decode import BLUE, ORIENTATION, RED, SKIN, encode


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1999, 2600), (1999, 2600)),
        ((2000, 2600), (1000, 1300)),
        ((4000, 3000), (2000, 1500)),
        ((4100, 4000), (1025, 1000)),
    ],
)
def test_decode_reads_a_large_jpeg_reduced_with_a_short_side_of_1000_px_or_more(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    rgb = decode_photo(encode(Image.new("RGB", size, SKIN), "JPEG", quality=95))

    assert rgb.shape == (expected[1], expected[0], 3)


def test_reduced_jpeg_shows_what_area_averaging_of_the_whole_shows() -> None:
    noise = np.random.default_rng(0).integers(60, 200, (250, 260, 3)).astype(np.uint8)
    large = Image.fromarray(noise).resize((2080, 2000), Image.Resampling.BICUBIC)
    data = encode(large, "JPEG", quality=95)

    reduced = decode_photo(data).astype(float)

    with Image.open(io.BytesIO(data)) as whole:
        averaged = np.asarray(whole.convert("RGB").resize((1040, 1000), Image.Resampling.BOX), float)
    assert np.abs(reduced - averaged).mean() < 1.5


def test_large_jpeg_is_reduced_and_turned() -> None:
    pixels = np.zeros((2000, 2400, 3), np.uint8)
    pixels[:, :1200], pixels[:, 1200:] = RED, BLUE
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # turn by a quarter, clockwise

    rgb = decode_photo(encode(Image.fromarray(pixels), "JPEG", quality=95, exif=exif))

    assert rgb.shape == (1200, 1000, 3)
    assert np.abs(rgb[100, 500].astype(int) - RED).max() < 8
    assert np.abs(rgb[1100, 500].astype(int) - BLUE).max() < 8


def test_other_formats_keep_their_size() -> None:
    assert decode_photo(encode(Image.new("RGB", (2400, 2000), SKIN), "PNG")).shape == (2000, 2400, 3)


def test_large_grey_and_cmyk_jpegs_are_reduced_too() -> None:
    for mode, colour in (("L", 120), ("CMYK", (0, 40, 60, 0))):
        assert decode_photo(encode(Image.new(mode, (2400, 2000), colour), "JPEG")).shape == (1000, 1200, 3)
