"""What a check of the installation finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what, whether it is well, what was found, and what to do if it is not."""

    name: str
    is_well: bool
    found: str
    advice: str = ""
