"""The command that writes photos as DICOM files: what it prints, and what it asks for."""

from __future__ import annotations

import csv
from pathlib import Path

from dermascan_core.interop.dicom_in import read_dicom
from tests.fakes import fake_photo, photo_bytes
from tests.test_cli import run

PHOTO = photo_bytes(fake_photo(width=200, height=150))


def test_export_prints_which_file_is_whose_and_says_to_keep_that_apart(tmp_path: Path) -> None:
    (tmp_path / "P1_L1_1.jpg").write_bytes(PHOTO)
    (tmp_path / "P1_L1_2.png").write_bytes(b"broken")

    result = run("export-dicom", tmp_path, "--image-type", "clinical", "--out", tmp_path / "out")

    good, bad = csv.DictReader(result.stdout.splitlines())
    assert result.exit_code == 0
    assert read_dicom((tmp_path / "out" / good["file"]).read_bytes()).person == good["person"] == bad["person"]
    assert (good["image"], good["lesion"], good["reason"]) == ("P1_L1_1.jpg", "lesion-1", "")
    assert (bad["file"], bad["reason"].partition(":")[0]) == ("", "unreadable")
    assert result.stderr == f"1 DICOM file in {tmp_path / 'out'}, 1 refused. Keep the lines above apart from them.\n"


def test_export_takes_one_photo_and_a_pseudonym(tmp_path: Path) -> None:
    (tmp_path / "mole.jpg").write_bytes(PHOTO)
    told = ("--image-type", "dermoscopic", "--pseudonym", "S-7", "--out", tmp_path / "out")

    (row,) = csv.DictReader(run("export-dicom", tmp_path / "mole.jpg", *told).stdout.splitlines())

    assert (row["image"], row["person"]) == ("mole.jpg", "S-7")


def test_export_asks_how_the_photos_were_taken(tmp_path: Path) -> None:
    result = run("export-dicom", tmp_path, "--out", tmp_path / "out")

    assert result.exit_code == 2
    assert "--image-type" in result.stderr


def test_pseudonym_that_cannot_be_written_ends_with_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mole.jpg").write_bytes(PHOTO)

    result = run(
        "export-dicom", tmp_path, "--image-type", "clinical", "--pseudonym", "x" * 65, "--out", tmp_path / "out"
    )

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Expected a pseudonym of at most 64 printable characters")
    assert not (tmp_path / "out").exists()
