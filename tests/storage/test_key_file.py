import threading

import pytest

from dermascan_core.errors import SealError, StorageError
from dermascan_core.storage.key_file import KeyFile, find_vault, open_vault, write_keys
from dermascan_core.storage.opening import open_storage
from dermascan_core.storage.places import read_places
from dermascan_core.storage.vault import FixedKeys, Vault, name_of_key, new_key


@pytest.fixture
def places(tmp_path):
    return read_places({"DERMASCAN_RECORDS": str(tmp_path / "records")})


def places_with(places, *keys):
    return read_places({"DERMASCAN_RECORDS": str(places.folder), "DERMASCAN_KEY": ",".join(keys)})


def test_first_use_makes_a_key_that_only_its_owner_may_read(places):
    sealed = open_vault(places).seal("nv")

    assert places.key_file.stat().st_mode & 0o777 == 0o600
    assert places.folder.stat().st_mode & 0o777 == 0o700
    assert sorted(p.name for p in places.folder.iterdir()) == [".lock", "key", "key-check"]
    assert open_vault(places).open(sealed) == "nv"


def test_key_file_asks_to_be_copied_elsewhere(places):
    open_vault(places)

    head, key = places.key_file.read_text().splitlines()

    assert head == (
        "# Keys of DermaScan's records, the newest first. Keep a copy elsewhere: without it nothing sealed can be read."
    )
    assert len(key) == 44


