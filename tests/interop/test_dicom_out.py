"""A photo goes out as a DICOM file: every pixel, no name, and codes only where they mean what was told."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DermoscopicPhotographyImageStorage, VLPhotographicImageStorage

from dermascan_core.domain import ImageType, Metadata
from dermascan_core.errors import MetadataError, UnreadablePhotoError
from dermascan_core.imaging.decode import decode_photo
from dermascan_core.interop.dicom_codes import CODE_OF_SITE
from dermascan_core.interop.dicom_in import read_dicom
from dermascan_core.interop.dicom_out import DicomLabel, write_dicom
from dermascan_core.taxonomy import SITES, UNTESTED_SITES
from tests.fakes import fake_photo, photo_bytes

NOISE = np.random.default_rng(0).integers(0, 256, (201, 151, 3), np.uint8)  # an odd number of bytes, every value


def saved(rgb: np.ndarray, format: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format, **options)
    return buffer.getvalue()


def written(data: bytes, **options: Any) -> Dataset:
    return dcmread(io.BytesIO(write_dicom(data, **{"image_type": ImageType.DERMOSCOPIC} | options)))


@pytest.mark.parametrize("image_type", list(ImageType))
def test_picture_comes_back_pixel_for_pixel(image_type: ImageType) -> None:
    photo = read_dicom(write_dicom(saved(NOISE), image_type=image_type))

    np.testing.assert_array_equal(decode_photo(photo.png), NOISE)
    assert photo.image_type is image_type


def test_jpeg_comes_back_as_it_was_decoded() -> None:
    data = photo_bytes(fake_photo())

    photo = read_dicom(write_dicom(data, image_type=ImageType.CLINICAL))

    np.testing.assert_array_equal(decode_photo(photo.png), decode_photo(data))


def test_large_jpeg_goes_out_at_its_full_size() -> None:
    dataset = written(saved(np.full((2000, 3000, 3), 150, np.uint8), "JPEG"))

    assert (dataset.Columns, dataset.Rows) == (3000, 2000)


def test_what_was_told_comes_back() -> None:
    data = write_dicom(
        saved(NOISE),
        image_type=ImageType.DERMOSCOPIC,
        metadata=Metadata(age_approx=61.5, sex="female", anatom_site="back"),
        side="left",
        label=DicomLabel("person-é", "lesion-2"),
    )

    photo = read_dicom(data)

    assert photo.cells == {"age": "61", "sex": "female", "localization": "back"}
    assert (photo.person, photo.lesion, photo.side) == ("person-é", "lesion-2", "left")


@pytest.mark.parametrize(
    ("image_type", "sop_class", "modality"),
    [
        (ImageType.DERMOSCOPIC, DermoscopicPhotographyImageStorage, "DMS"),
        (ImageType.CLINICAL, VLPhotographicImageStorage, "XC"),
    ],
)
def test_kind_of_photo_decides_the_kind_of_object(image_type: ImageType, sop_class: str, modality: str) -> None:
    dataset = written(saved(NOISE), image_type=image_type)

    assert (dataset.SOPClassUID, dataset.Modality) == (sop_class, modality)
    assert dataset.file_meta.MediaStorageSOPClassUID == sop_class
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID


@pytest.mark.parametrize("site", [*SITES, *UNTESTED_SITES])
def test_site_is_coded_where_the_code_means_the_same_and_left_out_elsewhere(site: str) -> None:
    data = write_dicom(saved(NOISE), image_type=ImageType.DERMOSCOPIC, metadata=Metadata(anatom_site=site))

    back = read_dicom(data).cells.get("localization")

    assert back == (site if site in CODE_OF_SITE else None)


def test_codes_are_those_of_the_standard() -> None:
    (region,) = written(saved(NOISE), metadata=Metadata(anatom_site="lower extremity")).AnatomicRegionSequence

    told = (region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning)
    assert told == ("371304004", "SCT", "Skin of lower extremity")


def test_neither_the_photo_s_tags_nor_the_answers_beyond_age_sex_and_site_go_in() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x013B], exif[0x0132] = "Camera of Doe", "Doe", "2026:01:02 03:04:05"
    exif.get_ifd(0x8825)[1] = "N"
    metadata = Metadata(age_approx=90, sex="male", personal_hx_skin_cancer=True, fitzpatrick_skin_type=2)

    data = write_dicom(saved(NOISE, exif=exif), image_type=ImageType.DERMOSCOPIC, metadata=metadata)

    assert b"Doe" not in data
    dataset = dcmread(io.BytesIO(data))
    empty = ("PatientName", "PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName")
    assert {name: str(dataset[name].value) for name in empty} == dict.fromkeys(empty, "")
    assert "PatientAge" not in dataset  # over 89
    assert [e.keyword for e in dataset if e.VR in ("DA", "TM", "DT") and e.value] == []


@pytest.mark.parametrize("image_type", list(ImageType))
def test_nothing_is_claimed_about_what_the_picture_shows(image_type: ImageType) -> None:
    dataset = written(saved(NOISE), image_type=image_type)

    assert dataset.RecognizableVisualFeatures == "YES"
    assert "PatientIdentityRemoved" not in dataset


def test_losses_are_told_where_they_are_known() -> None:
    jpeg, png = photo_bytes(fake_photo()), saved(NOISE)

    lossy = written(jpeg)

    assert (lossy.LossyImageCompression, lossy.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert float(lossy.LossyImageCompressionRatio) == pytest.approx(600 * 450 * 3 / len(jpeg), abs=0.01)
    assert written(png).LossyImageCompression == ""


def test_two_files_share_no_identifier_unless_their_label_says_so() -> None:
    label = DicomLabel("p", "l")
    one, other, third = written(saved(NOISE), label=label), written(saved(NOISE), label=label), written(saved(NOISE))

    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert (one.StudyInstanceUID, one.SeriesInstanceUID, one.TrackingUID) == (
        other.StudyInstanceUID,
        other.SeriesInstanceUID,
        other.TrackingUID,
    )
    assert one.StudyInstanceUID != third.StudyInstanceUID


@pytest.mark.parametrize("name", ["x" * 65, "a\\b", "two\nlines"])
def test_pseudonym_that_no_dicom_file_can_hold_is_refused(name: str) -> None:
    with pytest.raises(
        MetadataError, match="Expected a pseudonym of at most 64 printable characters without a backslash"
    ):
        DicomLabel(name)


def test_photo_that_cannot_be_read_is_one_sentence() -> None:
    with pytest.raises(UnreadablePhotoError, match="The file is something else, or damaged"):
        write_dicom(b"no photo", image_type=ImageType.DERMOSCOPIC)
