"""A demo clinic: made up, marked, never counted, and gone by one call."""

from dermascan_core.services.demo_clinic import count_demo_people, fill_demo_clinic, remove_demo_clinic
from dermascan_core.services.history import list_screenings
from dermascan_core.services.outcome_statistics import report_outcomes
from dermascan_core.services.records import list_people
from dermascan_core.storage.audit import verify
from tests.clinic import NOW, somebody
from tests.fakes import FakePredictor


def test_demo_people_are_marked_and_have_answers(records):
    added = fill_demo_clinic(records, FakePredictor(), actor="ada", now=NOW, n_people=4)

    assert added == count_demo_people(records) == 4
    assert all(person.is_demo for person in list_people(records).people)
    assert list_screenings(records, is_demo=True).n_screenings == 4
    assert list_screenings(records, is_demo=False).n_screenings == 0


def test_demo_outcomes_enter_no_statistics(records):
    fill_demo_clinic(records, FakePredictor(), actor="ada", now=NOW, n_people=4)

    assert report_outcomes(records).cases == ()


def test_removing_the_demo_leaves_everybody_else_and_no_picture(records):
    person, _ = somebody(records)
    fill_demo_clinic(records, FakePredictor(), actor="ada", now=NOW, n_people=3)
    assert len(list(records.images.folder.glob("??/??/*"))) == 6

    removed = remove_demo_clinic(records, actor="ada", now=NOW)

    assert removed == 3
    assert [one.id for one in list_people(records).people] == [person.id]
    assert list(records.images.folder.glob("??/??/*")) == []
    with records.database.reading() as session:
        assert verify(session).is_intact


def test_filling_twice_is_two_clinics_and_one_removal(records):
    for _ in range(2):
        fill_demo_clinic(records, FakePredictor(), actor="ada", now=NOW, n_people=2)

    assert count_demo_people(records) == 4
    assert remove_demo_clinic(records, actor="ada", now=NOW) == 4
    assert count_demo_people(records) == 0
