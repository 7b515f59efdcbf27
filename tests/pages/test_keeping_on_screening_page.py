"""Keeping a result: only when asked, only with consent, for whoever may; and nothing else is imported for it."""

import subprocess
import sys

import pytest

from dermascan_core.services.access import NOBODY
from dermascan_core.services.history import list_screenings, person_history
from dermascan_core.services.records import list_people
from tests.contract.tree import ROOT
from tests.pages.acting import jpeg, screened
from tests.pages.reading import seen
from tests.pages.reviewing import ADA, clinic, labels, press


@pytest.fixture
def records(tmp_path, monkeypatch):
    monkeypatch.setattr("pages._ui.keeping.current_user", lambda: ADA)
    return clinic(tmp_path / "records", monkeypatch)


def opened(open_page):
    page = screened(open_page, jpeg(), worried="no")
    page.toggle(key="keep_open").set_value(True).run()
    assert not page.exception
    return page


def keeping_box(page):
    return next(box for box in page.expander if box.label == "Keep this in my records")


def test_nothing_is_kept_without_consent(records, open_page):
    page = opened(open_page)

    assert page.button(key="keep_result").disabled
    assert list_people(records).n_people == 0


def test_box_stays_open_once_keeping_is_asked_for(records, open_page):
    page = screened(open_page, jpeg(), worried="no")
    assert not keeping_box(page).proto.expanded

    page.toggle(key="keep_open").set_value(True).run()

    assert keeping_box(page).proto.expanded


def test_read_it_opens_the_case_just_kept(records, open_page, monkeypatch):
    links = []
    monkeypatch.setattr("pages._ui.keeping.link_page", lambda path, label, **how: links.append((path, how["query"])))
    page = opened(open_page)

    page.checkbox(key="keep_agrees").check().run()
    press(page, "keep_result")

    [kept] = list_screenings(records).screenings
    assert links == [("pages/review.py", {"screening": kept.screening_id})]


def test_result_is_kept_with_consent_for_somebody_new(records, open_page):
    page = opened(open_page)

    page.text_input(key="keep_label").set_value("left shoulder")
    page.checkbox(key="keep_agrees").check().run()
    press(page, "keep_result")

    [person] = list_people(records).people
    assert f"Kept for {person.pseudonym}." in page.success[0].value
    history = person_history(records, person.id)
    assert history.lesions[0].lesion.label == "left shoulder"
    assert not history.consents[0].allows_training
    assert list_screenings(records).n_screenings == 1


def test_second_result_goes_to_the_same_spot_of_the_same_person(records, open_page):
    page = opened(open_page)
    page.checkbox(key="keep_agrees").check().run()
    press(page, "keep_result")
    [person] = list_people(records).people

    again = opened(open_page)
    again.text_input(key="keep_person").set_value(person.pseudonym.lower()).run()
    again.selectbox(key="keep_lesion").set_value(person_history(records, person.id).lesions[0].lesion.id)
    again.checkbox(key="keep_agrees").check().run()
    press(again, "keep_result")

    [lesion] = person_history(records, person.id).lesions
    assert len(lesion.cases) == 2
    assert len(lesion.photos) == 1


def test_unknown_pseudonym_is_told_in_words(records, open_page):
    page = opened(open_page)

    page.text_input(key="keep_person").set_value("'; DROP TABLE people; --").run()

    assert "There is nobody of that one." in page.error[-1].value


def test_generated_example_is_not_kept(records, open_page):
    page = open_page("screening")
    page.button(key="example_even-mole").click().run()

    assert "A generated picture is nobody's: there is nothing to keep." in seen(page)
    assert "Keep it" not in labels(page)


def test_public_is_offered_nothing(records, open_page, monkeypatch):
    monkeypatch.setattr("pages._ui.keeping.current_user", lambda: NOBODY)

    page = screened(open_page, jpeg(), worried="no")

    assert "Keep this in my records" not in [box.label for box in page.expander]


def test_screening_page_imports_no_database_before_records_are_used():
    code = (
        "import sys, pages._ui.keeping, pages._ui.result\n"
        "print([m for m in ('sqlalchemy', 'cryptography', 'argon2', 'alembic', 'authlib') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
