"""Pictures made in code: skin of every tone, and things that are not skin. Seeded, so that every run sees the same.

Used by the tests here and by ``benchmarks/quality_gate.py``.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

Photo = npt.NDArray[np.uint8]

# Mean skin colours (sRGB), light to very dark: the Fitzpatrick types that no folder of photos here covers evenly.
SKIN_TONES: dict[str, tuple[int, int, int]] = {
    "I": (244, 214, 200),
    "II": (232, 190, 165),
    "III": (210, 161, 130),
    "IV": (172, 120, 88),
    "V": (118, 76, 54),
    "VI": (72, 46, 34),
    "VI, dim light": (52, 34, 27),
}


def skin_photo(
    tone: tuple[int, int, int] = (222, 178, 155), *, seed: int = 0, size: tuple[int, int] = (450, 600)
) -> Photo:
    """Return skin of one colour with pores, shading and an oval lesion darker than the skin. Size is (height, width)."""
    rng = np.random.default_rng(seed)
    height, width = size
    fine = cv2.GaussianBlur(rng.normal(0, 1, size), (0, 0), 1.2)
    coarse = cv2.GaussianBlur(rng.normal(0, 1, size), (0, 0), 12)
    texture = 0.045 * fine / fine.std() + 0.03 * coarse / coarse.std()
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot((x - width * 0.5) / (width * 0.16), (y - height * 0.5) / (height * 0.18)) + 0.6 * texture
    lesion = 1 / (1 + np.exp((distance - 1) * 14))  # 1 inside, 0 outside
    shading = 1.0 - 0.12 * np.hypot(x / width - 0.45, y / height - 0.45)
    rgb = np.array(tone) * (shading * (1 + texture))[..., None]
    rgb = rgb * (1 - lesion[..., None] * (1 - np.array([0.55, 0.45, 0.42])))
    return np.clip(np.round(rgb), 0, 255).astype(np.uint8)


def non_skin_pictures() -> Iterator[tuple[str, Photo]]:
    """Yield (kind, picture) for documents, screenshots, charts, noise, sky, grass, colours, grey and inverted lesions."""
    for seed in range(4):
        yield "document", document_page(seed)
        yield "screenshot", screenshot(seed)
        yield "chart", chart(seed)
        yield "noise", np.random.default_rng(seed).integers(0, 256, (300, 400, 3)).astype(np.uint8)
        yield "sky", sky(seed)
        yield "grass", grass(seed)
    for hue in range(0, 360, 30):
        yield "one colour", one_colour(*(round(255 * c) for c in colorsys.hsv_to_rgb(hue / 360, 0.9, 0.9)))
    for name in ("I", "III", "V"):  # a wall painted like skin has no pores
        yield "one colour", one_colour(*SKIN_TONES[name])
    yield "one colour", one_colour(128, 128, 128)
    for seed, tone in enumerate(SKIN_TONES.values()):
        photo = skin_photo(tone, seed=seed)
        yield "greyscale photo", np.repeat(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        yield "inverted photo", np.asarray(255 - photo, np.uint8)


def one_colour(red: int, green: int, blue: int) -> Photo:
    """Return a picture of one colour."""
    return np.full((300, 400, 3), (red, green, blue), np.uint8)


def document_page(seed: int) -> Photo:
    """Return a scanned page: lines of dark words on warm or white paper."""
    rng = np.random.default_rng(seed)
    paper = [(255, 255, 255), (250, 244, 228), (238, 238, 234), (246, 238, 214)][seed % 4]
    page = np.full((800, 600, 3), paper, np.uint8)
    for y in range(60, 760, 26):
        x = 50
        while x < 540:
            length = int(rng.integers(18, 80))
            word = "".join(chr(97 + int(c)) for c in rng.integers(0, 26, max(2, length // 9)))
            cv2.putText(page, word, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (35, 30, 30), 1, cv2.LINE_AA)
            x += length + 14
    return page


def screenshot(seed: int) -> Photo:
    """Return a window with a title bar, panels and text in flat colours."""
    rng = np.random.default_rng(seed)
    dark = seed % 2 == 1
    screen = np.full((540, 960, 3), (30, 32, 38) if dark else (246, 247, 249), np.uint8)
    cv2.rectangle(screen, (0, 0), (960, 46), (52, 88, 160), -1)
    for _ in range(9):
        x, y = int(rng.integers(10, 800)), int(rng.integers(60, 480))
        colour = tuple(int(c) for c in rng.integers(60, 240, 3))
        cv2.rectangle(screen, (x, y), (x + int(rng.integers(60, 260)), y + int(rng.integers(20, 120))), colour, -1)
        cv2.putText(screen, "Settings 1234", (x, y), 0, 0.5, (210, 210, 210) if dark else (40, 40, 40), 1, cv2.LINE_AA)
    return screen


def chart(seed: int) -> Photo:
    """Return a bar or line chart on white."""
    rng = np.random.default_rng(seed)
    page = np.full((480, 640, 3), 255, np.uint8)
    for y in range(60, 430, 45):
        cv2.line(page, (60, y), (610, y), (222, 222, 222), 1)
        cv2.putText(page, str(y), (18, y), 0, 0.4, (80, 80, 80), 1, cv2.LINE_AA)
    colours = [(31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40)]
    if seed % 2:
        for i, height in enumerate(rng.integers(60, 360, 9)):
            cv2.rectangle(page, (75 + i * 58, 430 - int(height)), (115 + i * 58, 430), colours[seed % 4], -1)
    else:
        for colour in colours:
            points = np.stack([np.linspace(60, 610, 30), rng.normal(0, 18, 30).cumsum() + 240], axis=1).astype(np.int32)
            cv2.polylines(page, [points], False, colour, 3, cv2.LINE_AA)
    return page


def sky(seed: int) -> Photo:
    """Return a blue sky, paler at the horizon, with soft clouds and a little sensor noise."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, 400)[:, None, None]
    rgb = (1 - t) * np.array([70, 130, 205]) + t * np.array([170, 205, 235])
    clouds = cv2.GaussianBlur(rng.normal(0, 1, (400, 600)), (0, 0), 30)
    rgb = rgb + np.clip(clouds / clouds.std(), 0, 2)[..., None] * 25 + rng.normal(0, 2, (400, 600, 1))
    return np.clip(rgb, 0, 255).astype(np.uint8)


def grass(seed: int) -> Photo:
    """Return green blades."""
    rng = np.random.default_rng(seed)
    rgb = np.full((400, 600, 3), (60, 95, 35), np.uint8)
    for _ in range(3500):
        x, y, lean, height = rng.integers(0, 600), rng.integers(0, 440), rng.integers(-12, 12), rng.integers(15, 60)
        shade = int(rng.integers(-30, 60))
        cv2.line(rgb, (int(x), int(y)), (int(x + lean), int(y - height)), (75 + shade, 125 + shade, 45 + shade // 2), 1)
    return rgb
