"""A photo's file without its tags: the same pixels, and nothing of where, when and with what it was taken.

JPEGs are not compressed again: what is not needed to draw them is cut out, so they are answered as before.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import PhotoError
from .decode import decode_photo

_JPEG_QUALITY = 95
# JPEG's markers, ITU-T T.81, table B.1.
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_JFIF, _EXIF_OR_XMP, _ICC, _LAST_APP, _ADOBE, _COMMENT = 0xE0, 0xE1, 0xE2, 0xEF, 0xEE, 0xFE
_ORIENTATION = 0x0112


def strip_tags(data: bytes) -> bytes:
    """Return the photo as a file that holds its pixels and how to draw them (orientation, colour profile) and no more.

    A JPEG keeps every pixel as it was; PNG, TIFF, BMP and GIF become PNG, which loses none; HEIC and WebP become JPEG at
    quality 95. A second picture behind the first (a phone's depth or brightness map) is left out.

    Args:
        data: A photo that ``decode_photo`` decodes.

    Raises:
        PhotoError: As ``decode_photo``.
    """
    rgb = decode_photo(data)  # whatever cannot be shown is not kept either
    with Image.open(io.BytesIO(data)) as image:
        format = image.format
        orientation = _orientation_of(image)
    if format in ("JPEG", "MPO"):
        bare = _bare_jpeg(data, orientation)
        if _is_drawn_as(bare, rgb):
            return bare
    buffer = io.BytesIO()
    if format in ("HEIF", "WEBP"):
        Image.fromarray(rgb).save(buffer, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    else:
        Image.fromarray(rgb).save(buffer, "PNG")
    return buffer.getvalue()


def _orientation_of(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except (OSError, SyntaxError, ValueError, TypeError, LookupError, AttributeError, struct.error):
        return 1  # a corrupt block: the decoder takes the photo for upright too


def _is_drawn_as(data: bytes, rgb: npt.NDArray[np.uint8]) -> bool:
    try:
        return np.array_equal(decode_photo(data), rgb)
    except PhotoError:
        return False


def _bare_jpeg(data: bytes, orientation: int) -> bytes:
    parts = [bytes((0xFF, _SOI))]
    if orientation in range(2, 9):
        parts.append(_orientation_segment(orientation))
    parts += [_without_preview(marker, part) for marker, part in _segments(data) if _is_needed(marker, part)]
    return b"".join([*parts, bytes((0xFF, _EOI))])


def _is_needed(marker: int, segment: bytes) -> bool:
    signatures = {_JFIF: b"JFIF\0", _ICC: b"ICC_PROFILE\0", _ADOBE: b"Adobe"}
    if marker in signatures:
        return segment[4:].startswith(signatures[marker])  # phones hide maps and previews under the same markers
    return not (_JFIF <= marker <= _LAST_APP or marker == _COMMENT)


def _without_preview(marker: int, segment: bytes) -> bytes:
    """A JFIF header may hold a small picture, perhaps of what was cropped away."""
    return b"\xff\xe0\x00\x10" + segment[4:16] + b"\0\0" if marker == _JFIF else segment


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, bytes) between start and end of the first picture; compressed data goes with what it follows."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            at += 1  # stray bytes between segments, which decoders skip
            continue
        marker = data[at + 1]
        if marker == 0xFF or marker in _WITHOUT_LENGTH or marker == 0:
            at += 1 if marker == 0xFF else 2
            continue
        if marker == _EOI:
            return
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        end = _end_of_scan(data, end) if marker == _SOS else end
        yield marker, data[at:end]
        at = end


def _end_of_scan(data: bytes, at: int) -> int:
    """Return where the compressed data ends: at the next marker that is neither a stuffed zero nor a restart."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] not in (0, 0xFF, *_WITHOUT_LENGTH):
            return at
        at += 1 if data[at + 1] == 0xFF else 2
    return len(data)


def _orientation_segment(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    payload = exif.tobytes()
    return bytes((0xFF, _EXIF_OR_XMP)) + (len(payload) + 2).to_bytes(2, "big") + payload
