"""One DICOM file to a photo and what its tags say of person and lesion; name, birth date and all else end here.

Pydicom reads it; the limits are those of ``imaging.decode``, and they are looked at before a pixel is decoded.
"""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from ..errors import AnimatedPhotoError, MetadataError, PhotoTooLargeError, PhotoTooSmallError, UnreadablePhotoError
from ..imaging.decode import MAX_PIXELS, MAX_SIZE_BYTES, MIN_REDUCED_SIDE_PX, MIN_SIDE_PX
from ..metadata import ImageType
from ..taxonomy import parse_site
from .dicom_codes import DERMOSCOPIC, PHOTOGRAPHIC, SIDE_OF_LETTER, SITE_OF_CODE

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Inflated as a whole when it is opened, to any size: refused before that.
_DEFLATED = (b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.4.95", b"1.2.840.10008.1.2.4.205")
_REDUCTIONS = (8, 4, 2)
_MAX_KEY_CHARS = 64
_BITS_ALLOCATED = (8, 16)
_BLOCK_VALUES = 2**20
# What pydicom and the codecs behind it were seen to raise on damaged files.
_BROKEN = (
    *(OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, ArithmeticError, RuntimeError, MemoryError),
    *(AttributeError, struct.error, zlib.error),
)


@dataclass(frozen=True, slots=True)
class DicomPhoto:
    """What is kept of one file.

    Attributes:
        png: The picture, without any tag but its colour profile.
        cells: Columns of the metadata table -> text: age, sex, localization; those that the file tells.
        person, lesion: Keys to group by (patient ID, tracking ID); empty where the file has none.
        side: left, right or both sides; empty where the file does not say.
        image_type: By the kind of file; None where that says nothing.
    """

    png: bytes
    cells: Mapping[str, str] = field(default_factory=dict)
    person: str = ""
    lesion: str = ""
    side: str = ""
    image_type: ImageType | None = None


def is_dicom(data: bytes) -> bool:
    """Whether the bytes begin as a DICOM file does: a preamble of 128 bytes, then DICM (PS3.10, 7.1)."""
    return data[128:132] == b"DICM"


def read_dicom(data: bytes) -> DicomPhoto:
    """Read one picture and its tags.

    Args:
        data: The file's bytes.

    Raises:
        UnreadablePhotoError: If it is damaged, holds no picture, or one in a compression or of a depth that is not known here.
        PhotoTooLargeError: If there are more than 30 MiB, in the file or in the picture as a PNG, or 50 megapixels.
        PhotoTooSmallError: If the short side is under 128 px.
        AnimatedPhotoError: If it holds several frames.
    """
    _check_bytes(data)
    _prepare_pydicom()
    from pydicom import dcmread
    from pydicom.errors import BytesLengthException, InvalidDicomError

    try:
        dataset = dcmread(io.BytesIO(data))
        _check_picture(dataset)
        icc = _icc_profile(dataset)
        png = _encode_png(_reduce(_pixels(dataset)), icc)
        return _with_tags(dataset, png)
    except (*_BROKEN, BytesLengthException, InvalidDicomError) as error:
        raise UnreadablePhotoError(
            "The DICOM file is damaged, incomplete, or compressed in a way that cannot be read here. "
            "Export it again, uncompressed or as JPEG."
        ) from error


def _check_bytes(data: bytes) -> None:
    if len(data) > MAX_SIZE_BYTES:
        raise PhotoTooLargeError(
            f"The file may have at most {MAX_SIZE_BYTES // 2**20} MB. Received {len(data) / 2**20:.0f} MB. "
            "Export the picture smaller, or compressed as JPEG."
        )
    if any(uid in data for uid in _DEFLATED):
        raise UnreadablePhotoError(
            "Expected a DICOM file that is not compressed as a whole (deflated). Export it again, uncompressed or as JPEG."
        )


def _prepare_pydicom() -> None:
    from pydicom import config

    # Odd values in tags that nobody reads here must neither fail nor be written to a log: they may name a person.
    config.settings.reading_validation_mode = config.IGNORE
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pydicom\.")


def _check_picture(dataset: Dataset) -> None:
    width, height = int(dataset.get("Columns") or 0), int(dataset.get("Rows") or 0)
    n_frames = int(dataset.get("NumberOfFrames") or 1)
    if "PixelData" not in dataset or not width or not height:
        raise UnreadablePhotoError("Expected a DICOM file with a picture. This one holds none. Choose another file.")
    if (n_bits := int(dataset.get("BitsAllocated") or 0)) not in _BITS_ALLOCATED:
        raise UnreadablePhotoError(
            f"Expected a DICOM picture of 8 or 16 bits per value. Received {n_bits} bits. Export it again with 8 bits."
        )
    if n_frames > 1:
        raise AnimatedPhotoError(
            f"Expected one still photo. Received a DICOM file with {n_frames} frames. Export the one you mean by itself."
        )
    if width * height > MAX_PIXELS:
        raise PhotoTooLargeError(
            f"The photo may have at most {MAX_PIXELS // 10**6} megapixels. Received {width}x{height} px. Export it smaller."
        )
    if min(width, height) < MIN_SIDE_PX:
        raise PhotoTooSmallError(
            f"The photo's short side must be at least {MIN_SIDE_PX} px. Received {width}x{height} px. "
            "Retake it closer, or send it at full resolution."
        )
    if dataset.file_meta.TransferSyntaxUID.is_compressed:
        _check_compressed(dataset, (width, height))


def _check_compressed(dataset: Dataset, size: tuple[int, int]) -> None:
    """Refuse what no codec here can read, and a stream that would decode to another size than the tags say."""
    from pydicom.encaps import get_frame
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import RLELossless

    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        is_known = get_decoder(syntax).is_available
    except NotImplementedError:
        is_known = False
    if not is_known:
        raise UnreadablePhotoError(
            f"Expected a DICOM file that is uncompressed, or compressed as JPEG, JPEG 2000 or RLE. Received {syntax.name}. "
            "Export it again in one of these."
        )
    if syntax == RLELossless:
        return  # decoded into a buffer of the size that the tags say
    frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
    with Image.open(io.BytesIO(frame), formats=("JPEG", "JPEG2000")) as picture:
        if picture.size != size:
            raise UnreadablePhotoError(
                f"The DICOM file contradicts itself: its tags say {size[0]}x{size[1]} px, its picture has "
                f"{picture.size[0]}x{picture.size[1]} px. Export it again."
            )


def _pixels(dataset: Dataset) -> npt.NDArray[np.uint8]:
    """Return the picture as uint8 RGB (height, width, 3); pydicom turns the colour spaces of JPEG into RGB."""
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    pixels = np.asarray(pixel_array(dataset))
    kind = str(dataset.PhotometricInterpretation)
    if kind == "PALETTE COLOR":
        pixels = np.asarray(apply_color_lut(pixels, dataset))
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise UnreadablePhotoError(
            f"Expected a DICOM picture in colour or grey. Received an array of shape {pixels.shape}. Export it as RGB."
        )
    pixels = _to_8_bit(pixels, int(dataset.BitsStored))
    if kind == "MONOCHROME1":  # 0 is white there
        pixels = 255 - pixels
    return np.repeat(pixels[:, :, np.newaxis], 3, axis=2) if pixels.ndim == 2 else pixels


def _to_8_bit(pixels: npt.NDArray[Any], bits_stored: int) -> npt.NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    # A palette holds 16-bit colours whatever the bits of its index.
    top = 65535.0 if pixels.dtype == np.uint16 and pixels.max(initial=0) >= 2**bits_stored else 2.0**bits_stored - 1
    is_signed = np.issubdtype(pixels.dtype, np.signedinteger)
    scaled = np.empty(pixels.shape, np.uint8)
    n_rows = max(1, _BLOCK_VALUES // pixels[0].size)  # eight bytes a value while it is scaled: not of all at once
    for start in range(0, len(pixels), n_rows):
        block = pixels[start : start + n_rows]
        if is_signed:
            block = block.astype(np.int64) + 2 ** (bits_stored - 1)
        scaled[start : start + n_rows] = np.clip(np.round(block / top * 255), 0, 255)
    return scaled


def _reduce(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Average a large picture down as ``decode_photo`` reads a large JPEG reduced."""
    height, width = rgb.shape[:2]
    for reduction in _REDUCTIONS:
        if min(width, height) // reduction >= MIN_REDUCED_SIDE_PX:
            size = (width // reduction, height // reduction)
            return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    return rgb


def _icc_profile(dataset: Dataset) -> bytes | None:
    items = dataset.get("OpticalPathSequence") or []
    profile = dataset.get("ICCProfile") or (items[0].get("ICCProfile") if items else None)
    return bytes(profile) if profile else None


def _encode_png(rgb: npt.NDArray[np.uint8], icc_profile: bytes | None) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG", compress_level=1, icc_profile=icc_profile)
    if (size_bytes := buffer.tell()) > MAX_SIZE_BYTES:
        raise PhotoTooLargeError(
            f"The picture may have at most {MAX_SIZE_BYTES // 2**20} MB as a PNG. Received {size_bytes / 2**20:.0f} MB. "
            "Export it smaller."
        )
    return buffer.getvalue()


def _with_tags(dataset: Dataset, png: bytes) -> DicomPhoto:
    cells = {"age": _age(dataset), "sex": _sex(dataset), "localization": _site(dataset)}
    side = str(dataset.get("ImageLaterality") or dataset.get("Laterality") or "").strip().upper()
    return DicomPhoto(
        png=png,
        cells={column: text for column, text in cells.items() if text},
        person=_key(dataset.get("PatientID")),
        lesion=_key(dataset.get("TrackingID") or dataset.get("TrackingUID")),
        side=SIDE_OF_LETTER.get(side, ""),
        image_type=_image_type(dataset),
    )


def _key(value: object) -> str:
    return str(value or "").strip()[:_MAX_KEY_CHARS]


def _sex(dataset: Dataset) -> str:
    return {"F": "female", "M": "male"}.get(str(dataset.get("PatientSex") or "").strip().upper(), "")


def _age(dataset: Dataset) -> str:
    """Return whole years, from the age as it is told ("061Y", "018M") or from two dates."""
    text = str(dataset.get("PatientAge") or "").strip().upper()
    if text[:-1].isdecimal() and text[-1:] in ("Y", "M", "W", "D"):
        per_year = {"Y": 1.0, "M": 12.0, "W": 365.25 / 7, "D": 365.25}[text[-1]]
        return str(int(int(text[:-1]) / per_year))
    born = _date(dataset.get("PatientBirthDate"))
    taken = next((day for name in _DATES if (day := _date(dataset.get(name)))), None)
    return "" if born is None or taken is None or taken < born else str(int((taken - born).days / 365.25))


_DATES = ("AcquisitionDate", "ContentDate", "StudyDate")


def _date(value: object) -> date | None:
    try:
        return datetime.strptime(str(value or ""), "%Y%m%d").date()  # noqa: DTZ007  a day has no zone
    except ValueError:
        return None


def _site(dataset: Dataset) -> str:
    """Return our name of the site: by its code, else by its words; empty where neither is one of ours."""
    regions = dataset.get("AnatomicRegionSequence") or []
    region = regions[0] if regions else {}
    code = str(region.get("CodeValue") or "")
    if code in SITE_OF_CODE:
        return SITE_OF_CODE[code]
    for words in (region.get("CodeMeaning"), dataset.get("BodyPartExamined")):
        try:
            if site := parse_site(str(words or "")):
                return site
        except MetadataError:
            continue  # another country's word, or a finer site than ours: unknown
    return ""


def _image_type(dataset: Dataset) -> ImageType | None:
    sop_class, modality = str(dataset.get("SOPClassUID") or ""), str(dataset.get("Modality") or "")
    if sop_class == DERMOSCOPIC or modality == "DMS":
        return ImageType.DERMOSCOPIC
    return ImageType.CLINICAL if sop_class == PHOTOGRAPHIC or modality == "XC" else None
