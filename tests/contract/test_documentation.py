"""The documents say what is: every ledger row, every command, every file and test they name."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from dermascan_core.cli import app
from tests.contract.tree import ROOT, python_files, relative

LEDGER = {"000": 20, "001": 19, "002": 21, "003": 9, "004": 43}
STATES = {"works", "partly", "open", "resources", "reference"}
ROW = re.compile(r"^\| (?P<id>\d{3}\.\d{1,2}) \|(?P<cells>.+)\|$")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "weights" / "README.md"]


def ledger_rows() -> list[dict[str, str]]:
    """Return id, requirement, state, where, test and note of each row of docs/requirements.md."""
    rows = []
    for line in (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8").splitlines():
        if match := ROW.match(line):
            cells = [cell.strip() for cell in match["cells"].split("|")]
            assert len(cells) == 5, f"Expected five cells after the id. Received: {line}"
            names = ("requirement", "state", "where", "test", "note")
            rows.append({"id": match["id"], **dict(zip(names, cells, strict=True))})
    return rows


def named(text: str) -> list[str]:
    """Return what stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def test_every_ledger_row_stands_once_and_in_order() -> None:
    expected = [f"{source}.{number}" for source, count in LEDGER.items() for number in range(1, count + 1)]

    assert [row["id"] for row in ledger_rows()] == expected


@pytest.mark.parametrize("row", ledger_rows(), ids=lambda row: row["id"])
def test_ledger_row_proves_its_state(row: dict[str, str]) -> None:
    assert row["state"] in STATES
    files = named(row["where"])
    assert [name for name in files if not (ROOT / name).exists()] == []
    if row["state"] in ("works", "partly"):
        assert files != []
    if row["state"] == "works":
        assert named(row["test"]) != []
    for name in named(row["test"]):
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), f"{row['id']} names a test file that is not there: {path}"
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8"), f"{row['id']}: no test {name}"


def test_summary_of_the_ledger_counts_its_rows() -> None:
    text = (ROOT / "docs" / "requirements.md").read_text(encoding="utf-8")
    states = [row["state"] for row in ledger_rows()]

    summary = {state: int(re.search(rf"^\| {state} \| (\d+) \|", text, re.MULTILINE)[1]) for state in sorted(STATES)}

    assert summary == {state: states.count(state) for state in sorted(STATES)}


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_make_commands_in_documents_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

    wanted = {
        word
        for code in code_in(path.read_text(encoding="utf-8"))
        for word in re.findall(r"(?:^|\n|\$ |&& )make ([a-z]+)", code)
    }

    assert wanted - targets == set()


def code_in(text: str) -> list[str]:
    """Return the fenced blocks and the inline code of a Markdown text."""
    fenced = re.findall(r"```[a-z]*\n(.*?)```", text, re.DOTALL)
    return fenced + named(re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def test_readme_shows_both_commands_and_the_plain_way() -> None:
    code = "\n".join(code_in((ROOT / "README.md").read_text(encoding="utf-8")))

    for command in (
        "make run",
        "make test",
        "pip install -r requirements.txt",
        "streamlit run streamlit_app.py",
    ):
        assert command in code


def commands(group: Any, prefix: str = "") -> dict[str, Any]:
    """Return every command of the command line by its full name (``data import ham10000``)."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        is_group = hasattr(command, "commands")
        found |= commands(command, f"{prefix}{name} ") if is_group else {f"{prefix}{name}": command}
    return found


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_and_its_options_are_documented(name: str) -> None:
    text = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")

    assert f"python -m dermascan_core {name}" in text
    options = {flag for p in COMMANDS[name].params for flag in p.opts if flag.startswith("--")} - {"--help"}
    assert [flag for flag in sorted(options) if flag not in text] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_command_s_help_gives_an_example(name: str) -> None:
    assert f"python -m dermascan_core {name}" in (COMMANDS[name].help or "") + (COMMANDS[name].epilog or "")


@pytest.mark.parametrize("path", DOCUMENTS, ids=relative)
def test_files_named_in_documents_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    looks_like_a_file = re.compile(
        r"^(dermascan_core|pages|tests|docs|benchmarks|weights)/[\w./-]+\.(py|md|csv|json|png)$"
    )
    links = re.findall(r"\]\(([^)#:]+\.(?:md|py|png|json|csv))\)", text)

    missing = [n for n in named(text) if looks_like_a_file.match(n) and not (ROOT / n).exists()]
    missing += [link for link in links if not (path.parent / link).exists()]

    assert missing == []


def test_changelog_has_an_unreleased_part() -> None:
    assert "## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_decision_says_what_it_costs() -> None:
    pages = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))

    lacking = [
        (page.name, part)
        for page in pages
        for part in ("## Context", "## Decision", "## What it costs")
        if f"\n{part}\n" not in page.read_text(encoding="utf-8")
    ]

    assert pages != []
    assert lacking == []
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))


@pytest.mark.parametrize("path", python_files("dermascan_core"), ids=relative)
def test_module_opens_by_saying_its_role(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert text.startswith('"""') or not text.strip()


@pytest.mark.parametrize("path", [*DOCUMENTS, *python_files("dermascan_core", "pages")], ids=relative)
def test_commands_that_a_text_tells_people_to_run_exist(path: Path) -> None:
    told = re.findall(r"python -m dermascan_core ([a-z]+(?:-[a-z]+)*)", path.read_text(encoding="utf-8"))

    assert set(told) - {name.split(" ")[0] for name in COMMANDS} == set()


def test_every_environment_variable_is_documented() -> None:
    used = {
        name
        for path in python_files("dermascan_core", "pages", "streamlit_app.py")
        for name in re.findall(r"\bDERMASCAN_[A-Z_]+\b", path.read_text(encoding="utf-8"))
    }

    text = (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
    assert {name for name in used if f"`{name}`" not in text} == set()
