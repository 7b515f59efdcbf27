"""Pseudonyms: readable, and a wrong one is noticed."""

import itertools
from datetime import UTC, datetime

import pytest

from dermascan_core.storage import people
from dermascan_core.storage.database import Database
from dermascan_core.storage.people import new_pseudonym, read_pseudonym
from dermascan_core.storage.vault import FixedKeys, Vault, new_key

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
VAULT = Vault(FixedKeys((new_key(),)))
SIGNS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"


@pytest.mark.parametrize("typed", ["P-7K3F-23", "p-7k3f-23", " 7K3F23 ", "P7K3F23", "7k3f 23"])
def test_pseudonym_is_read_as_people_type_it(typed: str) -> None:
    assert read_pseudonym(typed) == "P-7K3F-23"


@pytest.mark.parametrize("typed", ["", "P-", "P-7K3F-2", "P-7K3F-23U", "P-7K3F-2I", "P-7K3F-20", "\0" * 6, "ſ" * 6])
def test_what_is_no_pseudonym_is_none(typed: str) -> None:
    assert read_pseudonym(typed) is None


def test_every_mistyped_sign_and_every_two_swapped_are_noticed() -> None:
    signs = "7K9F2N"
    wrong = [signs[:i] + sign + signs[i + 1 :] for i in range(6) for sign in SIGNS if sign != signs[i]]
    for i, j in itertools.combinations(range(6), 2):
        swapped = list(signs)
        swapped[i], swapped[j] = swapped[j], swapped[i]
        wrong.append("".join(swapped))

    assert read_pseudonym(signs) is not None
    assert len(wrong) == 6 * 30 + 15
    assert [one for one in wrong if read_pseudonym(one) is not None] == []


def test_new_pseudonyms_are_read_back() -> None:
    made = {new_pseudonym() for _ in range(1000)}

    assert len(made) > 995
    assert all(read_pseudonym(one) == one for one in made)


def test_pseudonym_that_somebody_has_is_not_given_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["P-7K3F-23", "P-7K3F-23", "P-2222-22"])
    monkeypatch.setattr(people, "new_pseudonym", lambda: next(drawn))
    who = {"name": None, "birth_year": None, "sex": None, "is_demo": False, "created_by": "ada", "now": NOW}

    with database.transaction() as session:
        added = [people.add_person(session, VAULT, **who).pseudonym for _ in range(2)]

    assert tuple(added) == ("P-7K3F-23", "P-2222-22")
