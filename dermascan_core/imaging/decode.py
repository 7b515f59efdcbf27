"""Upload bytes to a checked, upright, 8-bit sRGB array. EXIF, GPS and every other tag are left behind here."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pillow_heif
from PIL import Image, ImageCms, ImageFile, ImageOps

from ..errors import (
    AnimatedPhotoError,
    PhotoTooLargeError,
    PhotoTooSmallError,
    UnreadablePhotoError,
)

MIN_SIDE_PX = 128
MAX_PIXELS = 50_000_000
MAX_SIZE_BYTES = 30 * 1024 * 1024
# A large JPEG is read at a half, a quarter or an eighth of its size, which its format allows at a fraction of the time, as
# long as the short side keeps so many pixels: no square that is found in it then has less than the network is shown.
MIN_REDUCED_SIDE_PX = 1000
_REDUCTIONS = (8, 4, 2)
# Pillow has no opener named MPO: its JPEG opener gives those files too.
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF", "TIFF", "BMP", "GIF")
_ORIENTATION = 0x0112  # EXIF tag
_FORMAT_WORDS = "JPEG, PNG, WebP, HEIC, TIFF or BMP"

# Broken files raise whatever the codec trips over, at opening, at counting frames and at loading alike. Each of these was
# seen under fuzzing or stands in a codec's source; a person gets one sentence for all of them.
CODEC_ERRORS = (
    OSError,  # with UnidentifiedImageError
    SyntaxError,
    ValueError,
    TypeError,
    EOFError,
    LookupError,
    ArithmeticError,
    RuntimeError,  # libheif's limits
    MemoryError,
    struct.error,
    zlib.error,
)

pillow_heif.register_heif_opener()
# Pillow's own guard warns first and raises at twice its limit. A warning cannot be made an error for one call without
# changing it for all threads, so that guard is off and `_check_size` decides, before any pixel is decoded.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings(
    "ignore", category=UserWarning, module=r"PIL\."
)  # corrupt EXIF, odd TIFF tags: the pixels decide


def decode_photo(data: bytes, *, full_size: bool = False) -> npt.NDArray[np.uint8]:
    """Decode an upload.

    EXIF orientation is applied, an embedded ICC profile is converted to sRGB, transparency is laid on white,
    grey, CMYK and 16-bit become 8-bit RGB. Nothing of the file but its pixels is kept. A JPEG whose short side has 2,000
    px or more comes out reduced, with a short side of 1,000 px or more: squares and widths are in these pixels.

    Args:
        data: The file's bytes.
        full_size: Leave a large JPEG as large as it is, for a file that is to be handed on rather than judged.

    Returns:
        Array (height, width, 3), uint8, sRGB.

    Raises:
        UnreadablePhotoError: If the bytes are empty, truncated, or not one of the formats.
        PhotoTooLargeError: If there are more than 30 MiB or 50 megapixels.
        PhotoTooSmallError: If the short side is under 128 px.
        AnimatedPhotoError: If the file holds several frames.
    """
    if not data:
        raise UnreadablePhotoError("The file is empty. Choose the photo again, or take a new one.")
    if len(data) > MAX_SIZE_BYTES:
        raise PhotoTooLargeError(
            f"The file may have at most {MAX_SIZE_BYTES // 2**20} MB. Received {len(data) / 2**20:.0f} MB. "
            "Save the photo smaller, or as JPEG."
        )
    with _open(data) as image:
        _check_size(*image.size)
        try:
            n_frames = _count_frames(image)
            if n_frames == 1:
                if not full_size:
                    _reduce(image)
                image.load()
                return np.asarray(_to_srgb(image), dtype=np.uint8)
        except CODEC_ERRORS as error:
            raise UnreadablePhotoError(
                "The photo is damaged or incomplete, so it cannot be judged. Send it again, or take a new one."
            ) from error
    raise AnimatedPhotoError(
        f"Expected one still photo. Received {n_frames} frames (an animation or several pages). "
        "Save the one you mean as JPEG or PNG."
    )


def read_photo(path: Path) -> npt.NDArray[np.uint8]:
    """Decode a file; see ``decode_photo``.

    Raises:
        UnreadablePhotoError: Also when the file is missing or may not be read.
    """
    try:
        size_bytes = path.stat().st_size
        # Read no more than needed to say that it is too large.
        with path.open("rb") as file:
            data = file.read(MAX_SIZE_BYTES + 1)
    except OSError as error:
        raise UnreadablePhotoError(
            f"Expected a readable photo at '{path.name}'. It is missing, or may not be opened. Check the path."
        ) from error
    if size_bytes > MAX_SIZE_BYTES:
        raise PhotoTooLargeError(
            f"The file may have at most {MAX_SIZE_BYTES // 2**20} MB. Received {size_bytes / 2**20:.0f} MB. "
            "Save the photo smaller, or as JPEG."
        )
    return decode_photo(data)


def _open(data: bytes) -> ImageFile.ImageFile:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except CODEC_ERRORS as error:
        raise UnreadablePhotoError(
            f"Expected a photo ({_FORMAT_WORDS}). The file is something else, or damaged. Choose another file."
        ) from error


def _count_frames(image: ImageFile.ImageFile) -> int:
    # An MPO or HEIC is one photo with its preview or depth map behind it: phones write them, the first frame counts.
    return 1 if image.format in ("MPO", "HEIF") else int(getattr(image, "n_frames", 1))


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PhotoTooLargeError(
            f"The photo may have at most {MAX_PIXELS // 10**6} megapixels. Received {width}x{height} px. Save it smaller."
        )
    if min(width, height) < MIN_SIDE_PX:
        raise PhotoTooSmallError(
            f"The photo's short side must be at least {MIN_SIDE_PX} px. Received {width}x{height} px. "
            "Retake it closer, or send it at full resolution."
        )


def _reduce(image: ImageFile.ImageFile) -> None:
    """Have a large JPEG decoded smaller: fewer DCT coefficients a block, which averages like area interpolation does."""
    width, height = image.size
    for reduction in _REDUCTIONS:
        if min(width, height) // reduction >= MIN_REDUCED_SIDE_PX:
            image.draft(None, (width // reduction, height // reduction))
            return


def _to_srgb(image: Image.Image) -> Image.Image:
    image = _apply_orientation(image)
    if image.mode in ("I", "I;16", "I;16B", "I;16L", "F"):
        return _scale_to_8_bit(image).convert("RGB")
    image = _apply_icc(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _apply_orientation(image: Image.Image) -> Image.Image:
    try:
        # Upright already: a copy of twelve megapixels is saved.
        return image if image.getexif().get(_ORIENTATION, 1) == 1 else ImageOps.exif_transpose(image)
    except (*CODEC_ERRORS, AttributeError):
        return image  # a corrupt EXIF block says nothing about the pixels


def _scale_to_8_bit(image: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    # 16-bit files carry 0..65535 by definition; integer and float ones are scaled by their own maximum above that.
    top = 65535.0 if values.max(initial=0.0) > 255 else 255.0
    top = max(top, float(values.max(initial=0.0)))
    return Image.fromarray(np.clip(np.round(values / top * 255), 0, 255).astype(np.uint8), "L")


def _apply_icc(image: Image.Image) -> Image.Image:
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a broken profile: the numbers are most likely sRGB
    return image if converted is None else converted
