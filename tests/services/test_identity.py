"""What an OIDC provider says, and what it is worth: one word, one session, and an account only for whom somebody meant."""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dermascan_core.errors import AccessError
from dermascan_core.services.access import LOCAL_USER, Role
from dermascan_core.services.identity import Identity, read_identity
from dermascan_core.services.logins import Access, Standing
from tests.staff import BROWSER, NOW, OTHER_BROWSER, hash_quickly, later, new_database, staffed

ISSUER = "https://login.example.org"


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Access:
    hash_quickly(monkeypatch)
    for name in ("DERMASCAN_SESSION_MINUTES", "DERMASCAN_OIDC_ADMITS"):
        monkeypatch.delenv(name, raising=False)
    return staffed(new_database(tmp_path))


def word(at: datetime = NOW, **claims: object) -> Identity:
    """What the provider says of somebody; another nonce makes it another word."""
    said = {"iss": ISSUER, "sub": "248", "iat": at.timestamp(), "nonce": "n1", "provider": "default"}
    return read_identity(said | claims)


def who(
    access: Access, identity: Identity, *, browser: str = BROWSER, now: datetime = NOW, is_by_hand: bool = True
) -> str:
    found = access.resume_identity(identity, browser=browser, now=now, is_by_hand=is_by_hand)
    return found.account.login if isinstance(found, Standing) else str(found)


def test_linked_account_gets_in_and_stays_in(clinic: Access) -> None:
    clinic.link_provider(LOCAL_USER, "ben", subject=f"{ISSUER} 248", now=NOW)

    assert who(clinic, word()) == "ben"
    assert who(clinic, word(), now=later(minutes=14)) == "ben"
    assert who(clinic, word(), now=later(minutes=28)) == "ben"


def test_word_that_began_a_session_begins_no_second_one(clinic: Access) -> None:
    clinic.link_provider(LOCAL_USER, "ben", subject=f"{ISSUER} 248", now=NOW)
    assert who(clinic, word()) == "ben"

    assert who(clinic, word(), now=later(minutes=15)) == "idle"
    assert who(clinic, word(), now=later(minutes=16)) == "idle"
    assert who(clinic, word(later(minutes=16), nonce="n2"), now=later(minutes=16)) == "ben"


def test_word_of_a_logged_out_session_lets_nobody_in_a_hundred_times(clinic: Access) -> None:
    clinic.link_provider(LOCAL_USER, "ben", subject=f"{ISSUER} 248", now=NOW)
    words = [word(nonce=f"n{number}") for number in range(100)]
    assert Counter(who(clinic, one) for one in words) == {"ben": 100}
    for one in words:
        clinic.log_out(one.token, now=NOW)

    assert Counter(who(clinic, one) for one in words) == {"logged_out": 100}


def test_word_shown_by_another_browser_lets_nobody_in(clinic: Access) -> None:
    clinic.link_provider(LOCAL_USER, "ben", subject=f"{ISSUER} 248", now=NOW)
    assert who(clinic, word()) == "ben"

    assert who(clinic, word(), browser=OTHER_BROWSER) == "unknown"
    assert who(clinic, word()) == "stolen"


def test_old_word_that_was_never_shown_begins_no_session(clinic: Access) -> None:
    clinic.link_provider(LOCAL_USER, "ben", subject=f"{ISSUER} 248", now=NOW)

    assert who(clinic, word(NOW - timedelta(hours=12))) == "too_long"
    assert who(clinic, word(later(minutes=6))) == "too_long"


def test_disabled_account_is_not_let_in_by_its_provider(clinic: Access) -> None:
    clinic.link_provider(LOCAL_USER, "ben", subject=f"{ISSUER} 248", now=NOW)
    clinic.set_disabled(LOCAL_USER, "ben", is_disabled=True, now=NOW)

    assert who(clinic, word()) == "disabled"


def test_unknown_person_is_told_the_line_for_the_administrator(clinic: Access) -> None:
    with pytest.raises(AccessError) as caught:
        who(clinic, word(email="ben@clinic.example", email_verified=True))

    assert str(caught.value) == (
        "The provider knows you, but you have no account here yet. Give this line to an administrator: "
        "https://login.example.org 248"
    )
    assert len(clinic.accounts(LOCAL_USER)) == 2


