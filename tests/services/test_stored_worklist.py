"""A batch of the records as a list: grouped, ranked, marked, pictured and exported like one of a visit."""

from __future__ import annotations

import csv
import io

import pytest

from dermascan_core.domain import NextStep, Status
from dermascan_core.services.records import Records
from dermascan_core.services.stored_batches import add_batch, find_batch, take_off
from dermascan_core.services.stored_worklist import change_mark, stored_list, stored_records, thumbnail_of
from dermascan_core.services.worklist import to_csv, worklist_records
from tests.clinic import NOW
from tests.fakes import CODES, fake_manifest
from tests.services.batch_records import ORDER, added, arrivals_of, plans_of, worked_off

NAMES = ["P001_L1_1.jpg", "P001_L1_2.jpg", "=1+1.jpg"]


@pytest.fixture
def batch_id(records: Records) -> str:
    found = added(records, NAMES)
    worked_off(records, found)
    return found


def test_photos_of_one_lesion_are_one_entry_under_the_key_that_was_given(records: Records, batch_id: str) -> None:
    found = stored_list(records, batch_id)

    by_names = {entry.names: entry for entry in found.ranked}
    one = by_names["P001_L1_1.jpg", "P001_L1_2.jpg"]
    assert (one.person, one.lesion) == ("P001", "L1")
    assert by_names["=1+1.jpg",].person.startswith("P-")
    assert len(found.items_of[one.key]) == 2
    assert one.key == one.screening_id


def test_small_picture_is_small(records: Records, batch_id: str) -> None:
    picture = thumbnail_of(records, stored_list(records, batch_id).ranked[0])

    assert picture.startswith(b"\xff\xd8")
    assert len(picture) < 8_000


def test_picture_that_is_gone_leaves_the_list_whole(records: Records, batch_id: str) -> None:
    entry = stored_list(records, batch_id).ranked[0]
    records.images.remove(entry.image_sha256)

    assert thumbnail_of(records, entry) == b""


def test_mark_changes_with_what_the_list_shows(records: Records, batch_id: str) -> None:
    found = stored_list(records, batch_id)
    assert change_mark(records, batch_id) == found.mark

    take_off(records, batch_id, found.items_of[found.ranked[0].key], actor="ada", now=NOW)

    assert change_mark(records, batch_id) != found.mark
    assert len(stored_list(records, batch_id).ranked) == 1


def test_photo_that_could_not_be_decoded_is_not_assessed_and_exported(records: Records) -> None:
    batch_id = add_batch(
        records, plans_of(["x.jpg"]), arrivals_of(["x.jpg"], data=b"torn"), order=ORDER, actor="ada", now=NOW
    )
    worked_off(records, batch_id)

    (entry,) = stored_list(records, batch_id).ranked
    found = stored_records(records, [entry], find_batch(records, batch_id), fake_manifest())

    assert (entry.status, entry.next_step) == (Status.REFUSED, NextStep.NOT_ASSESSED)
    assert entry.reason.startswith("Expected a photo (JPEG")
    (row,) = csv.DictReader(io.StringIO(to_csv(worklist_records([entry], found), CODES)))
    assert (row["status"], row["next_step"], row["p_mel"]) == ("refused", "not_assessed", "")
    assert row["reason"].startswith("not_kept: Expected a photo")


def test_csv_of_a_stored_list_has_the_contract_s_columns_and_no_formula(records: Records, batch_id: str) -> None:
    found = stored_list(records, batch_id)
    opened = stored_records(records, found.ranked, find_batch(records, batch_id), fake_manifest())

    rows = list(csv.DictReader(io.StringIO(to_csv(worklist_records(found.ranked, opened), CODES))))

    assert sorted(row["image"] for row in rows) == ["'=1+1.jpg", "P001_L1_1.jpg", "P001_L1_2.jpg"]
    assert all(float(row["p_mel"]) >= 0 for row in rows)
    assert {row["model"] for row in rows} == {"fake"}
