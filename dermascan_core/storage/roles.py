"""Who somebody is to the program: three roles, each with all that the one before may do. Imports nothing heavy."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a person is here, from the least to the most."""

    PUBLIC = "public"
    CLINICIAN = "clinician"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Return whether this role may do whatever the other one may.

        >>> Role.ADMIN.includes(Role.CLINICIAN), Role.CLINICIAN.includes(Role.ADMIN)
        (True, False)
        """
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(other)


ACCOUNT_ROLES = (Role.CLINICIAN, Role.ADMIN)
