"""Photos that arrive in numbers: by upload, zip file and folder; what is no photo, or a trap, is a sentence."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dermascan_core.errors import ArchiveError, DatasetError, PhotoTooLargeError, UnreadablePhotoError
from dermascan_core.services import photo_archive
from dermascan_core.services.arrivals import clean_name, from_folder, from_uploads, take_in, told_by_dicom
from tests.fakes import fake_photo, photo_bytes
from tests.interop.dicom_files import dicom_bytes

JPEG = photo_bytes(fake_photo())
DEFLATED = zipfile.ZIP_DEFLATED


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], compression: int = DEFLATED) -> io.BytesIO:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of two entries with one name
        with zipfile.ZipFile(file, "w", compression) as archive:
            for name, data in entries:
                archive.writestr(name, data)
    return file


def arrive(file: io.BytesIO, *, max_photos: int = 100):
    return from_uploads([("photos.zip", file)], max_photos=max_photos)


def test_photos_come_out_of_a_zip_file_with_their_folders_and_the_table_beside_them() -> None:
    found = arrive(
        zipped(("day/a.jpg", JPEG), ("day/b.JPG", JPEG), ("people.csv", b"image,age\na,1\n"), ("notes.doc", b"x"))
    )

    assert [photo.name for photo in found.photos] == ["day/a.jpg", "day/b.JPG"]
    assert found.photos[0].read() == JPEG
    assert found.tables == (("people.csv", b"image,age\na,1\n"),)
    assert (found.n_others, found.problems) == (1, ())


def test_uploads_and_zip_files_may_come_together() -> None:
    files = [("a.jpg", io.BytesIO(JPEG)), ("more.zip", zipped(("b.jpg", JPEG))), ("t.csv", io.BytesIO(b"image,age\n"))]

    found = from_uploads(files, max_photos=9)

    assert [photo.name for photo in found.photos] == ["a.jpg", "b.jpg"]
    assert found.tables[0][0] == "t.csv"


@pytest.mark.parametrize("name", ["../../etc/a.jpg", "/etc/a.jpg", "..\\..\\a.jpg", "C:\\a.jpg", "a/../../b.jpg"])
def test_name_that_climbs_out_of_a_folder_is_text_and_nothing_is_written(name: str, tmp_path: Path) -> None:
    found = arrive(zipped((name, JPEG)))

    assert found.photos[0].name == name.replace("\\", "/")
    assert found.photos[0].read() == JPEG
    assert list(tmp_path.iterdir()) == []


def test_bomb_is_refused_by_its_ratio_and_the_others_go_on() -> None:
    found = arrive(zipped(("bomb.png", b"\0" * 200_000_000), ("a.jpg", JPEG)))

    assert [photo.name for photo in found.photos] == ["a.jpg"]
    assert found.problems == (
        "bomb.png: It grows more than 100 times when unpacked, which no photo does. It was left out.",
    )


def test_bomb_that_lies_about_its_size_is_read_no_further_than_a_photo_may_go() -> None:
    # The header says 1,000 bytes; 60 MB come out.
    data = bytearray(zipped(("bomb.png", b"\0" * 60_000_000)).getvalue())
    for mark, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", data, data.find(mark) + place, 1000)

    photo = arrive(io.BytesIO(bytes(data))).photos[0]

    with pytest.raises((PhotoTooLargeError, UnreadablePhotoError)):
        photo.read()


def test_many_times_the_limit_in_all_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dermascan_core.services.arrivals.MAX_UPLOAD_BYTES", 10_000)
    noise = np.random.default_rng(0).bytes(30_000)

    with pytest.raises(ArchiveError, match="at most 0 MB at once"):
        arrive(zipped(("a.jpg", noise)))


def test_photo_of_more_than_thirty_megabytes_is_one_sentence() -> None:
    noise = np.random.default_rng(0).bytes(31 * 2**20)

    photo = arrive(zipped(("a.jpg", noise))).photos[0]

    with pytest.raises(PhotoTooLargeError, match=r"at most 30 MB\. It has more when unpacked"):
        photo.read()


def test_zip_file_inside_is_not_opened() -> None:
    found = arrive(zipped(("inner.zip", zipped(("a.jpg", JPEG)).getvalue())))

    assert found.photos == ()
    assert found.problems == ("inner.zip: A zip file inside a zip file is not opened. Unpack it first.",)


def test_link_and_locked_entry_are_refused() -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    data = bytearray(zipped((link, b"/etc/passwd"), ("locked.jpg", JPEG)).getvalue())
    second = data.find(b"PK\x01\x02", data.find(b"PK\x01\x02") + 4)
    data[second + 8] |= 1

    found = arrive(io.BytesIO(bytes(data)))

    assert found.photos == ()
    assert [problem.split(".")[1].split(":")[1] for problem in found.problems] == [
        " It is a link to another file",
        " It is locked with a password",
    ]


def test_damaged_entry_is_one_sentence_and_the_others_go_on() -> None:
    data = bytearray(zipped(("a.jpg", JPEG), ("b.jpg", JPEG)).getvalue())
    data[200:260] = bytes(60)
    found = arrive(io.BytesIO(bytes(data)))

    with pytest.raises(UnreadablePhotoError, match="damaged inside the zip file"):
        found.photos[0].read()
    assert found.photos[1].read() == JPEG


def test_zip_file_that_is_none_is_one_sentence_and_other_uploads_go_on() -> None:
    found = from_uploads([("x.zip", io.BytesIO(b"PK\x03\x04 torn")), ("a.jpg", io.BytesIO(JPEG))], max_photos=9)

    assert len(found.photos) == 1
    assert found.problems[0].startswith("x.zip: Expected a zip file. 'x.zip' is something else, or damaged.")


def test_too_many_photos_and_too_many_entries_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "holds 4" in arrive(zipped(*[(f"{n}.jpg", b"x") for n in range(4)]), max_photos=3).problems[0]

    monkeypatch.setattr(photo_archive, "MAX_ENTRIES", 3)
    assert "at most 3 files" in arrive(zipped(*[(f"{n}.txt", b"x") for n in range(4)])).problems[0]


def test_hidden_files_and_a_mac_s_shadows_are_left_out_unsaid() -> None:
    found = arrive(zipped(("__MACOSX/._a.jpg", b"x"), (".hidden/a.jpg", JPEG), ("a.jpg", JPEG)))

    assert [photo.name for photo in found.photos] == ["a.jpg"]
    assert found.problems == ()


def test_same_name_twice_in_a_zip_file_is_two_photos() -> None:
    found = arrive(zipped(("a.jpg", JPEG), ("a.jpg", b"other")))

    assert [photo.read() for photo in found.photos] == [JPEG, b"other"]


def test_folder_s_photos_are_named_by_their_path_in_it(tmp_path: Path) -> None:
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "a.jpg").write_bytes(JPEG)
    (tmp_path / "b.txt").write_bytes(b"x")

    found = from_folder(tmp_path, max_photos=5)

    assert [(photo.name, photo.read()) for photo in found.photos] == [("ann/a.jpg", JPEG)]
    assert found.n_others == 1


def test_folder_that_is_not_there_or_too_full_is_one_sentence(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.jpg").write_bytes(JPEG)

    with pytest.raises(DatasetError, match="There is none"):
        from_folder(tmp_path / "nowhere", max_photos=5)
    with pytest.raises(ArchiveError, match=r"at most 2 photos at once\. Received 3"):
        from_folder(tmp_path, max_photos=2)


def test_dicom_file_is_taken_in_as_a_picture_and_told_without_it() -> None:
    found = from_uploads([("a.dcm", io.BytesIO(dicom_bytes(fake_photo()))), ("b.dcm", io.BytesIO(b"x"))], max_photos=5)

    told = told_by_dicom(found.photos)

    assert take_in(found.photos[0]).data.startswith(b"\x89PNG")
    assert told[0] is not None
    assert (told[0].png, told[0].person) == (b"", "H-4711")
    assert told[1] is None


def test_long_name_keeps_its_end() -> None:
    assert clean_name("x" * 500 + ".jpg") == "…" + "x" * 195 + ".jpg"
