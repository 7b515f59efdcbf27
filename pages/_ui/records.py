"""The records as pages use them: opened once a process, and only where a page needs them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from dermascan_core.services.records import Records


def open_records_here() -> Records:
    """Return the records of this server; folder, tables and key are made on first use.

    Raises:
        StorageError: Database, key or disk stand in the way.
    """
    from dermascan_core.services.records import records_address

    return _opened(records_address())


@st.cache_resource(max_entries=2, show_spinner=False)
def _opened(address: str) -> Records:
    """The address is the key alone: under other settings lie other records."""
    from dermascan_core.services.records import open_records

    return open_records()


def now_utc() -> datetime:
    """Return the time by this machine's clock."""
    return datetime.now(UTC)


def lesion_name(lesion_id: str) -> str:
    """Return what a lesion is called on pages that may not open its label.

    >>> lesion_name("a44021be0d6f4a0c9a5d3a2b1c0f9e8d")
    'lesion a44021be'
    """
    return f"lesion {lesion_id[:8]}"


def day(at: datetime) -> str:
    """Return a day as every page writes it."""
    return f"{at:%Y-%m-%d}"


def moment(at: datetime) -> str:
    """Return a time as every page writes it."""
    return f"{at:%Y-%m-%d %H:%M} UTC"
