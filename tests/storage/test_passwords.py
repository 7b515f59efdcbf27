"""Passwords: argon2id with the library's defaults, the same time for nobody, and none that is guessed."""

import re

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from dermascan_core.errors import AccessError
from dermascan_core.storage import passwords
from dermascan_core.storage.passwords import (
    check_new_password,
    hash_password,
    is_outdated,
    make_one_time_password,
    verify_password,
)
from tests.staff import PASSWORD, hash_quickly


def test_hash_is_argon2id_with_the_parameters_of_rfc_9106() -> None:
    hashed = hash_password(PASSWORD)

    parameters = extract_parameters(hashed)
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (65_536, 3, 4)
    assert PASSWORD not in hashed


def test_password_belongs_to_its_hash_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)
    hashed = hash_password(PASSWORD)

    assert verify_password(PASSWORD, hashed)
    assert not verify_password(PASSWORD.upper(), hashed)
    assert not verify_password("", hashed)
    assert not verify_password(PASSWORD, None)
    assert not verify_password(PASSWORD, "no hash at all")


def test_a_missing_account_is_hashed_for_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)
    verified: list[bytes] = []

    class CountingHasher(PasswordHasher):
        def verify(self, hash: str | bytes, password: str | bytes) -> bool:
            verified.append(password)
            return super().verify(hash, password)

    monkeypatch.setattr(passwords, "_HASHER", CountingHasher(time_cost=1, memory_cost=8, parallelism=1))

    verify_password("a guess", None)

    assert verified == [b"a guess"]


def test_letter_typed_in_two_ways_is_one_password(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)

    assert verify_password("cafe\u0301 au lait", hash_password("caf\u00e9 au lait"))


def test_hash_of_other_parameters_is_outdated(monkeypatch: pytest.MonkeyPatch) -> None:
    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    hash_quickly(monkeypatch)

    assert is_outdated(old)
    assert not is_outdated(hash_password(PASSWORD))


@pytest.mark.parametrize(
    ("password", "message"),
    [
        (
            "eleven sig.",
            "A password has 12 to 128 signs. Received 11. A short sentence that nobody else says is easy to keep in mind.",
        ),
        (
            "x" * 129,
            "A password has 12 to 128 signs. Received 129. A short sentence that nobody else says is easy to keep in mind.",
        ),
        ("Anna.Berg 2026!", "The password holds the account's name, which is tried first. Choose another one."),
        ("abababababab", "The password repeats fewer than 5 different signs. Choose another one."),
    ],
)
def test_password_that_would_be_guessed_is_refused(password: str, message: str) -> None:
    with pytest.raises(AccessError, match=f"^{re.escape(message)}$"):
        check_new_password(password, "anna.berg")


def test_one_time_passwords_are_easy_to_read_out_and_never_the_same() -> None:
    made = {make_one_time_password() for _ in range(100)}

    assert len(made) == 100
    assert all(re.fullmatch(r"([a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}", password) for password in made)
    for password in made:
        check_new_password(password, "anna")


def test_password_with_half_a_sign_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_quickly(monkeypatch)

    assert not verify_password("\ud800" * 12, hash_password(PASSWORD))
    assert verify_password("\ud800" * 12, hash_password("\ud800" * 12))
