"""Seals what must not be read from a copied disk: Fernet (AES-128-CBC with HMAC-SHA256), the newest of several keys first.

Where keys come from is ``key_file``'s matter. A sealed value begins with four bytes that name its key, so that "another
key" and "altered" are told apart, and rotation sees at once what is left to do.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from cryptography.fernet import Fernet, InvalidToken

from ..errors import SealError

ID_BYTES = 4


class KeySource(Protocol):
    """Where keys come from."""

    def read(self) -> tuple[str, ...]:
        """Return the keys, the newest first, at least one; called before each use, so it must be quick."""


@dataclass(frozen=True, slots=True)
class FixedKeys:
    """Keys that stay as they are while the program runs: those of the environment."""

    keys: tuple[str, ...]

    def read(self) -> tuple[str, ...]:
        return self.keys


class Vault:
    """Seals with the newest key and opens with any. Safe for any number of threads.

    Seal inside the transaction that keeps the value: a change of keys waits for transactions, not for values on their way.

    >>> vault = Vault(FixedKeys((new_key(),)))
    >>> vault.open(vault.seal("left shoulder"))
    'left shoulder'
    """

    def __init__(self, source: KeySource) -> None:
        self._source = source

    def seal(self, text: str) -> bytes:
        """Return a text sealed; twice the same text gives two different results.

        Raises:
            SealError: The key is gone or is none.
        """
        return self.seal_bytes(text.encode("utf-8", "surrogatepass"))  # a file's name may hold half a character

    def open(self, sealed: bytes) -> str:
        """Return the text that was sealed.

        Raises:
            SealError: It was sealed with another key, or altered.
        """
        return self.open_bytes(sealed).decode("utf-8", "surrogatepass")

    def seal_bytes(self, data: bytes) -> bytes:
        """Return bytes sealed: about 80 bytes longer.

        Raises:
            SealError: The key is gone or is none.
        """
        ring = _ring(self._source.read())
        # A token's time would tell when something was typed; nothing here asks for it, and no clock can spoil it.
        token = ring.fernets[ring.newest].encrypt_at_time(data, current_time=0)
        return ring.newest + base64.urlsafe_b64decode(token)  # text would be a third longer

    def open_bytes(self, sealed: bytes) -> bytes:
        """Return the bytes that were sealed.

        Raises:
            SealError: They were sealed with another key, or altered.
        """
        ring = _ring(self._source.read())
        key_id = sealed[:ID_BYTES]
        if key_id not in ring.fernets:
            raise SealError(_other_key(key_id, list(ring.fernets)))
        try:
            return ring.fernets[key_id].decrypt(base64.urlsafe_b64encode(sealed[ID_BYTES:]))
        except InvalidToken as error:
            msg = "What was sealed has been altered or cut off since. Restore it from a backup: "
            raise SealError(f"{msg}python -m dermascan_core db restore --help") from error

    def is_newest(self, sealed: bytes) -> bool:
        """Whether it was sealed with the newest key."""
        return sealed[:ID_BYTES] == _ring(self._source.read()).newest

    def key_ids(self) -> tuple[str, ...]:
        """Return the public names of the keys, 8 hex digits each, the newest first."""
        return tuple(key_id.hex() for key_id in _ring(self._source.read()).fernets)


def new_key() -> str:
    """Return a new random key: 44 characters that stand for 256 bits."""
    return Fernet.generate_key().decode("ascii")


def name_of_key(key: str) -> str:
    """Return a key's public name, 8 hex digits: it tells keys apart and opens nothing.

    Raises:
        SealError: It is no key.
    """
    return _id_of(key).hex()


@dataclass(frozen=True, slots=True)
class _Ring:
    newest: bytes
    fernets: dict[bytes, Fernet]


@lru_cache(maxsize=16)
def _ring(keys: tuple[str, ...]) -> _Ring:
    fernets = {_id_of(key): Fernet(key) for key in keys}
    return _Ring(next(iter(fernets)), fernets)


def _id_of(key: str) -> bytes:
    try:
        raw = base64.b64decode(key, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise SealError(_no_key(key)) from error
    if len(raw) != 32:
        raise SealError(_no_key(key))
    return hashlib.sha256(b"dermascan key " + raw).digest()[:ID_BYTES]


def _no_key(key: str) -> str:
    return (
        "Expected a key of 44 characters, as `python -m dermascan_core records new-key` prints it. "
        f"Received {len(key)} characters that are none. Check DERMASCAN_KEY and the key file; never make a new key for old records."
    )


def _other_key(wanted: bytes, given: Sequence[bytes]) -> str:
    names = ", ".join(key_id.hex() for key_id in given)
    return (
        f"It was sealed with key {wanted.hex() or '(none)'}. The keys at hand: {names}. Add that key to DERMASCAN_KEY or "
        "the key file (one a line, the newest first); without it, this cannot be read by anybody."
    )
