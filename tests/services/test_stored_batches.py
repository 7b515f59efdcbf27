"""Batches in the records: whole or not at all, worked off in order, paused, stopped, taken off and put back."""

from __future__ import annotations

import re
import threading

import pytest
from sqlalchemy import func, select

from dermascan_core.errors import AccessError, ArchiveError, ConsentError, RecordError, StorageError
from dermascan_core.services import stored_batches
from dermascan_core.services.records import ConsentGiven, Records, remove_images
from dermascan_core.services.stored_batches import (
    add_batch,
    check_owner,
    find_batch,
    list_batches,
    pause,
    put_back,
    remove_batch,
    resume,
    stop,
    take_off,
)
from dermascan_core.storage import audit, people
from dermascan_core.storage.batches import BatchState, ItemState, listed_items
from dermascan_core.storage.schema import BatchItem, Consent, Lesion, Person, Photo, Screening
from tests.clinic import NOW, photo_file, somebody
from tests.fakes import FakePredictor
from tests.services.batch_records import ORDER, added, arrivals_of, plans_of, runner_of, wait_until, worked_off

NAMES = ["P001_L1_1.jpg", "P001_L1_2.jpg", "P001_L2.jpg", "P002_L1.jpg", "a.jpg", "b.jpg"]


def count(records: Records, table: type) -> int:
    with records.database.reading() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def items(records: Records, batch_id: str):
    with records.database.reading() as session:
        return listed_items(session, records.vault, batch_id)


def actions(records: Records) -> list[str]:
    with records.database.reading() as session:
        assert audit.verify(session).problems == ()
        return [entry.action for entry in audit.entries(session)]


def test_photos_are_kept_with_people_lesions_and_one_ground_for_all(records: Records) -> None:
    batch = find_batch(records, added(records, NAMES))

    assert (batch.name, batch.owner, batch.state, batch.n_photos, batch.n_open) == ("Monday", "ada", "waiting", 6, 6)
    # P001, P002 and whoever the two photos without a key are of.
    assert (count(records, Person), count(records, Consent), count(records, Lesion)) == (4, 4, 5)
    assert all(records.images.has(item.image_sha256) for item in items(records, batch.id) if item.image_sha256)


def test_names_and_keys_lie_sealed(records: Records) -> None:
    added(records, NAMES)

    records.database.close()
    stored = b"".join(path.read_bytes() for path in records.places.folder.rglob("*") if path.is_file())
    assert b"P001" not in stored
    assert b"Monday" not in stored


def test_pseudonym_of_the_records_means_that_person_and_the_lesion_of_that_label(records: Records) -> None:
    person, lesion = somebody(records, label="L1")
    names = ["x.jpg"]
    (plan,) = plans_of(names)
    plan = type(plan)(plan.photos, person.pseudonym, "L1")

    batch_id = add_batch(records, [plan], arrivals_of(names), order=ORDER, actor="ada", now=NOW)

    assert items(records, batch_id)[0].lesion_id == lesion.id
    assert items(records, batch_id)[0].pseudonym == person.pseudonym
    assert count(records, Person) == 1


def test_batch_is_worked_off_and_its_calm_are_drawn_from(records: Records) -> None:
    batch_id = added(records, NAMES)

    worked_off(
        records, batch_id, predictor=FakePredictor(fixed=[0.001, 0.99, 0.001, 0.001, 0.001, 0.004, 0.001, 0.001])
    )

    found = items(records, batch_id)
    assert find_batch(records, batch_id).state is BatchState.DONE
    assert {item.state for item in found} == {ItemState.DONE}
    assert count(records, Screening) == 5  # the two photos of one lesion were judged together
    assert found[0].screening_id == found[1].screening_id
    flagged = {item.screening_id for item in found if item.is_sampled}
    assert len(flagged) == 1
    assert actions(records)[-1] == "list done"


def test_photo_is_kept_without_its_tags_and_the_file_as_it_came_is_removed(records: Records) -> None:
    from PIL import Image

    from tests.fakes import fake_photo, photo_bytes

    exif = Image.Exif()
    exif[0x010E] = "Jane Roe, left shoulder"
    tagged = photo_bytes(fake_photo(), exif=exif)
    names = ["a.jpg"]
    batch_id = add_batch(records, plans_of(names), arrivals_of(names, data=tagged), order=ORDER, actor="ada", now=NOW)

    worked_off(records, batch_id)

    (sha256,) = records.images.all()
    assert b"Jane Roe" not in records.images.get(sha256)
    assert items(records, batch_id)[0].image_sha256 == sha256
    assert records.images.thumbnail(sha256).startswith(b"\xff\xd8")