def test_many_first_users_at_once_share_one_key(places):
    vaults = []
    threads = [threading.Thread(target=lambda: vaults.append(open_vault(places))) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({vault.key_ids() for vault in vaults}) == 1
    assert len(vaults) == 12


def test_missing_key_beside_sealed_records_is_refused_and_none_is_made(places):
    open_vault(places)
    places.key_file.unlink()

    with pytest.raises(SealError) as raised:
        open_vault(places)

    assert str(raised.value) == (
        f"Sealed records lie in '{places.folder}' or its database, and their key is missing: neither DERMASCAN_KEY is "
        f"set nor is there a file '{places.key_file}'. Restore the key from your copy, or name it with DERMASCAN_KEY or "
        "DERMASCAN_KEY_FILE. No new key was made: it could not open them."
    )
    assert not places.key_file.exists()


@pytest.mark.parametrize("found", [{"sample": b"anything sealed"}, {"holds_images": True}])
def test_no_key_is_made_where_the_database_or_the_images_hold_sealed_things(places, found):
    with pytest.raises(SealError, match="No new key was made"):
        open_vault(places, **found)

    assert not places.key_file.exists()


def test_wrong_key_is_named_before_it_does_harm(places):
    right, wrong = new_key(), new_key()
    open_vault(places_with(places, right))

    with pytest.raises(SealError) as raised:
        open_vault(places_with(places, wrong))

    assert str(raised.value).startswith(
        f"The key does not fit the records in '{places.folder}'. It was sealed with key {name_of_key(right)}. "
        f"The keys at hand: {name_of_key(wrong)}."
    )


def test_key_is_tried_on_the_database_where_the_folder_is_new(places):
    sample = Vault(FixedKeys((new_key(),))).seal("nv")

    with pytest.raises(SealError, match="It was sealed with key"):
        open_vault(places_with(places, new_key()), sample=sample)

    assert not places.key_check.exists()


def test_keys_of_the_environment_leave_no_key_on_the_disk(places):
    key, older = new_key(), new_key()

    vault = open_vault(places_with(places, key, older))

    assert vault.key_ids() == (name_of_key(key), name_of_key(older))
    assert sorted(p.name for p in places.folder.iterdir()) == ["key-check"]


@pytest.mark.parametrize("content", ["", "\n\n", "# only a comment\n"])
def test_key_file_without_a_key_is_refused(places, content):
    open_vault(places)
    places.key_file.write_text(content)

    with pytest.raises(SealError) as raised:
        open_vault(places)

    assert str(raised.value) == (
        f"Expected the key file '{places.key_file}' to hold a key of 44 characters. It holds none. "
        "Restore it from your copy."
    )


@pytest.mark.parametrize("content", [b"too short\n", b"\xff\xfe\x00k", b"PK\x03\x04" * 50])
def test_key_file_that_holds_something_else_is_refused(places, content):
    open_vault(places)
    places.key_file.write_bytes(content)

    with pytest.raises(SealError, match="Expected a key of 44 characters"):
        open_vault(places)

    assert places.key_file.read_bytes() == content


def test_running_program_takes_up_changed_keys_at_once(places):
    vault = open_vault(places)
    (first,) = KeyFile(places.key_file).read()
    before = vault.seal("nv")
    second = new_key()

    write_keys(places.key_file, (second, first))

    assert vault.is_newest(vault.seal("nv"))
    assert vault.key_ids() == (name_of_key(second), name_of_key(first))
    assert vault.open(before) == "nv"


def test_running_program_seals_nothing_once_its_key_file_is_gone(places):
    vault = open_vault(places)
    places.key_file.unlink()

    with pytest.raises(SealError) as raised:
        vault.seal("nv")

    assert str(raised.value) == (
        f"The key file '{places.key_file}' cannot be read: No such file or directory. Restore it from your copy; "
        "without the key, sealed records cannot be read by anybody."
    )


def test_looking_for_a_key_makes_none(places):
    assert find_vault(places) is None
    assert not places.folder.exists()


def test_key_that_is_there_is_found(places):
    opened = open_vault(places)

    assert find_vault(places).key_ids() == opened.key_ids()


def test_only_keys_are_written_to_a_key_file(places):
    open_vault(places)
    before = places.key_file.read_bytes()

    with pytest.raises(SealError):
        write_keys(places.key_file, ("no key",))

    assert places.key_file.read_bytes() == before


def test_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    places = read_places({"DERMASCAN_RECORDS": str(tmp_path / "file" / "records")})

    with pytest.raises(StorageError) as raised:
        open_vault(places)

    assert str(raised.value) == (
        f"'{tmp_path}/file/records' could not be written: a part of its path is a file, not a folder. "
        "Choose another folder: DERMASCAN_RECORDS."
    )


def test_keys_are_never_shown(places):
    key = new_key()
    shown = repr(places_with(places, key))

    assert key not in shown
    assert "sqlite" not in shown  # an address may hold a password


def test_places_follow_the_environment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    places = read_places({"DERMASCAN_RECORDS": "", "DERMASCAN_KEY": " , "})

    assert places.folder == tmp_path / "data" / "records"
    assert places.database_url == f"sqlite:///{tmp_path}/data/records/records.db"
    assert places.database_file == tmp_path / "data" / "records" / "records.db"
    assert (places.key_file, places.keys) == (tmp_path / "data" / "records" / "key", ())


def test_places_of_a_server_have_no_database_file(tmp_path):
    places = read_places({"DERMASCAN_DATABASE_URL": "postgresql://user@host/name", "DERMASCAN_KEY_FILE": "/etc/key"})

    assert places.database_file is None
    assert str(places.key_file) == "/etc/key"


@pytest.mark.parametrize("name", ["a b", "50%25 off", "what?", "h#sh", "u\u0308ber", "it's"])
def test_database_lies_in_the_folder_that_was_named_whatever_its_name(tmp_path, name):
    places = read_places({"DERMASCAN_RECORDS": str(tmp_path / name)})

    open_storage(places).close()

    assert [folder.name for folder in tmp_path.iterdir()] == [name]
    assert places.database_file == tmp_path / name / "records.db"
    assert places.database_file.is_file()


def test_records_are_not_kept_in_memory_alone(tmp_path):
    places = read_places({"DERMASCAN_RECORDS": str(tmp_path), "DERMASCAN_DATABASE_URL": "sqlite://"})

    with pytest.raises(StorageError, match="Expected an SQLite database in a file"):
        open_storage(places)


def test_damaged_check_says_what_to_do_and_that_helps(places):
    key_ids = open_vault(places).key_ids()
    places.key_check.write_bytes(b"torn")

    with pytest.raises(SealError) as raised:
        open_vault(places, sample=None)
    places.key_check.unlink()

    assert str(raised.value).endswith(f"Where you are sure of the key, remove '{places.key_check}'.")
    assert open_vault(places).key_ids() == key_ids
    assert places.key_check.is_file()


def test_no_key_survives_in_what_a_kill_left(places):
    open_vault(places)
    left = places.folder / ".key.0a1b2c3d.partial"
    left.write_text("an old key")

    write_keys(places.key_file, (new_key(),))

    assert not left.exists()
