"""What DICOM files tell of a lesion, put where nobody told it; the pictures and keys themselves come from ``interop``."""

from __future__ import annotations

from dataclasses import asdict, replace

from ..domain import Metadata, metadata_from_row
from ..interop.dicom_in import DicomPhoto as DicomPhoto
from ..interop.dicom_in import is_dicom as is_dicom
from ..interop.dicom_in import read_dicom as read_dicom


def told_by(photo: DicomPhoto) -> Metadata:
    """Return age, sex and site as the file tells them; an impossible one counts as unknown."""
    return metadata_from_row(photo.cells, problems=[])


def fill_unknown(known: Metadata, told: Metadata) -> Metadata:
    """Return what is known, with what was told where nothing is.

    >>> fill_unknown(Metadata(age_approx=40), Metadata(age_approx=61, sex="female")).age_approx
    40
    """
    return replace(told, **{name: value for name, value in asdict(known).items() if value is not None})
