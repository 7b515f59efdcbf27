import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text, update

from dermascan_core.errors import SealError, StorageError
from dermascan_core.storage import audit, people
from dermascan_core.storage import restore as restore_module
from dermascan_core.storage.backup import back_up
from dermascan_core.storage.images import ImageStore
from dermascan_core.storage.key_file import KeyFile
from dermascan_core.storage.places import read_places
from dermascan_core.storage.restore import restore
from dermascan_core.storage.rotation import rotate_key
from dermascan_core.storage.schema import Comment, Consent, Login, LoginAttempt, Person, Photo, Screening
from tests.storage.small_clinic import AT, contents_of, fill, open_clinic, places_of

ROOT = Path(__file__).resolve().parents[2]
LATER = AT + timedelta(hours=3)


@pytest.fixture
def clinic(tmp_path, database_url):
    opened = open_clinic(tmp_path / "records", database_url)
    fill(opened)
    yield opened
    opened.close()


@pytest.fixture
def backup(clinic, tmp_path):
    back_up(clinic, tmp_path / "a.backup", now=AT)
    return tmp_path / "a.backup"


def bring_back(clinic, path, *, replace=True):
    return restore(clinic.places, path, replace=replace, actor="anna", now=LATER)


def new_places(tmp_path, clinic, url=None):
    """Another machine: an empty folder with the clinic's key."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    shutil.copyfile(clinic.places.key_file, folder / "key")
    return places_of(folder, url or f"sqlite:///{folder}/records.db")


def actions(clinic):
    with clinic.database.reading() as session:
        return [(entry.action, entry.actor) for entry in audit.entries(session)]


def test_backup_on_another_machine_gives_the_same_day(clinic, backup, tmp_path):
    places = new_places(tmp_path, clinic)

    done = restore(places, backup, replace=False, actor="anna", now=LATER)

    there = open_clinic(places.folder, places.database_url)
    assert contents_of(there) == contents_of(clinic)
    assert (done.n_photos, done.n_deleted_again, done.n_withdrawn_again, done.kept_aside) == (2, 0, 0, None)
    with there.database.reading() as session, clinic.database.reading() as before:
        for column in (Screening.gate_scores, Screening.p_malignant, Screening.screened_at, Comment.text, Photo.id):
            assert sorted(map(str, session.scalars(select(column)))) == sorted(map(str, before.scalars(select(column))))
    there.close()


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_records_move_from_either_kind_of_database_to_either(clinic, backup, tmp_path, request, target):
    url = request.getfixturevalue("postgres_url") if target == "postgresql" else None
    places = new_places(tmp_path, clinic, url)

    restore(places, backup, replace=False, actor="anna", now=LATER)

    there = open_clinic(places.folder, places.database_url)
    assert contents_of(there) == contents_of(clinic)
    with (
        pytest.raises(Exception, match="the audit trail is only ever added to"),
        there.database.transaction() as session,
    ):
        session.execute(text("UPDATE audit SET actor = 'nobody'"))
    there.close()


def test_what_came_after_the_backup_is_gone_and_the_trail_says_so(clinic, backup):
    before = contents_of(clinic)
    fill_more(clinic)

    bring_back(clinic, backup)

    assert contents_of(clinic) == before  # through connections that were open all the time
    assert actions(clinic)[-1] == ("records restored", "anna")
    with clinic.database.reading() as session:
        (last,) = list(audit.entries(session))[-1:]
    assert (last.subject, last.detail) == (
        "backup of 2026-03-01T12:00:00+00:00",
        {"deleted_again": 0, "withdrawn_again": 0},
    )


def fill_more(clinic):
    with clinic.database.transaction() as session:
        session.add(Person(pseudonym="P-new", created_at=LATER, created_by="anna"))
        session.execute(delete(Comment))


def test_records_that_are_there_are_not_given_up_unasked(clinic, backup):
    fill_more(clinic)
    before = contents_of(clinic)

    with pytest.raises(StorageError) as raised:
        bring_back(clinic, backup, replace=False)

    assert str(raised.value) == (
        "There are records here already. They would be replaced by the backup, for good: back them up first, then add "
        "--replace. Nothing was changed."
    )
    assert contents_of(clinic) == before


def test_nobody_is_logged_in_afterwards(clinic, backup):
    bring_back(clinic, backup)

    with clinic.database.reading() as session:
        assert [session.query(table).count() for table in (Login, LoginAttempt)] == [0, 0]


def test_who_was_deleted_since_does_not_come_back(clinic, backup, tmp_path):
    with clinic.database.transaction() as session:
        (person_id,) = session.scalars(select(Person.id).where(Person.pseudonym == "P-0"))
        people.remove_person(session, person_id)
        audit.record(
            session, actor="anna", action="person deleted", subject=f"person {person_id}", detail={}, now=LATER
        )
    photo = hashlib.sha256(b"photo 0").hexdigest()
    clinic.images.remove(photo)

    done = bring_back(clinic, backup)

    assert (done.n_deleted_again, done.n_photos) == (1, 1)
    with clinic.database.reading() as session:
        assert list(session.scalars(select(Person.pseudonym))) == ["P-1"]
    assert not clinic.images.has(photo)
    assert bring_back(clinic, backup).n_deleted_again == 1  # the trail goes on knowing it


def test_consent_taken_back_since_stays_taken_back(clinic, backup):
    with clinic.database.transaction() as session:
        one = session.scalars(select(Consent)).first()
        one.withdrawn_at = LATER
        consent_id = one.id

    done = bring_back(clinic, backup)

    assert done.n_withdrawn_again == 1
    with clinic.database.reading() as session:
        withdrawn = dict(session.execute(select(Consent.id, Consent.withdrawn_at)).all())
    assert withdrawn.pop(consent_id) == LATER
    assert list(withdrawn.values()) == [None]


def test_backup_of_before_a_new_key_needs_the_old_one_too(clinic, backup, tmp_path):
    (old,) = KeyFile(clinic.places.key_file).read()
    before = contents_of(clinic)
    rotate_key(clinic)
    (new,) = KeyFile(clinic.places.key_file).read()

    with pytest.raises(SealError, match=r"cannot be opened with this key\. It was sealed with key"):
        bring_back(clinic, backup)
    assert contents_of(clinic) == before

    places = places_of(clinic.places.folder, clinic.places.database_url, DERMASCAN_KEY=f"{new},{old}")
    restore(places, backup, replace=True, actor="anna", now=LATER)

    both = open_clinic(places.folder, places.database_url, DERMASCAN_KEY=f"{new},{old}")
    assert contents_of(both) == before
    both.close()


def test_records_of_another_key_are_not_given_up(clinic, backup, tmp_path):
    other = open_clinic(tmp_path / "other", f"sqlite:///{tmp_path}/other/records.db")
    fill(other, n_people=1)
    before = contents_of(other)
    key = KeyFile(clinic.places.key_file).read()[0]
    places = places_of(other.places.folder, other.places.database_url, DERMASCAN_KEY=key)

    with pytest.raises(SealError, match=r"have another key than the backup.*Nothing was changed"):
        restore(places, backup, replace=True, actor="anna", now=LATER)

    assert contents_of(other) == before
    other.close()


def test_without_a_key_nothing_is_begun(clinic, backup, tmp_path):
    places = read_places({"DERMASCAN_RECORDS": str(tmp_path / "nowhere")})

    with pytest.raises(SealError) as raised:
        restore(places, backup, replace=True, actor="anna", now=LATER)

    assert str(raised.value) == (
        f"A backup holds no key, and there is none here: DERMASCAN_KEY is not set, and there is no file "
        f"'{tmp_path}/nowhere/key'. Put your copy of the key there, then try again."
    )
    assert not (tmp_path / "nowhere").exists()


def test_altered_backup_changes_nothing(clinic, backup):
    content = bytearray(backup.read_bytes())
    content[len(content) // 3] ^= 1
    backup.write_bytes(content)
    fill_more(clinic)
    before = contents_of(clinic)

    with pytest.raises(StorageError):
        bring_back(clinic, backup)

    assert contents_of(clinic) == before


def tamper(clinic):
    with clinic.database.transaction() as session:
        if clinic.database.is_sqlite:
            session.execute(text("DROP TRIGGER audit_no_update"))
        else:
            session.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        session.execute(text("UPDATE audit SET actor = 'nobody' WHERE number = 1"))


def test_backup_whose_trail_did_not_fit_when_it_was_made_can_still_be_restored(clinic, tmp_path):
    tamper(clinic)
    back_up(clinic, tmp_path / "tampered.backup", now=AT)

    done = bring_back(clinic, tmp_path / "tampered.backup")

    assert done.about.audit_problems == 1


def test_trail_that_fits_worse_than_the_backup_says_is_refused(clinic, tmp_path, monkeypatch):
    tamper(clinic)
    real = audit.verify
    with monkeypatch.context() as patch:  # as if whoever has the key had changed a row within the backup
        patch.setattr(
            "dermascan_core.storage.backup.audit.verify",
            lambda session: audit.AuditReport(2, real(session).newest),
        )
        back_up(clinic, tmp_path / "a.backup", now=AT)

    with pytest.raises(StorageError, match=r"^The backup's audit trail does not fit\. Entry 1 was changed"):
        bring_back(clinic, tmp_path / "a.backup")


def test_missing_photos_of_a_backup_do_not_stop_it(clinic, tmp_path):
    clinic.images.remove(hashlib.sha256(b"photo 0").hexdigest())
    back_up(clinic, tmp_path / "a.backup", now=AT)

    done = bring_back(clinic, tmp_path / "a.backup")

    assert done.n_photos == 1


def test_lost_and_damaged_photos_come_back(clinic, backup):
    before = contents_of(clinic)
    first, second = (hashlib.sha256(content).hexdigest() for content in (b"photo 0", b"photo 1"))
    clinic.images.remove(first)
    clinic.images.path(second).write_bytes(b"torn")

    bring_back(clinic, backup)

    assert contents_of(clinic) == before
    assert clinic.images.thumbnail(first) == b"small"


def test_backup_of_a_newer_program_is_refused(clinic, tmp_path, monkeypatch):
    with clinic.database.transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    if not clinic.database.is_sqlite:
        pytest.skip("a server's tables are copied row by row, by a program of their own version")
    back_up(clinic, tmp_path / "a.backup", now=AT)
    places = new_places(tmp_path, clinic)

    with pytest.raises(StorageError, match="made by a newer program"):
        restore(places, tmp_path / "a.backup", replace=False, actor="anna", now=LATER)


def test_disk_full_while_photos_come_back_keeps_the_old_rows(clinic, backup, monkeypatch):
    fill_more(clinic)
    before = contents_of(clinic)

    def refuse(*_, **__):
        raise StorageError("the disk is full")

    monkeypatch.setattr(ImageStore, "put_sealed", refuse)
    with pytest.raises(StorageError, match="the disk is full"):
        bring_back(clinic, backup)

    assert contents_of(clinic) == before
    assert [p.name for p in clinic.places.folder.iterdir() if p.name.startswith(".work")] == []


def test_somebody_who_reads_all_the_time_sees_the_old_or_the_new(clinic, backup):
    fill_more(clinic)
    before = contents_of(clinic)
    stop, seen, errors = threading.Event(), [], []

    def read():
        mine = open_clinic(clinic.places.folder, clinic.places.database_url)
        while not stop.is_set():
            try:
                seen.append(contents_of(mine))
            except StorageError as error:
                errors.append(error)
        mine.close()

    reader = threading.Thread(target=read)
    reader.start()
    bring_back(clinic, backup)
    stop.set()
    reader.join()

    after = contents_of(clinic)
    assert errors == []
    assert all(contents in (before, after) for contents in seen)


# SQLite alone: the file itself


@pytest.fixture
def file_clinic(tmp_path):
    opened = open_clinic(tmp_path / "records", f"sqlite:///{tmp_path}/records/records.db")
    fill(opened)
    yield opened
    opened.close()


@pytest.mark.parametrize("damage", ["zeros", "text"])
def test_damaged_database_is_kept_aside_and_replaced(file_clinic, tmp_path, damage):
    back_up(file_clinic, tmp_path / "a.backup", now=AT)
    before = contents_of(file_clinic)
    file_clinic.close()
    path = file_clinic.database.file
    content = path.read_bytes()
    broken = content[:4096] + bytes(len(content) - 4096) if damage == "zeros" else b"a text\n" * 5000
    path.write_bytes(broken)

    with pytest.raises(StorageError, match="There are records here already"):
        bring_back(file_clinic, tmp_path / "a.backup", replace=False)
    done = bring_back(file_clinic, tmp_path / "a.backup")

    assert done.kept_aside == path.with_name("records.db.damaged-20260301T150000")
    assert done.kept_aside.read_bytes() == broken
    again = open_clinic(file_clinic.places.folder, file_clinic.places.database_url)
    assert contents_of(again) == before
    again.close()


def test_busy_database_is_one_sentence(file_clinic, tmp_path, monkeypatch):
    back_up(file_clinic, tmp_path / "a.backup", now=AT)
    monkeypatch.setattr(restore_module.sqlite_files, "BUSY_TIMEOUT_S", 0.3)
    holder = sqlite3.connect(file_clinic.database.file, isolation_level=None)
    real = restore_module.sqlite_files.overwrite

    def overwrite_while_busy(*files):
        holder.execute("BEGIN IMMEDIATE")
        real(*files)

    monkeypatch.setattr(restore_module.sqlite_files, "overwrite", overwrite_while_busy)
    with pytest.raises(StorageError, match="The records could not be replaced; the old ones are there: SQLite says"):
        bring_back(file_clinic, tmp_path / "a.backup")
    holder.execute("ROLLBACK")
    holder.close()


def test_nothing_of_the_old_rows_stays_in_the_files(file_clinic, tmp_path):
    back_up(file_clinic, tmp_path / "a.backup", now=AT)
    with file_clinic.database.transaction() as session:
        session.execute(update(Person).where(Person.pseudonym == "P-1").values(pseudonym="P-of-nobody-else"))

    bring_back(file_clinic, tmp_path / "a.backup")
    file_clinic.close()

    files = file_clinic.places.folder.glob("records.db*")
    assert [path.name for path in files if b"P-of-nobody-else" in path.read_bytes()] == []


RESTORE_FOR_EVER = (
    "import sys; from datetime import UTC, datetime; from pathlib import Path\n"
    "from dermascan_core.storage.places import read_places\n"
    "from dermascan_core.storage.restore import restore\n"
    "while True:\n"
    "    for path in sys.argv[1:]:\n"
    "        restore(read_places(), Path(path), replace=True, actor='anna', now=datetime.now(UTC))\n"
    "        print(path, flush=True)\n"
)


def check_that_kills_leave_one_day_or_the_other(clinic, tmp_path, *, n_kills, seed):
    """Two backups are restored in turns without end, and the process killed at random moments."""
    back_up(clinic, tmp_path / "a.backup", now=AT)
    days = [contents_of(clinic)]
    fill_more(clinic)
    with clinic.database.transaction() as session:
        lesion_id = session.scalars(select(Photo.lesion_id)).first()
        sha256 = clinic.images.put(b"photo of the second day")
        size = {"image_type": "clinical", "width_px": 9, "height_px": 9, "added_at": LATER}
        session.add(Photo(lesion_id=lesion_id, image_sha256=sha256, **size))
    back_up(clinic, tmp_path / "b.backup", now=LATER)
    days.append(contents_of(clinic))
    environ = {
        "DERMASCAN_RECORDS": str(clinic.places.folder),
        "DERMASCAN_DATABASE_URL": clinic.places.database_url,
    }
    chance, n_seen = random.Random(seed), [0, 0]
    for _ in range(n_kills):
        command = [sys.executable, "-c", RESTORE_FOR_EVER, tmp_path / "a.backup", tmp_path / "b.backup"]
        with subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True
        ) as process:
            process.stdout.readline()
            threading.Event().wait(chance.uniform(0, 0.6))
            process.kill()
        n_seen[days.index(contents_of(clinic))] += 1
    assert sum(n_seen) == n_kills
    fresh = open_clinic(clinic.places.folder, clinic.places.database_url)
    assert contents_of(fresh) in days
    fresh.close()


def test_three_kills_in_mid_restore_leave_one_day_or_the_other(clinic, tmp_path):
    check_that_kills_leave_one_day_or_the_other(clinic, tmp_path, n_kills=3, seed=1)


@pytest.mark.slow
def test_fifty_kills_in_mid_restore_leave_one_day_or_the_other(clinic, tmp_path):
    check_that_kills_leave_one_day_or_the_other(clinic, tmp_path, n_kills=50, seed=2)
