"""Accounts and sessions on every kind of database: names are one person's, and whoever comes at once is counted."""

import threading
from collections import Counter

import pytest
from sqlalchemy import select

from dermascan_core.errors import AccessError
from dermascan_core.services.access import LOCAL_USER, Role
from dermascan_core.services.logins import NOT_TOGETHER, Access, Standing
from dermascan_core.storage import audit
from dermascan_core.storage.database import Database
from dermascan_core.storage.schema import Account, Login
from tests.attacks import SQL_INJECTIONS
from tests.staff import BROWSER, NOW, OTHER_BROWSER, PASSWORD, hash_quickly, later, log_in, staffed


@pytest.fixture
def clinic(database: Database, monkeypatch: pytest.MonkeyPatch) -> Access:
    hash_quickly(monkeypatch)
    return staffed(database)


def at_once(*verbs) -> list[str]:
    """What each of several threads met: "" or the first words of its error."""
    heard: list[str] = []
    ready = threading.Barrier(len(verbs))

    def run(verb) -> None:
        ready.wait()
        try:
            verb()
            heard.append("")
        except AccessError as error:
            heard.append(str(error).partition(".")[0])

    threads = [threading.Thread(target=run, args=(verb,)) for verb in verbs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return heard


def test_session_lives_ends_and_is_in_the_trail(clinic: Access) -> None:
    token = log_in(clinic).token

    assert isinstance(clinic.resume(token, browser=BROWSER, now=later(minutes=10)), Standing)
    assert clinic.resume(token, browser=OTHER_BROWSER, now=later(minutes=10)) == "unknown"
    assert clinic.resume(token, browser=BROWSER, now=later(minutes=11)) == "stolen"

    with clinic.database.reading() as session:
        report = audit.verify(session)
        actions = [(entry.actor, entry.action, entry.detail.get("reason")) for entry in audit.entries(session)]
    assert report.is_intact
    assert actions == [
        ("local", "account added", None),
        ("local", "account added", None),
        ("ben", "logged in", None),
        ("ben", "logged out", "stolen"),
    ]


def test_forty_guesses_at_once_get_five_tries(clinic: Access) -> None:
    def guess(number: int) -> None:
        clinic.log_in("ben", "a guess", browser=BROWSER, address=f"address {number}", now=NOW)

    heard = Counter(at_once(*(lambda number=number: guess(number) for number in range(40))))

    assert heard == {NOT_TOGETHER.partition(".")[0]: 5, "Too many tries failed": 35}


def test_two_administrators_who_disable_each_other_at_once_leave_one(clinic: Access) -> None:
    clinic.set_role(LOCAL_USER, "ben", Role.ADMIN, now=NOW)

    heard = at_once(
        lambda: clinic.set_disabled(LOCAL_USER, "anna", is_disabled=True, now=NOW),
        lambda: clinic.set_disabled(LOCAL_USER, "ben", is_disabled=True, now=NOW),
    )

    assert sorted(words.partition(" ")[2] for words in heard) == ["", "is the last administrator"]
    assert sorted(account.is_enabled for account in clinic.accounts(LOCAL_USER)) == [False, True]


def test_one_name_added_twice_at_once_is_one_account(clinic: Access) -> None:
    def add() -> None:
        clinic.add(LOCAL_USER, "carla", Role.CLINICIAN, now=NOW)

    assert sorted(at_once(add, add, add)) == ["", *["There is an account 'carla' already"] * 2]


def test_sql_in_every_field_is_only_text(clinic: Access) -> None:
    before = clinic.accounts(LOCAL_USER)

    for number, text in enumerate(SQL_INJECTIONS):
        with pytest.raises(AccessError):
            clinic.log_in(text, text, browser=text, address=text, now=later(days=number))
        assert clinic.resume(text, browser=text, now=NOW) == "unknown"
        for verb in (
            lambda text=text: clinic.add(LOCAL_USER, text, Role.ADMIN, now=NOW),
            lambda text=text: clinic.set_role(LOCAL_USER, text, Role.CLINICIAN, now=NOW),
            lambda text=text: clinic.set_disabled(LOCAL_USER, text, is_disabled=True, now=NOW),
            lambda text=text: clinic.reset_password(LOCAL_USER, text, now=NOW),
            lambda text=text: clinic.link_provider(LOCAL_USER, text, subject="https://x 1", now=NOW),
            lambda text=text: clinic.set_role(LOCAL_USER, "ben", text, now=NOW),
        ):
            with pytest.raises(AccessError):
                verb()

    assert clinic.accounts(LOCAL_USER) == before


def test_nul_and_half_signs_are_only_text(clinic: Access) -> None:
    for text in ("\0", "ben\0", "\ud800", "ben\ud800", "x" * 100_000):
        with pytest.raises(AccessError, match=r"do not go together|Too many tries"):
            clinic.log_in(text, text, browser=BROWSER, address="somewhere", now=NOW)
        assert clinic.resume(text, browser=BROWSER, now=NOW) == "unknown"


def test_old_sessions_are_forgotten_after_a_month(clinic: Access) -> None:
    log_in(clinic)

    log_in(clinic, now=later(days=31))

    with clinic.database.reading() as session:
        assert len(session.scalars(select(Login)).all()) == 1


def test_password_is_kept_as_argon2id_alone(clinic: Access) -> None:
    with clinic.database.reading() as session:
        hashes = session.scalars(select(Account.password_hash)).all()

    assert all(hashed.startswith("$argon2id$") for hashed in hashes)
    assert len(set(hashes)) == 2
    assert not any(PASSWORD in hashed for hashed in hashes)
