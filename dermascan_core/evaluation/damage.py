"""What photos suffer: blur, light, JPEG, distance, angle, hue, ink, rulers, hairs; seeded, before any lesion is found.

This is a second writing, on purpose: nothing of the training's augmentation is used, so that a network cannot pass by
having been trained on the very same arithmetic.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
import numpy.typing as npt

from ..imaging.small_changes import brighten, compress_jpeg, turn, zoom

Rgb = npt.NDArray[np.uint8]
DETAIL_PX = 150  # short side at which the damage is done: the detail of HAM10000's 200x150 view
NOISE_SD = 8.0  # grey levels
_FOCAL_LENGTHS = 1.2  # of the tilting camera, in long sides of the photo: about a phone's main lens
_N_HAIRS = 10
_INK = (88, 52, 148)  # gentian violet, as in surgical markers
_HAIR = (38, 26, 22)


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that happens to a photo.

    Attributes:
        name: Stable key of files.
        words: For tables and plots.
        apply: (uint8 RGB (height, width, 3), generator) -> the same shape.
        is_in_bar: Whether it counts in the mean and the worst of what is kept.
    """

    name: str
    words: str
    apply: Callable[[Rgb, np.random.Generator], Rgb]
    is_in_bar: bool = True


def damage_photo(rgb: Rgb, damage: Damage, *, image_id: str, seed: int) -> Rgb:
    """Return the damaged photo; the same for the same photo, damage and seed, whatever came before.

    Args:
        rgb: Array (height, width, 3), uint8.
        damage: What happens to it.
        image_id: Names the photo.
        seed: Of the whole test.
    """
    rng = np.random.default_rng([seed, zlib.crc32(damage.name.encode()), zlib.crc32(image_id.encode())])
    return np.ascontiguousarray(damage.apply(rgb, rng), np.uint8)


def to_detail(rgb: Rgb, *, detail_px: int = DETAIL_PX) -> Rgb:
    """Bring a photo's short side to ``detail_px`` by area averaging; a smaller one stays as it is."""
    height, width = rgb.shape[:2]
    if min(height, width) <= detail_px:
        return rgb
    scale = detail_px / min(height, width)
    size = (max(detail_px, round(width * scale)), max(detail_px, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)


def _blur(rgb: Rgb, rng: np.random.Generator, *, sigma: float) -> Rgb:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), sigma), np.uint8)


def _gamma(rgb: Rgb, rng: np.random.Generator, *, gamma: float) -> Rgb:
    """Above 1 is darker, below 1 lighter."""
    table = np.round(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return np.asarray(table[rgb], np.uint8)


def _brightness(rgb: Rgb, rng: np.random.Generator, *, factor: float) -> Rgb:
    return brighten(rgb, factor=factor)


def _jpeg(rgb: Rgb, rng: np.random.Generator, *, quality: int) -> Rgb:
    return compress_jpeg(rgb, quality=quality)


def _zoom(rgb: Rgb, rng: np.random.Generator, *, factor: float) -> Rgb:
    return zoom(rgb, factor=factor)


def _rotation(rgb: Rgb, rng: np.random.Generator, *, degrees: float) -> Rgb:
    """Turn about the centre, one way or the other; corners are mirrored."""
    return turn(rgb, degrees=degrees * float(rng.choice([-1, 1])))


def _tilt(rgb: Rgb, rng: np.random.Generator, *, degrees: float) -> Rgb:
    """Look at the skin from the side: a pinhole camera, leaning by ``degrees`` in a random direction."""
    height, width = rgb.shape[:2]
    focal = _FOCAL_LENGTHS * max(height, width)
    direction, lean = rng.uniform(0, 2 * np.pi), np.deg2rad(degrees)
    axis = np.array([np.cos(direction), np.sin(direction), 0.0])
    rotation, _ = cv2.Rodrigues(axis * lean)
    # A point (x, y) of the skin, from the centre, lies at R (x, y, 0), and the camera `focal` away from the centre.
    onto = np.array(
        [
            [focal * rotation[0, 0], focal * rotation[0, 1], 0.0],
            [focal * rotation[1, 0], focal * rotation[1, 1], 0.0],
            [rotation[2, 0], rotation[2, 1], focal],
        ]
    )
    centre = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1.0]])
    matrix = np.linalg.inv(centre) @ onto @ centre
    leaning = cv2.warpPerspective(
        rgb, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(leaning, np.uint8)


def _hue(rgb: Rgb, rng: np.random.Generator, *, degrees: float) -> Rgb:
    hsv = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)  # hue in degrees, 0 to 360
    hsv[..., 0] = (hsv[..., 0] + degrees) % 360
    return np.clip(np.round(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255), 0, 255).astype(np.uint8)


def _noise(rgb: Rgb, rng: np.random.Generator, *, sd: float) -> Rgb:
    return np.clip(np.round(rgb + rng.normal(0, sd, rgb.shape)), 0, 255).astype(np.uint8)


def _lay_on(rgb: Rgb, cover: npt.NDArray[np.uint8], colour: tuple[int, int, int], opacity: float) -> Rgb:
    """Blend a colour in where the cover (height, width; 0 to 255) says so."""
    share = opacity * cover[..., None].astype(np.float32) / 255
    return np.round(rgb * (1 - share) + np.array(colour, np.float32) * share).astype(np.uint8)


