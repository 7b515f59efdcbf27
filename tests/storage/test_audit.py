"""The audit trail: numbered, chained, only ever added to; whatever else was done to it is found."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from dermascan_core.errors import StorageError
from dermascan_core.storage import audit
from dermascan_core.storage.audit import Anchor, AuditReport
from dermascan_core.storage.database import Database

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def fill(database: Database, n_entries: int = 5) -> None:
    for index in range(n_entries):
        with database.transaction() as session:
            audit.record(
                session,
                actor="ada",
                action="review confirmed",
                subject=f"screening {index:032x}",
                detail={"version": index},
                now=NOW + timedelta(minutes=index),
            )


def verified(database: Database, anchor: Anchor | None = None) -> AuditReport:
    with database.reading() as session:
        return audit.verify(session, anchor=anchor)


def tamper(database: Database, *statements: str) -> None:
    """Change rows as somebody does who owns the database: the triggers are no obstacle to them."""
    with database.transaction() as session:
        if database.is_sqlite:
            for name in ("audit_no_update", "audit_no_delete"):
                session.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
        else:
            session.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        for statement in statements:
            session.execute(text(statement))


def test_empty_trail_is_intact(database: Database) -> None:
    assert verified(database) == AuditReport(0, None)


def test_entries_are_numbered_and_hold_the_hash_of_the_one_before(database: Database) -> None:
    fill(database, 3)

    with database.reading() as session:
        first, second, third = audit.entries(session)

    assert [first.number, second.number, third.number] == [1, 2, 3]
    assert first.previous_sha256 == "0" * 64
    assert third.previous_sha256 == second.sha256
    assert (second.actor, second.action, second.detail) == ("ada", "review confirmed", {"version": 1})
    assert second.at == NOW + timedelta(minutes=1)
    assert verified(database) == AuditReport(3, Anchor(3, third.sha256))


def test_entry_s_hash_can_be_checked_by_hand(database: Database) -> None:
    fill(database, 1)

    with database.reading() as session:
        [entry] = audit.entries(session)

    # printf %s of the canonical JSON, piped into sha256sum
    assert entry.sha256 == "9f5b646c326c66fde31dcb91eea693d42a6137e7bc52c1f3dd368ca88549e691"


def test_time_of_another_zone_is_kept_as_utc(database: Database) -> None:
    from zoneinfo import ZoneInfo

    with database.transaction() as session:
        audit.record(
            session,
            actor="ada",
            action="x",
            subject="y",
            now=datetime(2026, 7, 1, 9, 30, tzinfo=ZoneInfo("Europe/Berlin")),
        )

    with database.reading() as session:
        [entry] = audit.entries(session)
    assert entry.at == datetime(2026, 7, 1, 7, 30, tzinfo=UTC)
    assert verified(database).is_intact


def test_entry_goes_with_its_transaction(database: Database) -> None:
    def stopped() -> None:
        with database.transaction() as session:
            audit.record(session, actor="ada", action="x", subject="y", now=NOW)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stopped()

    fill(database, 1)
    assert verified(database).n_entries == 1


def test_several_entries_in_one_transaction_are_chained(database: Database) -> None:
    with database.transaction() as session:
        for _ in range(3):
            audit.record(session, actor="ada", action="x", subject="y", now=NOW)

    assert verified(database).n_entries == 3
    assert verified(database).is_intact


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit WHERE number = 5"])
def test_database_itself_refuses_to_change_or_remove_an_entry(database: Database, statement: str) -> None:
    fill(database)

    with pytest.raises(DBAPIError, match="the audit trail is only ever added to"), database.transaction() as session:
        session.execute(text(statement))

    assert verified(database).n_entries == 5


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'eve'",
        "action = 'review withdrawn'",
        "subject = 'screening 7'",
        "detail = '{\"version\": 9}'",
        "at = '2026-11-27 12:02:00.000000'",
    ],
)
def test_verify_finds_a_changed_entry(database: Database, change: str) -> None:
    fill(database)

    tamper(database, f"UPDATE audit SET {change} WHERE number = 3")

    assert verified(database).problems == ("Entry 3 was changed: its contents no longer give its hash.",)


def test_verify_finds_what_is_no_json_and_no_time(database: Database) -> None:
    fill(database)
    if not database.is_sqlite:
        pytest.skip("PostgreSQL keeps no such value")

    tamper(database, "UPDATE audit SET detail = '{' WHERE number = 2", "UPDATE audit SET at = 'noon' WHERE number = 4")

    assert verified(database).problems == (
        "Entry 2 was changed: its contents no longer give its hash.",
        "Entry 4 was changed: its contents no longer give its hash.",
    )


def test_verify_finds_an_entry_whose_hash_was_made_anew(database: Database) -> None:
    fill(database)

    tamper(database, f"UPDATE audit SET sha256 = '{'ab' * 32}' WHERE number = 3")

    assert verified(database).problems == (
        "Entry 3 was changed: its contents no longer give its hash.",
        "Entry 4 does not follow the one before it: it holds another hash of that.",
    )


def test_verify_finds_removed_entries(database: Database) -> None:
    fill(database)

    tamper(database, "DELETE FROM audit WHERE number IN (2, 3)")

    assert verified(database).problems == (
        "Entries 2 to 3 are missing.",
        "Entry 4 does not follow the one before it: it holds another hash of that.",
    )


def test_verify_finds_swapped_entries(database: Database) -> None:
    fill(database)

    tamper(
        database,
        "UPDATE audit SET number = 99 WHERE number = 2",
        "UPDATE audit SET number = 2 WHERE number = 3",
        "UPDATE audit SET number = 3 WHERE number = 99",
    )

    assert verified(database).n_problems == 5
    assert "Entry 2 was changed: its contents no longer give its hash." in verified(database).problems


@pytest.mark.parametrize("number", [0, -4])
def test_verify_finds_an_entry_before_the_first(database: Database, number: int) -> None:
    fill(database, 2)

    tamper(
        database,
        "INSERT INTO audit (number, at, actor, action, subject, detail, previous_sha256, sha256) "
        f"SELECT {number}, at, actor, action, subject, detail, previous_sha256, sha256 FROM audit WHERE number = 1",
    )

    assert f"Entry {number} was inserted: numbers begin with 1." in verified(database).problems


def test_verify_finds_an_entry_added_behind_the_program_s_back(database: Database) -> None:
    fill(database, 2)

    tamper(
        database,
        "INSERT INTO audit (number, at, actor, action, subject, detail, previous_sha256, sha256) "
        "SELECT 3, at, 'eve', action, subject, detail, previous_sha256, sha256 FROM audit WHERE number = 2",
    )

    assert verified(database).problems == (
        "Entry 3 does not follow the one before it: it holds another hash of that.",
        "Entry 3 was changed: its contents no longer give its hash.",
    )


def test_only_an_anchor_shows_that_the_end_was_cut_off(database: Database) -> None:
    fill(database)
    anchor = verified(database).newest
    assert anchor is not None

    tamper(database, "DELETE FROM audit WHERE number > 3")

    assert verified(database).is_intact
    assert verified(database, anchor).problems == (
        "The end was cut off: entry 5 was there when the anchor was written, and is gone.",
    )


def test_only_an_anchor_shows_that_the_whole_chain_was_made_anew(database: Database) -> None:
    fill(database)
    anchor = verified(database).newest
    assert anchor is not None

    tamper(database, "DELETE FROM audit")
    fill(database, 6)
    assert verified(database, anchor).is_intact  # the same contents give the same hashes
    tamper(database, "DELETE FROM audit")
    with database.transaction() as session:
        audit.record(session, actor="eve", action="x", subject="y", now=NOW)
    fill(database, 6)

    assert verified(database).is_intact
    assert verified(database, anchor).problems == (
        "The chain was made anew: entry 5 had another hash when the anchor was written.",
    )


def test_verify_names_twenty_problems_and_counts_all(database: Database) -> None:
    fill(database, 30)

    tamper(database, "UPDATE audit SET actor = 'eve'")

    report = verified(database)
    assert (len(report.problems), report.n_problems, report.n_entries) == (20, 30, 30)


@pytest.mark.parametrize(
    ("name", "value"), [("actor", ""), ("actor", "a" * 121), ("subject", "person\n7"), ("action", "x\0")]
)
def test_record_refuses_a_text_that_does_not_fit(database: Database, name: str, value: str) -> None:
    texts = {"actor": "ada", "action": "x", "subject": "y"} | {name: value}

    with pytest.raises(ValueError, match=f"argument `{name}`"), database.transaction() as session:
        audit.record(session, **texts, now=NOW)


def test_record_refuses_a_number_that_json_cannot_hold(database: Database) -> None:
    with pytest.raises(ValueError, match="JSON"), database.transaction() as session:
        audit.record(session, actor="ada", action="x", subject="y", detail={"p": float("nan")}, now=NOW)


def test_clock_going_backwards_leaves_order_and_chain(database: Database) -> None:
    for minutes in (5, 3, 4):
        with database.transaction() as session:
            audit.record(session, actor="ada", action="x", subject="y", now=NOW + timedelta(minutes=minutes))

    with database.reading() as session:
        assert [(e.number, e.at.minute) for e in audit.entries(session)] == [(1, 5), (2, 3), (3, 4)]
    assert verified(database).is_intact


def test_eight_writers_at_once_leave_no_gap(database: Database) -> None:
    threads = [threading.Thread(target=fill, args=(database, 10)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert verified(database).n_entries == 80
    assert verified(database).is_intact


def test_anchor_is_read_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "audit.anchor"

    assert audit.read_anchor(path) is None
    audit.write_anchor(path, Anchor(7, "ab" * 32))

    assert audit.read_anchor(path) == Anchor(7, "ab" * 32)
    assert [p.name for p in tmp_path.iterdir()] == ["audit.anchor"]


def test_file_that_is_no_anchor_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("[1, 2]")

    with pytest.raises(StorageError) as caught:
        audit.read_anchor(path)

    assert str(caught.value) == (
        f"Expected an anchor as 'audit verify --anchor' writes it. Received another file: '{path}'. Name the right one."
    )


def test_anchor_in_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="could not be written"):
        audit.write_anchor(tmp_path / "no" / "x", Anchor(1, "ab" * 32))
