"""Deleting somebody leaves nothing of them: no row, no file, no byte in the database's files."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from dermascan_core.errors import RecordError, StorageError
from dermascan_core.services import forgetting
from dermascan_core.services.audit_trail import verify_trail
from dermascan_core.services.forgetting import delete_expired, delete_person, list_expired, tidy
from dermascan_core.services.history import person_history
from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.readings import add_comment, add_outcome, confirm_review, save_draft
from dermascan_core.services.records import (
    ConsentGiven,
    Records,
    add_person,
    find_person,
    give_consent,
    list_people,
    open_records,
    remove_images,
    withdraw_consent,
)
from dermascan_core.storage import audit
from dermascan_core.storage.kept import KeptPerson, NewReview
from dermascan_core.storage.places import read_places
from dermascan_core.storage.restore import PERSON_DELETED
from dermascan_core.storage.schema import Base
from tests.clinic import CONSENT, NOW, answered, somebody

ABOUT_NOBODY = {"audit", "accounts", "logins", "login_attempts"}


def with_everything(records: Records, shade: int = 70) -> KeptPerson:
    """Somebody with a row in every table about people."""
    person, lesion = somebody(records)
    answer, photos = answered(shade)
    kept = keep_screening(records, answer, photos, lesion_id=lesion.id, actor="ada", now=NOW)
    review = NewReview(kept.id, "ada", "mel", "watch", NOW, "agree", "mel", "watch", "Seen by Dr Smith.")
    confirm_review(records, review, now=NOW)
    save_draft(records, kept.id, {"note": "x"}, reviewer="bob", now=NOW)
    add_comment(records, lesion.id, "Ask her sister.", author="ada", now=NOW)
    add_outcome(
        records, lesion.id, dx="nv", confirmed_by="histopathology", found_at=NOW, actor="ada", now=NOW, note_text="x"
    )
    return person


def n_rows(records: Records) -> dict[str, int]:
    with records.database.reading() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in Base.metadata.tables.items()
            if name not in ABOUT_NOBODY
        }


def test_deleted_person_leaves_no_row_and_no_file(records: Records) -> None:
    person = with_everything(records)

    deleted = delete_person(records, person.pseudonym, actor="ada", now=NOW)

    assert (deleted.n_lesions, deleted.n_photos, deleted.n_screenings, deleted.n_images) == (1, 1, 1, 1)
    assert set(n_rows(records).values()) == {0}
    assert [path.name for path in records.places.images.rglob("*") if path.is_file()] == [".lock"]
    with pytest.raises(RecordError, match="There is nobody"):
        find_person(records, person.id)


def test_trail_keeps_that_somebody_was_deleted_and_nothing_else_of_them(records: Records) -> None:
    person = with_everything(records)

    delete_person(records, person.id, actor="bob", now=NOW)

    with records.database.reading() as session:
        entries = list(audit.entries(session))
    assert entries[-1].action == PERSON_DELETED
    assert entries[-1].detail == {"lesions": 1, "photos": 1, "screenings": 1}
    assert not any(word in str(entries) for word in (person.pseudonym, "Jane", "mole", "shoulder", "Smith", "sister"))
    assert verify_trail(records).is_intact


def test_no_byte_of_a_deleted_person_is_left_in_the_database_s_files(tmp_path: Path) -> None:
    records = open_records(read_places({"DERMASCAN_RECORDS": str(tmp_path)}))
    person = with_everything(records)
    with records.database.reading() as session:
        pseudonym = person.pseudonym.encode()
        sealed = bytes(session.execute(select(Base.metadata.tables["people"].c.name)).scalar_one())
    assert any(pseudonym in path.read_bytes() for path in tmp_path.glob("records.db*"))

    delete_person(records, person.id, actor="ada", now=NOW)

    for path in tmp_path.glob("records.db*"):
        assert pseudonym not in path.read_bytes()
        assert sealed not in path.read_bytes()
    records.close()


def test_photo_that_another_person_has_too_stays(records: Records) -> None:
    one, other = with_everything(records), with_everything(records)

    deleted = delete_person(records, one.id, actor="ada", now=NOW)

    [lesion] = person_history(records, other.id).lesions
    assert deleted.n_images == 0
    assert records.images.get(lesion.photos[0].image_sha256) == answered()[1][0].data
    assert set(n_rows(records).values()) == {0, 1}


def test_deletion_that_fails_keeps_everything(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    person = with_everything(records)
    before = n_rows(records)

    def fail(*args: object, **options: object) -> int:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(forgetting, "note", fail)
    with pytest.raises(StorageError):
        delete_person(records, person.id, actor="ada", now=NOW)

    assert n_rows(records) == before
    assert records.images.has(person_history(records, person.id).lesions[0].photos[0].image_sha256)


def test_files_that_a_kill_left_are_removed_when_the_records_are_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = read_places({"DERMASCAN_RECORDS": str(tmp_path)})
    records = open_records(places)
    person = with_everything(records)
    monkeypatch.setattr(forgetting, "remove_images", lambda records: 0)  # killed before this
    delete_person(records, person.id, actor="ada", now=NOW)
    assert not records.images.is_empty()
    records.close()

    again = open_records(places)

    assert again.images.is_empty()
    assert n_rows(again)["image_removals"] == 0
    again.close()


def test_photo_kept_anew_after_a_kill_is_not_removed(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    person = with_everything(records)
    monkeypatch.setattr(forgetting, "remove_images", lambda records: 0)
    delete_person(records, person.id, actor="ada", now=NOW)
    other = with_everything(records)

    assert remove_images(records) == 0

    [lesion] = person_history(records, other.id).lesions
    assert records.images.has(lesion.photos[0].image_sha256)


def test_whose_consent_ended_is_deleted_and_others_stay(records: Records) -> None:
    past = add_person(records, ConsentGiven(NOW + timedelta(days=1)), actor="ada", now=NOW)
    withdrawn = with_everything(records)
    withdraw_consent(records, withdrawn.id, actor="ada", now=NOW)
    again = add_person(records, ConsentGiven(NOW + timedelta(days=1)), actor="ada", now=NOW)
    give_consent(records, again.id, CONSENT, actor="ada", now=NOW)
    later = NOW + timedelta(days=2)

    assert {person.id for person in list_expired(records, now=later)} == {past.id, withdrawn.id}
    deleted = delete_expired(records, actor="ada", now=later)

    assert {one.person.id for one in deleted} == {past.id, withdrawn.id}
    assert [person.id for person in list_people(records).people] == [again.id]
    assert records.images.is_empty()
    assert delete_expired(records, actor="ada", now=later) == ()


def test_clock_going_backwards_deletes_nobody(records: Records) -> None:
    with_everything(records)

    assert delete_expired(records, actor="ada", now=NOW - timedelta(days=4000)) == ()


def test_tidying_removes_what_nothing_names_and_says_what_is_missing(records: Records) -> None:
    person = with_everything(records)
    [lesion] = person_history(records, person.id).lesions
    stray = records.images.put(b"nobody's")
    records.images.path(lesion.photos[0].image_sha256).unlink()

    tidied = tidy(records, now=NOW + timedelta(days=4000))

    assert tidied.swept.n_photos == 1
    assert not records.images.has(stray)
    assert tidied.missing == (lesion.photos[0].image_sha256,)


def test_tidying_leaves_alone_what_a_case_names(records: Records) -> None:
    person = with_everything(records)

    tidied = tidy(records, now=NOW + timedelta(days=4000))

    [lesion] = person_history(records, person.id).lesions
    assert tidied.swept.n_photos == 0
    assert tidied.missing == ()
    assert records.images.thumbnail(lesion.photos[0].image_sha256)[:3] == b"\xff\xd8\xff"


def test_screening_kept_while_its_photo_goes_with_another_person_is_whole(records: Records) -> None:
    """The photo is written, then removed with somebody else's records, and only then named by the row."""
    one = with_everything(records)
    _, lesion = somebody(records)
    answer, photos = answered()
    put = records.images.put

    def put_then_delete(data: bytes, **options: bytes) -> str:
        sha256 = put(data, **options)
        monkeypatch.setattr(type(records.images), "put", original)
        delete_person(records, one.id, actor="ada", now=NOW)
        return sha256

    monkeypatch = pytest.MonkeyPatch()
    original = type(records.images).put
    monkeypatch.setattr(type(records.images), "put", lambda self, data, **options: put_then_delete(data, **options))
    later = replace(answer, screened_at="2027-01-01T00:00:00+00:00")
    kept = keep_screening(records, later, photos, lesion_id=lesion.id, actor="ada", now=NOW)
    monkeypatch.undo()

    assert kept.photos[0].position == 0
    assert tidy(records, now=NOW).missing == ()
