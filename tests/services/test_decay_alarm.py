"""The decay alarm turns the switch by itself, once, and leaves a person's own decision alone for three months."""

from datetime import UTC, datetime, timedelta

import pytest

from dermascan_core.evaluation.outcomes import Call, measure_calls
from dermascan_core.services import decay_alarm
from dermascan_core.services.access import LOCAL_USER
from dermascan_core.services.decay_alarm import QUIET_FOR, withhold_on_decay
from dermascan_core.services.outcome_statistics import report_outcomes
from dermascan_core.services.records import open_records
from dermascan_core.services.withholding import VARIABLE, Withheld, read_switch, set_withholding
from dermascan_core.storage import audit

NOW = datetime(2026, 11, 27, 9, 5, tzinfo=UTC)


@pytest.fixture
def records(tmp_path, monkeypatch):
    for name in (VARIABLE, "DERMASCAN_DATABASE_URL", "DERMASCAN_KEY", "DERMASCAN_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "records"))
    return open_records()


@pytest.fixture
def biopsies(monkeypatch):
    """Let the biopsies say that so many of 40 cancers, and so many of 40 others, were called rightly by the threshold."""

    def say(n_found, n_cleared=30):
        cancers = [Call(f"c{n}", True, n < n_found) for n in range(40)]
        measured = measure_calls([*cancers, *[Call(f"n{n}", False, n >= n_cleared) for n in range(40)]])

        def report(records, *, verified_by):
            assert verified_by == ("histopathology",)
            found = report_outcomes(records, verified_by=verified_by)
            found.model["threshold"] = measured
            return found

        monkeypatch.setattr(decay_alarm, "report_outcomes", report)

    return say


def test_fewer_cancers_found_than_in_the_test_withholds_calm_answers(records, biopsies):
    biopsies(24)

    turned = withhold_on_decay(records, now=NOW)

    assert turned == read_switch(records.places)
    assert (turned.withheld, turned.by) == (Withheld.CALM, "decay alarm")
    assert turned.why.startswith(
        "the model's threshold found 24 of 40 biopsied cancers and pre-cancers; in its test it found "
    )
    with records.database.reading() as session:
        assert [(one.actor, one.action) for one in audit.entries(session)] == [("decay alarm", "answers withheld")]
    assert withhold_on_decay(records, now=NOW + timedelta(days=1)) is None  # it is on already


@pytest.mark.parametrize(("n_found", "n_cleared"), [(40, 30), (36, 30), (40, 0)])
def test_as_good_as_the_test_a_chance_or_more_false_alarms_withhold_nothing(records, biopsies, n_found, n_cleared):
    biopsies(n_found, n_cleared)

    assert withhold_on_decay(records, now=NOW) is None
    assert not records.places.switch.exists()


def test_no_outcome_withholds_nothing(records):
    assert withhold_on_decay(records, now=NOW) is None


def test_person_s_decision_stands_for_three_months(records, biopsies):
    biopsies(24)
    withhold_on_decay(records, now=NOW)
    set_withholding(LOCAL_USER, Withheld.NONE, why="a camera was out of order, and is mended", now=NOW)

    assert withhold_on_decay(records, now=NOW + QUIET_FOR - timedelta(minutes=1)) is None
    assert withhold_on_decay(records, now=NOW - timedelta(days=2)).withheld is Withheld.CALM  # the clock went backwards
    set_withholding(LOCAL_USER, Withheld.NONE, why="a camera was out of order, and is mended", now=NOW)
    assert withhold_on_decay(records, now=NOW + QUIET_FOR).withheld is Withheld.CALM


def test_stopped_answers_stay_stopped(records, biopsies):
    biopsies(24)
    set_withholding(LOCAL_USER, Withheld.ALL, why="the wrong model was installed", now=NOW)

    assert withhold_on_decay(records, now=NOW) is None
    assert read_switch(records.places).withheld is Withheld.ALL


def test_switch_that_a_person_turned_while_it_was_measured_stays(records, biopsies, monkeypatch):
    biopsies(24)
    measure = decay_alarm.report_outcomes

    def report(*arguments, **options):
        set_withholding(LOCAL_USER, Withheld.ALL, why="the camera is broken", now=NOW)
        return measure(*arguments, **options)

    monkeypatch.setattr(decay_alarm, "report_outcomes", report)

    assert withhold_on_decay(records, now=NOW) is None
    assert read_switch(records.places).withheld is Withheld.ALL