def test_broken_photo_is_left_out_with_its_reason_and_the_others_go_on(records: Records) -> None:
    names = ["torn.jpg", "b.jpg"]
    arrivals = [*arrivals_of(names[:1], data=b"no photo"), *arrivals_of(names[1:])]
    batch_id = add_batch(records, plans_of(names), arrivals, order=ORDER, actor="ada", now=NOW)

    worked_off(records, batch_id)

    torn, whole = items(records, batch_id)
    assert (torn.state, torn.image_sha256) == (ItemState.FAILED, None)
    assert (torn.problem or "").startswith("Expected a photo (JPEG")
    assert whole.state is ItemState.DONE
    assert len(list(records.images.all())) == 1


def test_paused_batch_waits_and_another_goes_on(records: Records) -> None:
    first, second = added(records, ["a.jpg"]), added(records, ["b.jpg"])
    pause(records, first, actor="ada", now=NOW)

    worked_off(records, second)

    assert find_batch(records, first).n_open == 1
    resume(records, first, actor="ada", now=NOW)
    worked_off(records, first)
    assert find_batch(records, first).n_open == 0


def test_batches_are_worked_off_in_the_order_they_were_added_though_the_clock_went_back(records: Records) -> None:
    first = added(records, ["a.jpg"])
    second = add_batch(
        records, plans_of(["b.jpg"]), arrivals_of(["b.jpg"]), order=ORDER, actor="ada", now=NOW.replace(year=2025)
    )

    worked_off(records, second)

    assert find_batch(records, first).state is BatchState.DONE
    assert [batch.id for batch in list_batches(records)] == [second, first]


def test_pause_in_mid_photo_keeps_nothing_of_it_and_nothing_is_doubled(records: Records) -> None:
    batch_id = added(records, ["a.jpg", "b.jpg", "c.jpg"])
    is_asked, may_go_on = threading.Event(), threading.Event()

    class Slow(FakePredictor):
        def predict(self, *args, **options):
            is_asked.set()
            may_go_on.wait(20)
            return super().predict(*args, **options)

    runner = runner_of(records, Slow(), n_workers=1)
    runner.start()
    is_asked.wait(20)
    pause(records, batch_id, actor="ada", now=NOW)
    may_go_on.set()
    runner.stop()
    assert find_batch(records, batch_id).n_open == 3
    assert count(records, Screening) == 0

    resume(records, batch_id, actor="ada", now=NOW)
    worked_off(records, batch_id)

    assert count(records, Screening) == 3


def test_stopped_batch_names_what_was_not_looked_at_and_removes_its_files(records: Records) -> None:
    batch_id = added(records, ["a.jpg", "b.jpg"])

    stop(records, batch_id, actor="ada", now=NOW)

    found = items(records, batch_id)
    assert [item.state for item in found] == [ItemState.FAILED, ItemState.FAILED]
    assert "That is no reassurance" not in (found[0].problem or "")
    assert "It was not assessed: that is no reassurance." in (found[0].problem or "")
    assert list(records.images.all()) == []
    resume(records, batch_id, actor="ada", now=NOW)
    assert find_batch(records, batch_id).state is BatchState.STOPPED


def test_removed_list_leaves_its_cases_and_no_other_file(records: Records) -> None:
    batch_id, other = added(records, ["a.jpg", "b.jpg"]), added(records, ["c.jpg"])
    worked_off(records, other)
    stop(records, batch_id, actor="ada", now=NOW) if find_batch(records, batch_id).n_open else None
    n_screenings = count(records, Screening)

    remove_batch(records, batch_id, actor="ada", now=NOW)

    assert count(records, Screening) == n_screenings
    assert count(records, BatchItem) == 1
    with pytest.raises(RecordError, match=re.escape("There is no such list in the records.")):
        find_batch(records, batch_id)
    with records.database.reading() as session:
        kept = set(session.scalars(select(Photo.image_sha256)))
    assert set(records.images.all()) == kept


def test_taken_off_and_put_back_changes_nothing_else(records: Records) -> None:
    batch_id = added(records, NAMES)
    before = items(records, batch_id)

    take_off(records, batch_id, [before[0].id, before[1].id], actor="ada", now=NOW)
    assert [item.id for item in items(records, batch_id)] == [item.id for item in before[2:]]
    assert find_batch(records, batch_id).n_removed == 2
    put_back(records, batch_id, [before[0].id, before[1].id], actor="ada", now=NOW)

    assert items(records, batch_id) == before
    assert actions(records)[-2:] == ["taken off the list", "put back on the list"]


def test_item_of_another_list_cannot_be_taken_off(records: Records) -> None:
    mine, other = added(records, ["a.jpg"]), added(records, ["b.jpg"])

    take_off(records, mine, [items(records, other)[0].id], actor="ada", now=NOW)

    assert len(items(records, other)) == 1


def test_deleted_person_takes_their_waiting_photos_along(records: Records) -> None:
    batch_id = added(records, ["P001_L1.jpg", "P002_L1.jpg"])
    with records.database.transaction() as session:
        person_id = session.scalar(
            select(Lesion.person_id).join(BatchItem, BatchItem.lesion_id == Lesion.id).where(BatchItem.position == 0)
        )
        from dermascan_core.storage import lesions

        images = lesions.images_of_person(session, str(person_id))
        people.remove_person(session, str(person_id))
        lesions.ask_for_removal(session, images)
    remove_images(records)

    assert len(items(records, batch_id)) == 1
    assert len(list(records.images.all())) == 1
    worked_off(records, batch_id)
    assert count(records, Screening) == 1


