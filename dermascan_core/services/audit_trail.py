"""Checks the audit trail against itself and against an anchor that is kept elsewhere."""

from __future__ import annotations

from pathlib import Path

from ..storage import audit
from .records import Records


def verify_trail(records: Records, *, anchor_file: Path | None = None) -> audit.AuditReport:
    """Walk the whole trail; with an anchor, compare with it, and bring it up to date where nothing is wrong.

    Args:
        records: Whose trail.
        anchor_file: Where the newest entry of an earlier time lies; made where it is not there yet.

    Raises:
        StorageError: The database or the anchor cannot be read, or the anchor not be written.
    """
    anchor = None if anchor_file is None else audit.read_anchor(anchor_file)
    with records.database.reading() as session:
        report = audit.verify(session, anchor=anchor)
    if anchor_file is not None and report.is_intact and report.newest is not None:
        audit.write_anchor(anchor_file, report.newest)
    return report
