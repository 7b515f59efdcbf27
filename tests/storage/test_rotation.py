import itertools
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from dermascan_core.errors import SealError, StorageError
from dermascan_core.storage import rotation
from dermascan_core.storage.key_file import KeyFile, write_keys
from dermascan_core.storage.opening import open_storage
from dermascan_core.storage.places import read_places
from dermascan_core.storage.rotation import keys_to_retire, rotate_key
from dermascan_core.storage.schema import Batch, BatchItem, Lesion, Person
from dermascan_core.storage.sealed_columns import sealed_columns
from dermascan_core.storage.vault import name_of_key, new_key

ROOT = Path(__file__).resolve().parents[2]
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def environ(tmp_path, database_url):
    return {"DERMASCAN_RECORDS": str(tmp_path / "records"), "DERMASCAN_DATABASE_URL": database_url}


@pytest.fixture
def storage(environ):
    opened = open_storage(read_places(environ))
    yield opened
    opened.close()


def add_person(storage, number):
    with storage.database.transaction() as session:
        name = storage.vault.seal(f"Name {number}")
        session.add(Person(pseudonym=f"P-{number}", name=name, created_at=AT, created_by="local"))


def names(storage):
    with storage.database.transaction() as session:
        return sorted(storage.vault.open(name) for name in session.scalars(select(Person.name)))


def test_every_column_of_bytes_is_sealed_and_known():
    assert {sealed.name for sealed in sealed_columns()} == {
        *("people.name", "lesions.label", "photos.file_name", "screenings.record", "reviews.reason", "drafts.content"),
        *("comments.text", "outcomes.note", "batches.name", "batch_items.file_name", "batch_items.row"),
    }


def test_new_key_opens_everything_and_the_old_one_nothing(storage, environ):
    for number in range(5):
        add_person(storage, number)
    sha256 = storage.images.put(b"a photo", thumbnail=b"small")
    (old,) = KeyFile(storage.places.key_file).read()

    done = rotate_key(storage)

    (new,) = KeyFile(storage.places.key_file).read()
    assert (done.newest, done.dropped) == (name_of_key(new), (name_of_key(old),))
    assert (done.n_rows, done.n_photos, done.problems) == (5, 1, ())
    assert new != old
    assert names(storage) == [f"Name {number}" for number in range(5)]
    assert (storage.images.get(sha256), storage.images.thumbnail(sha256)) == (b"a photo", b"small")
    with pytest.raises(SealError, match="It was sealed with key"):
        open_storage(read_places({**environ, "DERMASCAN_KEY": old}))
    open_storage(read_places(environ)).close()


def test_rows_with_two_keys_of_their_own_are_sealed_anew(storage):
    with storage.database.transaction() as session:
        seal = storage.vault.seal
        person = Person(pseudonym="P-1", created_at=AT, created_by="local")
        session.add(person)
        session.flush()
        session.add(lesion := Lesion(person_id=person.id, created_at=AT))
        session.add(
            batch := Batch(
                name=seal("b"),
                owner="local",
                created_at=AT,
                state="done",
                model="m",
                image_type="clinical",
                n_photos=450,
                share_to_read=0.05,
                audit_number=1,
            )
        )
        session.flush()
        for position in range(450):
            item = {"file_name": seal(f"{position}.jpg"), "row": seal("{}"), "position": position}
            session.add(BatchItem(batch_id=batch.id, lesion_id=lesion.id, **item))

    done = rotate_key(storage)

    assert done.n_rows == 1 + 450 + 450
    with storage.database.transaction() as session:
        opened = [storage.vault.open(name) for name in session.scalars(select(BatchItem.file_name))]
    assert sorted(opened) == sorted(f"{position}.jpg" for position in range(450))


def test_change_under_way_is_gone_on_with_and_no_third_key_is_made(storage):
    add_person(storage, 1)
    path = storage.places.key_file
    (old,) = KeyFile(path).read()
    new = new_key()
    write_keys(path, (new, old))
    add_person(storage, 2)

    done = rotate_key(storage)

    assert (done.newest, done.dropped, done.n_rows) == (name_of_key(new), (name_of_key(old),), 1)
    assert KeyFile(path).read() == (new,)


def test_value_that_no_key_opens_keeps_the_old_key_and_stops_nothing_else(storage):
    add_person(storage, 1)
    add_person(storage, 2)
    sha256 = storage.images.put(b"a photo")
    storage.images.path(sha256).write_bytes(storage.images.path(sha256).read_bytes()[:40])
    with storage.database.transaction() as session:
        broken = session.scalar(select(Person).where(Person.pseudonym == "P-1"))
        broken.name = broken.name[:-1]
        broken_id = broken.id
    (old,) = KeyFile(storage.places.key_file).read()

    done = rotate_key(storage)

    assert (done.n_rows, done.dropped) == (1, ())
    assert [problem.split(":")[0] for problem in done.problems] == [
        f"people.name of {broken_id}",
        f"The photo {sha256[:12]} cannot be opened. What was sealed has been altered or cut off since. "
        "Restore it from a backup",
    ]
    assert KeyFile(storage.places.key_file).read()[1] == old


