"""What may lie in the repository: no photograph of third parties, no trace of one machine, nothing huge."""

import re
from pathlib import Path

import pytest

from tests.contract.tree import project_files, relative, text_files

# Written in halves, so that this file does not name what it forbids.
MACHINE_TRACES = ("/wo" + "rk/", "/fa" + "rm/", "/home" + "/", "/ro" + "ot/", "../sha" + "red", "fa" + "rm-")
MAY_NAME_THE_DATA_FOLDER = {".ci/run"}  # the one place that may default to a folder beside the checkout
PHOTO_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".tif", ".tiff", ".bmp", ".gif", ".dcm"}
MAX_FILE_BYTES = 60 * 2**20
MAX_TREE_BYTES = 42 * 2**20  # what a stranger on a slow line clones, weights included


@pytest.mark.parametrize("path", text_files(), ids=relative)
def test_file_names_no_place_of_one_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    allowed = {MACHINE_TRACES[4]} if relative(path) in MAY_NAME_THE_DATA_FOLDER else set()

    assert [trace for trace in MACHINE_TRACES if trace in text and trace not in allowed] == []


def test_no_photograph_of_third_parties_is_committed() -> None:
    archive_name = re.compile(r"^(ISIC|PAT|HAM)_\d", re.IGNORECASE)
    pictures = [p for p in project_files() if p.suffix.lower() in PHOTO_ENDINGS]

    assert [relative(p) for p in pictures if archive_name.match(p.name)] == []
    # Screenshots and plots are ours; any other picture would have to prove where it comes from.
    assert [relative(p) for p in pictures if not relative(p).startswith(("docs/images/", "weights/"))] == []


def test_no_file_is_too_large_to_clone() -> None:
    assert [relative(p) for p in project_files() if p.stat().st_size > MAX_FILE_BYTES] == []


def test_whole_tree_is_small_enough_to_clone() -> None:
    assert sum(p.stat().st_size for p in project_files()) < MAX_TREE_BYTES


@pytest.mark.parametrize("path", [p for p in text_files() if p.suffix == ".py"], ids=relative)
def test_python_file_leaves_nothing_undone(path: Path) -> None:
    marks = re.findall(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b", path.read_text(encoding="utf-8"))

    assert marks == []
