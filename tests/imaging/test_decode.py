import io
import struct
import warnings
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from dermascan_core.errors import (
    AnimatedPhotoError,
    PhotoError,
    PhotoTooLargeError,
    PhotoTooSmallError,
    UnreadablePhotoError,
)
from dermascan_core.imaging.decode import MAX_SIZE_BYTES, MIN_SIDE_PX, decode_photo, read_photo

RED, GREEN, BLUE, SKIN = (200, 40, 30), (40, 160, 60), (50, 70, 190), (222, 178, 155)
DAMAGED = "The photo is damaged or incomplete, so it cannot be judged. Send it again, or take a new one."
NOT_A_PHOTO = "Expected a photo (JPEG, PNG, WebP, HEIC, TIFF or BMP). The file is something else, or damaged. Choose another file."
ORIENTATION, GPS_IFD = 0x0112, 0x8825


def quarters() -> Image.Image:
    """160 px wide, 200 px high: red over blue on the left, green over skin on the right."""
    pixels = np.zeros((200, 160, 3), np.uint8)
    pixels[:100, :80], pixels[:100, 80:], pixels[100:, :80], pixels[100:, 80:] = RED, GREEN, BLUE, SKIN
    return Image.fromarray(pixels)


def encode(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def corners(rgb: npt.NDArray[np.uint8]) -> list[tuple[int, ...]]:
    """Colours near the four corners: top left, top right, bottom left, bottom right."""
    height, width = rgb.shape[:2]
    places = [(y, x) for y in (height // 5, height * 4 // 5) for x in (width // 5, width * 4 // 5)]
    return [tuple(int(v) for v in rgb[y, x]) for y, x in places]


def assert_quarters(rgb: npt.NDArray[np.uint8], *, within: int = 0) -> None:
    assert rgb.shape == (200, 160, 3)
    assert rgb.dtype == np.uint8
    assert np.abs(np.array(corners(rgb)) - np.array([RED, GREEN, BLUE, SKIN])).max() <= within


class TestFormats:
    @pytest.mark.parametrize(
        ("format_name", "options", "within"),
        [
            ("PNG", {}, 0),
            ("BMP", {}, 0),
            ("TIFF", {}, 0),
            ("TIFF", {"compression": "tiff_lzw"}, 0),
            ("TIFF", {"compression": "jpeg"}, 6),
            ("WEBP", {"lossless": True}, 0),
            ("WEBP", {"quality": 90}, 10),
            ("JPEG", {"quality": 95}, 5),
            ("JPEG", {"quality": 95, "progressive": True}, 5),
            ("HEIF", {"quality": 95}, 8),
        ],
    )
    def test_decode_reads_every_promised_format(
        self, format_name: str, options: dict[str, object], within: int
    ) -> None:
        pillow_heif.register_heif_opener()

        rgb = decode_photo(encode(quarters(), format_name, **options))

        assert_quarters(rgb, within=within)

    def test_decode_reads_a_still_gif(self) -> None:
        assert_quarters(decode_photo(encode(quarters(), "GIF")), within=3)

    def test_decode_takes_the_first_picture_of_a_phones_mpo(self) -> None:
        preview = Image.new("RGB", (160, 200), BLUE)

        data = encode(quarters(), "MPO", save_all=True, append_images=[preview], quality=95)

        assert_quarters(decode_photo(data), within=5)

    def test_decode_goes_by_the_bytes_not_by_a_name(self, tmp_path: Path) -> None:
        misnamed = tmp_path / "photo.jpg"
        misnamed.write_bytes(encode(quarters(), "PNG"))

        assert_quarters(read_photo(misnamed))


class TestOrientation:
    # What each value asks a viewer to do (TIFF 6.0, tag 274), told as the corner colours that must come out.
    @pytest.mark.parametrize(
        ("orientation", "expected"),
        [
            (1, [RED, GREEN, BLUE, SKIN]),
            (2, [GREEN, RED, SKIN, BLUE]),
            (3, [SKIN, BLUE, GREEN, RED]),
            (4, [BLUE, SKIN, RED, GREEN]),
            (5, [RED, BLUE, GREEN, SKIN]),
            (6, [BLUE, RED, SKIN, GREEN]),
            (7, [SKIN, GREEN, BLUE, RED]),
            (8, [GREEN, SKIN, RED, BLUE]),
        ],
    )
    @pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF"])
    def test_decode_turns_photo_by_exif_orientation(
        self, format_name: str, orientation: int, expected: list[tuple[int, int, int]]
    ) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        lossless = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(format_name, {})

        rgb = decode_photo(encode(quarters(), format_name, exif=exif, **lossless))

        assert rgb.shape == ((160, 200, 3) if orientation >= 5 else (200, 160, 3))
        assert np.abs(np.array(corners(rgb)) - np.array(expected)).max() <= 5

    def test_decode_turns_a_heic_once(self) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = 6

        rgb = decode_photo(encode(quarters(), "HEIF", exif=exif.tobytes(), quality=95))

        assert np.abs(np.array(corners(rgb)) - np.array([BLUE, RED, SKIN, GREEN])).max() <= 8

    @pytest.mark.parametrize(
        "exif",
        [
            b"Exif\x00\x00",
            b"Exif\x00\x00garbage that is no TIFF header",
            b"Exif\x00\x00II*\x00\xff\xff\xff\xff",
            b"\x00",
        ],
    )
    def test_decode_ignores_a_corrupt_exif_block(self, exif: bytes) -> None:
        assert_quarters(decode_photo(encode(quarters(), "JPEG", exif=exif, quality=95)), within=5)

    @pytest.mark.parametrize("orientation", [0, 9, 65535])
    def test_decode_ignores_an_orientation_that_does_not_exist(self, orientation: int) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation

        assert_quarters(decode_photo(encode(quarters(), "JPEG", exif=exif, quality=95)), within=5)

    def test_decode_leaves_exif_and_gps_behind(self) -> None:
        exif = Image.Exif()
        exif[0x010F] = "SecretCameraMaker"
        exif.get_ifd(GPS_IFD).update({1: "N", 2: (51.0, 30.0, 0.0)})
        data = encode(quarters(), "JPEG", exif=exif, quality=95)
        assert b"SecretCameraMaker" in data

        rgb = decode_photo(data)

        assert type(rgb) is np.ndarray
        assert b"SecretCameraMaker" not in rgb.tobytes()


class TestColour:
    @pytest.mark.parametrize(
        ("mode", "expected"),
        [("L", (186, 186, 186)), ("LA", (186, 186, 186)), ("1", (255, 255, 255)), ("P", SKIN), ("RGBA", SKIN)],
    )
    def test_decode_brings_every_png_mode_to_rgb(self, mode: str, expected: tuple[int, int, int]) -> None:
        image = Image.new("RGB", (160, 200), SKIN)
        image = image.convert(mode, palette=Image.Palette.ADAPTIVE) if mode == "P" else image.convert("RGBA")
        image = (
            image if mode in ("P", "RGBA") else Image.new(mode, (160, 200), {"L": 186, "LA": (186, 255), "1": 1}[mode])
        )

        rgb = decode_photo(encode(image, "PNG"))

        assert rgb.shape == (200, 160, 3)
        assert np.abs(rgb.astype(int) - expected).max() <= 2

    def test_decode_lays_transparency_on_white(self) -> None:
        half = Image.new("RGBA", (160, 200), (*RED, 128))
        clear = Image.new("LA", (160, 200), (10, 0))

        assert np.abs(decode_photo(encode(half, "PNG")).astype(int) - (227, 147, 142)).max() <= 1
        assert decode_photo(encode(clear, "PNG")).min() == 255

    def test_decode_lays_a_transparent_palette_colour_on_white(self) -> None:
        image = Image.new("P", (160, 200), 0)
        image.putpalette([*RED, *SKIN])
        image.paste(1, (80, 0, 160, 200))

        rgb = decode_photo(encode(image, "PNG", transparency=0))

        assert tuple(rgb[100, 20]) == (255, 255, 255)
        assert tuple(rgb[100, 140]) == SKIN

    @pytest.mark.parametrize("mode", ["L", "RGB"])
    def test_decode_lays_a_transparent_key_colour_on_white(self, mode: str) -> None:
        key: int | tuple[int, int, int] = 20 if mode == "L" else RED
        image = Image.new(mode, (160, 200), key)

        assert decode_photo(encode(image, "PNG", transparency=key)).min() == 255

    def test_decode_scales_16_bit_grey(self) -> None:
        values = np.full((200, 160), 0x8080, np.uint16)
        values[:, 80:] = 0xFFFF

        for format_name in ("PNG", "TIFF"):
            rgb = decode_photo(encode(Image.fromarray(values), format_name))
            assert tuple(rgb[100, 20]) == (128, 128, 128)
            assert tuple(rgb[100, 140]) == (255, 255, 255)

    def test_decode_scales_16_bit_colour(self) -> None:
        pixels = np.zeros((200, 160, 3), ">u2")
        pixels[:] = np.array(SKIN) * 257

        rgb = decode_photo(png_bytes(160, 200, bit_depth=16, colour_type=2, rows=[row.tobytes() for row in pixels]))

        assert np.abs(rgb.astype(int) - SKIN).max() <= 1

    def test_decode_reads_cmyk(self) -> None:
        image = Image.new("RGB", (160, 200), SKIN).convert("CMYK")

        for format_name in ("JPEG", "TIFF"):
            assert np.abs(decode_photo(encode(image, format_name)).astype(int) - SKIN).max() <= 4

    def test_decode_reads_float_and_32_bit_tiff(self) -> None:
        ramp = np.linspace(0, 1000, 200 * 160, dtype=np.float32).reshape(200, 160)

        for values in (ramp, ramp.astype(np.int32)):
            rgb = decode_photo(encode(Image.fromarray(values), "TIFF"))
            assert rgb.shape == (200, 160, 3)

    def test_decode_survives_a_float_tiff_without_a_single_number(self) -> None:
        values = np.full((200, 160), np.nan, np.float32)

        assert decode_photo(encode(Image.fromarray(values), "TIFF")).max() == 0

    def test_decode_converts_an_embedded_profile_to_srgb(self) -> None:
        # The same numbers mean a redder red where the profile's red primary is wider than sRGB's.
        wide = swapped_primaries_profile()
        image = Image.new("RGB", (160, 200), RED)

        plain = decode_photo(encode(image, "PNG"))
        converted = decode_photo(encode(image, "PNG", icc_profile=wide))

        assert tuple(plain[0, 0]) == RED
        assert np.abs(converted[0, 0].astype(int) - (RED[2], RED[1], RED[0])).max() <= 12

    def test_decode_leaves_a_photo_tagged_srgb_alone(self) -> None:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

        assert_quarters(decode_photo(encode(quarters(), "PNG", icc_profile=srgb)), within=1)

    def test_decode_keeps_transparency_through_a_profile(self) -> None:
        srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        clear = Image.new("RGBA", (160, 200), (*RED, 0))

        assert decode_photo(encode(clear, "PNG", icc_profile=srgb)).min() == 255

    @pytest.mark.parametrize("profile", [b"x", b"\x00" * 200, b"not a profile" * 40])
    def test_decode_ignores_a_broken_profile(self, profile: bytes) -> None:
        assert_quarters(decode_photo(encode(quarters(), "PNG", icc_profile=profile)))


class TestRefusals:
    def test_decode_refuses_an_empty_file(self) -> None:
        assert refusal(b"") == (
            UnreadablePhotoError,
            "The file is empty. Choose the photo again, or take a new one.",
        )

    def test_decode_refuses_what_is_no_photo(self) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("photo.jpg", encode(quarters(), "JPEG"))

        for data in (b"Dear doctor, here is my mole.", archive.getvalue(), b"%PDF-1.7\n", b"<svg></svg>", b"\xff\xd8"):
            assert refusal(data) == (UnreadablePhotoError, NOT_A_PHOTO)

    def test_decode_refuses_formats_that_run_programs_or_other_readers(self) -> None:
        for format_name in ("EPS", "ICO", "PPM", "TGA", "PDF"):
            assert refusal(encode(quarters(), format_name))[0] is UnreadablePhotoError

    @pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "HEIF"])
    @pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
    def test_decode_refuses_a_truncated_photo(self, format_name: str, share: float) -> None:
        noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 160, 3)).astype(np.uint8))
        data = encode(noise, format_name)

        error, message = refusal(data[: int(len(data) * share)])

        assert error is UnreadablePhotoError
        assert message in (DAMAGED, NOT_A_PHOTO)

    # The next two were found by fuzzing: Pillow raised IndexError, struct.error and TypeError while counting frames.
    @pytest.mark.parametrize("n_bytes_of_second_frame", [1, 4, 7, 10])
    def test_decode_refuses_a_gif_cut_in_its_second_frame(self, n_bytes_of_second_frame: int) -> None:
        frames = [Image.new("RGB", (160, 200), colour) for colour in (RED, GREEN)]
        data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
        second_frame = data.rindex(b"\x2c\x00\x00\x00\x00")

        assert refusal(data[: second_frame + n_bytes_of_second_frame]) == (UnreadablePhotoError, DAMAGED)

    def test_decode_refuses_a_tiff_whose_second_page_is_empty(self) -> None:
        data = bytearray(encode(Image.new("RGB", (160, 200), RED), "TIFF"))
        (first_page,) = struct.unpack("<I", data[4:8])
        (n_tags,) = struct.unpack("<H", data[first_page : first_page + 2])
        link = first_page + 2 + 12 * n_tags
        data[link : link + 4] = struct.pack("<I", len(data))

        assert refusal(bytes(data) + struct.pack("<HI", 0, 0)) == (UnreadablePhotoError, DAMAGED)

    def test_decode_refuses_a_heic_beyond_libheifs_own_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = encode(quarters(), "HEIF")

        def raise_limit(image: Image.Image) -> None:
            raise RuntimeError("Memory allocation error: Security limit exceeded")

        monkeypatch.setattr(pillow_heif.HeifImageFile, "load", raise_limit)

        assert refusal(data) == (UnreadablePhotoError, DAMAGED)

    def test_decode_refuses_too_few_pixels(self) -> None:
        assert MIN_SIDE_PX == 128
        for size in ((1, 1), (127, 4000)):
            assert refusal(encode(Image.new("RGB", size, SKIN), "PNG")) == (
                PhotoTooSmallError,
                f"The photo's short side must be at least 128 px. Received {size[0]}x{size[1]} px. "
                "Retake it closer, or send it at full resolution.",
            )

    def test_decode_takes_128_px(self) -> None:
        assert decode_photo(encode(Image.new("RGB", (128, 128), SKIN), "PNG")).shape == (128, 128, 3)

    def test_decode_refuses_huge_pictures_by_their_header_alone(self) -> None:
        png = png_bytes(20_000, 20_000, bit_depth=8, colour_type=2, rows=[])
        bmp = (
            b"BM"
            + struct.pack("<IHHI", 54, 0, 0, 54)
            + struct.pack("<IiiHHIIiiII", 40, 20_000, 20_000, 1, 24, *[0] * 6)
        )

        for data in (png, bmp):
            assert refusal(data) == (
                PhotoTooLargeError,
                "The photo may have at most 50 megapixels. Received 20000x20000 px. Save it smaller.",
            )

    def test_decode_leaves_other_threads_warnings_alone(self) -> None:
        data = encode(quarters(), "JPEG")
        before = list(warnings.filters)
        seen = []

        with ThreadPoolExecutor(2) as pool:
            decoding = pool.submit(lambda: [decode_photo(data) for _ in range(50)])
            while not decoding.done():
                seen.append(list(warnings.filters) == before)

        assert all(seen)

    def test_decode_refuses_sixty_megapixels(self) -> None:
        assert refusal(png_bytes(10_000, 6_000, bit_depth=8, colour_type=2, rows=[])) == (
            PhotoTooLargeError,
            "The photo may have at most 50 megapixels. Received 10000x6000 px. Save it smaller.",
        )

    def test_decode_refuses_too_many_bytes(self) -> None:
        data = b"\xff\xd8" + bytes(MAX_SIZE_BYTES)

        assert refusal(data) == (
            PhotoTooLargeError,
            "The file may have at most 30 MB. Received 30 MB. Save the photo smaller, or as JPEG.",
        )

    @pytest.mark.parametrize("format_name", ["GIF", "TIFF", "WEBP", "PNG"])
    def test_decode_refuses_several_frames(self, format_name: str) -> None:
        frames = [Image.new("RGB", (160, 200), colour) for colour in (RED, GREEN, BLUE)]

        data = encode(frames[0], format_name, save_all=True, append_images=frames[1:])

        assert refusal(data) == (
            AnimatedPhotoError,
            "Expected one still photo. Received 3 frames (an animation or several pages). "
            "Save the one you mean as JPEG or PNG.",
        )

    def test_read_photo_names_a_missing_file(self, tmp_path: Path) -> None:
        for path in (tmp_path / "gone.jpg", tmp_path):
            with pytest.raises(UnreadablePhotoError) as caught:
                read_photo(path)
            assert str(caught.value) == (
                f"Expected a readable photo at '{path.name}'. It is missing, or may not be opened. Check the path."
            )

    def test_read_photo_does_not_read_a_huge_file_to_its_end(self, tmp_path: Path) -> None:
        path = tmp_path / "huge.jpg"
        with path.open("wb") as file:
            file.truncate(200 * 2**20)  # sparse: no disk is used

        with pytest.raises(PhotoTooLargeError) as caught:
            read_photo(path)

        assert str(caught.value) == (
            "The file may have at most 30 MB. Received 200 MB. Save the photo smaller, or as JPEG."
        )

    def test_every_refusal_has_its_own_stable_code(self) -> None:
        errors = (UnreadablePhotoError, PhotoTooLargeError, PhotoTooSmallError, AnimatedPhotoError)

        assert [error.code for error in errors] == ["unreadable", "too_large", "too_small", "animated"]


