"""Draws skin and what lies on it, from a seeded generator.

Light passes through skin and pigment by Beer-Lambert: each dye (melanin, blood) dims red, green and blue by its own share.
Patterns are noise and cells (Voronoi).
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Photo = npt.NDArray[np.uint8]
Plane = npt.NDArray[np.float64]  # (height, width)

WIDTH_PX, HEIGHT_PX = 600, 450
SKIN_RGB = np.array([0.91, 0.755, 0.69])
# Optical density per unit of dye in red, green and blue: melanin absorbs blue most, blood green.
MELANIN = np.array([0.62, 1.0, 1.22])
BLOOD = np.array([0.16, 1.0, 0.82])
DEEP_MELANIN = np.array([1.05, 0.95, 0.72])  # seen through tissue, pigment looks blue-grey (Tyndall effect)


def bare_skin(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Optical density (h, w, 3) of bare skin: blotches of blood, uneven tan, furrows, pale follicle openings."""
    blood = 0.028 * smooth_noise(rng, 45) + 0.018 * smooth_noise(rng, 8) + 0.012 * smooth_noise(rng, 3)
    tan = 0.022 * smooth_noise(rng, 60) + 0.020 * smooth_noise(rng, 3) + 0.018 * smooth_noise(rng, 1)
    furrows = 0.05 * draw_net(rng, cell_px=22, line_px=1.3) * np.clip(0.7 + 0.6 * smooth_noise(rng, 30), 0, None)
    everywhere = np.ones((HEIGHT_PX, WIDTH_PX), bool)
    follicles = draw_dots(rng, everywhere, n=60, radius_px=(1.8, 3.2))
    rims = cv2.GaussianBlur(follicles, (0, 0), 3.0) - 0.6 * follicles
    vessels = draw_dots(rng, everywhere, n=45, radius_px=(0.8, 1.6))
    return dye(np.clip(blood, -0.1, None) + 0.10 * vessels, BLOOD) + dye(tan + furrows + 0.10 * rims, MELANIN)


def expose(rng: np.random.Generator, densities: npt.NDArray[np.float64]) -> Photo:
    """Turn optical density into a photo: light falling off to the border, lens softness, sensor noise."""
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX]
    radius = np.hypot((x - WIDTH_PX * 0.48) / WIDTH_PX, (y - HEIGHT_PX * 0.47) / HEIGHT_PX)
    light = 1.04 - 0.42 * radius**2
    rgb = SKIN_RGB * np.exp(-densities) * light[..., None]
    rgb = cv2.GaussianBlur(rgb, (0, 0), 0.8) + rng.normal(0, 0.008, rgb.shape)
    return np.asarray(np.clip(np.round(rgb * 255), 0, 255), np.uint8)


def dye(amount: Plane, absorption: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the optical density (h, w, 3) of an amount of dye (h, w)."""
    return np.asarray(amount[..., None] * absorption, np.float64)


def smooth_noise(rng: np.random.Generator, scale_px: float) -> Plane:
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


def draw_blob(
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
    waves = smooth_noise(rng, 28) + 0.5 * smooth_noise(rng, 11) + 0.25 * smooth_noise(rng, 4)
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


def draw_net(rng: np.random.Generator, *, cell_px: float, line_px: float) -> Plane:
    """A honeycomb of soft lines in [0, 1], bent so that no line is straight."""
    to_wall, _ = _cells(rng, cell_px)
    y, x = np.mgrid[0:HEIGHT_PX, 0:WIDTH_PX].astype(np.float32)
    bend_x, bend_y = smooth_noise(rng, cell_px * 0.8), smooth_noise(rng, cell_px * 0.8)
    shift = np.float32(cell_px * 0.22)
    warped = cv2.remap(
        to_wall.astype(np.float32),
        x + shift * bend_x.astype(np.float32),
        y + shift * bend_y.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    return np.asarray(np.exp(-0.5 * (warped / line_px) ** 2), np.float64)


def draw_lakes(rng: np.random.Generator, *, cell_px: float) -> Plane:
    """Rounded pools in [0, 1] with paler walls between them, each of its own depth."""
    to_wall, labels = _cells(rng, cell_px)
    depth = rng.uniform(0.65, 1.15, int(labels.max()) + 1)[labels.astype(int)]
    pools = 1 / (1 + np.exp(-(to_wall - 2.2) / 1.3)) * depth
    return np.asarray(cv2.GaussianBlur(pools, (0, 0), 1.6), np.float64)


def draw_dots(
    rng: np.random.Generator, where: npt.NDArray[np.bool_], *, n: int, radius_px: tuple[float, float]
) -> Plane:
    """Soft round dots in [0, 1] at random places of ``where``."""
    plane = np.zeros((HEIGHT_PX, WIDTH_PX), np.float64)
    places = np.argwhere(where)
    for y, x in places[rng.integers(0, len(places), n)]:
        radius = rng.uniform(*radius_px)
        cv2.circle(plane, (int(x) * 16, int(y) * 16), int(radius * 16), rng.uniform(0.5, 1.0), -1, cv2.LINE_8, 4)
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), 0.9), np.float64)


def draw_hairs(rng: np.random.Generator, photo: Photo, *, n: int) -> Photo:
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
