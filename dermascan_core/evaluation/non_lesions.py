"""Pictures that are no photo of a skin lesion, drawn by code: what a gate should refuse. Seeded, so every run sees the same.

Families are kept apart, so that a gate can be fitted on some and tested on others. Photos of everyday things that
libraries ship come in through ``library_photos``.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

Photo = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.floating]

# Mean skin colours (sRGB), light to very dark, about Fitzpatrick types I to VI.
SKIN_TONES: tuple[tuple[int, int, int], ...] = (
    (244, 214, 200),
    (232, 190, 165),
    (210, 161, 130),
    (172, 120, 88),
    (118, 76, 54),
    (72, 46, 34),
)
_SIZE = (360, 480)  # height, width


def generated_pictures(
    n_each: int, *, seed: int = 0, families: tuple[str, ...] | None = None
) -> Iterator[tuple[str, Photo]]:
    """Yield (family, picture), ``n_each`` of every family.

    Args:
        n_each: Pictures a family.
        seed: Other seeds give other pictures.
        families: Keys of ``FAMILIES``; None takes all.
    """
    for family in families or tuple(FAMILIES):
        for number in range(n_each):
            rng = np.random.default_rng([seed, number, *family.encode()])
            yield family, FAMILIES[family](rng)


def spoilt_photos(lesions: Iterator[Photo], *, seed: int = 0) -> Iterator[tuple[str, Photo]]:
    """Yield (family, picture) of real lesions spoilt beyond judging: inverted, grey, far out of focus, solarised.

    Args:
        lesions: Photos (height, width, 3), uint8.
        seed: Of the strength of each damage.
    """
    rng = np.random.default_rng(seed)
    for photo in lesions:
        short = min(photo.shape[:2])
        yield "inverted lesion", np.asarray(255 - photo, np.uint8)
        grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        yield "black and white lesion", np.repeat(grey[..., np.newaxis], 3, axis=2)
        yield (
            "lesion out of focus",
            np.asarray(cv2.GaussianBlur(photo, (0, 0), short * rng.uniform(0.03, 0.06)), np.uint8),
        )
        turned = cv2.cvtColor(photo, cv2.COLOR_RGB2HSV)
        turned[..., 0] = (turned[..., 0].astype(int) + int(rng.integers(50, 130))) % 180
        yield "lesion with a colour filter", np.asarray(cv2.cvtColor(turned, cv2.COLOR_HSV2RGB), np.uint8)


def library_photos(
    pictures: Iterator[tuple[str, Photo]], *, n_crops: int, seed: int = 0
) -> Iterator[tuple[str, Photo]]:
    """Yield (name, crop) of everyday photos: the whole first, then crops of a third of its side and more.

    Args:
        pictures: (name, photo), grey or RGB or with alpha.
        n_crops: Crops a photo, the whole included.
        seed: Of the crops' places.
    """
    for name, picture in pictures:
        rgb = _as_rgb(picture)
        rng = np.random.default_rng([seed, *name.encode()])
        yield name, rgb
        height, width = rgb.shape[:2]
        for _ in range(n_crops - 1):
            side = int(min(height, width) * rng.uniform(0.34, 0.95))
            top, left = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
            crop = rgb[top : top + side, left : left + side]
            if side < 160:
                crop = np.asarray(cv2.resize(crop, (160, 160), interpolation=cv2.INTER_CUBIC), np.uint8)
            yield name, np.ascontiguousarray(crop)


def _as_rgb(picture: Photo) -> Photo:
    if picture.ndim == 2:
        return np.repeat(picture[..., np.newaxis], 3, axis=2)
    return np.ascontiguousarray(picture[..., :3])


# === Families ===


def _document(rng: np.random.Generator) -> Photo:
    paper = [(255, 255, 255), (250, 244, 228), (238, 238, 234), (246, 238, 214)][int(rng.integers(4))]
    page = np.full((800, 600, 3), paper, np.uint8)
    for y in range(60, 760, int(rng.integers(20, 34))):
        x = 50
        while x < 540:
            length = int(rng.integers(18, 80))
            word = "".join(chr(97 + int(c)) for c in rng.integers(0, 26, max(2, length // 9)))
            cv2.putText(page, word, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (35, 30, 30), 1, cv2.LINE_AA)
            x += length + 14
    return page


def _screenshot(rng: np.random.Generator) -> Photo:
    is_dark = rng.random() < 0.5
    screen = np.full((540, 960, 3), (30, 32, 38) if is_dark else (246, 247, 249), np.uint8)
    bar = tuple(int(c) for c in rng.integers(30, 200, 3))
    cv2.rectangle(screen, (0, 0), (960, 46), bar, -1)
    for _ in range(9):
        x, y = int(rng.integers(10, 800)), int(rng.integers(60, 480))
        colour = tuple(int(c) for c in rng.integers(60, 240, 3))
        cv2.rectangle(screen, (x, y), (x + int(rng.integers(60, 260)), y + int(rng.integers(20, 120))), colour, -1)
        ink = (210, 210, 210) if is_dark else (40, 40, 40)
        cv2.putText(screen, "Settings 1234", (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, ink, 1, cv2.LINE_AA)
    return screen


def _chart(rng: np.random.Generator) -> Photo:
    page = np.full((480, 640, 3), 255, np.uint8)
    for y in range(60, 430, 45):
        cv2.line(page, (60, y), (610, y), (222, 222, 222), 1)
        cv2.putText(page, str(y), (18, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (80, 80, 80), 1, cv2.LINE_AA)
    colours = [(31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40)]
    if rng.random() < 0.5:
        colour = colours[int(rng.integers(4))]
        for i, height in enumerate(rng.integers(60, 360, 9)):
            cv2.rectangle(page, (75 + i * 58, 430 - int(height)), (115 + i * 58, 430), colour, -1)
    else:
        for colour in colours:
            line = np.stack([np.linspace(60, 610, 30), rng.normal(0, 18, 30).cumsum() + 240], axis=1).astype(np.int32)
            cv2.polylines(page, [line], False, colour, 3, cv2.LINE_AA)
    return page


def _noise(rng: np.random.Generator) -> Photo:
    """White noise, or noise with every scale in it, of any mean colour."""
    planes = [
        rng.normal(0, 1, _SIZE) if rng.random() < 0.3 else _cloud(rng, exponent=rng.uniform(0.8, 1.6)) for _ in range(3)
    ]
    return _to_photo(rng.uniform(70, 190, 3) + 45 * np.stack(planes, axis=2))


def _one_colour(rng: np.random.Generator) -> Photo:
    """A wall: any colour, or that of skin, without pores."""
    if rng.random() < 0.5:
        colour = np.array(SKIN_TONES[int(rng.integers(len(SKIN_TONES)))], float)
    else:
        colour = 255 * np.array(colorsys.hsv_to_rgb(float(rng.random()), rng.uniform(0.3, 1), rng.uniform(0.4, 1)))
    shade = 1 + 0.08 * _ramp(rng)
    return _to_photo(colour * shade[..., np.newaxis] + rng.normal(0, 1.0, (*_SIZE, 1)))


def _plain_skin(rng: np.random.Generator) -> Photo:
    """Skin of any tone with pores, shading and fine lines, and nothing on it."""
    tone = np.array(SKIN_TONES[int(rng.integers(len(SKIN_TONES)))], float)
    pores = cv2.GaussianBlur(rng.normal(0, 1, _SIZE), (0, 0), rng.uniform(1.0, 2.0))
    patches = cv2.GaussianBlur(rng.normal(0, 1, _SIZE), (0, 0), rng.uniform(10, 25))
    texture = 0.04 * pores / pores.std() + 0.025 * patches / patches.std()
    return _to_photo(tone * ((1 + 0.08 * _ramp(rng)) * (1 + texture))[..., np.newaxis])


def _face(rng: np.random.Generator) -> Photo:
    """A drawn face: head, hair, eyes, brows, nose, mouth, before a wall."""
    tone = np.array(SKIN_TONES[int(rng.integers(len(SKIN_TONES)))], float)
    rgb = np.ones((*_SIZE, 3)) * rng.uniform(60, 230, 3)
    hair = tuple(rng.uniform(10, 110, 3))
    cx, cy = 240 + int(rng.integers(-30, 30)), 185
    cv2.ellipse(rgb, (cx, cy - 20), (112, 140), 0, 0, 360, hair, -1, cv2.LINE_AA)
    cv2.ellipse(rgb, (cx, cy), (95, 125), 0, 0, 360, tuple(tone), -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (cx + side * 38, cy - 20)
        cv2.ellipse(rgb, eye, (17, 9), 0, 0, 360, (245, 245, 245), -1, cv2.LINE_AA)
        cv2.circle(rgb, eye, 7, tuple(rng.uniform(20, 120, 3)), -1, cv2.LINE_AA)
        cv2.ellipse(rgb, (eye[0], eye[1] - 20), (22, 6), 0, 180, 360, hair, 4, cv2.LINE_AA)
    cv2.line(rgb, (cx, cy - 10), (cx - 8, cy + 28), tuple(0.8 * tone), 3, cv2.LINE_AA)
    cv2.ellipse(rgb, (cx, cy + 60), (34, 12), 0, 0, 180, (170, 70, 70), -1, cv2.LINE_AA)
    grain = cv2.GaussianBlur(rng.normal(0, 1, _SIZE), (0, 0), 1.2)
    return _to_photo(rgb * (1 + 0.05 * grain[..., np.newaxis]) * (1 + 0.1 * _ramp(rng))[..., np.newaxis])


def _wood(rng: np.random.Generator) -> Photo:
    """Rings seen along the grain, with a knot at times."""
    height, width = _SIZE
    y, x = np.mgrid[0:height, 0:width].astype(float)
    bend = 40 * _cloud(rng, exponent=1.8)
    knot = rng.uniform(0, height), rng.uniform(0, width)
    pull = 60 * np.exp(-np.hypot(y - knot[0], (x - knot[1]) * 0.5) / 40) * (rng.random() < 0.6)
    grain = np.sin((y + bend + pull) / rng.uniform(3, 8)) + 0.5 * _streaks(rng)
    dark, light = np.array([110, 68, 35]) * rng.uniform(0.7, 1.2), np.array([205, 155, 100]) * rng.uniform(0.8, 1.15)
    share = (0.5 + 0.28 * grain).clip(0, 1)[..., np.newaxis]
    return _to_photo(dark * (1 - share) + light * share + rng.normal(0, 4, (*_SIZE, 1)))


def _sand(rng: np.random.Generator) -> Photo:
    """Grains of many browns, and ripples."""
    grains = cv2.resize(rng.normal(0, 1, (_SIZE[0] // 2, _SIZE[1] // 2)), _SIZE[::-1], interpolation=cv2.INTER_NEAREST)
    ripples = np.sin((np.mgrid[0 : _SIZE[0], 0 : _SIZE[1]][0] + 25 * _cloud(rng, exponent=1.8)) / rng.uniform(9, 20))
    colour = np.array([205, 175, 130]) * rng.uniform(0.75, 1.1)
    return _to_photo(colour * (1 + 0.12 * grains + 0.08 * ripples)[..., np.newaxis])


def _bricks(rng: np.random.Generator) -> Photo:
    """A wall of bricks in mortar."""
    high, wide = int(rng.integers(28, 60)), int(rng.integers(70, 140))
    rgb = np.ones((*_SIZE, 3)) * rng.uniform(150, 215)
    for row, top in enumerate(range(0, _SIZE[0], high)):
        for left in range(-(wide // 2) * (row % 2), _SIZE[1], wide):
            colour = np.array([165, 78, 55]) * rng.uniform(0.7, 1.25)
            cv2.rectangle(rgb, (left + 3, top + 3), (left + wide - 3, top + high - 3), tuple(colour), -1)
    return _to_photo(rgb * (1 + 0.08 * rng.normal(0, 1, _SIZE) + 0.05 * _cloud(rng, exponent=1.2))[..., np.newaxis])


def _cloth(rng: np.random.Generator) -> Photo:
    """A weave of two threads, checked or plain."""
    y, x = np.mgrid[0 : _SIZE[0], 0 : _SIZE[1]].astype(float)
    period = rng.uniform(4, 10)
    weave = np.sin(2 * np.pi * x / period) * np.sin(2 * np.pi * y / period)
    first, second = rng.uniform(60, 230, 3), rng.uniform(60, 230, 3)
    check = ((x // rng.integers(20, 90)) % 2 + (y // rng.integers(20, 90)) % 2) / 2
    rgb = first * (1 - check[..., np.newaxis]) + second * check[..., np.newaxis]
    return _to_photo(rgb * (1 + 0.15 * weave + 0.1 * _cloud(rng, exponent=1.8))[..., np.newaxis])


def _marble(rng: np.random.Generator) -> Photo:
    y, x = np.mgrid[0 : _SIZE[0], 0 : _SIZE[1]].astype(float)
    veins = np.abs(np.sin((x + y) / rng.uniform(30, 80) + 3 * _cloud(rng, exponent=1.7))) ** rng.uniform(0.2, 0.5)
    light, dark = rng.uniform(190, 250, 3), rng.uniform(60, 160, 3)
    share = veins[..., np.newaxis]
    return _to_photo(light * share + dark * (1 - share) + rng.normal(0, 2, (*_SIZE, 1)))


def _fur(rng: np.random.Generator) -> Photo:
    """Thousands of hairs that lie one way, in the colours of pets."""
    colour = np.array([(190, 140, 90), (120, 85, 60), (225, 205, 180), (70, 62, 58)][int(rng.integers(4))], float)
    rgb = np.ones((*_SIZE, 3)) * colour * 0.6
    angle = rng.uniform(0, np.pi)
    for _ in range(4500):
        x, y = rng.uniform(-20, _SIZE[1] + 20), rng.uniform(-20, _SIZE[0] + 20)
        lean, length = angle + rng.normal(0, 0.3), rng.uniform(12, 45)
        end = int(x + length * np.cos(lean)), int(y + length * np.sin(lean))
        cv2.line(rgb, (int(x), int(y)), end, tuple(colour * rng.uniform(0.5, 1.35)), 1, cv2.LINE_AA)
    return _to_photo(rgb)


def _leaves(rng: np.random.Generator) -> Photo:
    rgb = np.ones((*_SIZE, 3)) * np.array([40, 60, 25.0])
    autumn = rng.random() < 0.4
    for _ in range(260):
        centre = int(rng.integers(0, _SIZE[1])), int(rng.integers(0, _SIZE[0]))
        axes, angle = (int(rng.integers(10, 45)), int(rng.integers(5, 18))), float(rng.uniform(0, 180))
        colour = np.array((170, 95, 35) if autumn else (70, 120, 45)) * rng.uniform(0.5, 1.5)
        cv2.ellipse(rgb, centre, axes, angle, 0, 360, tuple(colour), -1, cv2.LINE_AA)
        cv2.ellipse(rgb, centre, (axes[0], 0), angle, 0, 360, tuple(colour * 0.7), 1, cv2.LINE_AA)
    return _to_photo(rgb + rng.normal(0, 4, (*_SIZE, 1)))


def _sky(rng: np.random.Generator) -> Photo:
    """Blue with clouds, or a sunset."""
    t = np.linspace(0, 1, _SIZE[0])[:, np.newaxis, np.newaxis]
    is_sunset = rng.random() < 0.5
    top, bottom = ((90, 70, 110), (245, 160, 90)) if is_sunset else ((70, 130, 205), (170, 205, 235))
    rgb = (1 - t) * np.array(top) + t * np.array(bottom)
    return _to_photo(
        rgb + np.clip(_cloud(rng, exponent=1.6), 0, 2)[..., np.newaxis] * 25 + rng.normal(0, 2, (*_SIZE, 1))
    )


def _objects(rng: np.random.Generator) -> Photo:
    """Round things on a table: fruit, buttons, coins, plates; shaded, with a shadow."""
    rgb = np.asarray(FAMILIES[str(rng.choice(["wood", "cloth", "one colour", "marble"]))](rng), float)
    for _ in range(int(rng.integers(1, 7))):
        centre = np.array([rng.uniform(60, _SIZE[1] - 60), rng.uniform(60, _SIZE[0] - 60)])
        radius = rng.uniform(25, 90)
        colour = 255 * np.array(colorsys.hsv_to_rgb(float(rng.random()), rng.uniform(0.2, 0.95), rng.uniform(0.4, 1)))
        y, x = np.mgrid[0 : _SIZE[0], 0 : _SIZE[1]].astype(float)
        shadow = np.hypot(x - centre[0] - 12, y - centre[1] - 12) < radius
        rgb[shadow] *= 0.6
        distance = np.hypot(x - centre[0], y - centre[1]) / radius
        light = 1.15 - 0.6 * np.hypot(x - centre[0] + 0.4 * radius, y - centre[1] + 0.4 * radius) / radius
        inside = distance < 1
        rgb[inside] = (colour * light.clip(0.3, 1.3)[..., np.newaxis])[inside]
    return _to_photo(rgb + rng.normal(0, 2, (*_SIZE, 1)))


def _drawn_mole(rng: np.random.Generator) -> Photo:
    """A mole as a child draws it: a flat brown blot on a flat skin colour, with an outline or crayon strokes."""
    rgb = np.ones((*_SIZE, 3)) * np.array(SKIN_TONES[int(rng.integers(3))], float)
    brown = tuple(np.array([120, 75, 45]) * rng.uniform(0.6, 1.3))
    centre, axes = (240 + int(rng.integers(-50, 50)), 180), (int(rng.integers(30, 110)), int(rng.integers(30, 90)))
    if rng.random() < 0.5:
        cv2.ellipse(rgb, centre, axes, float(rng.uniform(0, 180)), 0, 360, brown, -1, cv2.LINE_AA)
        cv2.ellipse(rgb, centre, axes, float(rng.uniform(0, 180)), 0, 360, (30, 25, 20), 3, cv2.LINE_AA)
    else:
        for _ in range(120):
            angle, share = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
            x, y = centre[0] + share * axes[0] * np.cos(angle), centre[1] + share * axes[1] * np.sin(angle)
            cv2.line(
                rgb, (int(x), int(y)), (int(x + rng.normal(0, 25)), int(y + rng.normal(0, 9))), brown, 4, cv2.LINE_AA
            )
    return _to_photo(rgb)


def _food(rng: np.random.Generator) -> Photo:
    """A plate from above: blots of warm colours over each other, glossy."""
    rgb = np.ones((*_SIZE, 3)) * rng.uniform(200, 250, 3)
    for _ in range(int(rng.integers(25, 90))):
        colour = 255 * np.array(
            colorsys.hsv_to_rgb(rng.uniform(0, 0.35), rng.uniform(0.3, 0.9), rng.uniform(0.35, 0.95))
        )
        centre = int(rng.normal(240, 90)), int(rng.normal(180, 65))
        axes = int(rng.integers(10, 55)), int(rng.integers(8, 40))
        cv2.ellipse(rgb, centre, axes, float(rng.uniform(0, 180)), 0, 360, tuple(colour), -1, cv2.LINE_AA)
        cv2.circle(rgb, (centre[0] - axes[0] // 3, centre[1] - axes[1] // 3), 3, (255, 250, 240), -1, cv2.LINE_AA)
    return _to_photo(rgb * (1 + 0.1 * _cloud(rng, exponent=1.3))[..., np.newaxis])


FAMILIES: dict[str, Callable[[np.random.Generator], Photo]] = {
    "document": _document,
    "screenshot": _screenshot,
    "chart": _chart,
    "noise": _noise,
    "one colour": _one_colour,
    "plain skin": _plain_skin,
    "face": _face,
    "wood": _wood,
    "sand": _sand,
    "bricks": _bricks,
    "cloth": _cloth,
    "marble": _marble,
    "fur": _fur,
    "leaves": _leaves,
    "sky": _sky,
    "objects": _objects,
    "drawn mole": _drawn_mole,
    "food": _food,
}


# === Building blocks ===


def _cloud(rng: np.random.Generator, *, exponent: float) -> Plane:
    """Noise whose amplitude falls with frequency to a power: 0 is white, 2 is smooth. Mean 0, deviation 1."""
    fy, fx = np.fft.fftfreq(_SIZE[0])[:, np.newaxis], np.fft.rfftfreq(_SIZE[1])[np.newaxis]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(rng.normal(0, 1, _SIZE)) / frequency**exponent
    spectrum[0, 0] = 0
    plane = np.fft.irfft2(spectrum, _SIZE)
    return np.asarray(plane / plane.std())


def _streaks(rng: np.random.Generator) -> Plane:
    plane = cv2.GaussianBlur(rng.normal(0, 1, _SIZE), (0, 0), sigmaX=25, sigmaY=0.8)
    return np.asarray(plane / plane.std())


def _ramp(rng: np.random.Generator) -> Plane:
    """Light from one side: -1 to 1 across the picture in a random direction."""
    y, x = np.mgrid[-1 : 1 : _SIZE[0] * 1j, -1 : 1 : _SIZE[1] * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    return np.asarray((x * np.cos(angle) + y * np.sin(angle)) / np.sqrt(2))


def _to_photo(rgb: npt.NDArray[np.floating]) -> Photo:
    return np.clip(np.round(rgb), 0, 255).astype(np.uint8)
