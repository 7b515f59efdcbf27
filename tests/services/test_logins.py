"""Logging in, staying in, getting out: what lets somebody in, and all that does not."""

import re
import secrets
import threading
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from dermascan_core.errors import AccessError
from dermascan_core.services.access import LOCAL_USER, Role, User
from dermascan_core.services.logins import NOT_TOGETHER, Access, Standing
from dermascan_core.storage import passwords
from dermascan_core.storage.schema import Account as AccountRow
from dermascan_core.storage.schema import AuditEntry
from dermascan_core.storage.schema import Login as LoginRow
from tests.attacks import SQL_INJECTIONS, XSS
from tests.staff import (
    ADDRESS,
    BROWSER,
    NOW,
    OTHER_BROWSER,
    PASSWORD,
    hash_quickly,
    later,
    log_in,
    new_database,
    staffed,
)

ANNA = User("anna", Role.ADMIN)


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Access:
    hash_quickly(monkeypatch)
    monkeypatch.delenv("DERMASCAN_SESSION_MINUTES", raising=False)
    return staffed(new_database(tmp_path))


def trail(access: Access) -> list[tuple[str, str]]:
    """Who did what, in order, after the two accounts were added."""
    with access.database.transaction() as session:
        rows = session.execute(select(AuditEntry.actor, AuditEntry.action).order_by(AuditEntry.number)).all()
    return [(row.actor, row.action) for row in rows][2:]


def who(access: Access, token: str, *, browser: str = BROWSER, now: datetime = NOW) -> str:
    """The login name that a token stands for, or how it ended."""
    found = access.resume(token, browser=browser, now=now)
    return found.account.login if isinstance(found, Standing) else str(found)


def test_right_password_lets_in_and_the_token_is_stored_as_a_hash_alone(clinic: Access) -> None:
    entry = log_in(clinic, " Ben ")

    assert who(clinic, entry.token) == "ben"
    assert len(entry.token) == 43
    with clinic.database.transaction() as session:
        stored = session.scalars(select(LoginRow)).one()
    assert entry.token not in f"{stored.token_sha256} {stored.id} {stored.browser}"
    assert trail(clinic) == [("ben", "logged in")]


def test_wrong_name_wrong_password_and_disabled_account_get_one_answer(clinic: Access) -> None:
    clinic.set_disabled(ANNA, "ben", is_disabled=True, now=NOW)
    answers = []
    for name, password in (("anna", "wrong"), ("nobody", PASSWORD), ("ben", PASSWORD), ("", "")):
        with pytest.raises(AccessError) as caught:
            log_in(clinic, name, password)
        answers.append(str(caught.value))

    assert answers == [NOT_TOGETHER] * 4


def test_failed_logins_are_in_the_trail_without_what_was_typed(clinic: Access) -> None:
    for name in ("anna", "my-secret-password"):
        with pytest.raises(AccessError):
            log_in(clinic, name, "wrong")

    with clinic.database.transaction() as session:
        failed = session.scalars(select(AuditEntry).where(AuditEntry.action == "login failed")).all()
        account = session.scalars(select(AccountRow).where(AccountRow.login == "anna")).one()
        written = " ".join(f"{row.actor} {row.subject} {row.detail}" for row in session.scalars(select(AuditEntry)))
    assert [row.subject for row in failed] == [f"account {account.id}", "account unknown"]
    assert "my-secret-password" not in written


def test_sixth_failed_try_waits_and_says_how_long(clinic: Access) -> None:
    for _ in range(5):
        with pytest.raises(AccessError, match=f"^{re.escape(NOT_TOGETHER)}$"):
            log_in(clinic, "ben", "wrong")

    with pytest.raises(AccessError, match=r"^Too many tries failed\. Wait 1 seconds, then try again\.$"):
        log_in(clinic, "ben", PASSWORD)
    assert log_in(clinic, "ben", now=later(seconds=1)).account.login == "ben"


def test_account_that_does_not_exist_is_slowed_just_as_much(clinic: Access) -> None:
    answers: dict[str, list[str]] = {"ben": [], "nobody": []}
    for name, heard in answers.items():
        for _ in range(8):
            with pytest.raises(AccessError) as caught:
                clinic.log_in(name, "wrong", browser=BROWSER, address=f"address of {name}", now=NOW)
            heard.append(str(caught.value))

    assert answers["ben"] == answers["nobody"]


def test_hundred_guesses_at_once_are_counted_like_one_after_another(clinic: Access) -> None:
    heard: list[str] = []

    def guess(number: int) -> None:
        try:
            clinic.log_in("ben", f"guess {number}", browser=BROWSER, address=f"address {number}", now=NOW)
            heard.append("in")
        except AccessError as error:
            heard.append(str(error).partition(".")[0])

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Counter(heard) == {NOT_TOGETHER.partition(".")[0]: 5, "Too many tries failed": 95}


