"""Against biopsy on screen: counts, shares only where there are enough, and the look that is due every three months."""

from datetime import UTC, datetime, timedelta

import pytest

from dermascan_core.services.access import NOBODY
from dermascan_core.services.checks import is_check_due
from dermascan_core.services.readings import add_outcome
from dermascan_core.services.review_case import open_case
from dermascan_core.services.survey import STATEMENTS, survey_answers
from tests.pages.reading import seen
from tests.pages.reviewing import ADA, clinic, keep_case, open_as, press


@pytest.fixture
def records(tmp_path, monkeypatch):
    return clinic(tmp_path / "records", monkeypatch)


def biopsy(records, screening, dx="mel"):
    now = datetime.now(UTC)
    lesion_id = open_case(records, screening).lesion.id
    add_outcome(records, lesion_id, dx=dx, confirmed_by="histopathology", found_at=now, actor="ada", now=now)
    return lesion_id


def test_nothing_known_yet_says_what_to_do(records, monkeypatch):
    keep_case(records)

    page = open_as(ADA, monkeypatch, "outcomes")

    assert "No outcome is known yet. Enter one in the history of a case." in seen(page)
    assert "No case has been read by two clinicians yet." in seen(page)


def test_one_outcome_is_counted_and_not_shown_as_a_share(records, monkeypatch):
    biopsy(records, keep_case(records))

    page = open_as(ADA, monkeypatch, "outcomes")

    assert "**1 lesion with an outcome**: mel 1." in seen(page)
    assert "Sensitivity: 1 of 1 (too few to show as a share)" in seen(page)
    assert "%" not in seen(page).partition("Against biopsy")[2]


def test_missed_cancer_is_named(records, monkeypatch):
    screening = keep_case(records, lesion=(205, 165, 140))
    lesion_id, pseudonym = biopsy(records, screening, "bcc"), open_case(records, screening).person.pseudonym
    links = []
    monkeypatch.setattr(
        "streamlit.page_link",
        lambda path, *, label, icon, query_params: links.append((path, label, query_params)),
    )

    page = open_as(ADA, monkeypatch, "outcomes")

    name = f"lesion {lesion_id[:8]}"
    assert "- Missed, each with its history:" in seen(page)
    assert ("pages/case_history.py", f"{pseudonym}, {name}", {"person": pseudonym, "lesion": lesion_id}) in links
    history = open_as(ADA, monkeypatch, "case_history", screening=screening)
    assert pseudonym in [header.value for header in history.header]
    assert f"On Against biopsy: {name}" in [caption.value for caption in history.caption]


def test_page_says_which_of_several_answers_counts(records, monkeypatch):
    page = open_as(ADA, monkeypatch, "outcomes")

    assert "of several answers of the model, the last one before it" in seen(page)


def test_page_does_not_send_to_itself_when_a_look_is_due(records, monkeypatch):
    biopsy(records, keep_case(records))

    page = open_as(ADA, monkeypatch, "outcomes")

    assert "It is time for a look" in seen(page)
    assert "open the page Against biopsy" not in seen(page)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ("worse", "**Worse than in the test**: sensitivity of the model's threshold; in its test 96 %"),
        ("lower", "Lower than in the test by more than 5 points, which may be chance: sensitivity"),
        ("as usual", "- As in the test: sensitivity of the model's threshold; in its test 96 %."),
    ],
)
def test_model_that_got_worse_is_told(records, monkeypatch, found, words):
    biopsy(records, keep_case(records))
    monkeypatch.setattr(
        "dermascan_core.services.drift.find_decay", lambda measured, name: {"sensitivity": (found, 0.96)}
    )

    page = open_as(ADA, monkeypatch, "outcomes")

    assert words in seen(page)
    assert [error.value[:26] for error in page.error] == (["**Worse than in the test**"] if found == "worse" else [])


def test_survey_is_kept_once_all_five_are_answered(records, monkeypatch):
    page = open_as(ADA, monkeypatch, "outcomes")
    assert "Nobody has answered yet." in seen(page)

    press(page, "keep_survey")
    assert [error.value for error in page.error] == ["Please answer all five: one is missing."]
    for name in STATEMENTS:
        page.segmented_control(key=f"survey_{name}").set_value(4)
    press(page, "keep_survey")

    assert not page.exception
    assert "Answered by 1 clinician; of each the last answer counts." in seen(page)
    assert "- It helps me to decide what to do next: median **4** of 5 (chosen 1 to 5: 0, 0, 0, 1, 0)" in seen(page)
    assert survey_answers(records.database) == {ADA.name: dict.fromkeys(STATEMENTS, 4)}


def test_look_at_the_figures_is_noted_and_due_again_after_three_months(records, monkeypatch):
    now = datetime.now(UTC)
    assert not is_check_due(records.database, now=now)
    biopsy(records, keep_case(records))
    assert is_check_due(records.database, now=now)

    page = open_as(ADA, monkeypatch, "outcomes")
    press(page, "note_check")

    assert "by ada" in seen(page)
    now = datetime.now(UTC)
    assert not is_check_due(records.database, now=now)
    assert is_check_due(records.database, now=now + timedelta(days=93))
    assert is_check_due(records.database, now=now - timedelta(days=3))


def test_demo_outcomes_ask_for_no_look(records):
    biopsy(records, keep_case(records, is_demo=True))

    assert not is_check_due(records.database, now=datetime.now(UTC))


def test_public_sees_no_figures(records, monkeypatch):
    biopsy(records, keep_case(records))

    page = open_as(NOBODY, monkeypatch, "outcomes")

    assert "Sensitivity" not in seen(page)
