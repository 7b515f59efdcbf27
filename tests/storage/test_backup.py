import errno
import hashlib
import os
import threading
import zipfile
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from dermascan_core.errors import SealError, StorageError
from dermascan_core.storage import audit
from dermascan_core.storage.backup import back_up
from dermascan_core.storage.backup_file import BackupReader
from dermascan_core.storage.schema import Person
from tests.storage.small_clinic import AT, fill, open_clinic


@pytest.fixture
def clinic(tmp_path, database_url):
    opened = open_clinic(tmp_path / "records", database_url)
    fill(opened)
    yield opened
    opened.close()


def leftovers(folder):
    return sorted(p.name for p in folder.iterdir() if p.name.startswith(".") and p.name != ".lock")


def test_backup_holds_rows_photos_and_no_key(clinic, tmp_path):
    done = back_up(clinic, tmp_path / "a.backup", now=AT)

    assert done.about.n_rows["people"] == 2
    assert (done.about.n_photos, done.about.missing, done.about.audit_problems) == (2, (), 0)
    assert done.size_bytes == (tmp_path / "a.backup").stat().st_size
    with zipfile.ZipFile(tmp_path / "a.backup") as archive:
        names = archive.namelist()
    photos = [hashlib.sha256(content).hexdigest() for content in (b"photo 0", b"photo 1")]
    assert sorted(names) == sorted(
        ["READ-ME.txt", "contents", "database/000000"]
        + [f"images/{sha256}{ending}" for sha256 in photos for ending in ("", ".thumbnail")]
    )
    content = (tmp_path / "a.backup").read_bytes()
    (key,) = [line for line in clinic.places.key_file.read_text().splitlines() if not line.startswith("#")]
    for secret in (key, "pseudonym", "Name 0", "CREATE TABLE", "photo 0"):  # long enough not to stand there by chance
        assert secret.encode() not in content
    assert (tmp_path / "a.backup").stat().st_mode & 0o777 == 0o600
    assert leftovers(clinic.places.folder) == []


def test_backup_tells_people_what_it_is(clinic, tmp_path):
    back_up(clinic, tmp_path / "a.backup", now=AT)

    with zipfile.ZipFile(tmp_path / "a.backup") as archive:
        words = archive.read("READ-ME.txt").decode()

    assert words == (
        "A backup of DermaScan's records, made at 2026-03-01T12:00:00+00:00 by version 0.1.0.\n\n"
        f"Everything but this page is sealed with key {clinic.vault.key_ids()[0]}, which is not in here: keep a copy of it "
        "elsewhere.\nRestore it where that key is: python -m dermascan_core db restore FILE\n"
    )


def test_backup_names_photos_whose_file_is_gone(clinic, tmp_path):
    sha256 = hashlib.sha256(b"photo 0").hexdigest()
    clinic.images.remove(sha256)

    done = back_up(clinic, tmp_path / "a.backup", now=AT)

    assert (done.about.n_photos, done.about.missing) == (1, (sha256,))


def test_photo_that_no_row_names_is_left_out(clinic, tmp_path):
    clinic.images.put(b"of nobody")

    assert back_up(clinic, tmp_path / "a.backup", now=AT).about.n_photos == 2


def test_tampered_trail_is_counted_and_still_backed_up(clinic, tmp_path):
    with clinic.database.transaction() as session:
        if clinic.database.is_sqlite:
            session.execute(text("DROP TRIGGER audit_no_update"))
        else:
            session.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        session.execute(text("UPDATE audit SET actor = 'nobody' WHERE number = 1"))

    assert back_up(clinic, tmp_path / "a.backup", now=AT).about.audit_problems == 1


def test_backup_never_replaces_a_file(clinic, tmp_path):
    (tmp_path / "a.backup").write_text("the only good one")

    with pytest.raises(StorageError) as raised:
        back_up(clinic, tmp_path / "a.backup", now=AT)

    assert str(raised.value) == (
        f"Expected the name of a new file. '{tmp_path}/a.backup' is there already. Choose another name, or move it away."
    )
    assert (tmp_path / "a.backup").read_text() == "the only good one"


def test_backup_into_a_folder_that_is_not_there_is_one_sentence(clinic, tmp_path):
    with pytest.raises(StorageError, match=r"none/a.backup' could not be written"):
        back_up(clinic, tmp_path / "none" / "a.backup", now=AT)

    assert leftovers(clinic.places.folder) == []


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_full_disk_leaves_no_file(clinic, tmp_path, monkeypatch, failing):
    target = tmp_path / "target"
    target.mkdir()

    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(f"dermascan_core.storage.backup_file.os.{failing}", refuse)
    with pytest.raises(StorageError, match="the disk is full"):
        back_up(clinic, target / "a.backup", now=AT)

    assert list(target.iterdir()) == []