def test_old_hash_is_made_anew_at_the_next_login(clinic: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))

    log_in(clinic)

    with clinic.database.transaction() as session:
        stored = session.scalars(select(AccountRow).where(AccountRow.login == "ben")).one().password_hash
    assert "m=16,t=2,p=1" in stored
    assert log_in(clinic).account.login == "ben"


def test_browser_without_cookies_cannot_log_in(clinic: Access) -> None:
    with pytest.raises(AccessError, match=r"^Logging in needs cookies, and this browser sends none\."):
        log_in(clinic, browser="")


def test_idle_session_ends_after_fifteen_minutes_and_stays_ended(clinic: Access) -> None:
    token = log_in(clinic).token

    assert who(clinic, token, now=later(minutes=14, seconds=59)) == "ben"
    assert who(clinic, token, now=later(minutes=29, seconds=58)) == "ben"
    assert who(clinic, token, now=later(minutes=44, seconds=58)) == "idle"
    assert who(clinic, token, now=later(minutes=44, seconds=59)) == "idle"
    assert trail(clinic) == [("ben", "logged in"), ("ben", "logged out")]


def test_page_that_renews_itself_keeps_nobody_logged_in(clinic: Access) -> None:
    token = log_in(clinic).token

    for minute in range(15):
        clinic.resume(token, browser=BROWSER, now=later(minutes=minute), is_by_hand=False)

    assert who(clinic, token, now=later(minutes=15)) == "idle"


def test_busy_session_ends_after_twelve_hours(clinic: Access) -> None:
    token = log_in(clinic).token
    for minute in range(0, 720, 10):
        assert who(clinic, token, now=later(minutes=minute)) == "ben"

    assert who(clinic, token, now=later(hours=12)) == "too_long"


