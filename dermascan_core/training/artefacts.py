"""What lies over the skin on a photo without being skin: hairs, ink, a ruler, a dark rim. Drawn on training squares.

The stress test draws such things too, by code of its own, so that what it measures is not what was trained on.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

Square = npt.NDArray[np.uint8]
_SUBPIXEL_BITS = 4
_INKS = ((70, 40, 130), (40, 60, 150), (30, 30, 35), (20, 110, 80), (150, 40, 60))


def draw_hairs(square: Square, rng: np.random.Generator) -> Square:
    """Return a copy with 3 to 15 thin curved hairs, dark to grey, often lying the same way."""
    side = square.shape[0]
    main_direction = rng.uniform(0, np.pi)
    colour = np.array([55, 42, 35]) * rng.uniform(0.3, 2.2)
    drawn = square.copy()
    t = np.linspace(0, 1, 12)[:, np.newaxis]
    for _ in range(int(rng.integers(3, 16))):
        direction = main_direction + rng.normal(0, 0.35)
        along = np.array([np.cos(direction), np.sin(direction)])
        start = rng.uniform(-0.1, 1.1, 2) * side
        end = start + along * side * rng.uniform(0.25, 1.0)
        bow = (start + end) / 2 + along[::-1] * [1, -1] * side * rng.normal(0, 0.12)
        curve = (1 - t) ** 2 * start + 2 * t * (1 - t) * bow + t**2 * end  # quadratic Bezier
        shade = np.clip(colour * rng.uniform(0.8, 1.2), 0, 255)
        _polyline(drawn, curve, shade, thickness=1 if side < 300 or rng.random() < 0.5 else 2)
    return drawn


def draw_ink(square: Square, rng: np.random.Generator) -> Square:
    """Return a copy with a surgeon's mark: a see-through stroke, or some dots, away from the centre."""
    side = square.shape[0]
    layer = square.copy()
    colour = np.clip(np.array(_INKS[int(rng.integers(len(_INKS)))]) * rng.uniform(0.7, 1.3), 0, 255)
    thickness = max(1, round(side * rng.uniform(0.015, 0.04)))
    angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0.34, 0.5)
    if rng.random() < 0.6:
        arc = angle + np.linspace(0, rng.uniform(0.3, 1.2), 10)
        wobble = distance + rng.normal(0, 0.01, 10).cumsum()
        curve = side * (0.5 + wobble[:, np.newaxis] * np.stack([np.cos(arc), np.sin(arc)], axis=1))
        _polyline(layer, curve, colour, thickness=thickness)
    else:
        for place in angle + np.arange(int(rng.integers(1, 5))) * rng.uniform(0.2, 0.5):
            x, y = side * (0.5 + distance * np.array([np.cos(place), np.sin(place)]))
            cv2.circle(layer, (round(x), round(y)), thickness, colour.tolist(), -1, cv2.LINE_AA)
    opacity = rng.uniform(0.5, 0.9)
    return np.asarray(cv2.addWeighted(layer, opacity, square, 1 - opacity, 0), np.uint8)


def draw_ruler(square: Square, rng: np.random.Generator) -> Square:
    """Return a copy with the ticks of a ruler along one side, every fifth longer; at times on a white strip."""
    side = square.shape[0]
    n_quarters = int(rng.integers(4))
    turned = np.rot90(square, n_quarters).copy()
    base = side * rng.uniform(0.86, 0.97)
    if rng.random() < 0.4:
        top = round(base - side * rng.uniform(0.06, 0.1))
        white = np.full_like(turned[top:], int(rng.integers(190, 245)))
        turned[top:] = cv2.addWeighted(white, 0.85, turned[top:], 0.15, 0)
    colour = np.full(3, rng.uniform(10, 70))
    gap, first = side * rng.uniform(0.025, 0.08), rng.uniform(0, 0.2) * side
    tilt = rng.normal(0, 0.04)
    for number, x in enumerate(np.arange(first, side * rng.uniform(0.6, 1.0), gap)):
        length = side * (0.07 if number % 5 == 0 else 0.04)
        foot = np.array([x, base + tilt * (x - side / 2)])
        _polyline(turned, np.stack([foot, foot + np.array([tilt, -1.0]) * length]), colour, thickness=1)
    return np.ascontiguousarray(np.rot90(turned, -n_quarters))


def draw_vignette(square: Square, rng: np.random.Generator) -> Square:
    """Return a copy with dark corners: the round rim of a dermatoscope, or light that falls off."""
    side = square.shape[0]
    centre = side * (0.5 + rng.normal(0, 0.03, 2))
    y, x = np.ogrid[:side, :side]
    distance = np.hypot(x - centre[0], y - centre[1]).astype(np.float32) / side
    radius, softness = rng.uniform(0.48, 0.66), rng.choice([0.01, rng.uniform(0.1, 0.35)])
    light = 1 - np.clip((distance - radius) / softness, 0, 1) * rng.uniform(0.5, 1.0)
    return np.asarray(square * light[..., np.newaxis], np.uint8)


ARTEFACTS: dict[str, Callable[[Square, np.random.Generator], Square]] = {
    "hair": draw_hairs,
    "ink": draw_ink,
    "ruler": draw_ruler,
    "vignette": draw_vignette,
}


def _polyline(
    square: Square, points: npt.NDArray[np.floating], colour: npt.NDArray[np.floating], *, thickness: int
) -> None:
    fixed = np.round(points * 2**_SUBPIXEL_BITS).astype(np.int32)[:, np.newaxis]
    cv2.polylines(square, [fixed], False, colour.tolist(), thickness, cv2.LINE_AA, _SUBPIXEL_BITS)