def test_keys_of_the_environment_are_changed_by_whoever_set_them(environ):
    old, new = new_key(), new_key()
    storage = open_storage(read_places({**environ, "DERMASCAN_KEY": old}))
    add_person(storage, 1)
    with pytest.raises(StorageError) as raised:
        rotate_key(storage)
    storage.close()

    both = open_storage(read_places({**environ, "DERMASCAN_KEY": f"{new},{old}"}))
    done = rotate_key(both)
    both.close()

    assert str(raised.value) == (
        "DERMASCAN_KEY names one key, and a program cannot change its environment. Make a new key with `python -m "
        "dermascan_core records new-key`, set DERMASCAN_KEY to NEW,OLD, restart the app, and run this again. "
        "Nothing was changed."
    )
    assert (done.n_rows, done.dropped) == (1, (name_of_key(old),))
    alone = open_storage(read_places({**environ, "DERMASCAN_KEY": new}))
    assert names(alone) == ["Name 1"]
    alone.close()


def test_keys_to_retire_are_the_only_one_or_all_but_the_newest(storage):
    path = storage.places.key_file
    (old,) = KeyFile(path).read()
    assert keys_to_retire(storage.places) == (old,)

    write_keys(path, (new_key(), old))

    assert keys_to_retire(storage.places) == (old,)


def test_two_changes_at_once_are_one_after_the_other(storage):
    add_person(storage, 1)
    results = []
    threads = [threading.Thread(target=lambda: results.append(rotate_key(storage))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(done.n_rows for done in results) == [1, 1]
    assert names(storage) == ["Name 1"]


def test_app_goes_on_while_the_key_changes(storage, environ):
    """Two other openings, as other processes have them, write and read all the time; the key changes three times.

    Not twice within one read: what was read before two changes is sealed with a key that is gone.
    """
    stop, errors, rounds = threading.Event(), [], Counter()

    def work(start):
        mine = open_storage(read_places(environ))
        try:
            for number in itertools.count(start):
                add_person(mine, number)
                assert mine.images.get(mine.images.put(f"photo {number}".encode())) == f"photo {number}".encode()
                names(mine)
                rounds[start] += 1
                if stop.is_set():
                    break
        except (StorageError, AssertionError) as error:
            errors.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=work, args=(start,)) for start in (1_000, 2_000)]
    for thread in threads:
        thread.start()
    keys = []
    for _ in range(3):
        before = Counter(rounds)
        keys.append(rotate_key(storage).newest)
        alive = [thread.is_alive for thread in threads]
        while all(is_alive() for is_alive in alive) and any(rounds[n] < before[n] + 2 for n in (1_000, 2_000)):
            time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(set(keys)) == 3
    fresh = open_storage(read_places(environ))
    assert len(names(fresh)) >= 2
    assert fresh.vault.key_ids() == (keys[-1],)
    assert all(fresh.images.get(sha256) for sha256 in fresh.images.all())
    fresh.close()


def test_disk_full_while_the_key_changes_loses_nothing(storage, monkeypatch):
    add_person(storage, 1)
    sha256 = storage.images.put(b"a photo")
    before = storage.places.key_file.read_bytes()

    def refuse(*_):
        raise StorageError("the disk is full")

    monkeypatch.setattr(rotation, "write_keys", refuse)
    with pytest.raises(StorageError):
        rotate_key(storage)

    assert storage.places.key_file.read_bytes() == before
    assert (names(storage), storage.images.get(sha256)) == (["Name 1"], b"a photo")


ROTATE_FOR_EVER = (
    "from dermascan_core.storage.opening import open_storage\n"
    "from dermascan_core.storage.places import read_places\n"
    "from dermascan_core.storage.rotation import rotate_key\n"
    "storage = open_storage(read_places())\n"
    "while True:\n    print(rotate_key(storage).newest, flush=True)\n"
)


def kill_while_rotating(environ, *, n_kills, seed):
    """Change keys without end in another process and kill it at random moments; returns how many changes were finished."""
    chance, n_finished = random.Random(seed), 0
    for _ in range(n_kills):
        with subprocess.Popen(
            [sys.executable, "-c", ROTATE_FOR_EVER],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            process.stdout.readline()  # the first is whole: from here on every moment is one in mid-change
            threading.Event().wait(chance.uniform(0, 0.3))
            process.kill()
            n_finished += 1 + len(process.stdout.readlines())
    return n_finished


def check_that_kills_lose_nothing(storage, environ, *, n_kills, seed):
    for number in range(40):
        add_person(storage, number)
    photos = [storage.images.put(f"photo {number}".encode(), thumbnail=b"small") for number in range(20)]

    n_finished = kill_while_rotating(environ, n_kills=n_kills, seed=seed)

    assert n_finished >= n_kills
    fresh = open_storage(read_places(environ))
    assert names(fresh) == sorted(f"Name {number}" for number in range(40))
    assert [fresh.images.get(sha256) for sha256 in photos] == [f"photo {number}".encode() for number in range(20)]
    assert [fresh.images.thumbnail(sha256) for sha256 in photos] == [b"small"] * 20
    rotate_key(fresh)
    assert len(fresh.vault.key_ids()) == 1
    fresh.close()


def test_three_kills_in_mid_change_lose_nothing(storage, environ):
    check_that_kills_lose_nothing(storage, environ, n_kills=3, seed=1)


@pytest.mark.slow
def test_fifty_kills_in_mid_change_lose_nothing(storage, environ):
    check_that_kills_lose_nothing(storage, environ, n_kills=50, seed=2)
