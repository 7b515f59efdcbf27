"""The clinicians' survey: five statements, agreed with from 1 to 5, in the audit trail; of each clinician the last answer counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from ..storage.audit import entries
from ..storage.database import Database
from .records import note

ACTION, SUBJECT = "survey answered", "survey"
# What the survey of system 000 asked about.
STATEMENTS: Mapping[str, str] = {
    "accuracy": "Its answers are right for the spots that I see",
    "utility": "It helps me to decide what to do next",
    "reliability": "It answers alike when nothing has changed, and says when it is unsure",
    "interpretability": "I can see why it answers as it does",
    "efficiency": "Its pages are quick and clear to work with",
}
AGREEMENT: Mapping[int, str] = {
    1: "strongly disagree",
    2: "disagree",
    3: "neither",
    4: "agree",
    5: "strongly agree",
}


@dataclass(frozen=True, slots=True)
class StatementResult:
    """How far clinicians agree with one statement.

    Attributes:
        name: A key of ``STATEMENTS``.
        counts: How many chose each of ``AGREEMENT``, in its order.
        median: Of their choices, 1 to 5; None where nobody has answered.
    """

    name: str
    counts: tuple[int, ...]
    median: float | None


def answer_survey(database: Database, answers: Mapping[str, int], *, actor: str, now: datetime) -> None:
    """Keep a clinician's answers; an earlier answer stays in the trail and counts no longer.

    Args:
        database: Of the records.
        answers: Every key of ``STATEMENTS`` -> a key of ``AGREEMENT``.
        actor: Login name, or ``local``.
        now: With its zone.

    Raises:
        ValueError: If a statement is left out, or an answer is none of the five.
    """
    if set(answers) != set(STATEMENTS) or not set(answers.values()) <= set(AGREEMENT):
        raise ValueError(
            f"Expected an answer from 1 to 5 to each of {', '.join(STATEMENTS)}. Received: {dict(answers)}."
        )
    with database.transaction() as session:
        note(session, actor, ACTION, SUBJECT, now=now, **answers)


def survey_answers(database: Database) -> dict[str, dict[str, int]]:
    """Return each clinician's last answers: login name -> statement -> 1 to 5."""
    with database.reading() as session:
        return {
            one.actor: {name: int(one.detail[name]) for name in STATEMENTS}
            for one in entries(session, subjects=[SUBJECT])
            if one.action == ACTION
        }


def survey_results(database: Database) -> tuple[StatementResult, ...]:
    """Return how far all who answered agree with each statement."""
    answers = list(survey_answers(database).values())
    return tuple(
        StatementResult(
            name,
            tuple(sum(one[name] == choice for one in answers) for choice in AGREEMENT),
            median(one[name] for one in answers) if answers else None,
        )
        for name in STATEMENTS
    )