def test_session_length_is_a_setting(clinic: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMASCAN_SESSION_MINUTES", "2")
    token = log_in(clinic).token

    assert who(clinic, token, now=later(seconds=119)) == "ben"
    assert who(clinic, token, now=later(seconds=240)) == "idle"


@pytest.mark.parametrize("given", ["0", "-1", "721", "soon", "1.5", "\u0665"])
def test_impossible_session_length_lets_nobody_in(clinic: Access, monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    token = log_in(clinic).token
    monkeypatch.setenv("DERMASCAN_SESSION_MINUTES", given)

    with pytest.raises(AccessError, match=r"^Expected DERMASCAN_SESSION_MINUTES to be whole minutes from 1 to 720"):
        clinic.resume(token, browser=BROWSER, now=NOW)


@pytest.mark.parametrize("back", [timedelta(seconds=6), timedelta(hours=1), timedelta(days=4000)])
def test_clock_set_back_ends_a_session(clinic: Access, back: timedelta) -> None:
    token = log_in(clinic).token

    assert who(clinic, token, now=NOW - back) == "clock"
    assert who(clinic, token, now=NOW) == "clock"


def test_threads_that_read_the_clock_a_little_apart_end_no_session(clinic: Access) -> None:
    token = log_in(clinic).token

    assert who(clinic, token, now=NOW - timedelta(seconds=4)) == "ben"
    assert who(clinic, token, now=later(minutes=15)) == "idle"


def test_logged_out_token_lets_nobody_in_a_hundred_times(clinic: Access) -> None:
    tokens = [log_in(clinic).token for _ in range(100)]
    for token in tokens:
        clinic.log_out(token, now=NOW)

    assert Counter(who(clinic, token) for token in tokens) == {"logged_out": 100}


def test_stolen_token_lets_nobody_in_a_hundred_times_and_ends_its_session(clinic: Access) -> None:
    tokens = [log_in(clinic).token for _ in range(100)]

    assert Counter(who(clinic, token, browser=secrets.token_hex(32)) for token in tokens) == {"unknown": 100}
    assert Counter(who(clinic, token) for token in tokens) == {"stolen": 100}


def test_expired_token_lets_nobody_in_a_hundred_times(clinic: Access) -> None:
    tokens = [log_in(clinic).token for _ in range(100)]

    heard = Counter(who(clinic, token, now=later(minutes=15 + number)) for number, token in enumerate(tokens))

    assert heard == {"idle": 100}


def test_forged_tokens_let_nobody_in_a_hundred_times(clinic: Access) -> None:
    token = log_in(clinic).token
    with clinic.database.transaction() as session:
        stored = session.scalars(select(LoginRow)).one()
    forged = [secrets.token_urlsafe(32) for _ in range(40)]
    forged += [token[:length] for length in range(42)]
    forged += [token + "x", token.upper(), token.lower(), token[::-1], f" {token}", f"{token}\n", f"{token}\0"]
    forged += [stored.token_sha256, stored.id, "\0", "x" * 100_000, "\ud800", "' OR '1'='1", "%", "_" * 43]
    forged += ["oidc {}", "None", "null"]

    assert len(forged) == 100
    assert Counter(who(clinic, other) for other in forged) == {"unknown": 100}
    assert who(clinic, token) == "ben"


def test_browser_whose_mark_is_missing_lets_nobody_in(clinic: Access) -> None:
    assert who(clinic, log_in(clinic).token, browser="") == "unknown"


def test_disabled_account_is_out_at_its_next_click(clinic: Access) -> None:
    token = log_in(clinic).token

    clinic.set_disabled(ANNA, "ben", is_disabled=True, now=NOW)

    assert who(clinic, token) == "disabled"


def test_changed_role_holds_at_the_next_click(clinic: Access) -> None:
    token = log_in(clinic).token

    clinic.set_role(ANNA, "ben", Role.ADMIN, now=NOW)

    found = clinic.resume(token, browser=BROWSER, now=NOW)
    assert isinstance(found, Standing)
    assert found.account.role is Role.ADMIN
    assert trail(clinic)[-1] == ("anna", "role changed")


def test_password_set_anew_ends_every_session_of_the_account(clinic: Access) -> None:
    tokens = [log_in(clinic).token, log_in(clinic, browser=OTHER_BROWSER).token]
    anna = log_in(clinic, "anna").token

    made = clinic.reset_password(ANNA, "ben", now=NOW)

    assert [who(clinic, tokens[0]), who(clinic, tokens[1], browser=OTHER_BROWSER)] == ["replaced", "replaced"]
    assert who(clinic, anna) == "anna"
    with pytest.raises(AccessError):
        log_in(clinic)
    assert log_in(clinic, "ben", made).account.one_time_until == later(days=7)


def test_one_time_password_runs_out(clinic: Access) -> None:
    made = clinic.add(ANNA, "carla", Role.CLINICIAN, now=NOW)

    with pytest.raises(
        AccessError, match=r"^This one-time password has run out\. Ask an administrator for a new one\.$"
    ):
        log_in(clinic, "carla", made, now=later(days=7))
    assert trail(clinic)[-1] == ("public", "login failed")


def test_own_password_ends_the_other_sessions_and_keeps_this_one(clinic: Access) -> None:
    made = clinic.add(ANNA, "carla", Role.CLINICIAN, now=NOW)
    here = log_in(clinic, "carla", made)
    there = log_in(clinic, "carla", made, browser=OTHER_BROWSER)

    clinic.change_own_password(here.account, old=made, new="an owl over water", token=here.token, now=NOW)

    found = clinic.resume(here.token, browser=BROWSER, now=NOW)
    assert isinstance(found, Standing)
    assert found.account.one_time_until is None
    assert who(clinic, there.token, browser=OTHER_BROWSER) == "replaced"
    with pytest.raises(AccessError):
        log_in(clinic, "carla", made)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("wrong", "an owl over water", "The present password is another one. Type it again."),
        (PASSWORD, PASSWORD, "The new password is the present one. Choose another one."),
    ],
)
def test_own_password_is_changed_by_whoever_knows_it(clinic: Access, old: str, new: str, message: str) -> None:
    entry = log_in(clinic)

    with pytest.raises(AccessError, match=f"^{re.escape(message)}$"):
        clinic.change_own_password(entry.account, old=old, new=new, token=entry.token, now=NOW)


def test_guessing_the_present_password_in_an_open_session_is_slowed_too(clinic: Access) -> None:
    entry = log_in(clinic)
    for _ in range(5):
        with pytest.raises(AccessError, match=r"^The present password is another one"):
            clinic.change_own_password(entry.account, old="x", new="an owl over water", token=entry.token, now=NOW)

    with pytest.raises(AccessError, match=r"^Too many tries failed\. Wait 1 seconds"):
        clinic.change_own_password(entry.account, old=PASSWORD, new="an owl over water", token=entry.token, now=NOW)


def test_logging_out_elsewhere_keeps_this_session(clinic: Access) -> None:
    here, there = log_in(clinic), log_in(clinic, browser=OTHER_BROWSER)

    assert clinic.log_out_elsewhere(here.account, but_token=here.token, now=NOW) == 1
    assert who(clinic, here.token) == "ben"
    assert who(clinic, there.token, browser=OTHER_BROWSER) == "logged_out"