SEEDS = {
    name: encode(Image.fromarray(np.tile(np.arange(160, dtype=np.uint8), (140, 1))).convert("RGB"), name, **options)
    for name, options in {
        "JPEG": {
            "exif": b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00"
        },
        "PNG": {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()},
        "WEBP": {},
        "TIFF": {"compression": "tiff_lzw"},
        "GIF": {},
        "BMP": {},
        "HEIF": {},
    }.items()
}


class TestFuzz:
    @settings(max_examples=150, deadline=None)
    @given(st.binary(max_size=400))
    def test_random_bytes_are_refused(self, data: bytes) -> None:
        with pytest.raises(PhotoError):
            decode_photo(data)

    @settings(max_examples=150, deadline=None)
    @given(
        st.sampled_from([b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF", b"II*\x00", b"MM\x00*", b"BM", b"GIF89a"]),
        st.binary(),
    )
    def test_random_bytes_behind_a_real_signature_are_refused(self, signature: bytes, data: bytes) -> None:
        with pytest.raises(PhotoError):
            decode_photo(signature + data)

    @settings(max_examples=400, deadline=None)
    @given(
        st.sampled_from(sorted(SEEDS)),
        st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=12),
        st.booleans(),
    )
    def test_damaged_bytes_give_a_photo_or_a_refusal(
        self, format_name: str, changes: list[tuple[float, int]], is_header_only: bool
    ) -> None:
        data = bytearray(SEEDS[format_name])
        reach = min(len(data), 400) if is_header_only else len(data)
        for place, value in changes:
            data[int(place * reach)] = value

        try:
            rgb = decode_photo(bytes(data))
        except PhotoError:
            return

        assert rgb.dtype == np.uint8
        assert rgb.ndim == 3
        assert rgb.shape[2] == 3
        assert min(rgb.shape[:2]) >= MIN_SIDE_PX


def refusal(data: bytes) -> tuple[type[PhotoError], str]:
    with pytest.raises(PhotoError) as caught:
        decode_photo(data)
    return caught.type, str(caught.value)


def png_bytes(width: int, height: int, *, bit_depth: int, colour_type: int, rows: list[bytes]) -> bytes:
    """Write a PNG by hand: Pillow writes no 16-bit colour, and nobody should allocate 400 megapixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\x00" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def swapped_primaries_profile() -> bytes:
    """sRGB's own profile with the red and blue primaries exchanged: what it calls red is sRGB's blue."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile.replace(b"rXYZ", b"tmpX").replace(b"bXYZ", b"rXYZ").replace(b"tmpX", b"bXYZ")
