from datetime import UTC, datetime, timedelta

import pytest

from dermascan_core.services.records import open_records
from dermascan_core.services.survey import STATEMENTS, answer_survey, survey_answers, survey_results
from dermascan_core.storage import audit
from dermascan_core.storage.places import read_places

NOW = datetime(2026, 11, 27, tzinfo=UTC)


@pytest.fixture
def database(tmp_path):
    return open_records(read_places({"DERMASCAN_RECORDS": str(tmp_path / "records")})).database


def all_of(choice):
    return dict.fromkeys(STATEMENTS, choice)


def test_nobody_has_answered(database):
    assert survey_answers(database) == {}
    assert {one.median for one in survey_results(database)} == {None}


def test_last_answer_of_each_clinician_counts_and_the_trail_keeps_all(database):
    answer_survey(database, all_of(1), actor="ada", now=NOW)
    answer_survey(database, all_of(2), actor="ben", now=NOW)
    answer_survey(database, all_of(5) | {"utility": 4}, actor="ada", now=NOW + timedelta(days=1))

    by_name = {one.name: one for one in survey_results(database)}

    assert by_name["accuracy"].counts == (0, 1, 0, 0, 1)
    assert by_name["utility"].counts == (0, 1, 0, 1, 0)
    assert (by_name["accuracy"].median, by_name["utility"].median) == (3.5, 3)
    with database.reading() as session:
        kept = [one.detail["accuracy"] for one in audit.entries(session, subjects=["survey"])]
        assert kept == [1, 2, 5]
        assert audit.verify(session).problems == ()


@pytest.mark.parametrize("answers", [{}, {"accuracy": 3}, all_of(0), all_of(6), all_of(3) | {"beauty": 3}])
def test_half_an_answer_is_refused(database, answers):
    with pytest.raises(ValueError, match="Expected an answer from 1 to 5 to each of accuracy, utility"):
        answer_survey(database, answers, actor="ada", now=NOW)

    assert survey_answers(database) == {}