@pytest.mark.parametrize("verb", ["disabled", "demoted"])
def test_last_administrator_stays_one(clinic: Access, verb: str) -> None:
    with pytest.raises(AccessError, match=r"^'anna' is the last administrator\. Make somebody else one first\.$"):
        _take_away(clinic, verb, "anna")

    clinic.set_role(ANNA, "ben", Role.ADMIN, now=NOW)
    _take_away(clinic, verb, "anna")
    with pytest.raises(AccessError, match=r"^'ben' is the last administrator"):
        _take_away(clinic, verb, "ben")


def _take_away(access: Access, verb: str, name: str) -> None:
    if verb == "disabled":
        access.set_disabled(LOCAL_USER, name, is_disabled=True, now=NOW)
    else:
        access.set_role(LOCAL_USER, name, Role.CLINICIAN, now=NOW)


def test_first_account_is_an_administrator_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)
    access = Access(new_database(tmp_path))
    assert not access.has_accounts()

    with pytest.raises(
        AccessError,
        match=r"^The first account must be an administrator's: nobody could add others otherwise\.$",
    ):
        access.add(LOCAL_USER, "ben", Role.CLINICIAN, now=NOW)
    access.add(LOCAL_USER, "anna", Role.ADMIN, now=NOW)

    assert access.has_accounts()


def test_taken_name_is_refused_however_it_is_written(clinic: Access) -> None:
    with pytest.raises(AccessError, match=r"^There is an account 'ben' already\."):
        clinic.add(ANNA, " BEN", Role.CLINICIAN, now=NOW)


@pytest.mark.parametrize("name", ["local", "public", "system", "", "b", "b en", "bèn", "x" * 65, "-ben", "ben\u200b"])
def test_name_that_could_be_taken_for_another_is_refused(clinic: Access, name: str) -> None:
    with pytest.raises(AccessError, match=r"^Expected a name of 2 to 64 letters a to z"):
        clinic.add(ANNA, name, Role.CLINICIAN, now=NOW)


@pytest.mark.parametrize("text", XSS)
def test_no_markup_becomes_a_name(clinic: Access, text: str) -> None:
    with pytest.raises(AccessError, match=r"^Expected a name of 2 to 64 letters a to z"):
        clinic.add(ANNA, text, Role.CLINICIAN, now=NOW)


@pytest.mark.parametrize("user", [User("ben", Role.CLINICIAN), User("public", Role.PUBLIC)])
def test_only_administrators_manage_accounts(clinic: Access, user: User) -> None:
    verbs = (
        lambda: clinic.accounts(user),
        lambda: clinic.add(user, "carla", Role.ADMIN, now=NOW),
        lambda: clinic.add_by_provider(user, "carla", Role.ADMIN, subject="https://x 1", now=NOW),
        lambda: clinic.reset_password(user, "anna", now=NOW),
        lambda: clinic.set_role(user, "ben", Role.ADMIN, now=NOW),
        lambda: clinic.set_disabled(user, "anna", is_disabled=True, now=NOW),
    )

    for verb in verbs:
        with pytest.raises(AccessError, match=r"^To manage accounts"):
            verb()

    assert [(a.login, a.role, a.is_enabled) for a in clinic.accounts(ANNA)] == [
        ("anna", "admin", True),
        ("ben", "clinician", True),
    ]


def test_no_sql_in_name_or_password_lets_anybody_in_or_changes_anything(clinic: Access) -> None:
    before = clinic.accounts(ANNA)
    heard = Counter()
    for number, text in enumerate(SQL_INJECTIONS):
        for name, password in ((text, PASSWORD), ("ben", text), (text, text)):
            now = later(days=number)
            with pytest.raises(AccessError) as caught:
                clinic.log_in(name, password, browser=text, address=text, now=now)
            heard[str(caught.value)] += 1
        assert who(clinic, text, browser=text) == "unknown"

    assert len(SQL_INJECTIONS) >= 50
    assert heard == {NOT_TOGETHER: 3 * len(SQL_INJECTIONS)}
    assert clinic.accounts(ANNA) == before
    assert log_in(clinic, now=later(days=400)).account.login == "ben"


def test_addresses_and_typed_names_are_not_stored(clinic: Access) -> None:
    with pytest.raises(AccessError):
        log_in(clinic, "typed-name", "wrong")

    kept = b"".join(path.read_bytes() for path in Path(clinic.database.url.database).parent.glob("records.db*"))
    assert ADDRESS.encode() not in kept
    assert b"typed-name" not in kept
    assert PASSWORD.encode() not in kept
