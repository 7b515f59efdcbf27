"""The one path from a decoded photo to the network's pixels, for training, evaluation and serving alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import CropBox
from .crop import extract_square, find_crop
from .steps import apply_steps


@dataclass(frozen=True, slots=True)
class PreprocessConfig:
    """What a model expects; stored in its manifest.

    Attributes:
        input_px: Side of the network's square input.
        detail_px: Effective resolution: larger crops are area-averaged down to this side first.
        steps: Names of optional imaging steps (``steps.STEPS``), applied to the square in this order.
    """

    input_px: int = 160
    detail_px: int = 150
    steps: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for a manifest."""
        return {**asdict(self), "steps": list(self.steps)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> PreprocessConfig:
        """Read what ``to_dict`` wrote."""
        return cls(int(data["input_px"]), int(data["detail_px"]), tuple(data["steps"]))


def preprocess(
    rgb: npt.NDArray[np.uint8], config: PreprocessConfig, *, crop: CropBox | None = None
) -> npt.NDArray[np.uint8]:
    """Return the square that the network sees.

    Args:
        rgb: Decoded photo (height, width, 3), uint8, sRGB.
        config: What the model expects.
        crop: A square chosen by hand; None finds the lesion.

    Returns:
        Array (input_px, input_px, 3), uint8. Scaling to the backbone's range is a layer of the network itself.
    """
    box = find_crop(rgb) if crop is None else crop
    square = extract_square(rgb, box, input_px=config.input_px, detail_px=config.detail_px)
    return apply_steps(square, config.steps)