def _ink(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """A surgeon's marker beside the lesion: an arc around the centre, and one stroke away from it."""
    height, width = rgb.shape[:2]
    short = min(height, width)
    cover = np.zeros((height, width), np.uint8)
    centre = (width // 2, height // 2)
    radius, start, span = rng.uniform(0.36, 0.44) * short, rng.uniform(0, 360), rng.uniform(90, 180)
    thickness = max(2, round(0.03 * short))
    axes = (round(radius), round(radius * rng.uniform(0.9, 1.1)))
    cv2.ellipse(cover, centre, axes, 0, start, start + span, 255, thickness, cv2.LINE_AA)
    angle = np.deg2rad(start + span)
    ends = [(round(centre[0] + r * np.cos(angle)), round(centre[1] + r * np.sin(angle))) for r in (radius, 0.6 * short)]
    cv2.line(cover, ends[0], ends[1], 255, thickness, cv2.LINE_AA)
    return _lay_on(rgb, cover, _INK, 0.8)


def _ruler(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """A paper scale along a long edge, where the square around the lesion cannot leave it out."""
    turned = rgb if rgb.shape[1] >= rgb.shape[0] else np.rot90(rgb)
    height, width = turned.shape[:2]
    paper, ticks = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    depth, step = round(0.13 * height), 0.03 * height  # a tick is a millimetre
    is_top = bool(rng.integers(2))
    paper[:depth] = 255
    for number in range(int(width / step) + 1):
        length = (0.85 if number % 10 == 0 else 0.65 if number % 5 == 0 else 0.4) * depth
        x = round(number * step)
        cv2.line(ticks, (x, depth - 1), (x, depth - 1 - round(length)), 255, max(1, round(height / 200)), cv2.LINE_AA)
    covers = (paper, ticks) if is_top else (np.ascontiguousarray(paper[::-1]), np.ascontiguousarray(ticks[::-1]))
    marked = _lay_on(_lay_on(turned, covers[0], (236, 236, 228), 0.9), covers[1], (20, 20, 20), 1.0)
    return marked if rgb.shape[1] >= rgb.shape[0] else np.rot90(marked, -1)


def _hairs(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """Dark hairs that cross the photo, each a bent line."""
    height, width = rgb.shape[:2]
    cover = np.zeros((height, width), np.uint8)
    thickness = max(1, round(min(height, width) / DETAIL_PX))
    along = np.linspace(0, 1, 24)[:, None]
    for _ in range(_N_HAIRS):
        ends = rng.uniform((-0.1 * width, -0.1 * height), (1.1 * width, 1.1 * height), (2, 2))
        bend = ends.mean(axis=0) + rng.normal(0, 0.15 * min(height, width), 2)
        line = (1 - along) ** 2 * ends[0] + 2 * along * (1 - along) * bend + along**2 * ends[1]  # quadratic Bezier
        cv2.polylines(cover, [np.round(line).astype(np.int32)], False, 255, thickness, cv2.LINE_AA)
    return _lay_on(rgb, cover, _HAIR, 0.85)


CLEAN = Damage("clean", "as it is", lambda rgb, rng: rgb, is_in_bar=False)
STRESSES: tuple[Damage, ...] = (
    Damage("blur", "blur, sigma 1 px", partial(_blur, sigma=1.0)),
    Damage("lighter", "lighter, gamma 0.5", partial(_gamma, gamma=0.5)),
    Damage("darker", "darker, gamma 1.8", partial(_gamma, gamma=1.8)),
    Damage("jpeg_30", "JPEG quality 30", partial(_jpeg, quality=30)),
    Damage("zoom_0.7", "zoom 0.7", partial(_zoom, factor=0.7)),
    Damage("zoom_1.4", "zoom 1.4", partial(_zoom, factor=1.4)),
    Damage("rotation_45", "rotation 45 degrees", partial(_rotation, degrees=45)),
    Damage("tilt_20", "camera tilted 20 degrees", partial(_tilt, degrees=20)),
    Damage("hue_plus_10", "hue +10 degrees", partial(_hue, degrees=10)),
    Damage("hue_minus_10", "hue -10 degrees", partial(_hue, degrees=-10)),
    Damage("ink", "ink mark", _ink),
    Damage("ruler", "ruler", _ruler),
    Damage("hair", "hairs", _hairs),
    Damage("noise", f"noise, SD {NOISE_SD:g}", partial(_noise, sd=NOISE_SD), is_in_bar=False),
)
# What a second photo of the same lesion differs by: the next step should stay.
SMALL_CHANGES: tuple[Damage, ...] = (
    Damage("rotation_15", "rotation 15 degrees", partial(_rotation, degrees=15)),
    Damage("rotation_30", "rotation 30 degrees", partial(_rotation, degrees=30)),
    Damage("rotation_45", "rotation 45 degrees", partial(_rotation, degrees=45)),
    Damage("zoom_0.9", "zoom 0.9", partial(_zoom, factor=0.9)),
    Damage("zoom_1.1", "zoom 1.1", partial(_zoom, factor=1.1)),
    Damage("brightness_minus_15", "brightness -15 %", partial(_brightness, factor=0.85)),
    Damage("brightness_plus_15", "brightness +15 %", partial(_brightness, factor=1.15)),
    Damage("jpeg_50", "JPEG quality 50", partial(_jpeg, quality=50)),
)
