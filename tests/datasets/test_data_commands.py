"""The data commands as a script would use them: exit codes, what is said, and that imports go through to training."""

import json

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.cli.data_import import import_app
from dermascan_core.training.data import load_dataset
from tests.datasets.making import jpeg, picture, read_csv, write_csv, write_folder, write_photo


def run(*arguments):
    return CliRunner().invoke(cli.app, ["data", *map(str, arguments)])


def _rows(n=24):
    return [{"image_id": f"p{i}", "dx": ("nv", "mel", "bcc")[i % 3], "patient_id": f"P{i // 2}"} for i in range(n)]


def test_verify_exits_with_0_for_a_sound_set_and_writes_its_report(tmp_path):
    folder = write_folder(tmp_path / "set", _rows())

    result = run("verify", folder, "--out", tmp_path / "report.json")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[0] == "24 rows, 24 photos that can be read. Classes: bcc 8, mel 8, nv 8."
    assert json.loads((tmp_path / "report.json").read_text())["is_sound"] is True


def test_verify_exits_with_1_for_a_leak_names_it_and_fixes_a_copy(tmp_path):
    rows = [row | {"split": "train", "fold": str(i % 2 if i < 12 else 0)} for i, row in enumerate(_rows(14))]
    folder = write_folder(tmp_path / "set", rows)

    result = run("verify", folder, "--fix", tmp_path / "clean")

    assert result.exit_code == 1
    assert "ERROR   leak_by_patient (6): people have photos in more than one split or fold." in result.stdout
    assert "P0: p0 (train 0), p1 (train 1)" in result.stdout
    assert f"8 rows kept in {tmp_path / 'clean'}; taken out (see removed.csv): leak 6." in result.stderr
    assert run("verify", tmp_path / "clean").exit_code == 0


def test_split_makes_a_set_trainable_and_says_how_many_photos_each_part_has(tmp_path):
    folder = write_folder(tmp_path / "set", _rows())

    result = run("split", folder, "--scheme", "kfold", "--folds", "2", "--test-share", "0.25", "--seed", "4")

    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 3)
    assert result.stdout.startswith("test: ")
    assert len(load_dataset(folder).photos) == 24
    again = run("split", folder)
    assert again.exit_code == 1
    assert "Replace it with --replace" in again.stderr


def test_import_of_ones_own_table_says_what_it_did_and_what_is_missing(tmp_path):
    rows = [{"photo": f"{i}.jpg", "label": ("nevus", "melanoma")[i % 2], "who": i // 2} for i in range(30)]
    write_csv(tmp_path / "t.csv", [*rows, {"photo": "gone.jpg", "label": "nevus", "who": 99}])
    for i in range(30):
        write_photo(tmp_path / "photos" / f"{i}.jpg", i)

    result = run(
        *("import", "csv", "--table", tmp_path / "t.csv", "--images", tmp_path / "photos", "--out", tmp_path / "out"),
        *("--image-type", "clinical", "--column", "image_id=photo", "--column", "dx=label"),
        *("--column", "patient_id=who", "--licence", "CC0", "--folds", "2"),
    )

    assert result.exit_code == 0
    assert result.stdout.startswith(f"30 photos in {tmp_path / 'out'}, 30 placed now (30 by ")
    assert "Warning: the source lacks 1 photo, such as gone." in result.stderr
    assert {row["licence"] for row in read_csv(tmp_path / "out" / "metadata.csv")} == {"CC0"}
    assert run("verify", tmp_path / "out").exit_code == 0


def test_import_says_how_many_masks_came_along(tmp_path):
    for i in range(12):
        write_photo(tmp_path / "mine" / ("nevus", "melanoma")[i % 2] / f"{i}.jpg", i)
    for i in range(3):
        write_photo(tmp_path / "masks" / f"{i}_segmentation.jpg", i)
    arguments = ("--source", tmp_path / "mine", "--out", tmp_path / "out", "--image-type", "clinical")

    result = run("import", "folder", *arguments, "--masks", tmp_path / "masks")

    assert result.exit_code == 0, result.output
    assert result.stdout.endswith("lies in one part. 3 masks of lesions beside them.\n")
    assert sorted(path.name for path in (tmp_path / "out" / "masks").iterdir()) == ["0.png", "1.png", "2.png"]


def test_import_leaves_unknown_classes_out_only_when_told_to(tmp_path):
    for i in range(24):
        write_photo(tmp_path / "mine" / ("nevus", "melanoma", "measles")[i % 3] / f"{i}.jpg", i)
    arguments = (
        "import",
        "folder",
        "--source",
        tmp_path / "mine",
        "--out",
        tmp_path / "out",
        "--image-type",
        "clinical",
    )

    refused, done = run(*arguments), run(*arguments, "--skip-unknown", "--scheme", "80-10-10", "--no-duplicates")

    assert (refused.exit_code, done.exit_code) == (1, 0)
    assert "Received also 'measles' (8)." in refused.stderr
    assert "Left out, for their diagnosis is no class of ours: measles 8." in done.stderr


def test_damaged_photos_are_named_by_the_import_and_taken_out_by_verify(tmp_path):
    for i in range(24):
        write_photo(tmp_path / "mine" / ("nevus", "melanoma")[i % 2] / f"{i}.jpg", i)
    (tmp_path / "mine" / "nevus" / "0.jpg").write_bytes(jpeg(picture(0))[:700])
    arguments = ("--source", tmp_path / "mine", "--out", tmp_path / "out", "--image-type", "clinical")

    result = run("import", "folder", *arguments)

    assert "Warning: these cannot be decoded (see: data verify --fix): 1 photo, such as 0." in result.stderr
    assert run("verify", tmp_path / "out", "--fix", tmp_path / "clean").exit_code == 1
    assert run("verify", tmp_path / "clean").exit_code == 0


@pytest.mark.parametrize("name", ["isic2019", "isic2020", "isic2024", "pad-ufes-20", "ph2"])
def test_import_of_an_archive_that_is_not_there_is_one_sentence(name, tmp_path):
    result = run("import", name, "--source", tmp_path, "--out", tmp_path / "out")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Expected ")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.real_data
def test_real_smartphone_photos_are_imported_by_the_command(data_dir, tmp_path):
    source = data_dir / "pad_ufes_20"

    result = run("import", "pad-ufes-20", "--source", source, "--out", tmp_path / "pad", "--scheme", "70-20-10")

    assert (result.exit_code, result.stdout[:10]) == (0, "529 photos")
    places = [p.split + p.fold for p in load_dataset(tmp_path / "pad").photos]
    assert places.count("train0") == pytest.approx(106, abs=4)


def test_every_import_of_an_archive_offers_the_same_ways_of_writing():
    commands = get_command(import_app).commands
    common = {"out", "must_copy", "scheme", "n_folds", "test_share", "seed", "no_duplicates", "skip_unknown", "masks"}

    for name in ("isic2019", "isic2020", "isic2024", "pad-ufes-20", "ph2", "folder", "csv"):
        assert common <= {option.name for option in commands[name].params}, name
