"""The look that is due every three months, as doctor says it; without records it says nothing and makes none."""

from datetime import UTC, datetime, timedelta

import pytest

from dermascan_core.services.checks import check_outcomes, note_check, reminder_words
from dermascan_core.services.readings import add_outcome
from dermascan_core.services.records import open_records
from dermascan_core.storage.places import read_places
from tests.clinic import somebody

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "records"))
    return tmp_path / "records"


def test_doctor_says_nothing_where_there_are_no_records_and_makes_none(folder):
    assert check_outcomes(NOW, read_places()) == []
    assert not folder.exists()


def test_doctor_says_when_it_is_time(folder):
    records = open_records()
    _, lesion = somebody(records)
    add_outcome(records, lesion.id, dx="nv", confirmed_by="histopathology", found_at=NOW, actor="ada", now=NOW)

    [before] = check_outcomes(NOW, read_places())
    note_check(records.database, actor="ada", now=NOW)
    [after] = check_outcomes(NOW + timedelta(days=91), read_places())
    [later] = check_outcomes(NOW + timedelta(days=93), read_places())

    assert before.found.endswith("It is time: open the page Against biopsy.")
    assert after.found == "Last looked at on 2026-11-26 by ada."
    assert later.found == "Last looked at on 2026-11-26 by ada. It is time: open the page Against biopsy."
    due = reminder_words(records.database, now=NOW + timedelta(days=93))
    assert due == "Last looked at on 2026-11-26 by ada. It is time for a look."
    assert reminder_words(records.database, now=NOW) == "Last looked at on 2026-11-26 by ada."
