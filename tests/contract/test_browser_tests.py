"""What tests in a browser keep to, so that they can be told apart and share a process with the others."""

from pathlib import Path

import pytest

from tests.contract.tree import imports_of, python_files, relative

BROWSER_TESTS = "tests/browser/"
USERS = [path for path in python_files("tests") if any(f.module.startswith("playwright") for f in imports_of(path))]


def test_browser_is_driven_from_one_folder_only() -> None:
    assert [relative(path) for path in USERS if not relative(path).startswith(BROWSER_TESTS)] == []


@pytest.mark.parametrize(
    "path",
    [p for p in python_files("tests") if relative(p).startswith(BROWSER_TESTS + "test_")],
    ids=relative,
)
def test_file_says_that_it_needs_a_browser(path: Path) -> None:
    assert "\npytestmark = pytest.mark.browser\n" in path.read_text(encoding="utf-8")


def test_only_the_fixture_that_stops_it_starts_playwright() -> None:
    starters = [path for path in USERS if "sync_playwright" in path.read_text(encoding="utf-8")]

    assert [relative(path) for path in starters] == [f"{BROWSER_TESTS}conftest.py"]
