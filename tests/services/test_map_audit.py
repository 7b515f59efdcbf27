from datetime import UTC, datetime

import pytest

from dermascan_core.services.map_audit import count_verdicts, judge_map, map_verdicts
from dermascan_core.services.records import open_records
from dermascan_core.storage.places import read_places

NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.fixture
def database(tmp_path):
    return open_records(read_places({"DERMASCAN_RECORDS": str(tmp_path / "records")})).database


def test_last_word_of_each_clinician_counts_once_a_case(database):
    for actor, case, verdict in (
        ("ada", "1", "wrong"),
        ("ben", "1", "right"),
        ("ada", "1", "right"),
        ("ada", "2", "partly"),
    ):
        judge_map(database, case, verdict, is_demo=False, actor=actor, now=NOW)

    assert map_verdicts(database) == {("ada", "1"): "right", ("ben", "1"): "right", ("ada", "2"): "partly"}
    assert {name: (s.n_true, s.n) for name, s in count_verdicts(database).items()} == {
        "right": (2, 3), "partly": (1, 3), "wrong": (0, 3),
    }  # fmt: skip


def test_made_up_people_are_not_counted(database):
    judge_map(database, "1", "right", is_demo=True, actor="ada", now=NOW)

    assert map_verdicts(database) == {("ada", "1"): "right"}
    assert {share.n for share in count_verdicts(database).values()} == {0}


def test_no_other_word_is_kept(database):
    with pytest.raises(ValueError, match=r"Expected one of right, partly, wrong\. Received: 'beautiful'"):
        judge_map(database, "1", "beautiful", is_demo=False, actor="ada", now=NOW)

    assert map_verdicts(database) == {}
