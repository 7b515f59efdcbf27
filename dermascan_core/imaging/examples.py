"""Example pictures made by this code, so that a demo works at once without anyone's photo in the project.

They look like dermoscopy (``painting``) and are no evidence of anything: what the model says about them has no meaning for a
person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from ..domain import Answers, ImageType, Metadata
from .painting import (
    BLOOD,
    DEEP_MELANIN,
    MELANIN,
    Photo,
    bare_skin,
    draw_blob,
    draw_dots,
    draw_hairs,
    draw_lakes,
    draw_net,
    dye,
    expose,
    smooth_noise,
)

_LABEL = "Generated picture, not a real lesion"


@dataclass(frozen=True, slots=True)
class Example:
    """One bundled picture with a filled-in form: one click shows the whole way.

    Attributes:
        key: Stable name in files and links.
        title: Short label; says that the picture is generated.
        description: What is drawn, and what the example is there to show.
        image_type: What to answer to "dermatoscope or phone".
        metadata: The form, filled in.
        answers: The questions, answered.
    """

    key: str
    title: str
    description: str
    image_type: ImageType
    metadata: Metadata
    answers: Answers


_NO_TO_ALL = Answers(
    unstoppable_bleeding=False,
    very_unwell=False,
    changing=False,
    bleeding=False,
    new=False,
    painful=False,
    under_nail=False,
    on_mucosa=False,
    worried=False,
)

EXAMPLES: tuple[Example, ...] = (
    Example(
        "even-mole",
        f"Even brown mole ({_LABEL})",
        "An oval, evenly coloured patch with a regular net of pigment, on the back of a 34-year-old.",
        ImageType.DERMOSCOPIC,
        Metadata(age_approx=34, sex="female", anatom_site="back", clin_size_long_diam_mm=5, fitzpatrick_skin_type=2),
        _NO_TO_ALL,
    ),
    Example(
        "irregular-dark",
        f"Irregular dark lesion ({_LABEL})",
        "A lopsided patch with a ragged border, several browns, black dots and a blue-grey veil; it is said to have changed.",
        ImageType.DERMOSCOPIC,
        Metadata(age_approx=67, sex="male", anatom_site="back", clin_size_long_diam_mm=11, fitzpatrick_skin_type=2),
        Answers(changing=True, bleeding=False, under_nail=False, on_mucosa=False, worried=True),
    ),
    Example(
        "red-bump",
        f"Red bump ({_LABEL})",
        "A sharply bordered red spot of small blood-filled lakes, with a few hairs across it.",
        ImageType.DERMOSCOPIC,
        Metadata(age_approx=52, sex="male", anatom_site="chest", clin_size_long_diam_mm=4, fitzpatrick_skin_type=2),
        _NO_TO_ALL,
    ),
    Example(
        "blurred",
        f"Bad photo: out of focus ({_LABEL})",
        "The even mole again, out of focus: it shows what happens when a photo cannot be judged.",
        ImageType.DERMOSCOPIC,
        Metadata(age_approx=34, sex="female", anatom_site="back", clin_size_long_diam_mm=5, fitzpatrick_skin_type=2),
        _NO_TO_ALL,
    ),
)


def make_example(key: str) -> Photo:
    """Draw one of ``EXAMPLES``.

    Returns:
        Array (450, 600, 3), uint8, sRGB; the same on every call. The caller owns it.

    Raises:
        ValueError: If no example has this key.
    """
    if key not in _PAINTERS:
        raise ValueError(f"Invalid value received for argument `key`. Expected {list(_PAINTERS)}. Received: {key!r}")
    return _draw(key).copy()


def example_png(key: str) -> bytes:
    """Return the picture of ``make_example`` as a PNG file."""
    _, png = cv2.imencode(".png", cv2.cvtColor(make_example(key), cv2.COLOR_RGB2BGR))
    return png.tobytes()


@cache
def _draw(key: str) -> Photo:
    return _PAINTERS[key]()


def _paint_even_mole() -> Photo:
    rng = np.random.default_rng(11)
    mask = draw_blob(rng, centre=(0.51, 0.49), radii_px=(118, 92), roughness=0.05, softness_px=15, tilt=0.5)
    pigment = mask * (0.55 + 0.10 * smooth_noise(rng, 30) + 0.05 * smooth_noise(rng, 5))
    net = draw_net(rng, cell_px=10.5, line_px=1.5) * mask * (0.42 + 0.12 * smooth_noise(rng, 18))
    core = draw_blob(rng, centre=(0.515, 0.48), radii_px=(62, 46), roughness=0.10, softness_px=26, tilt=0.5)
    densities = bare_skin(rng) + dye(pigment + net + 0.30 * core, MELANIN)
    return expose(rng, densities)


def _paint_irregular() -> Photo:
    rng = np.random.default_rng(3)
    parts = [
        draw_blob(rng, centre=(0.47, 0.48), radii_px=(125, 96), roughness=0.12, softness_px=11, tilt=-0.4),
        draw_blob(rng, centre=(0.63, 0.60), radii_px=(80, 62), roughness=0.16, softness_px=9, tilt=0.7),
        draw_blob(rng, centre=(0.41, 0.63), radii_px=(60, 48), roughness=0.18, softness_px=14, tilt=0.0),
    ]
    mask = np.maximum.reduce(parts)
    shades = np.clip(0.85 + 0.36 * smooth_noise(rng, 26) + 0.12 * smooth_noise(rng, 5), 0.25, None)
    net = draw_net(rng, cell_px=13, line_px=1.9) * np.clip(0.30 + 0.40 * smooth_noise(rng, 28), 0, None)
    dots = draw_dots(rng, mask > 0.6, n=70, radius_px=(1.5, 4.2))
    black = draw_blob(rng, centre=(0.60, 0.57), radii_px=(48, 36), roughness=0.25, softness_px=9, tilt=0.9)
    veil = draw_blob(rng, centre=(0.44, 0.44), radii_px=(52, 36), roughness=0.20, softness_px=16, tilt=0.2)
    regression = draw_blob(rng, centre=(0.39, 0.58), radii_px=(30, 20), roughness=0.25, softness_px=10, tilt=0.4)
    brown = mask * (shades + net) * (1 - 0.75 * regression) * (1 - 0.55 * veil) + 0.9 * dots + 0.85 * black * mask
    densities = bare_skin(rng) + dye(brown, MELANIN) + dye(0.85 * veil * mask, DEEP_MELANIN)
    densities += dye(0.22 * mask * np.clip(smooth_noise(rng, 22), 0, None), BLOOD)
    return expose(rng, densities)


def _paint_red_bump() -> Photo:
    rng = np.random.default_rng(2)
    mask = draw_blob(rng, centre=(0.49, 0.52), radii_px=(92, 84), roughness=0.07, softness_px=6, tilt=0.3)
    lakes = draw_lakes(rng, cell_px=25)
    halo = draw_blob(rng, centre=(0.49, 0.52), radii_px=(122, 112), roughness=0.08, softness_px=34, tilt=0.3)
    blood = mask * (0.42 + 0.85 * lakes * (0.9 + 0.25 * smooth_noise(rng, 24))) + 0.14 * halo
    veil = mask * lakes * np.clip(smooth_noise(rng, 34), 0, None) * 0.35
    densities = bare_skin(rng) + dye(blood, BLOOD) + dye(veil, DEEP_MELANIN)
    return draw_hairs(rng, expose(rng, densities), n=7)


def _paint_blurred() -> Photo:
    # 14 px here are 4.7 px at the gate's working size of 150 px: out of focus beyond repair.
    return np.asarray(cv2.GaussianBlur(_paint_even_mole(), (0, 0), 14), np.uint8)


_PAINTERS: dict[str, Callable[[], Photo]] = {
    "even-mole": _paint_even_mole,
    "irregular-dark": _paint_irregular,
    "red-bump": _paint_red_bump,
    "blurred": _paint_blurred,
}
