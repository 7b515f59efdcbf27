"""Readers see one state and wait for nobody; what was confirmed cannot be changed, not even by SQL."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from dermascan_core.storage.database import Database
from dermascan_core.storage.schema import Comment, Lesion, Outcome, Person, Review, Screening

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


def fill(database: Database) -> None:
    """One row in each table of what is confirmed."""
    with database.transaction() as session:
        session.add(Person(id="p", pseudonym="P-1", created_at=NOW, created_by="ada"))
        session.flush()
        session.add(Lesion(id="l", person_id="p", created_at=NOW))
        session.flush()
        session.add(
            Screening(
                id="s",
                lesion_id="l",
                screened_at=NOW,
                model="fake",
                model_sha256="0",
                engine="fake",
                app_version="1",
                gate_scores={},
                image_type="dermoscopic",
                status="answered",
                next_step="watch",
                record=b"sealed",
                audit_number=1,
            )
        )
        session.flush()
        session.add_all(
            [
                Review(
                    id="r",
                    screening_id="s",
                    reviewer="ada",
                    version=1,
                    own_dx="nv",
                    own_step="watch",
                    own_at=NOW,
                    decision="agree",
                    final_dx="nv",
                    final_step="watch",
                    reason=b"sealed",
                    confirmed_at=NOW,
                    audit_number=2,
                ),
                Comment(id="c", lesion_id="l", author="ada", text=b"sealed", at=NOW, audit_number=3),
                Outcome(
                    id="o",
                    lesion_id="l",
                    dx="nv",
                    confirmed_by="histopathology",
                    found_at=NOW,
                    entered_at=NOW,
                    entered_by="ada",
                    note=b"sealed",
                    audit_number=4,
                ),
            ]
        )


@pytest.mark.parametrize(
    "change",
    [
        "screenings SET next_step = 'emergency'",
        "screenings SET p_malignant = 0.9",
        "reviews SET final_dx = 'mel'",
        "reviews SET own_dx = 'mel', reason = NULL",
        "outcomes SET dx = 'mel'",
        "comments SET author = 'bob'",
    ],
)
def test_database_itself_refuses_to_change_what_was_confirmed(database: Database, change: str) -> None:
    fill(database)
    table = change.split()[0]

    with pytest.raises(DBAPIError, match=f"rows of {table} are never changed"), database.transaction() as session:
        session.execute(text(f"UPDATE {change}"))


def test_sealed_columns_may_be_sealed_anew(database: Database) -> None:
    fill(database)

    with database.transaction() as session:
        for model, column in ((Screening, "record"), (Review, "reason"), (Comment, "text"), (Outcome, "note")):
            setattr(session.scalars(select(model)).one(), column, b"anew")

    with database.reading() as session:
        assert session.scalars(select(Review.reason)).one() == b"anew"


def test_everything_goes_with_the_person(database: Database) -> None:
    fill(database)

    with database.transaction() as session:
        session.execute(text("DELETE FROM people"))

    with database.reading() as session:
        for model in (Lesion, Screening, Review, Comment, Outcome):
            assert session.scalars(select(model)).all() == []


def test_reader_keeps_no_change(database: Database) -> None:
    try:
        with database.reading() as session:
            session.add(Person(id="p", pseudonym="P-1", created_at=NOW, created_by="ada"))
            session.flush()
    except DBAPIError:
        assert not database.is_sqlite  # PostgreSQL refuses at once

    with database.reading() as session:
        assert session.scalars(select(Person)).all() == []


def test_reader_sees_one_state_while_others_write(database: Database) -> None:
    fill(database)

    with database.reading() as reader:
        before = reader.scalars(select(Person.pseudonym)).all()
        with database.transaction() as writer:
            writer.add(Person(id="q", pseudonym="P-2", created_at=NOW, created_by="ada"))
        during = reader.scalars(select(Person.pseudonym)).all()

    with database.reading() as later:
        assert (before, during) == (["P-1"], ["P-1"])
        assert sorted(later.scalars(select(Person.pseudonym))) == ["P-1", "P-2"]


def test_reader_does_not_wait_for_a_writer(database: Database) -> None:
    fill(database)

    with database.transaction() as writer:
        writer.add(Person(id="q", pseudonym="P-2", created_at=NOW, created_by="ada"))
        writer.flush()
        with database.reading() as reader:
            assert reader.scalars(select(Person.pseudonym)).all() == ["P-1"]


def test_row_of_nobody_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.add(Lesion(id="l", person_id="nobody", created_at=NOW))


def test_deleted_bytes_can_be_wiped_while_others_read(database: Database) -> None:
    fill(database)

    with database.reading() as reader:
        assert reader.scalars(select(Person.pseudonym)).all() == ["P-1"]
        database.wipe_deleted()

    database.wipe_deleted()
