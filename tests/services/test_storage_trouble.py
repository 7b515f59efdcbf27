"""A busy database, a full disk, a damaged one: one sentence, and nothing half-kept."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text

from dermascan_core.errors import StorageError
from dermascan_core.services.audit_trail import verify_trail
from dermascan_core.services.history import lesion_history
from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.records import Records, open_records
from dermascan_core.storage import database as database_module
from dermascan_core.storage.database import Database
from dermascan_core.storage.places import read_places
from tests.clinic import NOW, answered, records_of, somebody

ROOT = Path(__file__).resolve().parents[2]


def test_busy_database_is_said_and_nothing_is_kept(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, lesion = somebody(records)
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.2)
    impatient = records_of(Database(records.database.url.render_as_string(hide_password=False)), tmp_path)
    screening, photos = answered()

    with records.database.transaction() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(StorageError) as caught:
            keep_screening(impatient, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)
        assert lesion_history(impatient, lesion.id).cases == ()  # reading goes on meanwhile

    assert str(caught.value).startswith("The database is busy: something else has held it for ")
    keep_screening(impatient, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)
    assert len(lesion_history(records, lesion.id).cases) == 1
    impatient.close()


FILL = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from dermascan_core.errors import StorageError
from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.records import open_records
from dermascan_core.storage.places import read_places
from tests.clinic import NOW, answered

records = open_records(read_places({"DERMASCAN_RECORDS": sys.argv[1]}))
screening, photos = answered()
for number in range(2000):
    try:
        kept = keep_screening(records, replace(screening, model=f"fake {number}"), photos, lesion_id=sys.argv[2],
                              actor="ada", now=NOW)
    except StorageError as error:
        print(error)
        break
    print("kept", kept.id)
"""


def test_file_that_may_not_grow_is_said_and_every_case_before_is_whole(tmp_path: Path) -> None:
    records = open_records(read_places({"DERMASCAN_RECORDS": str(tmp_path)}))
    _, lesion = somebody(records)
    records.close()
    limit = 400_000  # bytes of one file; the database has 200,000 without anything in it

    done = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path), lesion.id],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )

    *kept, said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert kept != []
    assert said.startswith("The disk ")
    assert "nothing was saved" in said
    again = open_records(read_places({"DERMASCAN_RECORDS": str(tmp_path)}))
    assert [f"kept {case.screening.id}" for case in lesion_history(again, lesion.id).cases] == kept
    assert verify_trail(again).is_intact
    again.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A disk of two megabytes; skipped where none may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("FULL DISK NOT TESTED: no small disk may be mounted here. Run the tests as root for that.")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk_is_said_and_every_case_before_is_whole(small_disk: Path) -> None:
    records = open_records(read_places({"DERMASCAN_RECORDS": str(small_disk)}))
    _, lesion = somebody(records)
    screening, photos = answered()
    from dataclasses import replace

    kept, said = [], ""
    for number in range(500):
        another = (replace(photos[0], data=photos[0].data + str(number).encode()),)
        try:
            kept.append(keep_screening(records, screening, another, lesion_id=lesion.id, actor="ada", now=NOW).id)
        except StorageError as error:
            said = str(error)
            break

    assert "the disk is full" in said.lower()
    assert [case.screening.id for case in lesion_history(records, lesion.id).cases] == kept
    assert len(kept) > 5
    assert all(records.images.get(p.image_sha256) for p in lesion_history(records, lesion.id).photos)
    assert not list(small_disk.rglob("*.partial"))
    assert os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize < 200_000
    records.close()


def test_damaged_database_is_said_and_not_made_anew(tmp_path: Path) -> None:
    places = read_places({"DERMASCAN_RECORDS": str(tmp_path)})
    open_records(places).close()
    file = tmp_path / "records.db"
    file.write_bytes(b"not a database at all" * 100)

    with pytest.raises(StorageError, match="no database of this program, or it is damaged"):
        open_records(places)

    assert file.read_bytes().startswith(b"not a database")
