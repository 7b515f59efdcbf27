"""Random changes to a training square: what a photo may look like without its diagnosis changing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Square = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class AugmentationConfig:
    """How far each change may go; 0 switches it off.

    Attributes:
        rotation_degrees: Uniform in +- this, after a random quarter turn and flip (a lesion has no upright).
        zoom_range: Uniform factor of magnification.
        shift_share: Uniform in +- this share of the side.
        brightness, contrast, saturation: Uniform relative change, +-.
        hue_degrees: Uniform turn of the hue, +-.
        blur_probability, jpeg_probability, noise_probability: Damage that uploads have and the archive has not.
        cutout_probability: One grey rectangle of up to a third of the side.
    """

    rotation_degrees: float = 45.0
    zoom_range: tuple[float, float] = (0.85, 1.3)
    shift_share: float = 0.06
    brightness: float = 0.15
    contrast: float = 0.15
    saturation: float = 0.15
    hue_degrees: float = 6.0
    blur_probability: float = 0.15
    jpeg_probability: float = 0.15
    noise_probability: float = 0.10
    cutout_probability: float = 0.25


def augment(square: Square, config: AugmentationConfig, rng: np.random.Generator) -> Square:
    """Return a changed copy of the square.

    Args:
        square: Array (side, side, 3), uint8.
        config: How far to go.
        rng: Source of every random choice.
    """
    square = _move(square, config, rng)
    square = _recolour(square, config, rng)
    square = _damage(square, config, rng)
    return np.ascontiguousarray(square)


def _move(square: Square, config: AugmentationConfig, rng: np.random.Generator) -> Square:
    square = np.rot90(square, int(rng.integers(4)))
    if rng.random() < 0.5:
        square = square[:, ::-1]
    side = square.shape[0]
    centre = ((side - 1) / 2, (side - 1) / 2)
    angle = float(rng.uniform(-config.rotation_degrees, config.rotation_degrees))
    matrix = cv2.getRotationMatrix2D(centre, angle, float(rng.uniform(*config.zoom_range)))
    matrix[:, 2] += rng.uniform(-config.shift_share, config.shift_share, 2) * side
    moved = cv2.warpAffine(
        np.ascontiguousarray(square), matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(moved, np.uint8)


def _recolour(square: Square, config: AugmentationConfig, rng: np.random.Generator) -> Square:
    pixels = square.astype(np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + (pixels - grey) * (1 + rng.uniform(-config.saturation, config.saturation))
    mean = pixels.mean()
    pixels = mean + (pixels - mean) * (1 + rng.uniform(-config.contrast, config.contrast))
    pixels *= 1 + rng.uniform(-config.brightness, config.brightness)
    pixels = pixels @ _hue_rotation(float(rng.uniform(-config.hue_degrees, config.hue_degrees)))
    return np.asarray(np.clip(pixels, 0, 255), np.uint8)


def _hue_rotation(degrees: float) -> npt.NDArray[np.float32]:
    """Rotation of RGB space about its grey axis (Rodrigues' formula), as a matrix for row vectors."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    third, skew = (1 - cos) / 3, sin / np.sqrt(3)
    a, b, c = cos + third, third - skew, third + skew
    return np.array([[a, b, c], [c, a, b], [b, c, a]], np.float32).T


def _damage(square: Square, config: AugmentationConfig, rng: np.random.Generator) -> Square:
    if rng.random() < config.blur_probability:
        square = np.asarray(cv2.GaussianBlur(square, (0, 0), float(rng.uniform(0.4, 1.5))), np.uint8)
    if rng.random() < config.jpeg_probability:
        _, data = cv2.imencode(".jpg", square[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 90))])
        square = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
    if rng.random() < config.noise_probability:
        noise = rng.normal(0, rng.uniform(2, 10), square.shape)
        square = np.clip(square + noise, 0, 255).astype(np.uint8)
    if rng.random() < config.cutout_probability:
        side = square.shape[0]
        height, width = (int(rng.integers(side // 10, side // 3)) for _ in range(2))
        top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
        square = square.copy()
        square[top : top + height, left : left + width] = square.mean(axis=(0, 1)).astype(np.uint8)
    return square
