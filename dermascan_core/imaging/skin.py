"""A first simple check whether a picture shows skin at all: colour and texture statistics, no network.

It stops documents, screenshots, charts, grey pictures, sky and grass. It does not stop everything that is coloured
like skin (wood, sand, some food): that is left to a trained check. How often it is right is measured by
``benchmarks/quality_gate.py`` and stands in ``docs/quality-gate.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .thumbnail import shrink_to_work_size

MIN_SKIN_SCORE = 0.5

# Each rule: (value at which a picture is surely fine, value at which it surely is not skin). Set on HAM10000's train
# split and photos of four other sources, so that hardly a real photo is touched; docs/quality-gate.md has the shares.
_FOREIGN_SHARE = (0.06, 0.32)  # green, cyan or blue pixels
_WARM_SHARE = (0.14, 0.02)  # red, brown, orange, pink or violet pixels: some are there even under bluish light
_COLOUR_SPREAD = (13.0, 30.0)  # standard deviation of a* and b* together: flowers and charts have many colours
_GARISH_SHARE = (0.10, 0.50)  # chroma over 70: paint
_MEAN_CHROMA = (3.0, 1.0)  # grey pictures
_EDGE_SHARE = (0.28, 0.72)  # pixels with strong fine edges: noise, text, foliage; long hair stays under it
_FLAT_SHARE = (0.35, 0.65)  # pixels without any texture: drawn, not photographed
_GAIN_RANGE = (0.8, 1.3)  # how much of a colour cast is forgiven
_UNIT = np.arange(256, dtype=np.float32) / 255  # an 8-bit value as a share


@dataclass(frozen=True, slots=True)
class SkinMeasures:
    """Statistics of one picture at working size; shares are in [0, 1], colours in CIELAB units.

    Attributes:
        foreign_share: Green, cyan or blue pixels, as seen or after taking out a colour cast (the smaller).
        warm_share: Red, brown, orange, pink or violet pixels, as seen or after taking out a cast (the larger).
        colour_spread: Standard deviation of a* and b* together (the smaller of the two). Of a picture that these three
            do not speak against, all are as seen.
        garish_share: Pixels with a chroma over 70.
        mean_chroma: Mean distance from grey.
        edge_share: Pixels whose Laplacian exceeds 30 grey levels.
        flat_share: Pixels whose Laplacian is zero.
    """

    foreign_share: float
    warm_share: float
    colour_spread: float
    garish_share: float
    mean_chroma: float
    edge_share: float
    flat_share: float


def looks_like_skin(rgb: npt.NDArray[np.uint8]) -> float:
    """Return how much a picture looks like skin; under ``MIN_SKIN_SCORE`` it is refused as ``not_skin``.

    No rule looks at brightness, and chroma only has to differ from grey: brown and black skin score as fair skin does.
    A blue-violet dermoscope light is forgiven as a colour cast, and a black round stop carries no colour to judge.

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.

    Returns:
        A score in [0, 1]: the product of the rules, each 1 where a picture is surely fine and 0 where it is not skin.

    >>> looks_like_skin(np.full((150, 200, 3), (60, 120, 220), np.uint8))
    0.0
    """
    return score_skin(measure_skin(shrink_to_work_size(rgb)))


def score_skin(measures: SkinMeasures) -> float:
    """Return the score of ``looks_like_skin`` for measures already taken."""
    rules = (
        (measures.foreign_share, _FOREIGN_SHARE),
        (measures.warm_share, _WARM_SHARE),
        (measures.colour_spread, _COLOUR_SPREAD),
        (measures.garish_share, _GARISH_SHARE),
        (measures.mean_chroma, _MEAN_CHROMA),
        (measures.edge_share, _EDGE_SHARE),
        (measures.flat_share, _FLAT_SHARE),
    )
    return math.prod(min(max((bad - value) / (bad - good), 0.0), 1.0) for value, (good, bad) in rules)


def measure_skin(thumbnail: npt.NDArray[np.uint8]) -> SkinMeasures:
    """Measure a picture that is already at working size (``shrink_to_work_size``)."""
    pixels = np.asarray(cv2.LUT(thumbnail, _UNIT), np.float32)  # (h, w, 3) in [0, 1]
    seen = _measure_colours(pixels)
    balanced = seen if _is_surely_skin(seen) else _measure_colours(_take_out_cast(thumbnail, pixels))
    laplacian = np.abs(cv2.Laplacian(cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY), cv2.CV_16S))
    return SkinMeasures(
        foreign_share=min(seen["foreign"], balanced["foreign"]),
        warm_share=max(seen["warm"], balanced["warm"]),
        colour_spread=min(seen["spread"], balanced["spread"]),
        garish_share=seen["garish"],
        mean_chroma=seen["chroma"],
        edge_share=_share(laplacian > 30),
        flat_share=_share(laplacian == 0),
    )


def _is_surely_skin(seen: dict[str, float]) -> bool:
    """Whether the rules that forgive a cast are met as it is: taking it out could not raise the score."""
    return (
        seen["foreign"] <= _FOREIGN_SHARE[0] and seen["warm"] >= _WARM_SHARE[0] and seen["spread"] <= _COLOUR_SPREAD[0]
    )


def _take_out_cast(thumbnail: npt.NDArray[np.uint8], pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Scale the channels so that the brightest quarter is nearer to grey, as far as a lamp's colour could explain."""
    # Written out: NumPy averages an axis of three thirty times slower, and to the same bits.
    brightness = (pixels[..., 0] + pixels[..., 1] + pixels[..., 2]) / np.float32(3)
    is_bright = np.flatnonzero(brightness >= np.percentile(brightness, 75))  # places: faster than a mask over channels
    brightest = pixels.reshape(-1, 3)[is_bright].mean(axis=0)  # (3,)
    gain = np.clip(brightest.mean() / np.maximum(brightest, 0.02), *_GAIN_RANGE)
    scaled = np.clip(_UNIT[:, np.newaxis] * gain, 0.0, 1.0)  # (256, 3): what each value of each channel becomes
    return np.asarray(cv2.LUT(thumbnail, scaled[np.newaxis]), np.float32)


def _measure_colours(pixels: npt.NDArray[np.float32]) -> dict[str, float]:
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    lightness, a, b = cv2.split(lab)
    is_judged = lightness > 8  # nearly black: the round stop of a dermatoscope, or no light
    n_judged = np.count_nonzero(is_judged)
    if n_judged == 0:
        return {"foreign": 0.0, "warm": 0.0, "spread": 0.0, "garish": 0.0, "chroma": 0.0}
    chroma = cv2.magnitude(a, b)
    is_green, is_blue = (a < -6) & (chroma > 10), (b < -8) & (a < 8)
    is_violet = (a > 8) & (b > -1.2 * a)  # fair skin under a dermatoscope's cold light
    is_warm = ((a > 4) & (b > -5)) | ((b > 6) & (a > -3)) | is_violet
    _, deviation = cv2.meanStdDev(lab, mask=is_judged.astype(np.uint8))  # (3, 1)
    return {
        "foreign": np.count_nonzero((is_green | is_blue) & is_judged) / n_judged,
        "warm": np.count_nonzero(is_warm & is_judged) / n_judged,
        "spread": math.hypot(*deviation[1:, 0]),
        "garish": _share(chroma > 70),
        "chroma": float(chroma.mean()),
    }


def _share(claim: npt.NDArray[np.bool_]) -> float:
    return np.count_nonzero(claim) / claim.size
