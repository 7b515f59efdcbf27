"""What an OIDC provider says about somebody, read carefully: only what Streamlit has verified comes in here."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ..errors import AccessError
from ..storage.accounts import MAX_LOGIN_CHARS, check_login, normalize_login

ADMITS_VARIABLE = "DERMASCAN_OIDC_ADMITS"
EMAIL_DOMAIN = "email_domain"
_LAST_TIME_S = 2**36  # in the year 4147: later ones are no times
_CLOCKS_DIFFER_BY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Identity:
    """One word of a provider about one person.

    Attributes:
        subject: Issuer and subject with a space between: the two that never change hands.
        issued_at: When the provider said so.
        token: What this very word is known by here; the next login has another one.
        claims: All that was said.
    """

    subject: str
    issued_at: datetime
    token: str
    claims: Mapping[str, Any]

    def is_fresh(self, now: datetime, longest: timedelta) -> bool:
        """Return whether the word is young enough to begin a session."""
        return -_CLOCKS_DIFFER_BY <= now - self.issued_at < longest

    def is_admitted(self) -> bool:
        """Return whether ``DERMASCAN_OIDC_ADMITS`` gives people like this one an account without an administrator.

        Raises:
            AccessError: The variable is not CLAIM=VALUE.
        """
        rule = os.environ.get(ADMITS_VARIABLE, "").strip()
        if not rule:
            return False
        claim, equals, wanted = rule.partition("=")
        if not (claim and equals and wanted):
            msg = (
                f"Expected {ADMITS_VARIABLE} as CLAIM=VALUE, such as groups=dermatology or {EMAIL_DOMAIN}=clinic.example. "
                f"Received '{rule[:60]}'. Correct it, or unset it."
            )
            raise AccessError(msg)
        if claim == EMAIL_DOMAIN:
            return self.verified_email().rpartition("@")[2].casefold() == wanted.casefold()
        said = self.claims.get(claim)
        return wanted in said if isinstance(said, list | tuple) else said == wanted

    def verified_email(self) -> str:
        """Return the address that the provider has verified; "" without one."""
        email = self.claims.get("email")
        return email if isinstance(email, str) and self.claims.get("email_verified") is True else ""

    def names(self) -> Iterator[str]:
        """Yield login names for a new account, the best first; the last ones are surely free."""
        mark = hashlib.sha256(self.subject.encode()).hexdigest()
        for said in (self.verified_email(), self.claims.get("preferred_username")):
            name = normalize_login(said) if isinstance(said, str) else ""
            if _is_login(name) and len(name) <= MAX_LOGIN_CHARS - 9:
                yield name
                yield f"{name}-{mark[:8]}"
        yield f"user-{mark[:8]}"
        yield f"user-{mark[:32]}"


def read_identity(claims: Mapping[str, Any]) -> Identity:
    """Read what Streamlit's identity cookie holds.

    Raises:
        AccessError: It does not say who, or when.
    """
    issuer, subject, issued_at = claims.get("iss"), claims.get("sub"), claims.get("iat")
    if not (_is_text(issuer) and " " not in str(issuer) and _is_text(subject) and _is_time(issued_at)):
        raise AccessError(
            "Expected the provider to say issuer, subject and time (iss, sub, iat). It left one out. "
            "Ask whoever runs the provider."
        )
    plain = json.dumps(dict(claims), sort_keys=True, default=str)
    return Identity(
        subject=f"{issuer} {subject}",
        issued_at=datetime.fromtimestamp(float(str(issued_at)), UTC),
        token=f"oidc {plain}",
        claims=dict(claims),
    )


def _is_text(said: object) -> bool:
    return isinstance(said, str) and said != "" and said.isprintable()


def _is_time(said: object) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool) and 0 < said < _LAST_TIME_S


def _is_login(name: str) -> bool:
    try:
        check_login(name)
    except AccessError:
        return False
    return True
