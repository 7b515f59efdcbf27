"""A DICOM file comes in as a photo and what it tells of the lesion; it never brings a name, a bomb or a traceback."""

from __future__ import annotations

import random
import zlib
from contextlib import suppress

import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless

from dermascan_core.domain import Answers, ImageType, Metadata, Status
from dermascan_core.errors import (
    AnimatedPhotoError,
    PhotoError,
    PhotoTooLargeError,
    PhotoTooSmallError,
    UnreadablePhotoError,
)
from dermascan_core.imaging.decode import decode_photo
from dermascan_core.interop import dicom_in
from dermascan_core.interop.dicom_in import is_dicom, read_dicom
from dermascan_core.services.screeners import PhotoTask, screen_task
from tests.fakes import FakePredictor, fake_photo, photo_bytes
from tests.interop.dicom_files import dicom_bytes, region

PHOTO = fake_photo()


def test_uncompressed_picture_comes_in_pixel_for_pixel() -> None:
    photo = read_dicom(dicom_bytes(PHOTO))

    np.testing.assert_array_equal(decode_photo(photo.png), PHOTO)


@pytest.mark.parametrize(("syntax", "most"), [(JPEG2000Lossless, 0), (JPEGBaseline8Bit, 4.0)])
def test_compressed_picture_keeps_its_colours(syntax: str, most: float) -> None:
    photo = read_dicom(dicom_bytes(PHOTO, syntax=syntax))

    difference = np.abs(decode_photo(photo.png).astype(int) - PHOTO.astype(int)).mean()
    assert difference <= most


def test_tags_become_age_sex_site_side_and_keys() -> None:
    data = dicom_bytes(
        PHOTO, AnatomicRegionSequence=region("66643007", "Back"), ImageLaterality="L", TrackingID="left shoulder"
    )

    photo = read_dicom(data)

    assert photo.cells == {"age": "61", "sex": "female", "localization": "back"}
    assert (photo.person, photo.lesion, photo.side) == ("H-4711", "left shoulder", "left")
    assert photo.image_type is ImageType.DERMOSCOPIC


def test_age_follows_from_two_dates_where_it_is_not_told() -> None:
    photo = read_dicom(dicom_bytes(PHOTO, PatientAge=None, StudyDate="20260101"))

    assert photo.cells["age"] == "60"


def test_neither_name_nor_birth_date_nor_clinic_is_kept() -> None:
    photo = read_dicom(dicom_bytes(PHOTO))

    assert b"Doe" not in photo.png
    assert not any(word in repr(photo) for word in ("Doe", "19650102", "Clinic of the test"))


def test_site_in_words_that_are_not_ours_is_unknown() -> None:
    photo = read_dicom(dicom_bytes(PHOTO, BodyPartExamined="LINKE SCHULTER"))

    assert "localization" not in photo.cells


def test_grey_picture_of_twelve_bits_is_spread_over_eight() -> None:
    grey = np.linspace(0, 4095, 200 * 200).reshape(200, 200).astype(np.uint16)

    photo = read_dicom(dicom_bytes(grey, BitsAllocated=16, BitsStored=12, HighBit=11))

    rgb = decode_photo(photo.png)
    assert (int(rgb[0, 0, 0]), int(rgb[-1, -1, 0])) == (0, 255)


def test_values_of_sixteen_bits_are_rounded_the_same_in_every_block_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    signed = np.random.default_rng(0).integers(-2048, 2048, (200, 150), np.int16)
    monkeypatch.setattr(dicom_in, "_BLOCK_VALUES", 1000)  # 34 blocks, the last of them short

    photo = read_dicom(dicom_bytes(signed, BitsAllocated=16, BitsStored=12, HighBit=11, PixelRepresentation=1))

    expected = np.round((signed.astype(np.int64) + 2048) / 4095 * 255)
    np.testing.assert_array_equal(decode_photo(photo.png)[:, :, 0], expected)


@pytest.mark.parametrize("n_bits", [1, 32, 64])
def test_picture_of_another_depth_is_refused_before_it_is_decoded(n_bits: int) -> None:
    with pytest.raises(UnreadablePhotoError, match=rf"8 or 16 bits per value\. Received {n_bits} bits\. Export it"):
        read_dicom(dicom_bytes(PHOTO, BitsAllocated=n_bits))


