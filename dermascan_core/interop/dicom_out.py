"""One photo to a DICOM file that names nobody: the picture, made-up keys, and of the person age, sex and body site.

It is a Dermoscopic Photography Image (Supplement 221) or a VL Photographic Image (PS3.3, A.32.4), uncompressed, so that
every viewer and ``dicom_in`` get each pixel back. What the picture itself shows, a face or a name on a ruler, stays in it.
"""

from __future__ import annotations

import io
import uuid
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from .. import __version__
from ..errors import MetadataError
from ..imaging.decode import FORMATS, decode_photo
from ..metadata import ImageType, Metadata
from .dicom_codes import CODE_OF_SITE, DERMOSCOPIC, LETTER_OF_SIDE, PHOTOGRAPHIC

MAX_KEY_CHARS = 64
MAX_AGE_YEARS = 89  # the few who are older could be known by their age
_LOSSY = {"JPEG": "ISO_10918_1", "MPO": "ISO_10918_1"}  # PS3.3, C.7.6.1.1.5.1; of other formats it is not known
_KIND = {ImageType.DERMOSCOPIC: (DERMOSCOPIC, "DMS"), ImageType.CLINICAL: (PHOTOGRAPHIC, "XC")}


def new_uid() -> str:
    """Return a DICOM identifier of random bits (PS3.5, B.2): it tells neither machine nor time."""
    return f"2.25.{uuid.uuid4().int}"


@dataclass(frozen=True, slots=True)
class DicomLabel:
    """Whose picture a file says it is, in keys that somebody made up.

    Attributes:
        person: A pseudonym; empty writes none.
        lesion: What the lesion is called within the person; empty writes none.
        study_uid, series_uid, lesion_uid: The same for all files of one person, of one person's photos of one kind, and
            of one lesion.
        number: Place within the series, from 1.
    """

    person: str = ""
    lesion: str = ""
    study_uid: str = field(default_factory=new_uid)
    series_uid: str = field(default_factory=new_uid)
    lesion_uid: str = field(default_factory=new_uid)
    number: int = 1

    def __post_init__(self) -> None:
        for key in (self.person, self.lesion):
            if len(key) > MAX_KEY_CHARS or "\\" in key or not key.isprintable():
                raise MetadataError(
                    f"Expected a pseudonym of at most {MAX_KEY_CHARS} printable characters without a backslash. "
                    f"Received {len(key)} characters. Choose another one."
                )


def write_dicom(
    data: bytes,
    *,
    image_type: ImageType,
    metadata: Metadata = Metadata(),  # noqa: B008  frozen, so one default serves all
    side: str = "",
    label: DicomLabel | None = None,
) -> bytes:
    """Return a photo as a DICOM file.

    Args:
        data: A photo that ``decode_photo`` decodes; no tag of it goes in.
        image_type: Decides which kind of object is written.
        metadata: Age (up to 89), sex and site go in, the site where a code of CID 4029 means the same; nothing else.
        side: left, right or both sides; any other word goes in nowhere.
        label: Keys; None makes new ones and names no person.

    Raises:
        PhotoError: As ``decode_photo``.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    rgb = decode_photo(data, full_size=True)
    sop_class, modality = _KIND[image_type]
    dataset = Dataset()
    dataset.file_meta = meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = UID(sop_class), UID(new_uid())
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    tags = {
        "SpecificCharacterSet": "ISO_IR 192",  # UTF-8
        "SOPClassUID": sop_class,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": modality,
        **_about_person(metadata),
        **_about_place(metadata, side),
        **_about_label(label or DicomLabel(), image_type),
        **_about_program(),
        **_about_picture(rgb, _format_of(data), len(data)),
    }
    for name, value in tags.items():
        setattr(dataset, name, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _about_person(metadata: Metadata) -> dict[str, Any]:
    age = metadata.age_approx
    tags: dict[str, Any] = {
        "PatientName": "",
        "PatientBirthDate": "",
        "PatientSex": {"female": "F", "male": "M"}.get(metadata.sex or "", ""),
    }
    return tags if age is None or age > MAX_AGE_YEARS else tags | {"PatientAge": f"{int(age):03d}Y"}


def _about_place(metadata: Metadata, side: str) -> dict[str, Any]:
    from pydicom.dataset import Dataset

    tags: dict[str, Any] = {"ImageLaterality": LETTER_OF_SIDE[side]} if side in LETTER_OF_SIDE else {"Laterality": ""}
    site = metadata.anatom_site or ""
    if site in CODE_OF_SITE:
        region = Dataset()
        region.CodeValue, region.CodingSchemeDesignator = CODE_OF_SITE[site], "SCT"
        region.CodeMeaning = f"Skin of {site}"  # so CID 4029 calls each of them
        tags["AnatomicRegionSequence"] = [region]
    return tags


def _about_label(label: DicomLabel, image_type: ImageType) -> dict[str, Any]:
    tags: dict[str, Any] = {
        "PatientID": label.person,
        "StudyInstanceUID": label.study_uid,
        "SeriesInstanceUID": label.series_uid,
        "InstanceNumber": label.number,
        # What a file must have, and nobody is told: when, by whom, for which order.
        **dict.fromkeys(("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"), ""),
        "SeriesNumber": 1,
        "PatientOrientation": "",
        "RecognizableVisualFeatures": "YES",  # nobody looked for a face or a tattoo
    }
    if label.lesion:
        tags |= {"TrackingID": label.lesion, "TrackingUID": label.lesion_uid}
    if image_type is ImageType.DERMOSCOPIC:
        # What lay between skin and lens is not known here.
        tags |= {"LightSourcePolarization": "", "ContactMethod": ""}
        tags |= {"EmitterColorTemperature": None, "OpticalMagnificationFactor": None}
        tags |= {"FrameOfReferenceUID": new_uid(), "PositionReferenceIndicator": ""}
    return tags


def _about_program() -> dict[str, Any]:
    return {
        "Manufacturer": "DermaScan",
        "ManufacturerModelName": "DermaScan",
        "DeviceSerialNumber": "none",
        "SoftwareVersions": __version__,
    }


def _about_picture(rgb: npt.NDArray[np.uint8], format: str, size_bytes: int) -> dict[str, Any]:
    pixels = rgb.tobytes()
    tags: dict[str, Any] = {
        "ImageType": ["ORIGINAL", "PRIMARY"],
        "AcquisitionContextSequence": [],
        "Rows": rgb.shape[0],
        "Columns": rgb.shape[1],
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "ICCProfile": _srgb_profile(),
        "ColorSpace": "SRGB",
        "PixelData": pixels + b"\0" * (len(pixels) % 2),
        "LossyImageCompression": "01" if format in (*_LOSSY, "HEIF") else "",
    }
    if format in _LOSSY:
        ratio = f"{len(pixels) / size_bytes:.2f}"
        tags |= {"LossyImageCompressionRatio": ratio, "LossyImageCompressionMethod": _LOSSY[format]}
    return tags


def _srgb_profile() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    without_date = profile[:24] + bytes(12) + profile[36:]  # ICC.1, 7.2.8: it says when it was made
    return without_date + b"\0" * (len(without_date) % 2)


def _format_of(data: bytes) -> str:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        return image.format or ""
