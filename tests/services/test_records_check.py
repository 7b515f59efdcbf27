import hashlib

import pytest
from sqlalchemy import text

from dermascan_core.services.records_check import check_records
from dermascan_core.storage.key_file import KeyFile, write_keys
from dermascan_core.storage.places import read_places
from dermascan_core.storage.vault import new_key
from tests.storage.small_clinic import fill, open_clinic


@pytest.fixture
def places(tmp_path):
    return read_places({"DERMASCAN_RECORDS": str(tmp_path / "records")})


@pytest.fixture
def clinic(places):
    opened = open_clinic(places.folder, places.database_url)
    fill(opened)
    yield opened
    opened.close()


def findings(places):
    return {check.name: (check.is_well, check.found) for check in check_records(places)}


def advice(places, name):
    (found,) = [check for check in check_records(places) if check.name == name]
    assert not found.is_well
    return found.found, found.advice


def test_nothing_is_looked_at_or_made_where_nothing_was_kept(places):
    assert list(check_records(places)) == []
    assert not places.folder.exists()


def test_sound_records_pass(clinic):
    clinic.images.put(b"of nobody")
    places = clinic.places

    assert findings(places) == {
        "records folder": (True, f"'{places.folder}', open to its owner alone"),
        "records database": (True, "SQLite, version 0001"),
        "records key": (True, f"{clinic.vault.key_ids()[0]} from '{places.key_file}', fits what is sealed"),
        "records photos": (True, "2 named, 0 of them missing, 1 more that nothing names"),
    }


def test_sound_records_of_a_server_pass(tmp_path, migrated_postgres):
    clinic = open_clinic(tmp_path / "records", migrated_postgres)
    fill(clinic)

    assert [well for well, _ in findings(clinic.places).values()] == [True] * 4
    assert findings(clinic.places)["records database"][1] == "PostgreSQL, version 0001"
    clinic.close()


def test_server_that_does_not_answer_is_named(tmp_path):
    places = read_places(
        {"DERMASCAN_RECORDS": str(tmp_path), "DERMASCAN_DATABASE_URL": f"postgresql://nobody@/none?host={tmp_path}"}
    )

    found, _ = advice(places, "records database")

    assert found == "The database server does not answer. Is it running, and is DERMASCAN_DATABASE_URL right?"


def test_folder_that_others_may_enter_is_named(clinic):
    clinic.places.folder.chmod(0o755)

    assert advice(clinic.places, "records folder") == (
        f"'{clinic.places.folder}', open to other users of this machine",
        f"Close it to others: chmod 700 '{clinic.places.folder}'",
    )


def test_tables_of_another_version_are_named(clinic):
    with clinic.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert advice(clinic.places, "records database") == (
        "SQLite, version 9999 of 0001",
        "Run: python -m dermascan_core db upgrade",
    )


@pytest.mark.parametrize("content", [b"a text\n" * 2000, b"SQLite format 3\0" + bytes(8000)])
def test_damaged_database_is_told_to_be_restored(clinic, content):
    clinic.close()
    clinic.database.file.write_bytes(content)

    found, what_to_do = advice(clinic.places, "records database")

    assert found == f"'{clinic.database.file}' is damaged"
    assert what_to_do == "Restore the newest backup: python -m dermascan_core db restore --help"
    assert clinic.database.file.read_bytes() == content


def test_database_that_is_gone_is_named_and_not_made(clinic):
    clinic.close()
    clinic.database.file.unlink()

    assert advice(clinic.places, "records database")[0] == f"'{clinic.database.file}' is not there"
    assert not clinic.database.file.exists()


def test_missing_key_is_named_and_none_is_made(clinic):
    clinic.places.key_file.unlink()

    found, what_to_do = advice(clinic.places, "records key")

    assert found == f"neither DERMASCAN_KEY is set nor is there a file '{clinic.places.key_file}'"
    assert what_to_do.startswith("Restore the key from your copy")
    assert not clinic.places.key_file.exists()


def test_another_key_is_named(clinic):
    write_keys(clinic.places.key_file, (new_key(),))

    assert "It was sealed with key" in advice(clinic.places, "records key")[0]


def test_unfinished_change_of_keys_is_named(clinic):
    (old,) = KeyFile(clinic.places.key_file).read()
    write_keys(clinic.places.key_file, (new_key(), old))

    assert advice(clinic.places, "records key")[1] == (
        "A change of keys is not finished: python -m dermascan_core records rotate-key"
    )


def test_key_that_others_may_read_is_named(clinic):
    clinic.places.key_file.chmod(0o644)

    assert advice(clinic.places, "records key")[1] == f"Close it to others: chmod 600 '{clinic.places.key_file}'"


def test_missing_photo_is_counted(clinic):
    clinic.images.remove(hashlib.sha256(b"photo 0").hexdigest())

    assert advice(clinic.places, "records photos")[0] == "2 named, 1 of them missing, 0 more that nothing names"