@pytest.mark.parametrize(
    ("rule", "claims", "name"),
    [
        ("groups=dermatology", {"groups": ["nurses", "dermatology"]}, "user-"),
        ("hd=clinic.example", {"hd": "clinic.example", "preferred_username": "Carla"}, "carla"),
        (
            "email_domain=clinic.example",
            {"email": "Dora@Clinic.Example", "email_verified": True},
            "dora@clinic.example",
        ),
    ],
)
def test_whoever_the_rule_names_becomes_a_clinician(
    clinic: Access, monkeypatch: pytest.MonkeyPatch, rule: str, claims: dict[str, object], name: str
) -> None:
    monkeypatch.setenv("DERMASCAN_OIDC_ADMITS", rule)

    assert who(clinic, word(**claims)).startswith(name)

    added = next(account for account in clinic.accounts(LOCAL_USER) if account.subject)
    assert (added.role, added.subject, added.password_hash) == (Role.CLINICIAN, f"{ISSUER} 248", None)


@pytest.mark.parametrize(
    ("rule", "claims"),
    [
        ("groups=dermatology", {"groups": ["dermatology-guests"]}),
        ("groups=dermatology", {"groups": "not dermatology"}),
        ("groups=dermatology", {}),
        ("email_domain=clinic.example", {"email": "a@clinic.example"}),
        ("email_domain=clinic.example", {"email": "a@clinic.example", "email_verified": False}),
        ("email_domain=clinic.example", {"email": "a@clinic.example", "email_verified": "true"}),
        ("email_domain=clinic.example", {"email": "a@clinic.example.evil.test", "email_verified": True}),
        ("email_domain=clinic.example", {"email": "a@evil.test", "email_verified": True}),
        ("email_domain=clinic.example", {"email": "clinic.example@evil.test", "email_verified": True}),
        ("email_domain=clinic.example", {"email": ["a@clinic.example"], "email_verified": True}),
    ],
)
def test_whoever_the_rule_does_not_name_gets_no_account(
    clinic: Access, monkeypatch: pytest.MonkeyPatch, rule: str, claims: dict[str, object]
) -> None:
    monkeypatch.setenv("DERMASCAN_OIDC_ADMITS", rule)

    with pytest.raises(AccessError, match=r"^The provider knows you"):
        who(clinic, word(**claims))
    assert len(clinic.accounts(LOCAL_USER)) == 2


def test_name_that_is_taken_is_not_taken_over(clinic: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMASCAN_OIDC_ADMITS", "hd=clinic.example")

    name = who(clinic, word(hd="clinic.example", preferred_username="anna"))

    assert name.startswith("anna-")
    assert [account.role for account in clinic.accounts(LOCAL_USER) if account.login == name] == [Role.CLINICIAN]


def test_provider_makes_no_first_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DERMASCAN_OIDC_ADMITS", "hd=clinic.example")
    access = Access(new_database(tmp_path))

    with pytest.raises(AccessError, match=r"^The provider knows you"):
        who(access, word(hd="clinic.example"))
    assert not access.has_accounts()


@pytest.mark.parametrize("rule", ["groups", "=x", "groups="])
def test_rule_that_is_none_is_one_sentence(clinic: Access, monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    monkeypatch.setenv("DERMASCAN_OIDC_ADMITS", rule)

    with pytest.raises(
        AccessError, match=r"^Expected DERMASCAN_OIDC_ADMITS as CLAIM=VALUE, such as groups=dermatology"
    ):
        who(clinic, word())


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": ""},
        {"sub": None},
        {"iss": None},
        {"iat": None},
        {"iat": "soon"},
        {"iss": "two words"},
        {"iat": True},
        {"iat": 1e300},
    ],
)
def test_word_that_does_not_say_who_or_when_is_none(claims: dict[str, object]) -> None:
    with pytest.raises(
        AccessError, match=r"^Expected the provider to say issuer, subject and time \(iss, sub, iat\)\."
    ):
        word(**claims)


@pytest.mark.parametrize("subject", ["248\n", "\ud800", "\0", "x" * 300, "' OR '1'='1", "<script>"])
def test_odd_subject_belongs_to_nobody(clinic: Access, subject: str) -> None:
    with pytest.raises(AccessError):
        who(clinic, word(sub=subject))
