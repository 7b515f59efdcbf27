"""Heat maps judged by clinicians: whether the network looked at what matters, in the audit trail; the last word of each counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from ..evaluation.outcomes import Proportion, proportion
from ..storage.audit import entries
from ..storage.database import Database
from .records import note

ACTION, SUBJECT = "heat map judged", "heat maps"
VERDICTS: Mapping[str, str] = {"right": "At what matters", "partly": "In part", "wrong": "At something else"}


def judge_map(database: Database, screening_id: str, verdict: str, *, is_demo: bool, actor: str, now: datetime) -> None:
    """Keep what a clinician thinks of where the network looked in one case.

    Args:
        database: Of the records.
        screening_id: Of the case.
        verdict: A key of ``VERDICTS``.
        is_demo: Whether the person is made up; such a verdict is kept and not counted.
        actor: Login name, or ``local``.
        now: With its zone.

    Raises:
        ValueError: If the verdict is none of these.
    """
    if verdict not in VERDICTS:
        raise ValueError(f"Expected one of {', '.join(VERDICTS)}. Received: {verdict!r}.")
    with database.transaction() as session:
        note(session, actor, ACTION, SUBJECT, now=now, screening=screening_id, verdict=verdict, is_demo=is_demo)


def map_verdicts(database: Database) -> dict[tuple[str, str], str]:
    """Return (login name, screening's id) -> the last verdict, made-up people included."""
    return {case: verdict for case, (verdict, _) in _last(database).items()}


def count_verdicts(database: Database) -> dict[str, Proportion]:
    """Return each verdict's share, each clinician counted once a case; demo people never count."""
    counted = Counter(verdict for verdict, is_demo in _last(database).values() if not is_demo)
    return {verdict: proportion(counted[verdict], counted.total()) for verdict in VERDICTS}


def _last(database: Database) -> dict[tuple[str, str], tuple[str, bool]]:
    with database.reading() as session:
        return {
            (one.actor, str(one.detail["screening"])): (str(one.detail["verdict"]), bool(one.detail["is_demo"]))
            for one in entries(session, subjects=[SUBJECT])
            if one.action == ACTION
        }
