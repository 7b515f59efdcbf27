import errno
import hashlib
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dermascan_core.errors import SealError, StorageError
from dermascan_core.storage.images import ImageStore
from dermascan_core.storage.vault import FixedKeys, Vault, new_key

ROOT = Path(__file__).resolve().parents[2]
SHA256 = hashlib.sha256(b"a photo").hexdigest()
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
IS_ROOT = os.name == "posix" and os.geteuid() == 0


@pytest.fixture
def vault():
    return Vault(FixedKeys((new_key(),)))


@pytest.fixture
def store(tmp_path, vault):
    return ImageStore(tmp_path / "images", vault)


def files_of(store):
    return sorted(p.relative_to(store.folder).as_posix() for p in store.folder.rglob("*") if p.is_file())


def make_older(path, *, hours):
    stamp = (NOW - timedelta(hours=hours)).timestamp()
    os.utime(path, (stamp, stamp))


def test_photo_comes_back_by_its_hash(store):
    sha256 = store.put(b"a photo", thumbnail=b"small")

    assert sha256 == SHA256
    assert store.get(sha256) == b"a photo"
    assert store.thumbnail(sha256) == b"small"
    assert (store.has(sha256), store.has_thumbnail(sha256)) == (True, True)


def test_photo_lies_sealed_two_folders_deep(store):
    sha256 = store.put(b"a photo", thumbnail=b"small")

    path = f"{sha256[:2]}/{sha256[2:4]}/{sha256}"
    assert files_of(store) == [".lock", path, f"{path}.thumbnail"]
    assert b"a photo" not in (store.folder / path).read_bytes()
    assert b"small" not in (store.folder / f"{path}.thumbnail").read_bytes()
    assert (store.folder / path).stat().st_mode & 0o777 == 0o600
    assert store.folder.stat().st_mode & 0o777 == 0o700


def test_same_photo_twice_is_one_file(store):
    store.put(b"a photo")
    store.put(b"a photo", thumbnail=b"small")

    assert list(store.all()) == [SHA256]


def test_looking_at_an_empty_store_makes_no_folder(store):
    assert store.is_empty()
    assert not store.has(SHA256)
    store.remove(SHA256)
    assert not store.folder.exists()


def test_missing_photo_says_where_to_get_it_from(store):
    with pytest.raises(StorageError) as raised:
        store.get(SHA256)

    assert str(raised.value) == (
        f"The photo {SHA256[:12]} is not in the store: its file is gone. "
        "Restore it from a backup: python -m dermascan_core db restore --help"
    )


def test_removed_photo_is_gone_with_its_thumbnail_and_what_a_kill_left(store):
    store.put(b"a photo", thumbnail=b"small")
    kept = store.put(b"another photo")
    (store.path(SHA256).parent / f".{SHA256}.0a1b2c3d.partial").write_bytes(b"half")

    store.remove(SHA256)

    assert files_of(store) == [".lock", f"{kept[:2]}/{kept[2:4]}/{kept}"]


@pytest.mark.parametrize(
    "name",
    [
        "",
        "..",
        "../../key",
        "a" * 63,
        "A" * 64,
        "/etc/passwd",
        "0" * 62 + "/.",
        f"{'0' * 64}\n",
        "0" * 64 + ".thumbnail",
    ],
)
@pytest.mark.parametrize("method", ["get", "thumbnail", "has", "remove", "has_thumbnail", "reseal", "read_sealed"])
def test_no_text_from_outside_becomes_a_path(store, method, name):
    store.put(b"a photo")

    with pytest.raises(ValueError, match="Expected the SHA-256 of a photo, 64 lower-case hex digits"):
        getattr(store, method)(name)


def test_torn_file_is_never_shown_as_a_photo(store):
    store.put(b"a photo")
    sealed = store.path(SHA256).read_bytes()

    for size in range(len(sealed)):
        store.path(SHA256).write_bytes(sealed[:size])
        with pytest.raises(StorageError, match=f"The photo {SHA256[:12]} cannot be opened"):
            store.get(SHA256)


