"""Looks at a photo as it comes in, before any class is computed: size, preview, square, quality."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from ..domain import CropBox, ImageType, Metadata, QualityReport, Reason
from ..errors import PhotoError
from ..imaging.crop import find_crop
from ..imaging.decode import decode_photo
from ..imaging.overlay import outline_crop, shrink_photo
from ..imaging.quality import assess_quality
from ..imaging.segment import look_for_lesion
from .dicom_photos import is_dicom, read_dicom, told_by

PREVIEW_SIDE_PX = 720


@dataclass(frozen=True, slots=True)
class Intake:
    """One photo as it came in.

    Attributes:
        name: File name as given; untrusted text.
        data: The file's bytes, unchanged: an answer must not depend on the door a photo came through. Of a DICOM file
            its picture alone, as PNG, for its tags name a person; empty where it has none that can be read.
        sha256: Of the file as it came.
        width_px, height_px: Of the upright photo; 0 when it cannot be decoded.
        preview_jpeg: The photo at 720 px at most, without any tag; empty when it cannot be decoded.
        crop: The square found; None when it cannot be decoded.
        quality: The quality report; None when it cannot be decoded.
        refusal: Why it cannot be decoded; None when it can.
        told: Age, sex and site, where a DICOM file tells them.
        told_image_type: What took it, where a DICOM file tells.
    """

    name: str
    data: bytes
    sha256: str
    width_px: int = 0
    height_px: int = 0
    preview_jpeg: bytes = b""
    crop: CropBox | None = None
    quality: QualityReport | None = None
    refusal: Reason | None = None
    told: Metadata = Metadata()  # noqa: RUF009  frozen, so one default serves all
    told_image_type: ImageType | None = None

    @property
    def source(self) -> bytes | Reason:
        """What ``screen_lesion`` is given: its data, or why it cannot be decoded."""
        return self.refusal or self.data

    @property
    def refused_for(self) -> Reason | None:
        """Why it can already be said to get no class: it cannot be decoded, or its quality fails; None otherwise."""
        failures = () if self.quality is None else self.quality.failures
        return self.refusal or next(iter(failures), None)


def take_in(name: str, data: bytes) -> Intake:
    """Decode a photo once and keep what a person needs to see of it. Never raises for a bad photo."""
    sha256 = hashlib.sha256(data).hexdigest()
    if not is_dicom(data):
        return _take_in_photo(name, data, sha256)
    try:
        photo = read_dicom(data)
    except PhotoError as error:
        return Intake(name, b"", sha256, refusal=Reason(error.code, str(error)))
    taken_in = _take_in_photo(name, photo.png, sha256)
    return replace(taken_in, told=told_by(photo), told_image_type=photo.image_type)


def _take_in_photo(name: str, data: bytes, sha256: str) -> Intake:
    try:
        rgb = decode_photo(data)
    except PhotoError as error:
        return Intake(name, data, sha256, refusal=Reason(error.code, str(error)))
    sight = look_for_lesion(rgb)
    crop = find_crop(rgb, sight=sight)
    return Intake(
        name=name,
        data=data,
        sha256=sha256,
        width_px=rgb.shape[1],
        height_px=rgb.shape[0],
        preview_jpeg=encode_jpeg(shrink_photo(rgb, max_side_px=PREVIEW_SIDE_PX)),
        crop=crop,
        quality=assess_quality(rgb, crop, sight=sight),
    )


def preview_with_crop(photo: Intake, crop: CropBox) -> npt.NDArray[np.uint8]:
    """Return the preview with the square drawn on it: (height, width, 3), uint8."""
    return outline_crop(decode_preview(photo.preview_jpeg), crop, photo_width_px=photo.width_px)


def encode_jpeg(rgb: npt.NDArray[np.uint8], *, quality: int = 88) -> bytes:
    """Return an RGB array as JPEG bytes without any tag."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def decode_preview(data: bytes) -> npt.NDArray[np.uint8]:
    """Decode a JPEG that ``encode_jpeg`` wrote.

    Raises:
        ValueError: If it is something else.
    """
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError("Invalid value received for argument `data`. Expected a JPEG that `encode_jpeg` wrote.")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


@dataclass(frozen=True, slots=True)
class CropShares:
    """A square in terms a person can slide: its size, and where it lies, each 0 to 100.

    Attributes:
        size: Side in percent of the photo's short side.
        across, down: Where it lies between the left and the right, the top and the bottom edge.
    """

    size: int
    across: int
    down: int


def crop_from_shares(photo: Intake, shares: CropShares) -> CropBox:
    """Return the square that the sliders mean, in pixels of the full photo.

    >>> crop_from_shares(Intake("a", b"", "", 600, 400), CropShares(50, 100, 0))
    CropBox(left_px=400, top_px=0, side_px=200, source='hand')
    """
    side = max(1, round(shares.size / 100 * min(photo.width_px, photo.height_px)))
    left = round(shares.across / 100 * (photo.width_px - side))
    top = round(shares.down / 100 * (photo.height_px - side))
    return CropBox(left, top, side, "hand")


def shares_of_crop(photo: Intake, crop: CropBox) -> CropShares:
    """Return where the sliders stand for a square; 50 where there is no room to slide.

    >>> shares_of_crop(Intake("a", b"", "", 600, 400), CropBox(400, 0, 200))
    CropShares(size=50, across=100, down=0)
    """
    free_x, free_y = photo.width_px - crop.side_px, photo.height_px - crop.side_px
    return CropShares(
        size=round(100 * crop.side_px / min(photo.width_px, photo.height_px)),
        across=round(100 * crop.left_px / free_x) if free_x > 0 else 50,
        down=round(100 * crop.top_px / free_y) if free_y > 0 else 50,
    )
