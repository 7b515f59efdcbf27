import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError, StatementError

from dermascan_core.errors import StorageError
from dermascan_core.storage import database as database_module
from dermascan_core.storage.database import Database, newest_version
from dermascan_core.storage.schema import Base, Comment, Lesion, LoginAttempt, Person

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def person(pseudonym="P-1", **changes):
    return Person(**({"pseudonym": pseudonym, "created_at": AT, "created_by": "local"} | changes))


def pseudonyms(database):
    with database.transaction() as session:
        return sorted(session.scalars(select(Person.pseudonym)))


def test_migrated_tables_are_those_of_the_schema(database):
    with database.engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), Base.metadata)

    assert difference == []


def test_upgrade_says_from_where_to_where_and_the_second_changes_nothing(empty_url):
    database = Database(empty_url)

    assert database.upgrade() == (None, newest_version())
    with database.transaction() as session:
        session.add(person())
    assert database.upgrade() == (newest_version(), newest_version())
    assert pseudonyms(database) == ["P-1"]
    database.close()


def test_two_programs_that_upgrade_at_once_both_succeed(empty_url):
    databases = [Database(empty_url) for _ in range(4)]
    results, errors = [], []

    def upgrade(database):
        try:
            results.append(database.upgrade()[1])
        except StorageError as error:
            errors.append(error)

    threads = [threading.Thread(target=upgrade, args=(database,)) for database in databases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for database in databases:
        database.close()

    assert (errors, results) == ([], [newest_version()] * 4)


def test_tables_of_a_newer_program_are_left_alone(database):
    with database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StorageError) as raised:
        database.upgrade()

    assert str(raised.value) == (
        "The database was made by a newer program: its tables have version 9999, and this program knows versions up to "
        f"{newest_version()}. Update the program, or restore a backup of its own version."
    )


def test_transaction_keeps_all_or_nothing(database):
    with database.transaction() as session:
        session.add(person("P-1"))

    def add_and_fail():
        with database.transaction() as session:
            session.add(person("P-2"))
            session.flush()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_and_fail()

    assert pseudonyms(database) == ["P-1"]


def test_times_come_back_with_their_zone_and_need_one(database):
    in_tokyo = datetime(2026, 3, 1, 21, 30, 0, 123456, tzinfo=timezone(timedelta(hours=9)))
    with database.transaction() as session:
        session.add(LoginAttempt(key="a", at=in_tokyo))
    with database.transaction() as session:
        (at,) = session.scalars(select(LoginAttempt.at))

    assert (at, at.utcoffset()) == (datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC), timedelta(0))
    with pytest.raises(StatementError, match="Expected a time with its zone"), database.transaction() as session:
        session.add(LoginAttempt(key="a", at=in_tokyo.replace(tzinfo=None)))


def test_rows_go_with_the_row_that_they_belong_to(database):
    with database.transaction() as session:
        session.add(owner := person())
        session.flush()
        session.add(lesion := Lesion(person_id=owner.id, created_at=AT))
        session.flush()
        session.add(Comment(lesion_id=lesion.id, author="local", text=b"sealed", at=AT, audit_number=1))
    with database.transaction() as session:
        session.execute(text("DELETE FROM people"))

    with database.transaction() as session:
        assert [session.query(table).count() for table in (Lesion, Comment)] == [0, 0]


def test_row_of_nobody_is_refused(database):
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.add(Lesion(person_id="f" * 32, created_at=AT))


def test_database_without_tables_says_what_to_run(empty_url):
    database = Database(empty_url)

    with pytest.raises(StorageError, match=r"[Rr]un: python -m dermascan_core db upgrade"):
        pseudonyms(database)
    database.close()


def test_busy_sqlite_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.1)
    database = Database(f"sqlite:///{tmp_path}/records.db")
    database.upgrade()
    holder = sqlite3.connect(tmp_path / "records.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    with pytest.raises(StorageError, match=r"^The database is busy: .* Nothing was saved\. Close other programs"):
        pseudonyms(database)
    holder.execute("ROLLBACK")
    holder.close()

    assert pseudonyms(database) == []
    database.close()


def test_damaged_sqlite_says_to_restore(tmp_path):
    path = tmp_path / "records.db"
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    database.close()
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))

    with pytest.raises(StorageError, match=r"damaged\. Restore"):
        Database(f"sqlite:///{path}").upgrade()