def test_torn_file_is_mended_by_storing_the_photo_again(store):
    store.put(b"a photo")
    store.path(SHA256).write_bytes(b"torn")

    store.put(b"a photo")

    assert store.get(SHA256) == b"a photo"


def test_file_of_another_photo_under_this_name_is_found(store):
    store.put(b"a photo")
    other = store.put(b"another photo")
    store.path(SHA256).write_bytes(store.path(other).read_bytes())

    with pytest.raises(StorageError) as raised:
        store.get(SHA256)

    assert str(raised.value) == (
        f"The file of photo {SHA256[:12]} holds another photo. "
        "Restore it from a backup: python -m dermascan_core db restore --help"
    )


def test_photo_sealed_with_another_key_names_it(store, tmp_path):
    store.put(b"a photo")

    with pytest.raises(SealError, match=r"cannot be opened\. It was sealed with key [0-9a-f]{8}"):
        ImageStore(tmp_path / "images", Vault(FixedKeys((new_key(),)))).get(SHA256)


def test_backup_s_photo_is_stored_only_if_it_is_that_photo(store, vault):
    with pytest.raises(StorageError, match="holds another photo"):
        store.put_sealed(SHA256, vault.seal_bytes(b"something else"))
    assert store.is_empty()

    store.put_sealed(SHA256, vault.seal_bytes(b"a photo"), thumbnail=vault.seal_bytes(b"small"))

    assert (store.get(SHA256), store.thumbnail(SHA256)) == (b"a photo", b"small")


@pytest.mark.parametrize("failing", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ENOSPC, "the disk is full. Free some space, then try again."),
        (errno.EROFS, "the disk may only be read. Choose another folder: DERMASCAN_RECORDS."),
        (errno.EIO, "the disk said: Input/output error. Check the disk, then try again."),
    ],
)
def test_failing_disk_leaves_nothing_and_says_why(store, monkeypatch, failing, number, cause):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(f"dermascan_core.storage.files.os.{failing}", refuse)
    with pytest.raises(StorageError) as raised:
        store.put(b"a photo", thumbnail=b"small")

    assert str(raised.value) == f"'{store.path(SHA256)}' could not be written: {cause}"
    assert files_of(store) == [".lock"]


def test_photo_is_taken_back_where_its_thumbnail_cannot_be_written(store, monkeypatch):
    real = os.replace

    def refuse_thumbnails(source, target):
        if str(target).endswith(".thumbnail"):
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    monkeypatch.setattr("dermascan_core.storage.files.os.replace", refuse_thumbnails)
    with pytest.raises(StorageError, match="the disk is full"):
        store.put(b"a photo", thumbnail=b"small")

    assert files_of(store) == [".lock"]


def test_file_larger_than_the_system_allows_is_one_sentence(tmp_path):
    code = (
        "import sys, resource, signal; from pathlib import Path\n"
        "from dermascan_core.storage.images import ImageStore\n"
        "from dermascan_core.storage.vault import FixedKeys, Vault, new_key\n"
        "from dermascan_core.errors import StorageError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "store = ImageStore(Path(sys.argv[1]), Vault(FixedKeys((new_key(),))))\n"
        "try:\n    store.put(b'x' * 200_000)\n"
        "except StorageError as error:\n    print(error, [p.name for p in store.folder.rglob('*') if p.is_file()])\n"
    )

    done = subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "a file may not become that large here. Free some space, or raise the limit, then try again." in done.stdout
    assert done.stdout.endswith("['.lock']\n")


@pytest.mark.skipif(IS_ROOT, reason="the administrator may write everywhere")
def test_folder_that_may_not_be_written_is_named(store):
    store.folder.mkdir()
    store.folder.chmod(0o500)

    with pytest.raises(StorageError, match="this program may not write there"):
        store.put(b"a photo")