def test_consent_that_was_taken_back_meanwhile_leaves_the_photo_out(records: Records) -> None:
    batch_id = added(records, ["a.jpg"])
    with records.database.transaction() as session:
        person_id = session.scalar(select(Person.id))
        people.withdraw_consents(session, str(person_id), now=NOW)

    worked_off(records, batch_id)

    assert (items(records, batch_id)[0].problem or "").startswith("Nothing may be kept of P-")
    assert list(records.images.all()) == []


def test_photo_at_which_the_program_ends_again_and_again_is_left_out_and_the_others_come_first(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["dark.jpg", "b.jpg"]
    arrivals = [*arrivals_of(names[:1], data=photo_file(20)), *arrivals_of(names[1:], data=photo_file(70))]
    batch_id = add_batch(records, plans_of(names), arrivals, order=ORDER, actor="ada", now=NOW)

    class Dies(FakePredictor):
        def predict(self, squares, *args, **options):
            if squares[0, 80, 80, 1] < 45:
                raise ZeroDivisionError  # stands for whatever ends a process
            return super().predict(squares, *args, **options)

    monkeypatch.setattr("dermascan_core.services.worklist_runner._BEGIN_AGAIN_S", 0.01)
    told: list[BaseException] = []
    runner = runner_of(records, Dies(), on_unforeseen=told.append)
    runner.start()
    wait_until(lambda: find_batch(records, batch_id).state is BatchState.DONE)
    runner.stop()

    assert [item.state for item in items(records, batch_id)] == [ItemState.FAILED, ItemState.DONE]
    assert (items(records, batch_id)[0].problem or "").startswith("The program ended 5 times while this photo")
    assert isinstance(told[0], ZeroDivisionError)


def test_full_disk_holds_the_batch_up_and_is_told(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    batch_id = added(records, ["a.jpg"])
    full = StorageError("The disk is full, so nothing was saved. Free some space, then try again.")

    def refuse(*args: object, **options: object) -> str:
        raise full

    monkeypatch.setattr("dermascan_core.services.worklist_runner._TRY_AGAIN_S", 0.05)
    monkeypatch.setattr(type(records.images), "put", refuse)
    runner = runner_of(records)
    runner.start()
    wait_until(lambda: runner.problem == str(full))
    monkeypatch.undo()
    runner.wake()
    wait_until(lambda: find_batch(records, batch_id).state is BatchState.DONE)
    runner.stop()

    assert runner.problem == ""
    assert count(records, Screening) == 1


def test_disk_that_is_full_while_photos_come_in_leaves_no_batch(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_put = 0
    put = type(records.images).put

    def refuse_the_third(self, data: bytes, **options: object) -> str:
        nonlocal n_put
        n_put += 1
        if n_put == 3:
            raise StorageError("The disk is full, so nothing was saved. Free some space, then try again.")
        return put(self, data, **options)

    monkeypatch.setattr(type(records.images), "put", refuse_the_third)

    with pytest.raises(StorageError, match="disk is full"):
        added(records, NAMES)
    assert (count(records, BatchItem), count(records, Person)) == (0, 0)


def test_second_process_does_not_work_on_the_same_records(records: Records) -> None:
    batch_id = added(records, [f"{n}.jpg" for n in range(8)])
    one, two = runner_of(records), runner_of(records)
    one.start()
    two.start()

    wait_until(lambda: find_batch(records, batch_id).state is BatchState.DONE)
    one.stop()
    two.stop()

    assert count(records, Screening) == 8
    assert actions(records).count("screening kept") == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"consent": ConsentGiven(keep_until=NOW)}, "Expected a day in the future"),
        (
            {"consent": ConsentGiven(keep_until=NOW.replace(year=2030), text_version="x")},
            "Expected a consent to one of",
        ),
    ],
)
def test_nothing_is_stored_without_a_ground(records: Records, changes: dict, message: str) -> None:
    with pytest.raises(ConsentError, match=message):
        added(records, ["a.jpg"], **changes)
    assert list(records.images.all()) == []


def test_too_many_photos_and_none_at_all_are_refused(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_batches, "MAX_STORED_PHOTOS", 2)

    for names in ([], ["a.jpg", "b.jpg", "c.jpg"]):
        with pytest.raises(ArchiveError, match="Expected 1 to 2 photos in a list"):
            added(records, names)


def test_only_its_owner_or_an_administrator_changes_a_list(records: Records) -> None:
    batch = find_batch(records, added(records, ["a.jpg"], actor="ada"))

    check_owner(batch, "ada", is_admin=False)
    check_owner(batch, "root", is_admin=True)
    with pytest.raises(AccessError, match="This list is 'ada''s"):
        check_owner(batch, "bob", is_admin=False)
