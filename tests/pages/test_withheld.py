"""The kill switch on the pages: said on each, obeyed by each, turned by an administrator alone."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from dermascan_core.domain import NextStep
from dermascan_core.services.access import LOCAL_USER, Role, User
from dermascan_core.services.history import lesion_history
from dermascan_core.services.review_case import open_case
from dermascan_core.services.withholding import VARIABLE, Withheld, read_switch, set_withholding
from dermascan_core.triage.wording import Voice, step_title
from tests.pages.acting import OpenPage, jpeg, ranked, screened
from tests.pages.reading import seen
from tests.pages.reviewing import ADA, clinic, keep_case, open_as, press
from tests.pages.test_outcomes_page import biopsy
from tests.pages.test_review_page import read_to_the_answer
from tests.pages.test_triage_page import add_photos, rank, worklist

ROOT = Path(__file__).resolve().parents[2]
ANNA = User("anna", Role.ADMIN)
NEVUS = [0.001, 0.99, 0.001, 0.001, 0.001, 0.004, 0.001, 0.001]
WHY = "two melanomas were missed"
STOPPED = "The model's answers are stopped here, by local on 2026-11-27 09:05 UTC: two melanomas were missed."
CALM = "Calm answers are withheld here, by local on 2026-11-27 09:05 UTC: two melanomas were missed."


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def turn(withheld):
    set_withholding(LOCAL_USER, withheld, why=WHY, now=datetime(2026, 11, 27, 9, 5, tzinfo=UTC))


@pytest.fixture
def records(tmp_path, monkeypatch):
    return clinic(tmp_path / "records", monkeypatch)


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "pages").glob("*.py")))
def test_every_page_says_that_answers_are_stopped_and_why(open_page: OpenPage, name: str) -> None:
    turn(Withheld.ALL)

    page = open_page(name)

    assert (
        page.error[0].value
        == f"{STOPPED} What your own answers ask for still stands, and a doctor can look at the spot itself."
    )


def test_withheld_calm_answer_reads_as_a_routine_check(open_page: OpenPage, fake_model) -> None:
    fake_model.fixed = NEVUS
    turn(Withheld.CALM)

    page = screened(open_page, jpeg())

    assert page.warning[1].value.startswith(CALM)
    assert step_title(NextStep.WATCH, Voice.PUBLIC) not in seen(page)
    assert step_title(NextStep.ROUTINE_CHECK, Voice.PUBLIC) in seen(page)
    assert "Calm answers are withheld here at present, so the photo alone cannot calm." in seen(page)


def test_stopped_screening_shows_no_bar_and_keeps_the_answer_s_own_step(open_page: OpenPage, fake_model) -> None:
    turn(Withheld.ALL)

    page = screened(open_page, jpeg(), bleeding="yes")

    assert ranked(page) == []
    assert step_title(NextStep.SEE_DOCTOR, Voice.PUBLIC) in seen(page)
    assert [error.value.startswith(STOPPED) for error in page.error] == [True, True]  # above, and at the photo


def test_stopped_screening_sends_nobody_for_a_new_photo(open_page: OpenPage, fake_model) -> None:
    turn(Withheld.ALL)

    page = screened(open_page, jpeg())

    assert "Another photo would not help here: show the spot to a doctor." in seen(page)
    assert "new photo" not in seen(page)


def test_stopped_triage_lists_every_photo_as_not_answered(open_page: OpenPage) -> None:
    turn(Withheld.ALL)

    page = rank(add_photos(open_page("triage")))

    assert list(worklist(page)["status"]) == ["refused"] * 3
    assert all(notes.startswith(STOPPED) for notes in worklist(page)["notes"])


def test_decay_alarm_withholds_calm_answers_as_soon_as_it_is_seen(records, monkeypatch) -> None:
    biopsy(records, keep_case(records))
    monkeypatch.setattr(
        "dermascan_core.services.drift.find_decay", lambda measured, name: {"sensitivity": ("worse", 0.96)}
    )

    page = open_as(ADA, monkeypatch, "outcomes")

    assert page.warning[1].value.startswith("Calm answers are withheld here, by decay alarm on ")
    assert read_switch(records.places).withheld is Withheld.CALM
    assert "An administrator can withhold the model's answers here, or give them again." in seen(page)
    assert not [one for one in page.button if one.key == "turn_switch"]


def test_alarm_about_specificity_suggests_and_turns_nothing(records, monkeypatch) -> None:
    biopsy(records, keep_case(records))
    monkeypatch.setattr(
        "dermascan_core.services.drift.find_decay", lambda measured, name: {"specificity": ("worse", 0.8)}
    )

    page = open_as(ANNA, monkeypatch, "outcomes")

    assert read_switch(records.places).withheld is Withheld.NONE
    assert page.radio[0].value == Withheld.NONE
    assert "It sends more people to a doctor for nothing" in seen(page)
    assert "withhold them below" not in seen(page)


def test_administrator_stops_all_answers_and_gives_them_again(records, monkeypatch) -> None:
    page = open_as(ANNA, monkeypatch, "outcomes")
    page.radio[0].set_value(Withheld.ALL)
    press(page, "turn_switch")
    assert [error.value[:17] for error in page.error] == ["Expected a reason"]

    page.text_input(key="withhold_why").set_value(WHY)
    press(page, "turn_switch")
    assert page.error[0].value.startswith("The model's answers are stopped here, by anna on ")
    assert read_switch(records.places).by == "anna"

    page.radio[0].set_value(Withheld.NONE)
    page.text_input(key="withhold_why").set_value("answers agree again")
    press(page, "turn_switch")
    assert not page.error
    assert page.success[0].value.startswith("All answers are given again, by anna on ")
    assert read_switch(records.places).withheld is Withheld.NONE


def test_page_says_what_only_the_server_s_environment_can_end(records, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, "calm")

    page = open_as(ANNA, monkeypatch, "outcomes")

    assert f"The environment of this server ({VARIABLE}) withholds more than this switch" in seen(page)
    assert page.warning[1].value.startswith("Calm answers are withheld here, by whoever runs this program: ")


def test_stopped_answers_leave_the_answer_that_stands_in_review(records, monkeypatch):
    screening = keep_case(records)
    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening))
    turn(Withheld.ALL)

    press(page, f"again_{screening}")

    assert STOPPED in [error.value.partition(" What your own")[0] for error in page.error]
    assert page.query_params["screening"] == screening
    assert len(lesion_history(records, open_case(records, screening).lesion.id).cases) == 1
