"""Many photos: which files, which metadata, one line a photo, going on after a kill, and the order to look in."""

from __future__ import annotations

import csv
import errno
import json
import os
from pathlib import Path

import pytest

from dermascan_core.domain import ImageType, Metadata, NextStep, Status
from dermascan_core.errors import DatasetError
from dermascan_core.reports.export import screen_columns
from dermascan_core.services.batch import (
    find_photo_files,
    read_metadata_table,
    screen_each,
    screen_files,
)
from tests.fakes import CODES, FakePredictor, fake_photo, photo_bytes

ROOT = Path(__file__).parents[2]
DARK = photo_bytes(fake_photo(lesion=(60, 35, 25)))
BROWN = photo_bytes(fake_photo())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four photos of which one is broken, one hidden, and files that are no photos."""
    photos = tmp_path / "photos"
    (photos / "b").mkdir(parents=True)
    (photos / ".cache").mkdir()
    for name, data in {
        "c.JPG": BROWN,
        "a.png": photo_bytes(fake_photo(), "PNG"),
        "b/dark.jpg": DARK,
        "b/broken.jpg": b"not a photo",
        ".hidden.jpg": BROWN,
        ".cache/x.jpg": BROWN,
        "notes.txt": b"hello",
        "b/table.csv": b"image_id,age\n",
    }.items():
        (photos / name).write_bytes(data)
    return photos


def rows_of(out: Path) -> list[dict[str, str]]:
    with out.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def names(files: list[Path], folder: Path) -> list[str]:
    return [file.relative_to(folder).as_posix() for file in files]


def test_folder_means_every_photo_below_it_sorted_by_path(folder: Path):
    files, n_others = find_photo_files([folder])

    assert names(files, folder) == ["a.png", "b/broken.jpg", "b/dark.jpg", "c.JPG"]
    assert n_others == 2


def test_files_are_taken_as_given_in_input_order(folder: Path):
    files, n_others = find_photo_files([folder / "c.JPG", folder / "notes.txt", folder / "b"])

    assert names(files, folder) == ["c.JPG", "notes.txt", "b/broken.jpg", "b/dark.jpg"]
    assert n_others == 1


def test_own_output_file_is_neither_taken_nor_counted(folder: Path):
    out = folder / "out.csv"
    out.write_text("image,status,reason,")

    _, n_others = find_photo_files([folder], out=out)

    assert n_others == 2


def test_missing_path_is_named_before_anything_is_screened(folder: Path):
    with pytest.raises(DatasetError) as caught:
        find_photo_files([folder, folder / "gone"])

    assert str(caught.value) == (f"Expected a photo or a folder at '{folder / 'gone'}'. There is none. Check the path.")


def test_path_that_no_disk_can_hold_is_named(tmp_path: Path):
    name = tmp_path / ("a" * 300 + ".jpg")

    with pytest.raises(DatasetError) as caught:
        find_photo_files([name])

    assert str(caught.value) == (
        f"Expected a photo or a folder that can be read at '{name}': File name too long. "
        "Check the path and its permissions, or leave it out."
    )


def test_folder_that_may_not_be_read_is_named_and_its_photos_are_not_left_out_unsaid(
    folder: Path, monkeypatch: pytest.MonkeyPatch
):
    locked = folder / "locked"
    locked.mkdir()
    scandir = os.scandir

    def deny(path: str) -> object:
        if Path(path) == locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    # A user who may do everything, as in a container, is refused nothing by chmod.
    monkeypatch.setattr(os, "scandir", deny)

    with pytest.raises(DatasetError) as caught:
        find_photo_files([folder])

    assert str(caught.value) == (
        f"Expected a photo or a folder that can be read at '{locked}': Permission denied. "
        "Check the path and its permissions, or leave it out."
    )


def test_csv_holds_one_physical_line_a_photo_in_input_order(folder: Path, tmp_path: Path):
    files, _ = find_photo_files([folder])
    out = tmp_path / "out.csv"

    summary = screen_files(files, predictor=FakePredictor(), out=out)

    rows = rows_of(out)
    assert out.read_bytes().count(b"\n") == 5
    assert [row["image"] for row in rows] == [str(file) for file in files]
    assert tuple(rows[0]) == screen_columns(CODES)
    assert [row["status"] == "refused" for row in rows] == [False, True, False, False]
    assert rows[1]["reason"].startswith("unreadable: ")
    assert float(rows[2]["p_mel"]) > float(rows[0]["p_mel"])
    assert summary.n_photos == 4
    assert summary.statuses[Status.REFUSED] == 1
    assert sum(summary.next_steps.values()) == 4


def test_jsonl_holds_the_same_photos_as_numbers(folder: Path, tmp_path: Path):
    files, _ = find_photo_files([folder])
    out = tmp_path / "out.jsonl"

    screen_files(files, predictor=FakePredictor(), out=out)

    records = [json.loads(line) for line in out.read_text().splitlines()]
    assert [record["image"] for record in records] == [str(file) for file in files]
    assert records[0]["p_mel"] == pytest.approx(
        1 - sum(records[0][f"p_{c}"] for c in ("akiec", "bcc", "bkl", "df", "nv", "vasc")), abs=1e-5
    )
    assert records[1]["p_mel"] is None


def test_each_line_is_on_disk_when_its_progress_is_told(folder: Path, tmp_path: Path):
    files, _ = find_photo_files([folder])
    out = tmp_path / "out.csv"
    seen: list[tuple[int, int, int]] = []

    screen_files(
        files,
        predictor=FakePredictor(),
        out=out,
        on_progress=lambda n_done, n_photos, item: seen.append((n_done, n_photos, out.read_bytes().count(b"\n"))),
    )

    assert seen == [(1, 4, 2), (2, 4, 3), (3, 4, 4), (4, 4, 5)]


def test_wrong_cell_of_the_metadata_is_named_in_the_file_and_the_rest_of_its_row_is_used(folder: Path, tmp_path: Path):
    out = tmp_path / "out.csv"
    table = read_metadata_table(b"image_id,age,sex\na,300,f\nc,61,\nbroken,-1,\nother,20,\n")
    files, _ = find_photo_files([folder])
    items = []

    summary = screen_files(
        files, predictor=FakePredictor(), metadata=table, out=out, on_progress=lambda *told: items.append(told[2])
    )

    rows = rows_of(out)
    assert rows[0]["reason"].startswith(
        "metadata_not_used: Metadata used in part. The metadata table, line 2: Expected age in years"
    )
    assert items[0].screening.metadata == Metadata(sex="female")
    assert str(items[0].screening.photos[0].reason) == rows[0]["reason"]
    assert rows[0]["next_step"] != "watch"
    assert rows[1]["reason"].startswith("unreadable: ")
    assert "The metadata table, line 4" in rows[1]["reason"]
    assert rows[3]["reason"] == ""
    assert len(summary.metadata_errors) == 2
    assert summary.unused_rows == ("other",)


def test_child_whose_site_cannot_be_read_still_gets_no_class():
    table = read_metadata_table(b"image,age,localization\na.jpg,9,moon\n")

    item = next(screen_each([("a.jpg", BROWN)], predictor=FakePredictor(), metadata=table))

    photo = item.screening.photos[0]
    assert (photo.status, photo.prediction) == (Status.REFUSED, None)
    assert str(photo.reason).startswith("not_tested_under_18: ")
    assert "Received 'moon'" in str(photo.reason)


def test_one_row_is_not_given_to_two_photos_of_the_same_name(tmp_path: Path):
    for person in ("ann", "bob"):
        (tmp_path / person).mkdir()
        (tmp_path / person / "mole.jpg").write_bytes(BROWN)
    files, _ = find_photo_files([tmp_path])
    out = tmp_path / "out.csv"

    screen_files(files, predictor=FakePredictor(), metadata=read_metadata_table(b"image,age\nmole.jpg,61\n"), out=out)

    assert [row["reason"] for row in rows_of(out)] == 2 * [
        "metadata_not_used: Metadata not used. The metadata table, line 2: 'mole.jpg' may mean 2 photos of this batch. "
        "Write the folder too, as in 'folder/photo.jpg'."
    ]


def test_metadata_reaches_its_photo_whatever_case_and_ending():
    table = read_metadata_table(b"image,age\nMOLE.png,61\n")

    item = next(screen_each([("x/mole.JPG", BROWN)], predictor=FakePredictor(), metadata=table))

    assert item.screening.metadata == Metadata(age_approx=61)


def test_file_that_vanished_is_refused_and_the_others_go_on(folder: Path, tmp_path: Path):
    gone = tmp_path / "gone.jpg"

    vanished, there = screen_each([("gone.jpg", gone), ("c.JPG", folder / "c.JPG")], predictor=FakePredictor())

    photo = vanished.screening.photos[0]
    assert photo.status is Status.REFUSED
    assert str(photo.reason) == (
        f"unreadable: Expected a readable photo at '{gone}'. It is missing, or may not be opened. Check the path."
    )
    assert there.screening.photos[0].prediction is not None


def test_huge_file_is_refused_without_being_read(tmp_path: Path):
    huge = tmp_path / "huge.jpg"
    with huge.open("wb") as file:
        file.truncate(200 * 2**20)

    item = next(screen_each([("huge.jpg", huge)], predictor=FakePredictor()))

    assert str(item.screening.photos[0].reason) == (
        "too_large: The file may have at most 30 MB. Received 200 MB. Save the photo smaller, or as JPEG."
    )


def test_file_name_with_a_line_break_stays_one_physical_line(tmp_path: Path):
    photo = tmp_path / "=two\nlines.jpg"
    photo.write_bytes(BROWN)
    out = tmp_path / "out.csv"

    screen_files([photo], predictor=FakePredictor(), out=out)
    screen_files([photo], predictor=FakePredictor(), out=out, resume=True)

    assert len(out.read_text().splitlines()) == 2
    assert rows_of(out)[0]["image"] == f"{tmp_path}/=two\\nlines.jpg"


def test_phone_photos_of_a_batch_are_never_watch():
    item = next(
        screen_each(
            [("a.jpg", BROWN)],
            predictor=FakePredictor(fixed=[0.001, 0.99, 0.001, 0.001, 0.001, 0.004, 0.001, 0.001]),
            image_type=ImageType.CLINICAL,
        )
    )

    assert item.screening.next_step is NextStep.ROUTINE_CHECK


def test_answers_of_the_table_decide_the_step_and_contradictions_are_told(folder: Path):
    calm = ",".join(["no"] * 9)
    names = "unstoppable_bleeding,very_unwell,changing,bleeding,new,painful,under_nail,on_mucosa,worried"
    table = read_metadata_table(
        f"image,age,fitzpatrick_skin_type,{names},evolving\na,50,2,{calm},\nb,50,2,{calm},yes\n".encode()
    )
    photo = photo_bytes(fake_photo(lesion=(200, 150, 120)))
    sure = FakePredictor(fixed=[0.002, 0.985, 0.002, 0.001, 0.002, 0.004, 0.002, 0.002])
    paths = [folder / "a.jpg", folder / "b.jpg"]
    for path in paths:
        path.write_bytes(photo)
    items = []

    summary = screen_files(paths, predictor=sure, metadata=table, on_progress=lambda *told: items.append(told[2]))

    assert [item.screening.next_step for item in items] == [NextStep.WATCH, NextStep.SEE_DOCTOR]
    assert summary.metadata_errors == (
        f"{paths[1]}: You said that it has not changed, and also that it is changing lately. "
        "The more careful answer counts.",
    )
