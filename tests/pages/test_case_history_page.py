"""A person's history: in order, remarks and outcomes added, corrected, taken along and deleted; words stay words."""

import io
import zipfile
from datetime import UTC, datetime

import pytest

from dermascan_core.services.access import NOBODY
from dermascan_core.services.history import lesion_history, person_history
from dermascan_core.services.records import add_lesion, list_people
from dermascan_core.services.review_case import open_case
from dermascan_core.services.reviewing import withdraw
from tests.attacks import SQL_INJECTIONS, XSS
from tests.pages.reading import seen
from tests.pages.reviewing import ADA, clinic, keep_another, keep_case, open_as, press, read_blind


@pytest.fixture
def records(tmp_path, monkeypatch):
    return clinic(tmp_path / "records", monkeypatch)


def outcome(page, lesion_id, dx, way="histopathology"):
    page.selectbox(key=f"outcome_dx_{lesion_id}").set_value(dx)
    page.selectbox(key=f"outcome_way_{lesion_id}").set_value(way)
    page.button(key=f"outcome_send_{lesion_id}").click().run()
    assert not page.exception


def test_answer_of_an_unread_case_is_not_given_away_here(records, monkeypatch):
    screening = keep_case(records)

    page = open_as(ADA, monkeypatch, "case_history", screening=screening)

    assert "Not read by you yet, so its answer is not shown here." in seen(page)
    assert "melanoma" not in "\n".join(line.value for line in page.markdown)


def test_link_opens_the_first_case_that_is_not_read(records, monkeypatch):
    screening = keep_case(records)
    keep_another(records, open_case(records, screening).lesion.id, datetime.now(UTC))
    links = []
    monkeypatch.setattr(
        "streamlit.page_link", lambda path, *, label, icon, query_params: links.append((path, label, query_params))
    )

    open_as(ADA, monkeypatch, "case_history", screening=screening)

    first = ("pages/review.py", "Read what you have not read yet, the first of 2", {"screening": screening})
    assert first in links


def test_lesion_of_the_link_stands_before_the_others(records, monkeypatch):
    screening = keep_case(records)
    person = open_case(records, screening).person
    knee = add_lesion(records, person.id, actor="ada", now=datetime.now(UTC), label="left knee")
    page = open_as(ADA, monkeypatch, "case_history", screening=screening)
    before = [line.value for line in page.subheader]

    page.query_params["lesion"] = knee.id
    page.run()

    after = [line.value for line in page.subheader]
    assert before[0].startswith("left shoulder")
    assert after[:2] == [before[1], before[0]]
    assert after[2:] == before[2:]


def test_remark_and_outcome_are_kept_and_a_correction_stands_beside(records, monkeypatch):
    screening = keep_case(records)
    lesion_id = open_case(records, screening).lesion.id
    page = open_as(ADA, monkeypatch, "case_history", screening=screening)

    page.text_area(key=f"comment_text_{lesion_id}").set_value("Looked at it with a dermatoscope.")
    page.button(key=f"comment_send_{lesion_id}").click().run()
    outcome(page, lesion_id, "nv")
    outcome(page, lesion_id, "mel")

    history = lesion_history(records, lesion_id)
    assert [one.text for one in history.comments] == ["Looked at it with a dermatoscope."]
    assert [one.dx for one in history.outcomes] == ["nv", "mel"]
    assert history.outcome.dx == "mel"
    text = seen(page)
    assert text.index("entered the outcome: **nevus**") < text.index("entered the outcome: **melanoma**")
    assert "Looked at it with a dermatoscope" in text


def test_outcome_without_a_diagnosis_is_asked_for(records, monkeypatch):
    screening = keep_case(records)
    lesion_id = open_case(records, screening).lesion.id
    page = open_as(ADA, monkeypatch, "case_history", screening=screening)

    page.button(key=f"outcome_send_{lesion_id}").click().run()

    assert page.error[0].value == "Choose the diagnosis first."
    assert lesion_history(records, lesion_id).outcomes == ()


def test_all_my_data_is_a_zip_with_the_photo(records, monkeypatch):
    page = open_as(ADA, monkeypatch, "case_history", screening=keep_case(records))

    press(page, "make_export")

    with zipfile.ZipFile(io.BytesIO(page.session_state["history_export"][1])) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"records.json", "about.txt", "photos"}


def test_everything_about_me_is_deleted_only_after_the_pseudonym_was_typed(records, monkeypatch):
    keep_case(records)
    screening = keep_case(records)
    pseudonym = open_case(records, screening).person.pseudonym
    page = open_as(ADA, monkeypatch, "case_history", screening=screening)
    assert page.button(key="delete_person").disabled

    page.text_input(key="delete_word").set_value(pseudonym).run()
    press(page, "delete_person")

    assert "Deleted: " in page.success[0].value
    assert [one.pseudonym for one in list_people(records).people].count(pseudonym) == 0
    assert list_people(records).n_people == 1


def take_back(page, pseudonym):
    page.text_input(key="withdraw_word").set_value(pseudonym).run()
    press(page, "withdraw_consent")


