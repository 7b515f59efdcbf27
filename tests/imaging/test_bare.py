"""A photo without its tags: the same pixels, and nothing of place, time or device."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from dermascan_core.errors import UnreadablePhotoError
from dermascan_core.imaging.bare import strip_tags
from dermascan_core.imaging.decode import decode_photo
from tests.fakes import fake_photo, photo_bytes

PHOTO = fake_photo(width=300, height=225)
SECRETS = (b"iPhone of Jane", b"2026:01:02", b"secret comment", b"secret xmp")


def tagged(orientation: int = 1, format: str = "JPEG", **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "iPhone of Jane"
    exif.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (52.0, 31.0, 12.5)
    return photo_bytes(PHOTO, format, exif=exif.tobytes(), **options)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_keeps_every_pixel_and_which_way_is_up(orientation: int) -> None:
    data = tagged(orientation, comment=b"secret comment")

    bare = strip_tags(data)

    assert np.array_equal(decode_photo(bare), decode_photo(data))
    assert not any(secret in bare for secret in SECRETS)
    kept = dict(Image.open(io.BytesIO(bare)).getexif())
    assert kept == ({} if orientation == 1 else {0x0112: orientation})


@pytest.mark.parametrize("options", [{"progressive": True}, {"subsampling": 0}, {"restart_marker_blocks": 4}])
def test_jpeg_of_each_kind_is_cut_without_being_compressed_again(options: dict[str, object]) -> None:
    data = photo_bytes(PHOTO, **options)

    assert len(strip_tags(data)) <= len(data)
    assert np.array_equal(decode_photo(strip_tags(data)), decode_photo(data))


def test_colour_profile_stays_for_it_changes_the_pixels() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    data = photo_bytes(PHOTO, icc_profile=profile)

    assert Image.open(io.BytesIO(strip_tags(data))).info["icc_profile"] == profile


def test_cmyk_jpeg_is_drawn_as_before() -> None:
    buffer = io.BytesIO()
    Image.fromarray(PHOTO).convert("CMYK").save(buffer, "JPEG")

    assert np.array_equal(decode_photo(strip_tags(buffer.getvalue())), decode_photo(buffer.getvalue()))


def test_second_picture_behind_the_first_is_left_out() -> None:
    data = tagged()
    behind = data + tagged(comment=b"secret comment") + b"secret xmp"

    assert strip_tags(behind) == strip_tags(data)


def test_preview_in_a_jpeg_header_is_left_out() -> None:
    data = photo_bytes(PHOTO)
    preview = b"\xff\xe0" + (16 + 12).to_bytes(2, "big") + b"JFIF\0\1\1\0\0\1\0\1\2\2" + b"secret xmp.."
    assert data[2:4] == b"\xff\xe0"

    bare = strip_tags(data[:2] + preview + data[20:])

    assert b"secret xmp" not in bare
    assert np.array_equal(decode_photo(bare), decode_photo(data))


@pytest.mark.parametrize(("format", "kept"), [("PNG", "PNG"), ("TIFF", "PNG"), ("BMP", "PNG"), ("WEBP", "JPEG")])
def test_other_formats_become_png_or_jpeg(format: str, kept: str) -> None:
    data = tagged(format=format) if format in ("PNG", "WEBP", "TIFF") else photo_bytes(PHOTO, format)

    bare = strip_tags(data)

    assert Image.open(io.BytesIO(bare)).format == kept
    assert not any(secret in bare for secret in SECRETS)
    difference = np.abs(decode_photo(bare).astype(int) - decode_photo(data).astype(int))
    assert difference.mean() == 0 if kept == "PNG" else difference.mean() < 2


def test_stripping_twice_changes_nothing_more() -> None:
    once = strip_tags(tagged(6))

    assert strip_tags(once) == once


def test_what_is_no_photo_is_refused() -> None:
    with pytest.raises(UnreadablePhotoError):
        strip_tags(b"\xff\xd8\xff\xe0 no photo")


def test_truncated_and_mangled_jpegs_never_raise_anything_else() -> None:
    from dermascan_core.errors import PhotoError

    data = tagged(6, progressive=True)
    rng = np.random.default_rng(3)
    for _ in range(200):
        mangled = bytearray(data)
        for place in rng.integers(2, len(data), 5):
            mangled[place] = int(rng.integers(0, 256))
        broken = bytes(mangled[: int(rng.integers(len(data) // 2, len(data)))])
        try:
            bare = strip_tags(broken)
        except PhotoError:
            continue
        assert np.array_equal(decode_photo(bare), decode_photo(broken))
