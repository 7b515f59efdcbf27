"""Many photos go out as DICOM files: grouped by person and lesion, under names that somebody made up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from dermascan_core.domain import ImageType, Metadata
from dermascan_core.errors import DatasetError, OutputError
from dermascan_core.imaging.decode import decode_photo
from dermascan_core.interop.dicom_in import read_dicom
from dermascan_core.services.dicom_export import WrittenPhoto, as_dicom, export_photos
from dermascan_core.services.photo_plans import plan_all
from tests.fakes import fake_photo, photo_bytes
from tests.interop.dicom_files import dicom_bytes, region

PHOTO = photo_bytes(fake_photo(width=200, height=150))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two persons: Ann with two photos of one lesion and one of another, Bea with one; and a broken file."""
    place = tmp_path / "photos"
    place.mkdir()
    for name in ("ann-a.jpg", "ann-b.jpg", "ann-c.jpg", "bea.jpg"):
        (place / name).write_bytes(PHOTO)
    (place / "torn.jpg").write_bytes(b"torn")
    (tmp_path / "people.csv").write_text(
        "image,patient_id,lesion_id,age,localization,image_type\n"
        "ann-a.jpg,Ann,arm,44,back,\nann-b.jpg,Ann,arm,44,back,clinical\nann-c.jpg,Ann,leg,44,foot,\nbea.jpg,Bea,arm,70,,\n"
    )
    return tmp_path


def export(
    folder: Path, *, pseudonym: str = "", place: str = "photos", table: str = "people.csv"
) -> list[WrittenPhoto]:
    planned = plan_all(
        folder / place, folder / table if table else None, image_type=ImageType.DERMOSCOPIC, max_photos=50
    )
    return list(export_photos(planned, folder / "out", pseudonym=pseudonym))


def test_one_person_has_one_pseudonym_and_study_and_each_kind_of_photo_a_series(folder: Path) -> None:
    written = {done.photo: done for done in export(folder) if done.file}
    found = {name: dcmread(folder / "out" / done.file) for name, done in written.items()}

    a, b, c, bea = (found[name] for name in ("ann-a.jpg", "ann-b.jpg", "ann-c.jpg", "bea.jpg"))
    assert a.PatientID == b.PatientID == c.PatientID != bea.PatientID
    assert a.StudyInstanceUID == b.StudyInstanceUID == c.StudyInstanceUID != bea.StudyInstanceUID
    assert a.TrackingUID == b.TrackingUID != c.TrackingUID
    assert [d.TrackingID for d in (a, b, c, bea)] == ["lesion-1", "lesion-1", "lesion-2", "lesion-1"]
    assert a.SeriesInstanceUID == c.SeriesInstanceUID != b.SeriesInstanceUID
    assert [(d.Modality, d.InstanceNumber) for d in (a, b, c)] == [("DMS", 1), ("XC", 1), ("DMS", 2)]
    assert (written["ann-a.jpg"].person, written["ann-a.jpg"].lesion) == (a.PatientID, "lesion-1")


def test_neither_names_nor_keys_go_in(folder: Path) -> None:
    export(folder)

    files = list((folder / "out").iterdir())
    assert len(files) == 4
    for file in files:
        assert not any(word in file.read_bytes() or word.decode() in file.name for word in (b"Ann", b"ann-", b"bea"))


def test_photo_that_cannot_be_read_is_told_and_the_others_go_on(folder: Path) -> None:
    (torn,) = [done for done in export(folder) if not done.file]

    assert torn.photo == "torn.jpg"
    assert torn.reason.startswith("unreadable: Expected a photo (JPEG, PNG")


def test_a_second_run_writes_over_nothing(folder: Path) -> None:
    export(folder)
    export(folder)

    assert len(list((folder / "out").iterdir())) == 8


def test_pseudonym_stands_for_one_person_and_not_for_two(folder: Path) -> None:
    (folder / "photos" / "bea.jpg").unlink()
    (folder / "people.csv").write_text("image,patient_id\nann-a.jpg,Ann\n")

    assert {done.person for done in export(folder, pseudonym="S-7")} == {"S-7"}
    (folder / "people.csv").write_text("image,patient_id\nann-a.jpg,Ann\nann-b.jpg,Bea\n")
    with pytest.raises(DatasetError, match=r"Expected photos of one person for one pseudonym\. .* tell 2 persons"):
        export(folder, pseudonym="S-7")


def test_dicom_file_goes_out_with_its_picture_site_and_side_and_without_its_person(folder: Path) -> None:
    rgb = fake_photo(width=200, height=150)
    told = {"AnatomicRegionSequence": region("66643007", "Back"), "ImageLaterality": "R"}
    (folder / "mole.dcm").write_bytes(dicom_bytes(rgb, **told))

    (done,) = export(folder, place="mole.dcm", table="")

    data = (folder / "out" / done.file).read_bytes()
    photo = read_dicom(data)
    np.testing.assert_array_equal(decode_photo(photo.png), rgb)
    assert done.photo == "mole.dcm"
    assert photo.cells == {"age": "61", "sex": "female", "localization": "back"}
    assert (photo.side, photo.person) == ("right", done.person)
    assert not any(word in data for word in (b"Doe", b"H-4711", b"19650102", b"Clinic of the test"))


def test_folder_that_takes_no_file_is_named(folder: Path) -> None:
    (folder / "out").write_text("a file is in the way")

    with pytest.raises(
        OutputError, match=r"Expected a folder that takes DICOM files at '.*out': File exists\. Name another"
    ):
        export(folder)


def test_one_photo_is_a_person_and_a_lesion_of_its_own() -> None:
    one, other = (
        read_dicom(as_dicom(PHOTO, image_type=ImageType.CLINICAL, metadata=Metadata(sex="male"))) for _ in range(2)
    )

    assert one.person != other.person
    assert (one.lesion, one.cells, one.image_type) == ("lesion-1", {"sex": "male"}, ImageType.CLINICAL)