def test_sweep_removes_what_no_row_names_and_what_a_kill_left(store):
    kept, old, young = store.put(b"kept"), store.put(b"old", thumbnail=b"small"), store.put(b"young")
    partial = store.path(kept).parent / f".{kept}.0a1b2c3d.partial"
    partial.write_bytes(b"half")
    for path in (store.path(kept), store.path(old), store.path(old).with_suffix(".thumbnail"), partial):
        make_older(path, hours=2)
    make_older(store.path(young), hours=0.5)

    swept = store.sweep({kept}, now=NOW)

    assert sorted(store.all()) == sorted([kept, young])
    assert (swept.n_photos, swept.n_partial) == (1, 1)
    assert not store.has_thumbnail(old)
    assert not partial.exists()


def test_sweep_keeps_a_photo_that_was_stored_again_just_now(store):
    sha256 = store.put(b"a photo")
    make_older(store.path(sha256), hours=5)
    store.put(b"a photo")

    swept = store.sweep([], now=datetime.now(UTC))

    assert swept.n_photos == 0
    assert store.has(sha256)


def test_sweep_removes_nothing_when_the_clock_went_backwards(store):
    sha256 = store.put(b"a photo")

    swept = store.sweep([], now=datetime(1999, 1, 1, tzinfo=UTC))

    assert swept.n_photos == 0
    assert store.has(sha256)


def test_reseal_takes_up_the_newest_key_once(tmp_path):
    old, new = new_key(), new_key()
    ImageStore(tmp_path, Vault(FixedKeys((old,)))).put(b"a photo", thumbnail=b"small")
    both = ImageStore(tmp_path, Vault(FixedKeys((new, old))))

    assert [both.reseal(SHA256), both.reseal(SHA256)] == [True, False]

    newest = ImageStore(tmp_path, Vault(FixedKeys((new,))))
    assert (newest.get(SHA256), newest.thumbnail(SHA256)) == (b"a photo", b"small")


def test_reseal_does_not_bring_back_a_photo_that_is_being_deleted(tmp_path):
    old, new = new_key(), new_key()
    ImageStore(tmp_path, Vault(FixedKeys((old,)))).put(b"a photo", thumbnail=b"small")
    both = ImageStore(tmp_path, Vault(FixedKeys((new, old))))
    threads = [
        threading.Thread(target=both.reseal, args=(SHA256,)),
        threading.Thread(target=both.remove, args=(SHA256,)),
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert files_of(both) == [".lock"]


def test_many_writers_of_one_photo_leave_it_whole(store):
    threads = [threading.Thread(target=store.put, args=(b"a photo" * 10_000,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (sha256,) = store.all()
    assert store.get(sha256) == b"a photo" * 10_000
    assert len(files_of(store)) == 2


def test_kill_in_mid_write_leaves_whole_photos_and_at_most_one_leftover(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from dermascan_core.storage.images import ImageStore\n"
        "from dermascan_core.storage.vault import FixedKeys, Vault\n"
        "store = ImageStore(Path(sys.argv[1]), Vault(FixedKeys((sys.argv[2],))))\n"
        "for i in range(1_000_000):\n"
        "    print(store.put(i.to_bytes(4, 'big') * 50_000, thumbnail=b'small'), flush=True)\n"
    )
    key = new_key()
    store = ImageStore(tmp_path, Vault(FixedKeys((key,))))
    said = []
    for kill_after in (3, 8, 13):
        with subprocess.Popen(
            [sys.executable, "-c", code, tmp_path, key], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as writer:
            said += [writer.stdout.readline().strip() for _ in range(kill_after)]
            writer.kill()

    assert all(store.get(sha256) and store.thumbnail(sha256) == b"small" for sha256 in said)
    assert all(store.get(sha256) for sha256 in store.all())
    assert len([name for name in files_of(store) if name.endswith(".partial")]) <= 3
    store.put(b"the lock is free")  # the killed ones hold nothing
