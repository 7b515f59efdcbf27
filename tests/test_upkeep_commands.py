"""The commands about keys and backups: db backup, db restore, records rotate-key, records new-key."""

import re

import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.services.records import add_person, open_records
from dermascan_core.storage.key_file import KeyFile
from tests.clinic import CONSENT, NOW


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where the commands look for records."""
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "records"))
    for name in ("DERMASCAN_DATABASE_URL", "DERMASCAN_KEY", "DERMASCAN_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "records"


@pytest.fixture
def clinic(folder):
    """Records with one person."""
    records = open_records()
    add_person(records, CONSENT, actor="local", now=NOW, name="Anna")
    yield records
    records.close()


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_backup_says_what_it_holds_and_that_the_key_is_not_in_it(clinic, tmp_path):
    result = run("db", "backup", tmp_path / "a.backup")

    assert result.exit_code == 0
    assert re.fullmatch(rf"Wrote '{tmp_path}/a\.backup': 1 person, 0 photos, \d\.\d MB\.\n", result.stdout)
    assert result.stderr == (
        "The key is not in it. Keep a copy of the key elsewhere: without it nobody can read this backup.\n"
    )


def test_backup_without_records_is_an_error(folder, tmp_path):
    result = run("db", "backup", tmp_path / "a.backup")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: There are no records in")
    assert not folder.exists()


def test_restore_asks_for_replace_and_then_does_it(clinic, tmp_path):
    run("db", "backup", tmp_path / "a.backup")
    add_person(clinic, CONSENT, actor="local", now=NOW, name="Bela")

    refused = run("db", "restore", tmp_path / "a.backup")
    done = run("db", "restore", tmp_path / "a.backup", "--replace")

    assert (refused.exit_code, done.exit_code) == (1, 0)
    assert refused.stderr.startswith("Error: There are records here already.")
    assert re.fullmatch(r"Restored the records of \S+: 0 photos\. Everybody is logged out\.\n", done.stdout)
    assert run("records", "list").stdout.count("\n") == 1


def test_new_key_is_printed_and_changes_nothing(folder):
    result = run("records", "new-key")

    assert re.fullmatch(r"[\w-]{43}=\n", result.stdout)
    assert not folder.exists()


def test_rotate_key_names_the_keys_by_their_public_names(clinic, tmp_path):
    old_name = clinic.vault.key_ids()[0]

    result = run("records", "rotate-key", "--keep-old-key", tmp_path / "old-key")

    new_name = clinic.vault.key_ids()[0]
    assert result.exit_code == 0
    assert result.stdout == (
        f"Sealed with key {new_name}: 1 value, 0 photos.\n"
        f"No longer needed for what is here: {old_name}. Older backups need it. Make a backup now, and copy the new key.\n"
    )
    (secret,) = KeyFile(clinic.places.key_file).read()
    assert secret not in result.stdout


def test_rotate_key_with_one_key_in_the_environment_says_what_to_do(clinic, monkeypatch):
    (key,) = KeyFile(clinic.places.key_file).read()
    monkeypatch.setenv("DERMASCAN_KEY", key)

    result = run("records", "rotate-key")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: DERMASCAN_KEY names one key, and a program cannot change its environment.")
    assert key not in result.output