def test_disk_that_fills_in_mid_backup_leaves_no_file(clinic, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("needs a device that is always full")
    target = tmp_path / "target"
    target.mkdir()
    real = os.open

    def open_full(path, flags, *rest, **named):
        handle = real(path, flags, *rest, **named)
        if str(path).endswith(".partial") and str(target) in str(path):
            os.close(handle)
            return real("/dev/full", os.O_RDWR)
        return handle

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dermascan_core.storage.backup_file.os.open", open_full)
        with pytest.raises(StorageError, match="the disk is full"):
            back_up(clinic, target / "a.backup", now=AT)

    assert list(target.iterdir()) == []


def test_backup_is_one_state_while_others_write(clinic, tmp_path):
    """Each writing adds one person and one audit entry together: a backup must hold as many of both."""
    stop, n_before = threading.Event(), 2

    def write():
        mine, number = open_clinic(clinic.places.folder, clinic.places.database_url), 100
        while not stop.is_set():
            with mine.database.transaction() as session:
                session.add(Person(pseudonym=f"P-{number}", created_at=AT, created_by="local"))
                session.flush()
                audit.record(session, actor="local", action="added", subject=f"number {number}", detail={}, now=AT)
            number += 1
        mine.close()

    writer = threading.Thread(target=write)
    writer.start()
    done = [back_up(clinic, tmp_path / f"{number}.backup", now=AT) for number in range(3)]
    stop.set()
    writer.join()

    added = [backup.about.n_rows["people"] - n_before for backup in done]
    assert added == [backup.about.n_rows["audit"] - 2 for backup in done]
    assert added == sorted(added)


def test_wrong_clock_does_not_matter(clinic, tmp_path):
    done = back_up(clinic, tmp_path / "a.backup", now=datetime(1970, 1, 2, tzinfo=UTC))

    assert done.about.made_at == "1970-01-02T00:00:00+00:00"


def test_altered_bytes_of_a_backup_are_found(clinic, tmp_path):
    path = tmp_path / "a.backup"
    back_up(clinic, path, now=AT)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        places = [info.header_offset + 30 + len(info.filename) + 20 for info in archive.infolist()]

    for place in places:
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(StorageError):
            _read_whole(path, clinic.vault)
    for size in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(StorageError):
            _read_whole(path, clinic.vault)


def test_parts_left_out_doubled_or_added_are_found(clinic, tmp_path):
    path = tmp_path / "a.backup"
    back_up(clinic, path, now=AT)
    with zipfile.ZipFile(path) as archive:
        parts = [(info.filename, archive.read(info)) for info in archive.infolist()]

    first = next(part for part in parts if part[0].startswith("images/"))
    for wrong in ([part for part in parts if part != first], [*parts, ("../../key", b"mine")]):
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in wrong:
                archive.writestr(name, data)
        with pytest.raises(StorageError, match="is damaged: parts are missing, doubled or too many"):
            _read_whole(path, clinic.vault)


def test_packed_parts_are_not_unpacked(clinic, tmp_path):
    path = tmp_path / "bomb.backup"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("contents", bytes(50_000_000))

    with pytest.raises(StorageError, match="is none, or is damaged"):
        _read_whole(path, clinic.vault)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_file_that_is_no_backup_is_one_sentence(clinic, tmp_path, content):
    path = tmp_path / "a.backup"
    path.write_bytes(content)

    with pytest.raises(StorageError) as raised:
        _read_whole(path, clinic.vault)

    assert str(raised.value) == (
        f"Expected a backup as `python -m dermascan_core db backup` writes it. '{path}' is none, or is damaged. Choose another."
    )


def test_backup_of_another_key_names_it(clinic, tmp_path):
    back_up(clinic, tmp_path / "a.backup", now=AT)
    other = open_clinic(tmp_path / "other", f"sqlite:///{tmp_path}/other/records.db")

    with pytest.raises(SealError) as raised:
        BackupReader(tmp_path / "a.backup", other.vault)
    other.close()

    assert f"It was sealed with key {clinic.vault.key_ids()[0]}. The keys at hand: {other.vault.key_ids()[0]}." in str(
        raised.value
    )


def test_what_a_kill_left_is_removed_by_the_next_backup(clinic, tmp_path):
    left = clinic.places.folder / ".work-0a1b2c3d"
    left.mkdir()
    (left / "records.db").write_bytes(b"half")

    back_up(clinic, tmp_path / "a.backup", now=AT)

    assert not left.exists()


def _read_whole(path, vault):
    reader = BackupReader(path, vault)
    try:
        reader.check()
    finally:
        reader.close()
