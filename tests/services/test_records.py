"""Opening records, adding and finding people and lesions."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from dermascan_core.errors import ConsentError, MetadataError, RecordError, SealError
from dermascan_core.services import records as service
from dermascan_core.services.audit_trail import verify_trail
from dermascan_core.services.history import note_view, person_history
from dermascan_core.services.overview import each_person
from dermascan_core.services.records import (
    ConsentGiven,
    Records,
    add_lesion,
    add_person,
    find_person,
    give_consent,
    list_people,
    open_existing_records,
    open_records,
    withdraw_consent,
)
from dermascan_core.storage.places import read_places
from tests.attacks import CSV_FORMULAS, SQL_INJECTIONS, XSS
from tests.clinic import CONSENT, NOW, somebody

ROOT = Path(__file__).resolve().parents[2]
AS_TYPED = (*SQL_INJECTIONS, *XSS, *CSV_FORMULAS, "\0", "a\0b", "\ud800", "🩺" * 20, "%", "_", "\\%")


def test_records_are_made_on_first_use_and_found_again(tmp_path: Path) -> None:
    places = read_places({"DERMASCAN_RECORDS": str(tmp_path / "records")})
    first = open_records(places)
    person, _ = somebody(first)
    first.close()

    again = open_existing_records(places)

    assert find_person(again, person.pseudonym) == person
    again.close()


def test_another_key_does_not_open_records(tmp_path: Path) -> None:
    places = read_places({"DERMASCAN_RECORDS": str(tmp_path)})
    first = open_records(places)
    somebody(first)
    first.close()
    other = read_places({"DERMASCAN_RECORDS": str(tmp_path), "DERMASCAN_KEY": "A" * 43 + "="})

    with pytest.raises(SealError, match="It was sealed with key"):
        open_records(other)


def test_records_that_are_not_there_are_not_made_by_looking(tmp_path: Path) -> None:
    places = read_places({"DERMASCAN_RECORDS": str(tmp_path / "none")})

    with pytest.raises(RecordError) as caught:
        open_existing_records(places)

    assert str(caught.value) == (
        f"There are no records in '{tmp_path / 'none'}' yet. Name their folder with DERMASCAN_RECORDS, or begin them: python -m dermascan_core db upgrade"
    )
    assert not (tmp_path / "none").exists()


def test_person_is_found_by_id_by_pseudonym_and_as_typed(records: Records) -> None:
    person, lesion = somebody(records)

    typed = f" {person.pseudonym.lower().replace('-', ' ')} "

    assert find_person(records, person.id) == person
    assert find_person(records, person.pseudonym) == person
    assert find_person(records, typed) == person
    assert (person.name, person.birth_year, person.sex, person.created_by) == ("Jane Roe", 1961, "female", "ada")
    history = person_history(records, person.id)
    assert [found.lesion for found in history.lesions] == [lesion]
    assert lesion.label == "left shoulder"
    assert [(one.text_version, one.keep_until) for one in history.consents] == [("1", CONSENT.keep_until)]


def test_name_and_label_lie_sealed_in_the_database(records: Records) -> None:
    somebody(records)

    with records.database.reading() as session:
        name = session.execute(text("SELECT name FROM people")).scalar_one()
        label = session.execute(text("SELECT label FROM lesions")).scalar_one()

    assert b"Jane" not in bytes(name)
    assert b"shoulder" not in bytes(label)


def test_unknown_person_is_said_plainly(records: Records) -> None:
    with pytest.raises(RecordError) as caught:
        find_person(records, "P-7K3F-23")

    assert str(caught.value) == (
        "Expected the pseudonym of somebody in the records, such as P-7K3F-23. There is nobody of that one. Check it."
    )


@pytest.mark.parametrize(
    ("consent", "message"),
    [
        (ConsentGiven(NOW), "Expected a day in the future until which records are kept. Received 2026-11-26."),
        (
            ConsentGiven(NOW + timedelta(days=1), text_version="0"),
            "Expected a consent to one of the texts 1, clinic-1. Received '0'.",
        ),
    ],
)
def test_nobody_is_added_without_a_consent_that_holds(records: Records, consent: ConsentGiven, message: str) -> None:
    with pytest.raises(ConsentError) as caught:
        add_person(records, consent, actor="ada", now=NOW)

    assert str(caught.value) == message
    assert list_people(records).n_people == 0


@pytest.mark.parametrize(("birth_year", "sex"), [(1899, None), (2027, None), (None, "F"), (None, "")])
def test_what_cannot_be_true_of_a_person_is_refused(records: Records, birth_year: int | None, sex: str | None) -> None:
    with pytest.raises(MetadataError, match="Expected a"):
        add_person(records, CONSENT, actor="ada", now=NOW, birth_year=birth_year, sex=sex)


def test_lesion_of_an_unknown_site_is_refused(records: Records) -> None:
    person, _ = somebody(records)

    with pytest.raises(MetadataError):
        add_lesion(records, person.id, actor="ada", now=NOW, anatom_site="tail")


def test_name_of_201_characters_is_refused(records: Records) -> None:
    with pytest.raises(RecordError) as caught:
        add_person(records, CONSENT, actor="ada", now=NOW, name="x" * 201)

    assert str(caught.value) == "Expected a name of at most 200 characters. Received 201. Shorten it."


def test_search_finds_parts_of_pseudonyms_in_any_case(records: Records) -> None:
    added = [somebody(records)[0] for _ in range(3)]

    found = list_people(records, search=added[1].pseudonym[2:].lower())

    assert found.people == (added[1],)
    assert list_people(records).n_people == 3


def test_list_is_given_in_parts_and_says_how_many_there_are(records: Records) -> None:
    added = [
        add_person(records, CONSENT, actor="ada", now=NOW + timedelta(minutes=minute)).pseudonym for minute in range(5)
    ]

    pages = [list_people(records, offset=offset, limit=2) for offset in (0, 2, 4)]

    assert [page.n_people for page in pages] == [5, 5, 5]
    assert [person.pseudonym for page in pages for person in page.people] == added[::-1]


def test_made_up_people_can_be_listed_apart(records: Records) -> None:
    somebody(records)
    demo = add_person(records, CONSENT, actor="ada", now=NOW, is_demo=True)

    assert list_people(records, is_demo=True).people == (demo,)
    assert list_people(records, is_demo=False).n_people == 1


def test_overview_says_until_when_each_person_agreed(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    from dermascan_core.services import overview

    monkeypatch.setattr(overview, "_AT_ONCE", 2)
    first, second, third = (
        add_person(records, CONSENT, actor="ada", now=NOW + timedelta(minutes=minute)) for minute in range(3)
    )
    give_consent(records, first.id, ConsentGiven(NOW + timedelta(days=900)), actor="ada", now=NOW)
    withdraw_consent(records, second.id, actor="ada", now=NOW)

    lines = list(each_person(records, now=NOW))

    assert [(line.person.pseudonym, line.keep_until) for line in lines] == [
        (third.pseudonym, CONSENT.keep_until),
        (second.pseudonym, None),
        (first.pseudonym, NOW + timedelta(days=900)),
    ]


def test_what_attackers_type_is_kept_as_typed_and_finds_nobody(records: Records) -> None:
    found = {}
    for typed in AS_TYPED:
        person = add_person(records, CONSENT, actor="ada", now=NOW, name=typed)
        lesion = add_lesion(records, person.id, actor="ada", now=NOW, label=typed)
        found[typed] = (person_history(records, person.id).person.name, lesion.label)
        with pytest.raises(RecordError, match="There is nobody of that one"):
            find_person(records, typed)

    assert found == {typed: (typed.strip() or None, typed.strip() or None) for typed in AS_TYPED}
    assert [typed for typed in AS_TYPED if list_people(records, search=typed).n_people] == []
    assert list_people(records).n_people == len(AS_TYPED)
    assert verify_trail(records).is_intact


def test_every_change_is_in_the_trail_and_no_name_is(records: Records) -> None:
    from dermascan_core.storage import audit

    person, lesion = somebody(records)
    withdraw_consent(records, person.id, actor="bob", now=NOW)

    with records.database.reading() as session:
        entries = list(audit.entries(session))

    assert [(entry.actor, entry.action, entry.subject) for entry in entries] == [
        ("ada", "person added", f"person {person.id}"),
        ("ada", "consent given", f"person {person.id}"),
        ("ada", "lesion added", f"lesion {lesion.id}"),
        ("bob", "consent withdrawn", f"person {person.id}"),
    ]
    assert not any(word in str(entries) for word in ("Jane", "shoulder", person.pseudonym))


def test_that_somebody_looked_is_in_the_trail(records: Records) -> None:
    from dermascan_core.storage import audit

    person, _ = somebody(records)

    note_view(records, person.id, actor="bob", now=NOW)

    with records.database.reading() as session:
        *_, last = audit.entries(session, subjects=[f"person {person.id}"])
    assert (last.actor, last.action) == ("bob", "records seen")
    with pytest.raises(RecordError, match="There is nobody"):
        note_view(records, "0" * 32, actor="bob", now=NOW)


def test_consent_texts_include_the_one_that_is_asked_for() -> None:
    assert service.CONSENT_VERSION in service.CONSENT_TEXTS


def test_answering_a_photo_starts_without_database_and_cipher() -> None:
    """Whoever keeps nothing waits for nothing of it."""
    code = (
        "import sys, dermascan_core.cli, dermascan_core.services.screening, dermascan_core.services.models\n"
        "import dermascan_core.services.batch, dermascan_core.services.doctor\n"
        "print([name for name in ('sqlalchemy', 'alembic', 'cryptography', 'argon2', 'authlib') if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
