"""Whether a photo can be judged: sharpness, exposure, contrast, resolution, framing, and whether it shows skin.

Failures refuse the photo, warnings advise; each is a stable code and one sentence to act on. The thresholds were set
on real photos, at the working size of ``thumbnail.py``; how many they refuse stands in ``docs/quality-gate.md``.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import numpy.typing as npt

from ..domain import CropBox, QualityReport, Reason
from .crop import centre_crop, clamp_crop, crop_around_mask
from .decode import MIN_SIDE_PX
from .segment import LesionSight, look_for_lesion
from .skin import MIN_SKIN_SCORE, measure_skin, score_skin
from .thumbnail import WORK_SIDE_PX

MIN_SHARPNESS = 2.2
MIN_FINE_DETAIL = 0.75
MAX_BLACK_LUMINANCE = 30.0
MAX_MEAN_LUMINANCE = 238.0
MAX_CLIPPED_DARK_SHARE = 0.75
MAX_CLIPPED_BRIGHT_SHARE = 0.60
MIN_CONTRAST = 0.02
SOFT_SHARPNESS = 2.8
DIM_LUMINANCE = 45.0
GLARE_SHARE = 0.03
SMALL_LESION_SHARE = 0.05
LARGE_LESION_SHARE = 0.65
EDGE_SHARE = 0.03

# Refusals, worst first: the first one is shown.
FAILURES: dict[str, str] = {
    "too_small": f"The photo's short side is under {MIN_SIDE_PX} px. Retake it closer, or send it at full resolution.",
    "too_dark": "The photo is too dark to judge. Turn on a lamp or go to a window, and take it again.",
    "too_bright": "The photo is so bright that colours are lost. Turn off the flash or leave direct sun, and take it again.",
    "low_contrast": "Nearly the whole photo is one colour. Check that nothing covers the lens, put the lesion in the "
    "middle, and take it again.",
    "not_skin": "This does not look like a photo of skin. Fill the frame with the lesion and the skin around it, and "
    "take it again.",
    "too_blurry": "The photo is blurred. Hold still, tap the lesion to focus, and take it again from about 10 cm away.",
}
WARNINGS: dict[str, str] = {
    "no_lesion": "No lesion stands out from the skin here. Check that the square lies over it, or set the square by hand.",
    "soft_focus": "The photo is slightly soft. If you can, tap the lesion to focus and take it again.",
    "dim": "The photo is rather dark. More light would show the colours better.",
    "glare": "Parts of the photo are pure white. Turn the flash off, or tilt the light, so that nothing shines.",
    "lesion_at_edge": "The lesion seems to reach the edge of the photo. Step back so that skin is visible all around it.",
    "lesion_fills_frame": "The lesion fills nearly the whole square. Step back so that skin is visible all around it.",
    "small_lesion": "The lesion is small in the photo. Go closer, as long as it stays sharp.",
    "several_lesions": "More than one spot stands out in this photo. The square shows the one that is looked at: take a photo "
    "of each spot by itself.",
    "few_pixels": f"The square has fewer than {WORK_SIDE_PX} px. A closer or larger photo would show more detail.",
}


def assess_quality(
    rgb: npt.NDArray[np.uint8], crop: CropBox | None = None, *, sight: LesionSight | None = None
) -> QualityReport:
    """Measure a decoded photo and say what speaks against judging it.

    Sharpness, contrast and skin are measured over the whole photo at a short side of 150 px, exposure and framing
    inside the square that the network sees.

    Args:
        rgb: Array (height, width, 3), uint8, sRGB.
        crop: The square that the network sees; None finds the lesion, as ``find_crop`` does.
        sight: What ``look_for_lesion`` found in this photo; None looks anew.

    Returns:
        The report. ``measures`` holds: ``sharpness`` (>= 1; fine over coarse detail, 1 means no fine detail),
        ``fine_detail`` (variance of the Laplacian after light denoising, dark photos lifted to a mean of 150),
        ``contrast`` (standard deviation over mean of luminance); of the square ``mean_luminance`` and
        ``bright_luminance`` (95th percentile), both [0, 255], ``clipped_dark_share`` (under 8) and
        ``clipped_bright_share`` (over 250); ``short_side_px``, ``crop_side_px``,
        ``lesion_share`` of the square (0 when no lesion stands out), ``n_lesions`` that stand out alike, ``edge_share`` of the photo's border covered by
        the lesion, ``skin_score`` [0, 1].
    """
    sight = sight or look_for_lesion(rgb)
    thumbnail, mask = sight.thumbnail, sight.mask
    box, square = _square_at_work_size(rgb, thumbnail, mask, crop)
    grey = np.asarray(cv2.cvtColor(thumbnail, cv2.COLOR_RGB2GRAY), np.uint8)
    measures = {
        **_measure_sharpness(grey.astype(np.float32)),
        **_measure_exposure(grey[square]),
        "short_side_px": float(min(rgb.shape[:2])),
        "crop_side_px": float(box.side_px),
        "lesion_share": 0.0 if mask is None else float(mask[square].mean()),
        "n_lesions": float(sight.n_lesions),
        "edge_share": 0.0 if mask is None else _border_share(mask),
        "skin_score": score_skin(measure_skin(thumbnail)),
    }
    return QualityReport(measures, _find_failures(measures), _find_warnings(measures))


def _square_at_work_size(
    rgb: npt.NDArray[np.uint8],
    thumbnail: npt.NDArray[np.uint8],
    mask: npt.NDArray[np.bool_] | None,
    crop: CropBox | None,
) -> tuple[CropBox, tuple[slice, slice]]:
    """The square in photo pixels, and the same as slices of the thumbnail."""
    (height, width), (small_height, small_width) = rgb.shape[:2], thumbnail.shape[:2]
    scale = min(height, width) / min(small_height, small_width)
    if crop is None:
        small = centre_crop(thumbnail) if mask is None else crop_around_mask(mask)
        box = CropBox(
            round(small.left_px * scale), round(small.top_px * scale), round(small.side_px * scale), small.source
        )
    else:
        box = clamp_crop(crop, width_px=width, height_px=height)
        small = CropBox(round(box.left_px / scale), round(box.top_px / scale), round(box.side_px / scale))
        small = clamp_crop(small, width_px=small_width, height_px=small_height)
    rows = slice(small.top_px, small.top_px + small.side_px)
    return box, (rows, slice(small.left_px, small.left_px + small.side_px))


def _measure_sharpness(grey: npt.NDArray[np.float32]) -> dict[str, float]:
    """Compare detail at two scales: a blurred photo has lost the finer one, whatever its contrast.

    Reference: the re-blur idea of Crete et al. (2007), https://doi.org/10.1117/12.702790, written with the variance of
    the Laplacian, here of Gaussians of 1.5 and 2.5 px.
    """
    mean = float(grey.mean())
    fine, coarse = _detail(grey, 1.5), _detail(grey, 2.5)
    # Texture scales with light: without this, sharp photos of dark skin would look blurred. Not below 30, where noise
    # would be lifted to look like detail.
    gain = 150.0 / min(max(mean, 30.0), 150.0)
    return {
        "sharpness": fine / max(coarse, 1e-3),
        "fine_detail": _detail(grey, 1.0) * gain**2,
        "contrast": float(grey.std()) / max(mean, 1.0),
    }


def _detail(grey: npt.NDArray[np.float32], sigma_px: float) -> float:
    smooth = cv2.GaussianBlur(grey, (0, 0), sigma_px)
    return float(cv2.Laplacian(smooth, cv2.CV_32F)[2:-2, 2:-2].var())  # frames and rounding live at the border


def _measure_exposure(grey: npt.NDArray[np.uint8]) -> dict[str, float]:
    return {
        "mean_luminance": float(grey.mean()),
        "bright_luminance": float(np.percentile(grey, 95)),
        "clipped_dark_share": np.count_nonzero(grey < 8) / grey.size,
        "clipped_bright_share": np.count_nonzero(grey > 250) / grey.size,
    }


def _border_share(mask: npt.NDArray[np.bool_]) -> float:
    return float(np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]]).mean())


def _find_failures(measures: Mapping[str, float]) -> tuple[Reason, ...]:
    is_skin = measures["skin_score"] >= MIN_SKIN_SCORE
    # A white page is clipped too, and a lamp would not help it: there the better reason is that it is not skin.
    is_clipped = is_skin and measures["clipped_bright_share"] > MAX_CLIPPED_BRIGHT_SHARE
    found = {
        "too_small": measures["short_side_px"] < MIN_SIDE_PX,
        "too_dark": measures["bright_luminance"] < MAX_BLACK_LUMINANCE
        or measures["clipped_dark_share"] > MAX_CLIPPED_DARK_SHARE,
        "too_bright": measures["mean_luminance"] > MAX_MEAN_LUMINANCE or is_clipped,
        "low_contrast": measures["contrast"] < MIN_CONTRAST,
        "not_skin": not is_skin,
        "too_blurry": measures["sharpness"] < MIN_SHARPNESS or measures["fine_detail"] < MIN_FINE_DETAIL,
    }
    return tuple(Reason(code, sentence) for code, sentence in FAILURES.items() if found[code])


def _find_warnings(measures: Mapping[str, float]) -> tuple[Reason, ...]:
    has_lesion = measures["lesion_share"] > 0
    found = {
        "no_lesion": not has_lesion,
        "soft_focus": MIN_SHARPNESS <= measures["sharpness"] < SOFT_SHARPNESS,
        "dim": measures["mean_luminance"] < DIM_LUMINANCE,
        "glare": measures["clipped_bright_share"] > GLARE_SHARE,
        "lesion_at_edge": measures["edge_share"] > EDGE_SHARE,
        "lesion_fills_frame": measures["lesion_share"] > LARGE_LESION_SHARE,
        "small_lesion": has_lesion and measures["lesion_share"] < SMALL_LESION_SHARE,
        "several_lesions": measures["n_lesions"] > 1,
        "few_pixels": measures["crop_side_px"] < WORK_SIDE_PX and measures["short_side_px"] >= MIN_SIDE_PX,
    }
    return tuple(Reason(code, sentence) for code, sentence in WARNINGS.items() if found[code])
