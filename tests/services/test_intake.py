"""A photo as it comes in: looked at once, refused with a sentence, its square in a person's terms."""

import io

import numpy as np
import pytest
from PIL import Image

from dermascan_core.domain import CropBox, ImageType, Metadata
from dermascan_core.imaging.decode import decode_photo
from dermascan_core.services.intake import (
    CropShares,
    Intake,
    crop_from_shares,
    decode_preview,
    encode_jpeg,
    preview_with_crop,
    shares_of_crop,
    take_in,
)
from tests.fakes import fake_photo, photo_bytes
from tests.interop.dicom_files import dicom_bytes


def test_take_in_keeps_the_bytes_and_makes_a_small_preview() -> None:
    data = photo_bytes(fake_photo(width=1600, height=1200))

    photo = take_in("a.jpg", data)

    assert photo.data == data
    assert (photo.width_px, photo.height_px) == (1600, 1200)
    assert decode_preview(photo.preview_jpeg).shape == (540, 720, 3)
    assert photo.refusal is None
    assert photo.quality is not None
    assert photo.quality.is_usable


def test_preview_carries_no_place_or_time() -> None:
    exif = Image.Exif()
    exif[0x0110] = "a phone"
    exif.get_ifd(0x8825)[1] = "N"

    photo = take_in("a.jpg", photo_bytes(fake_photo(), exif=exif))

    assert dict(Image.open(io.BytesIO(photo.preview_jpeg)).getexif()) == {}


def test_take_in_says_why_a_file_cannot_be_used() -> None:
    photo = take_in("a.jpg", b"")

    assert str(photo.refusal) == "unreadable: The file is empty. Choose the photo again, or take a new one."
    assert (photo.crop, photo.quality, photo.preview_jpeg) == (None, None, b"")


def test_dicom_is_taken_in_as_its_picture_with_what_it_tells() -> None:
    photo = take_in("a.dcm", dicom_bytes(fake_photo(), BodyPartExamined="BACK"))

    np.testing.assert_array_equal(decode_photo(photo.data), fake_photo())
    assert photo.source == photo.data
    assert photo.told == Metadata(age_approx=61, sex="female", anatom_site="back")
    assert photo.told_image_type is ImageType.DERMOSCOPIC
    assert not any(word in repr(photo) for word in ("Doe", "H-4711", "19650102", "Clinic of the test"))


def test_of_a_dicom_file_that_cannot_be_used_nothing_but_the_reason_is_kept() -> None:
    photo = take_in("a.dcm", dicom_bytes(fake_photo(), PixelData=None))

    assert photo.data == b""
    assert photo.source == photo.refusal
    assert str(photo.refusal).startswith("unreadable: Expected a DICOM file with a picture. This one holds none.")


def test_preview_is_dark_outside_the_square() -> None:
    photo = take_in("a.jpg", photo_bytes(np.full((400, 800, 3), 200, np.uint8)))

    shown = preview_with_crop(photo, CropBox(400, 0, 400))

    assert shown.shape == (360, 720, 3)
    assert shown[180, 100].tolist() == pytest.approx([90, 90, 90], abs=2)
    assert shown[180, 540].tolist() == pytest.approx([200, 200, 200], abs=2)


@pytest.mark.parametrize("shares", [CropShares(20, 0, 100), CropShares(50, 50, 50), CropShares(100, 50, 50)])
def test_sliders_stand_where_they_were_left(shares: CropShares) -> None:
    photo = Intake("a", b"", "", 3000, 4000)

    crop = crop_from_shares(photo, shares)

    assert crop.left_px >= 0
    assert crop.left_px + crop.side_px <= 3000
    assert crop.top_px + crop.side_px <= 4000
    assert shares_of_crop(photo, crop).size == shares.size
    assert shares_of_crop(photo, crop).down == shares.down


def test_decode_preview_refuses_what_is_no_jpeg() -> None:
    with pytest.raises(
        ValueError,
        match=r"^Invalid value received for argument `data`\. Expected a JPEG that `encode_jpeg` wrote\.$",
    ):
        decode_preview(b"not a jpeg")


def test_jpeg_survives_the_round_trip() -> None:
    red = np.full((64, 64, 3), (200, 30, 40), np.uint8)

    assert np.abs(decode_preview(encode_jpeg(red)).astype(int) - red).max() <= 3
