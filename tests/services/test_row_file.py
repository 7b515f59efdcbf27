"""The batch's file: whole after any kill, never mixed with other rows, never laid over another file."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dermascan_core.domain import ImageType
from dermascan_core.errors import OutputError
from dermascan_core.services.batch import find_photo_files, screen_files
from tests.fakes import FakePredictor, fake_manifest, fake_photo, photo_bytes

ROOT = Path(__file__).parents[2]
BROWN = photo_bytes(fake_photo())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four photos, of which one is broken."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name, data in {
        "a.png": photo_bytes(fake_photo(), "PNG"),
        "b.jpg": b"not a photo",
        "c.JPG": BROWN,
        "d.jpg": photo_bytes(fake_photo(lesion=(60, 35, 25))),
    }.items():
        (photos / name).write_bytes(data)
    return photos


def rows_of(out: Path) -> list[dict[str, str]]:
    with out.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize("n_bytes_lost", [1, 40, 400, 100_000])
def test_resume_after_a_kill_gives_the_file_of_an_undisturbed_run(folder: Path, tmp_path: Path, ending, n_bytes_lost):
    files, _ = find_photo_files([folder])
    out = tmp_path / f"out.{ending}"
    screen_files(files, predictor=FakePredictor(), out=out)
    whole = without_times(out)
    # A kill leaves the file cut off anywhere.
    data = out.read_bytes()
    out.write_bytes(data[: max(len(data) - n_bytes_lost, 0)])
    predictor = FakePredictor()

    summary = screen_files(files, predictor=predictor, out=out, resume=True)

    assert without_times(out) == whole
    assert summary.n_photos == sum(summary.statuses.values()) == 4
    assert predictor.n_calls <= 4 - summary.n_resumed


def test_resume_after_a_real_kill_goes_on_behind_the_last_line(folder: Path, tmp_path: Path):
    out = tmp_path / "out.csv"
    run_and_die = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from dermascan_core.services.batch import find_photo_files, screen_files\n"
        "from tests.fakes import FakePredictor\n"
        "files, _ = find_photo_files([Path(sys.argv[1])])\n"
        "die = lambda n_done, *_: n_done == 2 and os.kill(os.getpid(), signal.SIGKILL)\n"
        "screen_files(files, predictor=FakePredictor(), out=Path(sys.argv[2]), on_progress=die)\n"
    )
    killed = subprocess.run([sys.executable, "-c", run_and_die, folder, out], cwd=ROOT, check=False)
    assert killed.returncode == -signal.SIGKILL
    predictor, (files, _) = FakePredictor(), find_photo_files([folder])

    summary = screen_files(files, predictor=predictor, out=out, resume=True)

    assert (summary.n_resumed, predictor.n_calls) == (2, 2)
    assert [row["image"] for row in rows_of(out)] == [str(file) for file in files]


def without_times(out: Path) -> list[dict[str, object]]:
    records = rows_of(out) if out.suffix == ".csv" else [json.loads(line) for line in out.read_text().splitlines()]
    return [{key: value for key, value in record.items() if key != "elapsed_ms"} for record in records]


def test_resume_of_a_finished_run_screens_nothing_again(folder: Path, tmp_path: Path):
    files, _ = find_photo_files([folder])
    out = tmp_path / "out.csv"
    screen_files(files, predictor=FakePredictor(), out=out)
    before, predictor = out.read_bytes(), FakePredictor()

    summary = screen_files(files, predictor=predictor, out=out, resume=True)

    assert out.read_bytes() == before
    assert (summary.n_resumed, predictor.n_calls) == (4, 0)


def test_resume_without_an_earlier_file_begins_one(folder: Path, tmp_path: Path):
    out = tmp_path / "out.csv"

    summary = screen_files([folder / "c.JPG"], predictor=FakePredictor(), out=out, resume=True)

    assert (summary.n_resumed, len(rows_of(out))) == (0, 1)


def test_resume_refuses_the_rows_of_other_photos(folder: Path, tmp_path: Path):
    out = tmp_path / "out.csv"
    screen_files([folder / "c.JPG"], predictor=FakePredictor(), out=out)
    before = out.read_bytes()

    with pytest.raises(OutputError) as caught:
        screen_files([folder / "a.png"], predictor=FakePredictor(), out=out, resume=True)

    assert str(caught.value) == (
        f"Expected '{out}' to hold the first photos of this batch, in order. "
        f"Received a row about '{folder / 'c.JPG'}' where '{folder / 'a.png'}' belongs. "
        "Screen the same files, choose another output file, or leave out --resume to begin again."
    )
    assert out.read_bytes() == before


def test_resume_refuses_the_rows_of_another_model(folder: Path, tmp_path: Path):
    out = tmp_path / "out.csv"
    screen_files([folder / "c.JPG"], predictor=FakePredictor(), out=out)

    with pytest.raises(OutputError) as caught:
        screen_files(
            [folder / "c.JPG"],
            predictor=FakePredictor(manifest=fake_manifest(sha256="f" * 64)),
            out=out,
            resume=True,
        )

    assert str(caught.value) == (
        f"Expected '{out}' to hold rows of the model ffffffffffff. Received rows of the model 000000000000. "
        "Use the same model, choose another output file, or leave out --resume to begin again."
    )


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_resume_refuses_the_rows_of_the_other_kind_of_photo(folder: Path, tmp_path: Path, ending):
    out = tmp_path / f"out.{ending}"
    screen_files([folder / "c.JPG"], predictor=FakePredictor(), out=out)

    with pytest.raises(OutputError) as caught:
        screen_files([folder / "c.JPG"], predictor=FakePredictor(), image_type=ImageType.CLINICAL, out=out, resume=True)

    assert str(caught.value) == (
        f"Expected '{out}' to hold rows of clinical photos. Received rows of dermoscopic photos. "
        "Use --image-type dermoscopic, choose another output file, or leave out --resume to begin again."
    )


def test_resume_refuses_a_damaged_middle(folder: Path, tmp_path: Path):
    files, _ = find_photo_files([folder])
    out = tmp_path / "out.csv"
    screen_files(files, predictor=FakePredictor(), out=out)
    lines = out.read_bytes().split(b"\n")
    out.write_bytes(b"\n".join([lines[0], b"half a row", *lines[2:]]))

    with pytest.raises(OutputError) as caught:
        screen_files(files, predictor=FakePredictor(), out=out, resume=True)

    assert str(caught.value) == (
        f"Expected '{out}' to hold the rows of an earlier run with this model's columns. It holds something else: "
        "choose another output file, or leave out --resume to begin again."
    )


@pytest.mark.parametrize("resume", [False, True])
def test_a_file_that_is_not_ours_is_never_overwritten(folder: Path, tmp_path: Path, resume):
    out = tmp_path / "patients.csv"
    out.write_text("image_id,age\nISIC_1,61")

    with pytest.raises(OutputError) as caught:
        screen_files([folder / "c.JPG"], predictor=FakePredictor(), out=out, resume=resume)

    assert str(caught.value) == (
        f"Expected '{out}' to be new, or to hold the rows of an earlier run. It holds something else, "
        "which would be lost. Choose another output file."
    )
    assert out.read_text() == "image_id,age\nISIC_1,61"


def test_output_with_another_ending_is_refused(folder: Path, tmp_path: Path):
    with pytest.raises(OutputError) as caught:
        screen_files([folder / "c.JPG"], predictor=FakePredictor(), out=tmp_path / "out.xlsx")

    assert str(caught.value) == (
        f"Expected a file that ends in .csv or .jsonl. Received '{tmp_path / 'out.xlsx'}'. Rename the output file."
    )


def test_missing_output_folder_is_said_before_the_first_photo(folder: Path, tmp_path: Path):
    predictor, out = FakePredictor(), tmp_path / "gone" / "out.csv"

    with pytest.raises(OutputError) as caught:
        screen_files([folder / "c.JPG"], predictor=predictor, out=out)

    assert str(caught.value) == (
        f"The results cannot be written to '{out}': No such file or directory. Lines already written are kept. "
        "Free the disk or choose another place, then go on with --resume."
    )
    assert predictor.n_calls == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="NOT TESTED: this system has no /dev/full")
def test_full_disk_is_an_output_error(folder: Path, tmp_path: Path):
    out = tmp_path / "out.csv"
    out.symlink_to("/dev/full")

    with pytest.raises(OutputError) as caught:
        screen_files([folder / "c.JPG"], predictor=FakePredictor(), out=out)

    assert str(caught.value).startswith(f"The results cannot be written to '{out}': No space left on device.")
