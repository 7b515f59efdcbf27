"""Random changes to a training square: what a photo may look like without its diagnosis changing."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .artefacts import ARTEFACTS
from .presets import RANGES, Preset, read_range

Square = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]
# Camera distance in square sides: a close-up, so that a tilt shows as perspective and not only as squashing.
_CAMERA_DISTANCE = 2.5


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
        flips: Whether squares are mirrored, left to right and upside down, half of the time each.
        quarter_turns: Whether squares are turned by a random quarter first.
        tilt_probability, tilt_degrees: How often the camera looks at the skin aslant, and by how much at most.
        gamma_probability, gamma_range: How often the exposure curve changes; log-uniform exponent.
        downsample_probability, downsample_range: How often detail is lost; uniform share of the side that is left.
        artefact_probability: Of each of ``artefacts.ARTEFACTS``: hair, ink, ruler, vignette.
        jpeg_quality: Uniform, from and up to but without.
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
    flips: bool = True
    quarter_turns: bool = True
    tilt_probability: float = 0.0
    tilt_degrees: float = 0.0
    gamma_probability: float = 0.0
    gamma_range: tuple[float, float] = (1.0, 1.0)
    downsample_probability: float = 0.0
    downsample_range: tuple[float, float] = (0.4, 0.9)
    artefact_probability: float = 0.0
    jpeg_quality: tuple[int, int] = (40, 90)


_OFF = AugmentationConfig(
    0.0, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, flips=False, quarter_turns=False
)
AUGMENTATIONS: dict[str, AugmentationConfig] = {
    "none": _OFF,
    "flips": AugmentationConfig(
        0.0, (1.0, 1.0), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, flips=True, quarter_turns=False
    ),
    "standard": AugmentationConfig(),
    # A little wider than what the stress test asks for, each damage by itself seldom, so that clean photos still rule.
    "strong": AugmentationConfig(
        zoom_range=(0.68, 1.45),
        brightness=0.2,
        contrast=0.2,
        saturation=0.2,
        hue_degrees=12.0,
        blur_probability=0.2,
        jpeg_probability=0.2,
        noise_probability=0.12,
        tilt_probability=0.25,
        tilt_degrees=25.0,
        gamma_probability=0.25,
        gamma_range=(0.45, 2.0),
        downsample_probability=0.15,
        downsample_range=(0.4, 0.9),
        artefact_probability=0.06,
        jpeg_quality=(22, 90),
    ),
}


def augmentation_of(preset: Preset) -> AugmentationConfig:
    """Return how far a recipe lets squares change: the level that it names, with the fields that it sets besides."""
    own: dict[str, Any] = {f.name: getattr(preset, f.name, None) for f in fields(AugmentationConfig)}
    changes: dict[str, Any] = {
        name: read_range(name, value) if name in RANGES else value for name, value in own.items() if value is not None
    }
    return replace(AUGMENTATIONS[preset.augment], **changes)


def augment(square: Square, config: AugmentationConfig, rng: np.random.Generator) -> Square:
    """Return a changed copy of the square.

    Args:
        square: Array (side, side, 3), uint8.
        config: How far to go.
        rng: Source of every random choice.
    """
    return augment_with_mask(square, None, config, rng)[0]


def augment_with_mask(
    square: Square, mask: Mask | None, config: AugmentationConfig, rng: np.random.Generator
) -> tuple[Square, Mask | None]:
    """Return a changed copy of the square, and its mask moved in the same way.

    Args:
        square: Array (side, side, 3), uint8.
        mask: The lesion on the same square, (side, side), uint8; or None. It has no say in the random choices.
        config: How far to go.
        rng: Source of every random choice.
    """
    move = _draw_move(square.shape[0], config, rng)
    if mask is not None:
        mask = move(mask)
    square = _recolour(move(square), config, rng)
    square = _overlay(square, config, rng)
    square = _damage(square, config, rng)
    return np.ascontiguousarray(square), mask


class _Move:
    """One turn, flip and warp, for the photo and its mask alike."""

    def __init__(
        self, n_quarters: int, is_mirrored: bool, is_flipped: bool, matrix: npt.NDArray[np.float64] | None
    ) -> None:
        self.n_quarters, self.is_mirrored, self.is_flipped, self.matrix = n_quarters, is_mirrored, is_flipped, matrix

    def __call__(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        pixels = np.rot90(pixels, self.n_quarters)
        pixels = pixels[:, ::-1] if self.is_mirrored else pixels
        pixels = np.ascontiguousarray(pixels[::-1] if self.is_flipped else pixels)
        if self.matrix is None:
            return pixels
        # One resampling for turn, zoom, shift and tilt together: each more would blur.
        is_affine = np.array_equal(self.matrix[2], [0, 0, 1])
        warp, matrix = (cv2.warpAffine, self.matrix[:2]) if is_affine else (cv2.warpPerspective, self.matrix)
        size = pixels.shape[1], pixels.shape[0]
        return np.asarray(
            warp(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.uint8
        )


def _draw_move(side: int, config: AugmentationConfig, rng: np.random.Generator) -> _Move:
    n_quarters = int(rng.integers(4)) if config.quarter_turns else 0
    is_mirrored = bool(config.flips and rng.random() < 0.5)
    # After a random quarter turn, mirroring alone already reaches all eight views.
    is_flipped = bool(config.flips and not config.quarter_turns and rng.random() < 0.5)
    turns = config.rotation_degrees or config.shift_share or config.tilt_probability
    if not turns and config.zoom_range == (1.0, 1.0):
        return _Move(n_quarters, is_mirrored, is_flipped, None)
    centre = ((side - 1) / 2, (side - 1) / 2)
    angle = float(rng.uniform(-config.rotation_degrees, config.rotation_degrees))
    matrix = np.eye(3)
    matrix[:2] = cv2.getRotationMatrix2D(centre, angle, float(rng.uniform(*config.zoom_range)))
    matrix[:2, 2] += rng.uniform(-config.shift_share, config.shift_share, 2) * side
    if config.tilt_probability and rng.random() < config.tilt_probability:
        tilt = np.radians(rng.uniform(-config.tilt_degrees, config.tilt_degrees))
        matrix = _perspective(side, float(tilt), axis=float(rng.uniform(0, np.pi))) @ matrix
    return _Move(n_quarters, is_mirrored, is_flipped, matrix)


def _perspective(side: int, tilt: float, *, axis: float) -> npt.NDArray[np.float64]:
    """Homography of a plane turned by ``tilt`` (rad) about an axis in it, seen by a camera above the centre."""
    half = (side - 1) / 2
    to_centre = np.array([[1, 0, -half], [0, 1, -half], [0, 0, 1]])
    turn = np.array([[np.cos(axis), np.sin(axis), 0], [-np.sin(axis), np.cos(axis), 0], [0, 0, 1]])
    # y shrinks by cos(tilt), and depth y sin(tilt) divides both axes.
    lean = np.array([[1, 0, 0], [0, np.cos(tilt), 0], [0, np.sin(tilt) / (_CAMERA_DISTANCE * side), 1]])
    return np.asarray(np.linalg.inv(to_centre) @ turn.T @ lean @ turn @ to_centre)


def _recolour(square: Square, config: AugmentationConfig, rng: np.random.Generator) -> Square:
    """Saturation, contrast, brightness and hue as one 3x4 matrix; then the exposure curve."""
    if config.saturation or config.contrast or config.brightness or config.hue_degrees:
        saturation = 1 + rng.uniform(-config.saturation, config.saturation)
        contrast = 1 + rng.uniform(-config.contrast, config.contrast)
        brightness = 1 + rng.uniform(-config.brightness, config.brightness)
        hue = _hue_rotation(float(rng.uniform(-config.hue_degrees, config.hue_degrees)))
        grey = np.full((3, 3), 1 / 3)
        mean = sum(cv2.mean(square)[:3]) / 3
        mix = hue.T @ (grey + (np.eye(3) - grey) * saturation) * contrast * brightness
        # Contrast turns about the mean: what it takes off there is a grey offset, which no hue moves.
        offset = np.full((3, 1), mean * (1 - contrast) * brightness)
        square = np.asarray(cv2.transform(square, np.hstack([mix, offset])), np.uint8)
    if config.gamma_probability and rng.random() < config.gamma_probability:
        exponent = float(np.exp(rng.uniform(*np.log(config.gamma_range))))
        curve = np.round(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)
        square = np.asarray(cv2.LUT(square, curve), np.uint8)
    return square


def _hue_rotation(degrees: float) -> npt.NDArray[np.float32]:
    """Rotation of RGB space about its grey axis (Rodrigues' formula), as a matrix for row vectors."""
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    third, skew = (1 - cos) / 3, sin / np.sqrt(3)
    a, b, c = cos + third, third - skew, third + skew
    return np.array([[a, b, c], [c, a, b], [b, c, a]], np.float32).T


def _overlay(square: Square, config: AugmentationConfig, rng: np.random.Generator) -> Square:
    if config.artefact_probability:
        for draw in ARTEFACTS.values():
            if rng.random() < config.artefact_probability:
                square = draw(square, rng)
    return square


def _damage(square: Square, config: AugmentationConfig, rng: np.random.Generator) -> Square:
    side = square.shape[0]
    if config.downsample_probability and rng.random() < config.downsample_probability:
        small = max(8, round(side * float(rng.uniform(*config.downsample_range))))
        coarse = cv2.resize(square, (small, small), interpolation=cv2.INTER_AREA)
        square = np.asarray(cv2.resize(coarse, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)
    if rng.random() < config.blur_probability:
        square = np.asarray(cv2.GaussianBlur(square, (0, 0), float(rng.uniform(0.4, 1.5))), np.uint8)
    if rng.random() < config.jpeg_probability:
        quality = int(rng.integers(*config.jpeg_quality))
        _, data = cv2.imencode(".jpg", np.ascontiguousarray(square[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, quality])
        square = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1]
    if rng.random() < config.noise_probability:
        noise = rng.standard_normal(square.shape, np.float32) * np.float32(rng.uniform(2, 10))
        square = np.asarray(np.clip(square + noise, 0, 255), np.uint8)
    if rng.random() < config.cutout_probability:
        height, width = (int(rng.integers(side // 10, side // 3)) for _ in range(2))
        top, left = int(rng.integers(0, side - height)), int(rng.integers(0, side - width))
        square = square.copy()
        square[top : top + height, left : left + width] = square.mean(axis=(0, 1)).astype(np.uint8)
    return square
