"""Passwords: hashed with argon2id, judged before they are taken, and made up for those who get their first one."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from ..errors import AccessError

MIN_PASSWORD_CHARS = 12
MAX_PASSWORD_CHARS = 128
_MIN_DIFFERENT_CHARS = 5
_HASHER = PasswordHasher()  # the library's defaults: RFC 9106, 64 MiB, 3 passes, 4 lanes
# Each takes 64 MiB: a hundred tries at once would otherwise take 6 GB.
_AT_ONCE = threading.BoundedSemaphore(2)
_ONE_TIME_SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that are taken for one another on paper


def hash_password(password: str) -> str:
    """Return the argon2id hash of a password, with its salt and parameters in it."""
    with _AT_ONCE:
        return _HASHER.hash(_as_bytes(password))


def verify_password(password: str, stored: str | None) -> bool:
    """Return whether a password belongs to a hash.

    Takes as long where there is no hash: the time of an answer does not say whether there is an account.
    """
    other = _hash_of_nothing()
    with _AT_ONCE:
        try:
            _HASHER.verify(stored or other, _as_bytes(password))
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None and len(password) <= MAX_PASSWORD_CHARS


def is_outdated(stored: str) -> bool:
    """Return whether a hash was made with other parameters than those in use: the next login makes it anew."""
    return _HASHER.check_needs_rehash(stored)


def check_new_password(password: str, login: str) -> None:
    """Refuse a password that would be guessed.

    Raises:
        AccessError: It is too short or too long, holds the account's name, or repeats a few signs.
    """
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        msg = (
            f"A password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} signs. Received {len(password)}. "
            "A short sentence that nobody else says is easy to keep in mind."
        )
        raise AccessError(msg)
    if login.casefold() in password.casefold():
        raise AccessError("The password holds the account's name, which is tried first. Choose another one.")
    if len(set(password)) < _MIN_DIFFERENT_CHARS:
        msg = f"The password repeats fewer than {_MIN_DIFFERENT_CHARS} different signs. Choose another one."
        raise AccessError(msg)


def make_one_time_password() -> str:
    """Return a password for one use, made of 16 signs that are easy to read out: 79 bits of chance."""
    return "-".join("".join(secrets.choice(_ONE_TIME_SIGNS) for _ in range(4)) for _ in range(4))


@cache
def _hash_of_nothing() -> str:
    return hash_password(secrets.token_urlsafe(32))


def _as_bytes(password: str) -> bytes:
    # One sign may be typed in two ways (é): the same password from every keyboard.
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
