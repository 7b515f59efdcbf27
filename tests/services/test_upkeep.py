"""A day with keys and backups, through the services that the commands call."""

import pytest

from dermascan_core.errors import RecordError, StorageError
from dermascan_core.services import upkeep
from dermascan_core.services.forgetting import delete_person
from dermascan_core.services.overview import each_person
from dermascan_core.services.records import add_person, open_records, withdraw_consent
from dermascan_core.storage import audit
from dermascan_core.storage.key_file import KeyFile
from dermascan_core.storage.places import read_places
from dermascan_core.storage.vault import name_of_key
from tests.clinic import CONSENT, NOW


@pytest.fixture
def places(tmp_path):
    return read_places({"DERMASCAN_RECORDS": str(tmp_path / "records")})


@pytest.fixture
def clinic(places):
    opened = open_records(places)
    yield opened
    opened.close()


def people_in(records):
    return sorted(line.person.name for line in each_person(records, search="", now=NOW))


def entries(records):
    with records.database.reading() as session:
        return [(entry.action, entry.actor, entry.subject) for entry in audit.entries(session)]


def test_person_deleted_after_the_backup_stays_deleted(clinic, places, tmp_path):
    anna = add_person(clinic, CONSENT, actor="local", now=NOW, name="Anna")
    add_person(clinic, CONSENT, actor="local", now=NOW, name="Bela")
    upkeep.make_backup(tmp_path / "a.backup", actor="local", now=NOW, places=places)
    delete_person(clinic, anna.id, actor="local", now=NOW)

    done = upkeep.bring_back(tmp_path / "a.backup", replace=True, actor="local", now=NOW, places=places)

    assert (done.n_deleted_again, people_in(clinic)) == (1, ["Bela"])
    assert entries(clinic)[-2:] == [
        ("person deleted", "local", f"person {anna.id}"),
        ("records restored", "local", f"backup of {done.about.made_at}"),
    ]


def test_consent_taken_back_after_the_backup_stays_taken_back(clinic, places, tmp_path):
    anna = add_person(clinic, CONSENT, actor="local", now=NOW, name="Anna")
    upkeep.make_backup(tmp_path / "a.backup", actor="local", now=NOW, places=places)
    withdraw_consent(clinic, anna.id, actor="local", now=NOW)

    done = upkeep.bring_back(tmp_path / "a.backup", replace=True, actor="local", now=NOW, places=places)

    assert done.n_withdrawn_again == 1
    assert [line.keep_until for line in each_person(clinic, search="", now=NOW)] == [None]


def test_new_key_and_backup_are_in_the_trail(clinic, places, tmp_path):
    add_person(clinic, CONSENT, actor="local", now=NOW, name="Anna")

    changed = upkeep.change_key(actor="ida", now=NOW, places=places)
    made = upkeep.make_backup(tmp_path / "a.backup", actor="ida", now=NOW, places=places)

    assert entries(clinic)[-2:] == [
        ("key changed", "ida", f"key {changed.newest}"),
        ("records backed up", "ida", f"backup of {made.about.made_at}"),
    ]


def test_old_key_can_be_kept_for_older_backups(clinic, places, tmp_path):
    add_person(clinic, CONSENT, actor="local", now=NOW, name="Anna")
    upkeep.make_backup(tmp_path / "a.backup", actor="local", now=NOW, places=places)

    changed = upkeep.change_key(actor="local", now=NOW, keep_old=tmp_path / "old-key", places=places)

    (old,) = KeyFile(tmp_path / "old-key").read()
    assert (tmp_path / "old-key").stat().st_mode & 0o777 == 0o600
    assert (name_of_key(old),) == changed.dropped
    elsewhere = read_places(
        {"DERMASCAN_RECORDS": str(tmp_path / "elsewhere"), "DERMASCAN_KEY_FILE": str(tmp_path / "old-key")}
    )
    upkeep.bring_back(tmp_path / "a.backup", replace=False, actor="local", now=NOW, places=elsewhere)
    there = open_records(elsewhere)
    assert people_in(there) == ["Anna"]
    there.close()


def test_old_key_never_replaces_a_file_and_nothing_is_changed(clinic, places, tmp_path):
    before = places.key_file.read_bytes()
    (tmp_path / "old-key").write_text("an older one")

    with pytest.raises(StorageError) as raised:
        upkeep.change_key(actor="local", now=NOW, keep_old=tmp_path / "old-key", places=places)

    assert str(raised.value) == (
        f"Expected the name of a new file for the old key. '{tmp_path}/old-key' is there already. Choose another name."
    )
    assert places.key_file.read_bytes() == before


@pytest.mark.parametrize("verb", ["change_key", "make_backup"])
def test_nothing_is_made_where_there_are_no_records(places, tmp_path, verb):
    arguments = [tmp_path / "a.backup"] if verb == "make_backup" else []

    with pytest.raises(RecordError, match="There are no records in"):
        getattr(upkeep, verb)(*arguments, actor="local", now=NOW, places=places)

    assert list(tmp_path.iterdir()) == []


def test_keys_that_are_made_are_keys():
    assert len(name_of_key(upkeep.make_key())) == 8
