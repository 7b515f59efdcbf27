"""Example pictures made by this code, so that a demo works at once without anyone's photo in the project.

Light passes through skin and pigment by Beer-Lambert: each dye (melanin, blood) dims red, green and blue by its own
share. Patterns are noise and cells (Voronoi) of a seeded generator. They look like dermoscopy and are no evidence of
anything: what the model says about them has no meaning for a person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from ..domain import Answers, ImageType, Metadata

Photo = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float64]  # (height, width)

WIDTH_PX, HEIGHT_PX = 600, 450
_SKIN_RGB = np.array([0.91, 0.755, 0.69])
_LABEL = "Generated picture, not a real lesion"
# Optical density per unit of dye in red, green and blue: melanin absorbs blue most, blood green.
_MELANIN = np.array([0.62, 1.0, 1.22])
_BLOOD = np.array([0.16, 1.0, 0.82])
_DEEP_MELANIN = np.array([1.05, 0.95, 0.72])  # seen through tissue, pigment looks blue-grey (Tyndall effect)


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
    mask = _blob(rng, centre=(0.51, 0.49), radii_px=(118, 92), roughness=0.05, softness_px=15, tilt=0.5)
    pigment = mask * (0.55 + 0.10 * _noise(rng, 30) + 0.05 * _noise(rng, 5))
    net = _net(rng, cell_px=10.5, line_px=1.5) * mask * (0.42 + 0.12 * _noise(rng, 18))
    core = _blob(rng, centre=(0.515, 0.48), radii_px=(62, 46), roughness=0.10, softness_px=26, tilt=0.5)
    densities = _skin(rng) + _dye(pigment + net + 0.30 * core, _MELANIN)
    return _expose(rng, densities)


def _paint_irregular() -> Photo:
    rng = np.random.default_rng(3)
    parts = [
        _blob(rng, centre=(0.47, 0.48), radii_px=(125, 96), roughness=0.12, softness_px=11, tilt=-0.4),
        _blob(rng, centre=(0.63, 0.60), radii_px=(80, 62), roughness=0.16, softness_px=9, tilt=0.7),
        _blob(rng, centre=(0.41, 0.63), radii_px=(60, 48), roughness=0.18, softness_px=14, tilt=0.0),
    ]
    mask = np.maximum.reduce(parts)
    shades = np.clip(0.85 + 0.36 * _noise(rng, 26) + 0.12 * _noise(rng, 5), 0.25, None)
    net = _net(rng, cell_px=13, line_px=1.9) * np.clip(0.30 + 0.40 * _noise(rng, 28), 0, None)
    dots = _dots(rng, mask > 0.6, n=70, radius_px=(1.5, 4.2))
    black = _blob(rng, centre=(0.60, 0.57), radii_px=(48, 36), roughness=0.25, softness_px=9, tilt=0.9)
    veil = _blob(rng, centre=(0.44, 0.44), radii_px=(52, 36), roughness=0.20, softness_px=16, tilt=0.2)
    regression = _blob(rng, centre=(0.39, 0.58), radii_px=(30, 20), roughness=0.25, softness_px=10, tilt=0.4)
    brown = mask * (shades + net) * (1 - 0.75 * regression) * (1 - 0.55 * veil) + 0.9 * dots + 0.85 * black * mask
    densities = _skin(rng) + _dye(brown, _MELANIN) + _dye(0.85 * veil * mask, _DEEP_MELANIN)
    densities += _dye(0.22 * mask * np.clip(_noise(rng, 22), 0, None), _BLOOD)
    return _expose(rng, densities)


def _paint_red_bump() -> Photo:
    rng = np.random.default_rng(2)
    mask = _blob(rng, centre=(0.49, 0.52), radii_px=(92, 84), roughness=0.07, softness_px=6, tilt=0.3)
    lakes = _lakes(rng, cell_px=25)
    halo = _blob(rng, centre=(0.49, 0.52), radii_px=(122, 112), roughness=0.08, softness_px=34, tilt=0.3)
    blood = mask * (0.42 + 0.85 * lakes * (0.9 + 0.25 * _noise(rng, 24))) + 0.14 * halo
    veil = mask * lakes * np.clip(_noise(rng, 34), 0, None) * 0.35
    densities = _skin(rng) + _dye(blood, _BLOOD) + _dye(veil, _DEEP_MELANIN)
    return _draw_hairs(rng, _expose(rng, densities), n=7)


def _paint_blurred() -> Photo:
    # 14 px here are 4.7 px at the gate's working size of 150 px: out of focus beyond repair.
    return np.asarray(cv2.GaussianBlur(_paint_even_mole(), (0, 0), 14), np.uint8)


_PAINTERS: dict[str, Callable[[], Photo]] = {
    "even-mole": _paint_even_mole,
    "irregular-dark": _paint_irregular,
    "red-bump": _paint_red_bump,
    "blurred": _paint_blurred,
}


def _skin(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Optical density (h, w, 3) of bare skin: blotches of blood, uneven tan, furrows, pale follicle openings."""
    blood = 0.028 * _noise(rng, 45) + 0.018 * _noise(rng, 8) + 0.012 * _noise(rng, 3)
    tan = 0.022 * _noise(rng, 60) + 0.020 * _noise(rng, 3) + 0.018 * _noise(rng, 1)
    furrows = 0.05 * _net(rng, cell_px=22, line_px=1.3) * np.clip(0.7 + 0.6 * _noise(rng, 30), 0, None)
    everywhere = np.ones((HEIGHT_PX, WIDTH_PX), bool)
    follicles = _dots(rng, everywhere, n=60, radius_px=(1.8, 3.2))
    rims = cv2.GaussianBlur(follicles, (0, 0), 3.0) - 0.6 * follicles
    vessels = _dots(rng, everywhere, n=45, radius_px=(0.8, 1.6))
    return _dye(np.clip(blood, -0.1, None) + 0.10 * vessels, _BLOOD) + _dye(tan + furrows + 0.10 * rims, _MELANIN)


