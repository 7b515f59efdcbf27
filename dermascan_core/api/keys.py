"""API keys: made once, shown once, stored as SHA-256 only, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ServeError

KEYS_VARIABLE = "DERMASCAN_API_KEYS"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
_ENTRY = re.compile(rf"({_NAME.pattern}):([0-9a-f]{{64}})")
_PREFIX = "dermascan_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """Who may ask.

    Attributes:
        name: What logs call the key; never the key.
        sha256: Of the key, in lower-case hex.
    """

    name: str
    sha256: str


ANYBODY = ApiKey("anybody", "")  # on a server without keys, which listens to its own machine alone


def find_key(keys: Iterable[ApiKey], presented: str) -> ApiKey | None:
    """Return the key that was presented, None where it is none of them.

    Every key is compared, in constant time, so that the time of an answer says nothing of how near a guess came.
    """
    sha256 = hash_key(presented)
    found = None
    for key in keys:
        if hmac.compare_digest(key.sha256, sha256):
            found = key
    return found


def hash_key(key: str) -> str:
    """Return a key's SHA-256 in hex.

    >>> hash_key("secret")[:12]
    '2bb80d537b1d'
    """
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def read_keys(file: Path) -> tuple[ApiKey, ...]:
    """Return the keys of ``DERMASCAN_API_KEYS`` and of a file, as ``name:sha256``, parted by commas or white space.

    Args:
        file: May be missing. A ``#`` begins a comment.

    Raises:
        ServeError: If an entry is something else, or a name stands twice; quotes no entry, for it may be a key.
    """
    sources = {KEYS_VARIABLE: os.environ.get(KEYS_VARIABLE, ""), str(file): _text_of(file)}
    keys = [key for where, text in sources.items() for key in _parse(text, where)]
    names = [key.name for key in keys]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ServeError(f"Expected each name of an API key once. Received twice: {', '.join(doubled)}. Rename one.")
    return tuple(keys)


def make_key(name: str, file: Path) -> str:
    """Make a key, add its hash to a file that only its owner may read, and return the key: it can be shown only now.

    Raises:
        ServeError: If the name is taken or has other signs than letters, digits, dot, line and hyphen; or the file
            cannot be written.
    """
    if not _NAME.fullmatch(name):
        raise ServeError(
            f"Expected a name of 1 to 40 letters, digits, dots, lines and hyphens. Received '{name}'. Choose another."
        )
    if name in (key.name for key in read_keys(file)):
        raise ServeError(f"There is a key named '{name}' already. Choose another name, or remove its line first.")
    key = _PREFIX + secrets.token_urlsafe(32)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8") as keys:
            keys.write(f"{name}:{hash_key(key)}\n")
    except OSError as error:
        raise ServeError(
            f"The key cannot be stored in '{file}': {error.strerror}. Choose a folder that may be written, with --data."
        ) from error
    return key


def _text_of(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise ServeError(f"Expected a readable text file of API keys at '{file}'. It is not. Check it.") from error
    return "\n".join(line.partition("#")[0] for line in lines)


def _parse(text: str, where: str) -> Iterable[ApiKey]:
    for number, entry in enumerate(re.split(r"[\s,]+", text.strip()) if text.strip() else [], start=1):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise ServeError(
                f"Expected API keys as NAME:SHA256 in {where}. Entry {number} is something else. "
                "Make one with: python -m dermascan_core serve --new-key NAME"
            )
        yield ApiKey(match[1], match[2])