def test_picture_that_unpacks_to_more_than_a_file_may_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), np.uint8)
    monkeypatch.setattr(dicom_in, "MAX_SIZE_BYTES", 2**20)

    with pytest.raises(PhotoTooLargeError, match=r"at most 1 MB as a PNG\. Received 2 MB\. Export it smaller"):
        read_dicom(dicom_bytes(noise, syntax=JPEGBaseline8Bit))


def test_large_picture_is_averaged_down_like_a_large_jpeg() -> None:
    photo = read_dicom(dicom_bytes(np.full((2000, 3000, 3), 150, np.uint8)))

    assert decode_photo(photo.png).shape == (1000, 1500, 3)


def test_several_frames_are_refused() -> None:
    stacked = np.concatenate([PHOTO, PHOTO])

    with pytest.raises(AnimatedPhotoError, match="Received a DICOM file with 2 frames"):
        read_dicom(dicom_bytes(stacked, NumberOfFrames=2, Rows=450))


def test_unknown_compression_is_named() -> None:
    data = dicom_bytes(PHOTO, syntax=JPEGLSLossless, PixelData=encapsulate([b"\xff\xd8" * 50]))

    with pytest.raises(UnreadablePhotoError, match=r"Received JPEG-LS Lossless Image Compression\. Export it again"):
        read_dicom(data)


def test_file_without_a_picture_says_so() -> None:
    with pytest.raises(UnreadablePhotoError, match="This one holds none"):
        read_dicom(dicom_bytes(PHOTO, PixelData=None))


def test_huge_picture_is_refused_by_its_tags() -> None:
    with pytest.raises(PhotoTooLargeError, match="Received 60000x60000 px"):
        read_dicom(dicom_bytes(PHOTO, Rows=60000, Columns=60000))


def test_tiny_picture_is_refused() -> None:
    with pytest.raises(PhotoTooSmallError, match="Received 600x100 px"):
        read_dicom(dicom_bytes(np.ascontiguousarray(PHOTO[:100])))


def test_stream_larger_than_the_tags_say_is_refused_before_it_is_decoded() -> None:
    bomb = photo_bytes(np.zeros((7000, 7000, 3), np.uint8))

    with pytest.raises(UnreadablePhotoError, match="its tags say 600x450 px, its picture has 7000x7000 px"):
        read_dicom(dicom_bytes(PHOTO, syntax=JPEGBaseline8Bit, PixelData=encapsulate([bomb])))


def test_deflated_file_is_refused_before_it_is_inflated() -> None:
    head = dicom_bytes(PHOTO, syntax="1.2.840.10008.1.2.1.99", PixelData=None)
    bomb = head[:400] + zlib.compress(b"\0" * 10_000_000)[2:-4]

    with pytest.raises(UnreadablePhotoError, match="not compressed as a whole"):
        read_dicom(bomb)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_file_is_one_sentence(seed: int) -> None:
    rng = random.Random(seed)
    syntax = rng.choice(["1.2.840.10008.1.2.1", JPEGBaseline8Bit, JPEG2000Lossless])
    data = bytearray(dicom_bytes(PHOTO[:140, :140].copy(), syntax=syntax, ImageLaterality="R"))
    for _ in range(rng.randint(1, 40)):
        data[rng.randrange(132, min(len(data), 2000))] = rng.randrange(256)
    torn = bytes(data[: rng.randint(132, len(data))])

    with suppress(PhotoError):  # any other error fails the test; some damage leaves the picture whole
        read_dicom(torn)


def test_screening_takes_what_the_file_tells_where_the_table_is_silent() -> None:
    data = dicom_bytes(fake_photo(lesion=(45, 25, 20)), BodyPartExamined="BACK")
    task = PhotoTask("a.dcm", data, Metadata(age_approx=40), Answers(), ImageType.DERMOSCOPIC)

    screening = screen_task(task, predictor=FakePredictor())

    assert screening.photos[0].status is Status.ANSWERED
    assert screening.metadata.age_approx == 40
    assert (screening.metadata.sex, screening.metadata.anatom_site) == ("female", "back")


def test_broken_dicom_is_screened_as_refused() -> None:
    task = PhotoTask("a.dcm", dicom_bytes(fake_photo())[:9000], Metadata(), Answers(), ImageType.DERMOSCOPIC)

    photo = screen_task(task, predictor=FakePredictor()).photos[0]

    assert photo.status is Status.REFUSED
    assert photo.reason is not None
    assert photo.reason.sentence.startswith("The DICOM file is damaged")


def test_only_a_preamble_makes_a_dicom_file() -> None:
    assert is_dicom(b"\0" * 128 + b"DICM")
    assert not is_dicom(photo_bytes(PHOTO))
