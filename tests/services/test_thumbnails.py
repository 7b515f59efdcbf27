"""Small pictures and pictures on a square: what they measure, and what they leave as it was."""

import numpy as np
import pytest

from dermascan_core.services.intake import decode_preview, encode_jpeg
from dermascan_core.services.thumbnails import on_square


@pytest.mark.parametrize(("height", "width"), [(60, 100), (100, 60), (80, 80)])
def test_photo_stands_whole_in_the_middle_of_a_square(height: int, width: int) -> None:
    skin = np.full((height, width, 3), (222, 176, 150), np.uint8)

    square = decode_preview(on_square(encode_jpeg(skin)))

    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    assert square.shape == (side, side, 3)
    assert np.abs(square[top + 8 : top + height - 8, left + 8 : left + width - 8] - np.array([222, 176, 150])).max() < 6
    if height != width:
        assert np.abs(square[0, 0].astype(int) - 128).max() < 6


def test_square_wants_a_jpeg_of_ours() -> None:
    with pytest.raises(ValueError, match=r"^Invalid value received for argument `data`\. Expected a JPEG"):
        on_square(b"GIF89a")