@pytest.mark.parametrize("content", [b"PK\x03\x04" * 2000, b"a text\n" * 1000])
def test_file_that_is_no_database_is_left_alone(tmp_path, content):
    path = tmp_path / "records.db"
    path.write_bytes(content)

    with pytest.raises(StorageError) as raised:
        Database(f"sqlite:///{path}").upgrade()

    assert str(raised.value) == (
        "The file is no database of this program, or it is damaged. Restore a backup: "
        "python -m dermascan_core db restore --help"
    )
    assert path.read_bytes() == content


def test_folder_in_place_of_the_file_is_one_sentence(tmp_path):
    (tmp_path / "records.db").mkdir()

    with pytest.raises(StorageError, match="The database file cannot be opened"):
        Database(f"sqlite:///{tmp_path}/records.db").upgrade()


def test_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StorageError, match="a part of its path is a file, not a folder"):
        Database(f"sqlite:///{tmp_path}/file/deep/records.db").upgrade()


def test_disk_full_keeps_what_was_there(tmp_path):
    code = (
        "import sys, resource, signal; from sqlalchemy import text\n"
        "from dermascan_core.errors import StorageError\n"
        "from dermascan_core.storage.database import Database\n"
        "database = Database(f'sqlite:///{sys.argv[1]}/records.db'); database.upgrade()\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "add = text('INSERT INTO login_attempts (key, at) VALUES (:key, 0)')\n"
        "with database.transaction() as session:\n    session.execute(add, {'key': 'kept'})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))\n"
        "try:\n"
        "    with database.transaction() as session:\n"
        "        session.execute(add, [{'key': 'x' * 60}] * 20_000)\n"
        "except StorageError as error:\n    print(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))\n"
        "with database.transaction() as session:\n"
        "    print(session.execute(text('SELECT count(*), min(key) FROM login_attempts')).one())\n"
    )

    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stderr == ""
    message, rows = done.stdout.splitlines()
    assert message == (
        "The disk failed or is full, so nothing was saved. Free some space and check the disk, then try again."
    )
    assert rows == "(1, 'kept')"


@pytest.mark.parametrize("url", ["", "no address", "mysql://host/name", "oracle://host"])
def test_other_databases_are_refused_and_the_address_is_not_shown(url):
    with pytest.raises(
        StorageError, match=r"Expected a database address such as sqlite:////folder/records.db"
    ) as raised:
        Database(url)

    assert "Set DERMASCAN_DATABASE_URL." in str(raised.value)


def test_password_of_an_address_is_not_shown():
    with pytest.raises(StorageError) as raised:
        Database("mysql://user:secret@host/name")

    assert "secret" not in str(raised.value)


def test_server_that_does_not_answer_is_one_sentence(tmp_path):
    database = Database(f"postgresql://nobody:secret@/none?host={tmp_path}")

    with pytest.raises(StorageError) as raised:
        database.upgrade()

    assert "secret" not in str(raised.value)
    assert (
        str(raised.value) == "The database server does not answer. Is it running, and is DERMASCAN_DATABASE_URL right?"
    )


def test_database_that_a_server_does_not_have_is_one_sentence(postgres_server):
    database = Database(postgres_server.url("no_such_database"))

    with pytest.raises(StorageError) as raised:
        database.upgrade()

    assert str(raised.value) == (
        "The database or a table of it does not exist. Create it, then run: python -m dermascan_core db upgrade"
    )


def test_server_that_ended_is_met_again(postgres_server, postgres_url):
    database = Database(postgres_url)
    database.upgrade()
    postgres_server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IS NOT NULL AND pid <> pg_backend_pid()"
    )

    assert pseudonyms(database) == []
    database.close()
