"""DICOM files made in code, as a dermatoscope's software would write them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGBaseline8Bit, generate_uid

DERMOSCOPIC = "1.2.840.10008.5.1.4.1.1.77.1.7"


def dicom_bytes(rgb: npt.NDArray[np.uint8], *, syntax: str = ExplicitVRLittleEndian, **tags: Any) -> bytes:
    """Return one picture as a file; ``tags`` are set over the usual ones, and None takes one away."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = DERMOSCOPIC, generate_uid()
    meta.TransferSyntaxUID = syntax
    dataset = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    height, width = rgb.shape[:2]
    n_samples = 3 if rgb.ndim == 3 else 1
    values: dict[str, Any] = {
        "SOPClassUID": DERMOSCOPIC,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "PatientName": "Doe^Jane",
        "PatientID": "H-4711",
        "PatientSex": "F",
        "PatientAge": "061Y",
        "PatientBirthDate": "19650102",
        "InstitutionName": "Clinic of the test",
        "Modality": "DMS",
        "Rows": height,
        "Columns": width,
        "SamplesPerPixel": n_samples,
        "PhotometricInterpretation": "RGB" if n_samples == 3 else "MONOCHROME2",
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": rgb.tobytes(),
    }
    if n_samples == 3:
        values["PlanarConfiguration"] = 0
    if syntax in (JPEGBaseline8Bit, JPEG2000Lossless):
        values |= {"PixelData": encapsulate([_compressed(rgb, syntax)]), "PhotometricInterpretation": "RGB"}
        if syntax == JPEGBaseline8Bit:
            values["PhotometricInterpretation"] = "YBR_FULL_422"
    for name, value in (values | tags).items():
        if value is not None:
            setattr(dataset, name, value)
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _compressed(rgb: npt.NDArray[np.uint8], syntax: str) -> bytes:
    buffer = io.BytesIO()
    if syntax == JPEGBaseline8Bit:
        Image.fromarray(rgb).save(buffer, "JPEG", quality=95)
    else:
        Image.fromarray(rgb).save(buffer, "JPEG2000", no_jp2=True, mct=0)
    return buffer.getvalue()


def region(code: str, words: str) -> list[Dataset]:
    """A coded body region."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "SCT", words
    return [item]