def test_consent_is_taken_back_only_after_the_pseudonym_was_typed(records, monkeypatch):
    screening = keep_case(records)
    person = open_case(records, screening).person
    page = open_as(ADA, monkeypatch, "case_history", screening=screening)
    assert page.button(key="withdraw_consent").disabled

    page.text_input(key="withdraw_word").set_value("P-0000").run()
    assert page.button(key="withdraw_consent").disabled
    assert person_history(records, person.id).consents[0].withdrawn_at is None

    take_back(page, person.pseudonym)

    assert person_history(records, person.id).consents[0].withdrawn_at is not None
    assert "the next clean-up deletes what is there" in page.success[0].value
    assert "withdraw_consent" not in [button.key for button in page.button]


def test_each_reading_says_which_screening_it_read(records, monkeypatch):
    screening = keep_case(records)
    lesion_id = open_case(records, screening).lesion.id
    last = keep_another(records, lesion_id, datetime(2025, 3, 1, 9, tzinfo=UTC))
    read_blind(records, lesion_id)
    withdraw(records, lesion_history(records, lesion_id), last, reviewer=ADA.name, now=datetime.now(UTC))
    read_blind(records, lesion_id)

    page = open_as(ADA, monkeypatch, "case_history", screening=screening)

    text = seen(page)
    first = lesion_history(records, lesion_id).cases[0].screening.screened_at
    assert f"ada read the screening of {first:%Y-%m-%d %H:%M} UTC. Referred: " in text
    assert "ada read the screening of 2025-03-01 09:00 UTC. Referred: " in text
    assert "ada took reading 1 of the screening of 2025-03-01 09:00 UTC back." in text


def test_one_lesion_is_one(records, monkeypatch):
    page = open_as(ADA, monkeypatch, "case_history", screening=keep_case(records))

    assert "1 lesion kept." in seen(page)


def test_consent_taken_back_keeps_nothing_new(records, monkeypatch):
    screening = keep_case(records)
    lesion_id = open_case(records, screening).lesion.id
    page = open_as(ADA, monkeypatch, "case_history", screening=screening)

    take_back(page, open_case(records, screening).person.pseudonym)
    page.text_area(key=f"comment_text_{lesion_id}").set_value("one more")
    page.button(key=f"comment_send_{lesion_id}").click().run()

    assert page.error[0].value.startswith("Nothing may be kept of P-")
    assert lesion_history(records, lesion_id).comments == ()


def test_people_are_found_by_pseudonym(records, monkeypatch):
    pseudonym = open_case(records, keep_case(records)).person.pseudonym
    keep_case(records)
    page = open_as(ADA, monkeypatch, "case_history")

    page.text_input(key="people_search").set_value(pseudonym[:6]).run()
    press(page, f"open_{pseudonym}")

    assert pseudonym in [header.value for header in page.header]


def test_looking_is_in_the_audit_trail_once_a_visit(records, monkeypatch):
    screening = keep_case(records)
    person = open_case(records, screening).person
    page = open_as(ADA, monkeypatch, "case_history", screening=screening)
    page.run()

    from dermascan_core.storage.audit import entries

    with records.database.reading() as session:
        seen_by = [one for one in entries(session, subjects=[f"person {person.id}"]) if one.action == "records seen"]
    assert [one.actor for one in seen_by] == ["ada"]


@pytest.mark.parametrize("attack", [*XSS, SQL_INJECTIONS[0], "[link](javascript:alert(1))", "![x](http://a.b/c.png)"])
def test_remarks_notes_and_names_are_shown_as_text(records, monkeypatch, attack):
    screening = keep_case(records, name=attack, label=attack)
    lesion_id = open_case(records, screening).lesion.id
    page = open_as(ADA, monkeypatch, "case_history", screening=screening)

    page.text_area(key=f"comment_text_{lesion_id}").set_value(attack)
    page.button(key=f"comment_send_{lesion_id}").click().run()
    page.text_area(key=f"outcome_note_{lesion_id}").set_value(attack)
    outcome(page, lesion_id, "nv")

    history = lesion_history(records, lesion_id)
    assert history.comments[0].text == attack.strip()
    assert history.outcomes[0].note == attack.strip()
    shown = [line.value for line in (*page.markdown, *page.subheader, *page.success)]
    assert [line for line in shown if attack.strip() in line and set(attack) & set("<[!")] == []


@pytest.mark.parametrize("parameter", ["person", "screening"])
def test_the_public_sees_nobody_by_any_link(records, monkeypatch, parameter):
    screening = keep_case(records)
    pseudonym = open_case(records, screening).person.pseudonym
    monkeypatch.setattr("pages._ui.access.current_user", lambda **_: NOBODY)

    page = open_as(NOBODY, monkeypatch, "case_history", screening=screening if parameter == "screening" else "")
    if parameter == "person":
        page.query_params["person"] = pseudonym
        page.run()

    assert pseudonym not in seen(page)
    assert page.text_area.values == []


def test_history_of_somebody_without_cases_is_no_failure(records, monkeypatch):
    from datetime import timedelta

    from dermascan_core.services.records import ConsentGiven, add_person

    now = datetime.now(UTC)
    person = add_person(records, ConsentGiven(now + timedelta(days=9)), actor="ada", now=now)
    page = open_as(ADA, monkeypatch, "case_history")

    press(page, f"open_{person.pseudonym}")

    assert "0 lesions kept." in seen(page)
    assert person_history(records, person.id).lesions == ()
