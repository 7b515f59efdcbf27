"""What a camera says before the shot: the limits of the quality gate, and one short sentence a fault.

The browser measures its frames by itself (``pages/_ui/live_camera/measures.js``), since a server would answer too late.
It gets every limit from here, so that a hint and the refusal after the shot cannot disagree about a number.
"""

from __future__ import annotations

from .crop import MAX_ZOOM, MIN_LESION_EXTENT
from .quality import (
    DIM_LUMINANCE,
    EDGE_SHARE,
    GLARE_SHARE,
    LARGE_LESION_SHARE,
    MAX_BLACK_LUMINANCE,
    MAX_CLIPPED_BRIGHT_SHARE,
    MAX_CLIPPED_DARK_SHARE,
    MAX_MEAN_LUMINANCE,
    MIN_CONTRAST,
    MIN_FINE_DETAIL,
    MIN_SHARPNESS,
    SMALL_LESION_SHARE,
    SOFT_SHARPNESS,
)
from .segment import MIN_CONTRAST as MIN_LESION_CONTRAST
from .steps import HAIR_DEPTH
from .thumbnail import WORK_SIDE_PX

_HAIR_SHARE = 0.03  # of all pixels; what it means on real photos stands in docs/decisions/0032
_INK_SHARE = 0.01
_MOVING = 0.035  # mean change of luminance between two looks, as a share of white

LIMITS: dict[str, float] = {
    "work_side_px": WORK_SIDE_PX,
    "min_sharpness": MIN_SHARPNESS,
    "soft_sharpness": SOFT_SHARPNESS,
    "min_fine_detail": MIN_FINE_DETAIL,
    "min_contrast": MIN_CONTRAST,
    "max_black_luminance": MAX_BLACK_LUMINANCE,
    "max_mean_luminance": MAX_MEAN_LUMINANCE,
    "max_clipped_dark_share": MAX_CLIPPED_DARK_SHARE,
    "max_clipped_bright_share": MAX_CLIPPED_BRIGHT_SHARE,
    "dim_luminance": DIM_LUMINANCE,
    "glare_share": GLARE_SHARE,
    "edge_share": EDGE_SHARE,
    "small_lesion_share": SMALL_LESION_SHARE,
    "large_lesion_share": LARGE_LESION_SHARE,
    "min_lesion_contrast": MIN_LESION_CONTRAST,
    "min_lesion_extent": MIN_LESION_EXTENT,
    "max_zoom": MAX_ZOOM,
    "hair_depth": HAIR_DEPTH,
    "hair_share": _HAIR_SHARE,
    "ink_share": _INK_SHARE,
    "moving": _MOVING,
}

# Where the gate has the same code, the hint asks for the same thing. The one worst hint is shown at a time.
HINTS: dict[str, str] = {
    "too_dark": "Too dark. Turn on a lamp, or go to a window.",
    "too_bright": "Too bright. Turn off the flash, or leave direct sun.",
    "low_contrast": "All one colour. Check that nothing covers the lens.",
    "moving": "Moving. Rest your hand or elbow, and hold still.",
    "too_blurry": "Blurred. Hold still about 10 cm away, and let the camera focus.",
    "glare": "Glare. Tilt the light or the phone, so that nothing shines.",
    "dim": "Rather dark. More light would show the colours better.",
    "no_lesion": "No spot stands out. Bring the spot into the ring.",
    "lesion_at_edge": "The spot reaches the edge. Step back, so that skin shows all around it.",
    "lesion_fills_frame": "Too close. Step back, so that skin shows all around the spot.",
    "small_lesion": "Too far. Go closer, as long as it stays sharp.",
    "hair": "Hairs lie over it. Part or wet the hair, so that the spot lies free.",
    "ink": "Pen marks or plaster? Wipe or move them away from the spot.",
    "soft_focus": "Slightly soft. Tap the spot to focus, or move a little.",
}
READY = "Light, focus and distance will do. Hold still and take the photo."
