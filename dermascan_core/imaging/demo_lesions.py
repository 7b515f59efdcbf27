"""Generated lesions, no two alike, for a demo clinic. They show nobody's skin and say nothing about anybody's."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

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


def draw_lesion(kind: str, seed: int) -> Photo:
    """Draw one lesion.

    Args:
        kind: A key of ``KINDS``.
        seed: Of everything that is drawn by chance; the same seed gives the same bits.

    Returns:
        Array (450, 600, 3), uint8, sRGB.

    Raises:
        ValueError: If the kind is not known.
    """
    if kind not in KINDS:
        raise ValueError(f"Invalid value received for argument `kind`. Expected {list(KINDS)}. Received: {kind!r}")
    return KINDS[kind](np.random.default_rng([seed, list(KINDS).index(kind)]))


def _draw_even(rng: np.random.Generator) -> Photo:
    place, tilt = _place(rng), rng.uniform(-1.5, 1.5)
    wide = rng.uniform(70, 125)
    radii = (wide, wide * rng.uniform(0.72, 0.95))
    mask = draw_blob(rng, centre=place, radii_px=radii, roughness=0.05, softness_px=rng.uniform(9, 18), tilt=tilt)
    depth = rng.uniform(0.35, 0.75)
    pigment = mask * (depth + 0.10 * smooth_noise(rng, 30) + 0.05 * smooth_noise(rng, 5))
    lines = draw_net(rng, cell_px=rng.uniform(9, 13), line_px=1.5) * mask * (0.42 + 0.12 * smooth_noise(rng, 18))
    core = draw_blob(rng, centre=place, radii_px=(radii[0] / 2, radii[1] / 2), roughness=0.1, softness_px=26, tilt=tilt)
    return _finish(rng, bare_skin(rng) + dye(pigment + lines + 0.3 * core, MELANIN))


def _draw_uneven(rng: np.random.Generator) -> Photo:
    (x, y), wide = _place(rng), rng.uniform(85, 125)
    parts = [
        draw_blob(
            rng,
            centre=(x + dx * wide / 600, y + dy * wide / 450),
            radii_px=(wide * size, wide * size * rng.uniform(0.6, 0.9)),
            roughness=0.16,
            softness_px=10,
            tilt=rng.uniform(-1.5, 1.5),
        )
        for dx, dy, size in ((0, 0, 1), (rng.uniform(0.5, 0.9), 0.5, 0.6), (-0.5, rng.uniform(0.4, 0.8), 0.5))
    ]
    mask = np.maximum.reduce(parts)
    shades = np.clip(0.85 + 0.36 * smooth_noise(rng, 26) + 0.12 * smooth_noise(rng, 5), 0.25, None)
    lines = draw_net(rng, cell_px=13, line_px=1.9) * np.clip(0.3 + 0.4 * smooth_noise(rng, 28), 0, None)
    dots = draw_dots(rng, mask > 0.6, n=int(rng.integers(20, 90)), radius_px=(1.5, 4.2))
    veil = draw_blob(rng, centre=(x, y), radii_px=(wide * 0.4, wide * 0.3), roughness=0.2, softness_px=16, tilt=0.2)
    brown = mask * (shades + lines) * (1 - 0.55 * veil) + 0.9 * dots
    densities = bare_skin(rng) + dye(brown, MELANIN) + dye(0.85 * veil * mask, DEEP_MELANIN)
    return _finish(rng, densities + dye(0.22 * mask * np.clip(smooth_noise(rng, 22), 0, None), BLOOD))


def _draw_red(rng: np.random.Generator) -> Photo:
    place, wide, tilt = _place(rng), rng.uniform(70, 105), rng.uniform(-1.5, 1.5)
    radii = (wide, wide * rng.uniform(0.8, 0.95))
    mask = draw_blob(rng, centre=place, radii_px=radii, roughness=0.07, softness_px=7, tilt=tilt)
    lakes = draw_lakes(rng, cell_px=rng.uniform(20, 30))
    halo = draw_blob(
        rng, centre=place, radii_px=(radii[0] * 1.3, radii[1] * 1.3), roughness=0.08, softness_px=34, tilt=tilt
    )
    blood = mask * (0.42 + 0.85 * lakes * (0.9 + 0.25 * smooth_noise(rng, 24))) + 0.14 * halo
    return _finish(rng, bare_skin(rng) + dye(blood, BLOOD))


def _draw_blurred(rng: np.random.Generator) -> Photo:
    return np.asarray(cv2.GaussianBlur(_draw_even(rng), (0, 0), 14), np.uint8)


KINDS: dict[str, Callable[[np.random.Generator], Photo]] = {
    "even": _draw_even,
    "uneven": _draw_uneven,
    "red": _draw_red,
    "blurred": _draw_blurred,
}


def _place(rng: np.random.Generator) -> tuple[float, float]:
    x, y = rng.uniform(0.44, 0.56, 2)
    return float(x), float(y)


def _finish(rng: np.random.Generator, densities: np.ndarray) -> Photo:
    photo = expose(rng, densities)
    return draw_hairs(rng, photo, n=int(rng.integers(3, 9))) if rng.random() < 0.25 else photo
