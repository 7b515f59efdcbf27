"""The commands about records: audit verify, db upgrade, records list, export, delete, expire, tidy."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from dermascan_core import cli
from dermascan_core.services.history import person_history
from dermascan_core.services.records import Records, add_person, open_records, withdraw_consent
from tests.attacks import SQL_INJECTIONS
from tests.clinic import CONSENT, NOW
from tests.services.test_forgetting import with_everything


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands look for records."""
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "records"))
    for name in ("DERMASCAN_DATABASE_URL", "DERMASCAN_KEY", "DERMASCAN_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "records"


@pytest.fixture
def clinic(folder: Path) -> Records:
    """Records with one person."""
    return open_records()


def run(*arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], input=typed)


def test_audit_verify_says_that_the_trail_is_intact(clinic: Records) -> None:
    with_everything(clinic)

    result = run("audit", "verify")

    assert result.exit_code == 0
    assert result.stdout == (
        "The audit trail is intact: 7 entries, chained without a gap; a cut-off end would not be seen without --anchor.\n"
    )


def test_audit_verify_names_a_tampered_row_and_exits_with_1(clinic: Records) -> None:
    with_everything(clinic)
    with clinic.database.transaction() as session:
        session.execute(text("DROP TRIGGER audit_no_update"))
        session.execute(text("UPDATE audit SET actor = 'bob' WHERE number = 5"))

    result = run("audit", "verify")

    assert result.exit_code == 1
    assert result.stdout == "Entry 5 was changed: its contents no longer give its hash.\n"
    assert result.stderr == (
        "Error: the audit trail was tampered with: 1 problem. Keep a copy of the database as it is now, and compare it with "
        "a backup.\n"
    )


def test_audit_verify_with_an_anchor_finds_a_cut_off_end(clinic: Records, tmp_path: Path) -> None:
    anchor = tmp_path / "stick" / "dermascan.anchor"
    anchor.parent.mkdir()
    with_everything(clinic)

    first, second = run("audit", "verify", "--anchor", anchor), run("audit", "verify", "--anchor", anchor)
    with clinic.database.transaction() as session:
        session.execute(text("DROP TRIGGER audit_no_delete"))
        session.execute(text("DELETE FROM audit WHERE number = 7"))
    third, fourth = run("audit", "verify"), run("audit", "verify", "--anchor", anchor)

    assert [result.exit_code for result in (first, second, third, fourth)] == [0, 0, 0, 1]
    assert second.stdout == "The audit trail is intact: 7 entries, chained without a gap; as the anchor knew it.\n"
    assert fourth.stdout == "The end was cut off: entry 7 was there when the anchor was written, and is gone.\n"
    assert json.loads(anchor.read_text())["number"] == 7


@pytest.mark.parametrize(
    "command", [("audit", "verify"), ("records", "list"), ("records", "expire"), ("records", "tidy")]
)
def test_command_makes_no_records_where_there_are_none(folder: Path, command: tuple[str, ...]) -> None:
    result = run(*command)

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: There are no records in '{folder}' yet. Name their folder with DERMASCAN_RECORDS, or begin them: python -m dermascan_core db upgrade\n"
    )
    assert not folder.exists()


def test_db_upgrade_says_from_where_to_where(folder: Path) -> None:
    first, second = run("db", "upgrade"), run("db", "upgrade")

    assert first.stdout == "The records now have version 0001 (before: none, they are new).\n"
    assert second.stdout == "The records have version 0001 already.\n"


def test_records_list_prints_one_line_a_person(clinic: Records) -> None:
    person = with_everything(clinic)
    other = add_person(clinic, CONSENT, actor="ada", now=NOW, is_demo=True)
    withdraw_consent(clinic, person.id, actor="ada", now=NOW)

    lines = run("records", "list").stdout.splitlines()

    assert sorted(lines) == sorted(
        [
            f"{person.pseudonym}  added 2026-11-26  no consent",
            f"{other.pseudonym}  added 2026-11-26  until 2027-11-26  (made up)",
        ]
    )
    assert run("records", "list", "--search", other.pseudonym[3:]).stdout.startswith(other.pseudonym)


def test_records_export_writes_a_zip(clinic: Records, tmp_path: Path) -> None:
    person = with_everything(clinic)

    result = run("records", "export", person.pseudonym, "--out", tmp_path / "theirs.zip")

    assert result.stdout == f"Wrote '{tmp_path / 'theirs.zip'}': everything about {person.pseudonym}, with 1 photo.\n"
    assert "records.json" in zipfile.ZipFile(tmp_path / "theirs.zip").namelist()


def test_records_delete_asks_first(clinic: Records) -> None:
    person = with_everything(clinic)

    refused = run("records", "delete", person.pseudonym, typed="n\n")
    assert refused.exit_code == 1
    assert person_history(clinic, person.id).person == person
    done = run("records", "delete", person.pseudonym, typed="y\n")

    assert done.exit_code == 0
    assert done.stdout.endswith(
        f"Deleted {person.pseudonym}: 1 lesion, 1 photo, 1 screening. Backups made before still hold them.\n"
    )
    assert run("records", "list").stdout == ""


def test_records_expire_names_whom_it_would_delete_and_deletes_them(clinic: Records) -> None:
    person = with_everything(clinic)
    assert re.fullmatch(r"Nobody's consent has ended by \d{4}-\d\d-\d\d\.\n", run("records", "expire").stdout)
    withdraw_consent(clinic, person.id, actor="ada", now=NOW)

    refused, done = run("records", "expire", typed="n\n"), run("records", "expire", "--yes")

    assert (refused.exit_code, done.exit_code) == (1, 0)
    assert done.stdout == f"{person.pseudonym}\nDeleted 1 person with 1 photo.\n"


def test_records_tidy_says_what_is_missing(clinic: Records) -> None:
    person = with_everything(clinic)
    assert run("records", "tidy").stdout == "Removed 0 photos that nothing named, 0 half-written: 0.0 MB.\n"
    [lesion] = person_history(clinic, person.id).lesions
    clinic.images.path(lesion.photos[0].image_sha256).unlink()

    result = run("records", "tidy")

    assert result.exit_code == 1
    assert f"Missing: the photo {lesion.photos[0].image_sha256}." in result.stderr


@pytest.mark.parametrize("typed", SQL_INJECTIONS[::6], ids=range(len(SQL_INJECTIONS[::6])))
def test_person_that_is_an_injection_is_nobody(clinic: Records, tmp_path: Path, typed: str) -> None:
    person = with_everything(clinic)

    deleted = run("records", "delete", "--yes", "--", typed)
    exported = run("records", "export", "--out", tmp_path / "x.zip", "--", typed)

    assert (deleted.exit_code, exported.exit_code) == (1, 1)
    assert "There is nobody of that one" in deleted.stderr
    assert person_history(clinic, person.id).person == person
