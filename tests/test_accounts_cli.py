"""``python -m dermascan_core accounts``: passwords are asked for, never arguments; each verb says what it did."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dermascan_core.cli import app
from dermascan_core.services.access import make_access
from dermascan_core.services.logins import Access
from tests.staff import PASSWORD, hash_quickly


@pytest.fixture(autouse=True)
def records_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    hash_quickly(monkeypatch)
    monkeypatch.delenv("DERMASCAN_DATABASE_URL", raising=False)
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "records"))
    return tmp_path / "records"


def run(*words: str, typed: str = ""):
    return CliRunner().invoke(app, ["accounts", *words], input=typed)


def add_anna() -> Access:
    assert run("add", "anna", "--role", "admin", typed=f"{PASSWORD}\n{PASSWORD}\n").exit_code == 0
    return make_access()


def test_password_is_asked_for_twice_and_shown_never() -> None:
    done = run("add", "anna", "--role", "admin", typed=f"{PASSWORD}\n{PASSWORD}\n")

    assert done.exit_code == 0, done.output
    assert "Password, 12 signs or more" in done.output
    assert "Once more" in done.output
    assert PASSWORD not in done.output
    assert "Added anna (admin). Records need a login from now on, on this machine too." in done.stderr


def test_one_time_password_is_the_only_line_on_standard_output() -> None:
    done = run("add", "anna", "--role", "admin", "--one-time")

    assert done.exit_code == 0
    assert re.fullmatch(r"(\w{4}-){3}\w{4}\n", done.stdout)
    assert "This password is shown only now." in done.stderr


def test_list_shows_name_role_way_day_and_state() -> None:
    add_anna()
    run("add", "ben", "--one-time")
    run("add", "carla", "--subject", "https://login.example.org 248289761001")
    run("disable", "carla")

    lines = [line.split("\t") for line in run("list").stdout.splitlines()]

    assert [[*line[:3], line[4]] for line in lines] == [
        ["anna", "admin", "password", "may log in"],
        ["ben", "clinician", "one-time password", "may log in"],
        ["carla", "clinician", "provider", "disabled"],
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", line[3]) for line in lines)


def test_nothing_is_made_by_looking(records_folder: Path) -> None:
    done = run("list")

    assert done.exit_code == 0
    assert done.stdout == ""
    assert "Nobody has an account. Add the first one with: accounts add NAME --role admin" in done.stderr
    assert not records_folder.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("disable", "anna"), "'anna' is the last administrator. Make somebody else one first."),
        (("role", "anna", "--role", "clinician"), "'anna' is the last administrator. Make somebody else one first."),
        (("role", "anna", "--role", "public"), "Expected the role clinician or admin. Received 'public'."),
        (("disable", "nobody"), "There is no account 'nobody'. See: python -m dermascan_core accounts list"),
        (("add", "x y", "--one-time"), "Expected a name of 2 to 64 letters a to z"),
        (("add", "ben", "--subject", "nospace"), "Expected the provider's issuer and subject with a space between"),
    ],
)
def test_what_cannot_be_is_one_sentence(words: tuple[str, ...], message: str) -> None:
    add_anna()

    done = run(*words)

    assert done.exit_code == 1
    assert f"Error: {message}" in done.stderr


@pytest.mark.parametrize("verb", ["disable", "enable", "passwd"])
def test_verbs_before_the_first_account_say_how_to_add_it(verb: str, records_folder: Path) -> None:
    done = run(verb, "anna", *(["--one-time"] if verb == "passwd" else []))

    assert done.exit_code == 1
    assert "Error: Nobody has an account. Add the first one with: python -m dermascan_core accounts add" in done.stderr
    assert not records_folder.exists()


def test_each_verb_changes_what_it_says() -> None:
    add_anna()
    run("add", "ben", "--one-time")

    said = [
        run("role", "ben", "--role", "admin").stderr,
        run("disable", "ben").stderr,
        run("enable", "ben").stderr,
        run("link", "ben", "--subject", "https://login.example.org 7").stderr,
        run("link", "ben", "--subject", "").stderr,
        run("passwd", "ben", typed=f"{PASSWORD}\n{PASSWORD}\n").stderr,
    ]

    assert [line.splitlines()[-1].rpartition(":Once more:")[2] for line in said] == [
        "ben is now: admin.",
        "ben cannot log in any more.",
        "ben can log in again.",
        "ben is linked.",
        "ben is no longer linked.",
        "ben has a new password.",
    ]
    assert run("list").stdout.splitlines()[1].startswith("ben\tadmin\tpassword\t")