def _expose(rng: np.random.Generator, densities: npt.NDArray[np.float64]) -> Photo:
    """Turn optical density into a photo: light falling off to the border, lens softness, sensor noise."""
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    radius = np.hypot((x - WIDTH_PX * 0.48) / WIDTH_PX, (y - HEIGHT_PX * 0.47) / HEIGHT_PX)
    light = 1.04 - 0.42 * radius**2
    rgb = _SKIN_RGB * np.exp(-densities) * light[..., None]
    rgb = cv2.GaussianBlur(rgb, (0, 0), 0.8) + rng.normal(0, 0.008, rgb.shape)
    return np.asarray(np.clip(np.round(rgb * 255), 0, 255), np.uint8)


def _dye(amount: Plane, absorption: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(amount[..., None] * absorption, np.float64)


def _noise(rng: np.random.Generator, scale_px: float) -> Plane:
    """Smooth noise of standard deviation 1 with features of about ``scale_px``."""
    step = max(1, int(scale_px / 3))  # wide features are drawn small and enlarged: the same look, far sooner
    sigma, pad = (
        scale_px / step,
        int(3 * scale_px / step) + 2,
    )  # blurred beyond the frame: its border is like its middle
    grains = rng.normal(0, 1, (HEIGHT_PX // step + 2 * pad, WIDTH_PX // step + 2 * pad))
    small = cv2.GaussianBlur(grains, (0, 0), sigma)[pad:-pad, pad:-pad]
    noise = small if step == 1 else cv2.resize(small, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_CUBIC)
    return np.asarray((noise - noise.mean()) / noise.std(), np.float64)


def _blob(
    rng: np.random.Generator,
    *,
    centre: tuple[float, float],
    radii_px: tuple[float, float],
    roughness: float,
    softness_px: float,
    tilt: float,
) -> Plane:
    """A filled ellipse in [0, 1] with a wavy, soft border. ``centre`` is in shares of width and height."""
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float64)
    dx, dy = x - centre[0] * WIDTH_PX, y - centre[1] * HEIGHT_PX
    along, across = dx * np.cos(tilt) + dy * np.sin(tilt), -dx * np.sin(tilt) + dy * np.cos(tilt)
    waves = _noise(rng, 28) + 0.5 * _noise(rng, 11) + 0.25 * _noise(rng, 4)
    reach = np.hypot(along / radii_px[0], across / radii_px[1]) + roughness * waves
    return np.asarray(1 / (1 + np.exp((reach - 1) * min(radii_px) * 2.2 / softness_px)), np.float64)


def _cells(rng: np.random.Generator, cell_px: float) -> tuple[Plane, Plane]:
    """Voronoi cells of about ``cell_px``: distance to the nearest wall in px, and each cell's number."""
    n_rows, n_columns = int(HEIGHT_PX / cell_px) + 2, int(WIDTH_PX / cell_px) + 2
    rows, columns = np.mgrid[0:n_rows, 0:n_columns].astype(np.float64)
    columns += 0.5 * (rows % 2)  # hexagonal, then shaken
    rows, columns = rows + rng.uniform(-0.36, 0.36, rows.shape), columns + rng.uniform(-0.36, 0.36, rows.shape)
    is_seed = np.zeros((HEIGHT_PX, WIDTH_PX), bool)
    at_y, at_x = np.round(rows * cell_px).astype(int).ravel(), np.round(columns * cell_px).astype(int).ravel()
    inside = (at_y >= 0) & (at_y < HEIGHT_PX) & (at_x >= 0) & (at_x < WIDTH_PX)
    is_seed[at_y[inside], at_x[inside]] = True
    _, labels = cv2.distanceTransformWithLabels(
        (~is_seed).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    labels = labels.astype(np.float32)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    is_wall = cv2.dilate(labels, cross) != cv2.erode(labels, cross)
    to_wall = cv2.distanceTransform((~is_wall).astype(np.uint8), cv2.DIST_L2, 5)
    return to_wall.astype(np.float64), labels.astype(np.float64)


def _net(rng: np.random.Generator, *, cell_px: float, line_px: float) -> Plane:
    """A honeycomb of soft lines in [0, 1], bent so that no line is straight."""
    to_wall, _ = _cells(rng, cell_px)
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
    bend_x, bend_y = _noise(rng, cell_px * 0.8), _noise(rng, cell_px * 0.8)
    shift = np.float32(cell_px * 0.22)
    warped = cv2.remap(
        to_wall.astype(np.float32),
        x + shift * bend_x.astype(np.float32),
        y + shift * bend_y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(np.exp(-0.5 * (warped / line_px) ** 2), np.float64)


def _lakes(rng: np.random.Generator, *, cell_px: float) -> Plane:
    """Rounded pools in [0, 1] with paler walls between them, each of its own depth."""
    to_wall, labels = _cells(rng, cell_px)
    depth = rng.uniform(0.65, 1.15, int(labels.max()) + 1)[labels.astype(int)]
    pools = 1 / (1 + np.exp(-(to_wall - 2.2) / 1.3)) * depth
    return np.asarray(cv2.GaussianBlur(pools, (0, 0), 1.6), np.float64)


def _dots(rng: np.random.Generator, where: npt.NDArray[np.bool_], *, n: int, radius_px: tuple[float, float]) -> Plane:
    """Soft round dots in [0, 1] at random places of ``where``."""
    plane = np.zeros((HEIGHT_PX, WIDTH_PX), np.float64)
    places = np.argwhere(where)
    for y, x in places[rng.integers(0, len(places), n)]:
        radius = rng.uniform(*radius_px)
        cv2.circle(plane, (int(x) * 16, int(y) * 16), int(radius * 16), rng.uniform(0.5, 1.0), -1, cv2.LINE_8, 4)
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), 0.9), np.float64)


def _draw_hairs(rng: np.random.Generator, photo: Photo, *, n: int) -> Photo:
    """Lay dark, slightly curved hairs over the photo."""
    cover = np.zeros((HEIGHT_PX, WIDTH_PX), np.uint8)
    for _ in range(n):
        x, y, angle = rng.uniform(-60, 380), rng.uniform(30, HEIGHT_PX - 30), rng.uniform(-0.5, 0.6)
        curve, length = rng.uniform(-0.0022, 0.0022), rng.uniform(150, 330)
        steps = np.arange(0, length, 4.0)
        turns = angle + curve * steps
        path = np.stack([x + np.cumsum(np.cos(turns) * 4), y + np.cumsum(np.sin(turns) * 4)], axis=1)
        points = np.round(path * 16).astype(np.int32)
        width_px, tip = int(rng.integers(1, 3)), len(points) * 3 // 4
        cv2.polylines(cover, [points[: tip + 1]], False, 225, width_px, cv2.LINE_AA, 4)
        cv2.polylines(cover, [points[tip:]], False, 150, 1, cv2.LINE_AA, 4)
    alpha = cv2.GaussianBlur(cover, (0, 0), 0.8).astype(np.float64)[..., None] / 255
    hair = np.array([74, 52, 44])
    return np.clip(np.round(photo * (1 - alpha) + hair * alpha), 0, 255).astype(np.uint8)
