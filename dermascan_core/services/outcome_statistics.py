"""The model, and the clinicians, against what lesions turned out to be; two readers against each other.

Made-up people never count. Of each lesion counts what was said before its first outcome was entered: nobody is measured by an
answer that was given when the result was known. Only lesions with an outcome count, which are mostly the suspicious ones.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from ..domain import NextStep
from ..evaluation.outcomes import AgainstOutcomes, Call, ChangeOfMind, measure_calls, measure_change
from ..evaluation.readers import ReaderAgreement, compare_readers
from ..storage.verified import LesionRecord, SaidAnswer, SaidReading, lesion_records
from ..tables import safe_cell
from .readings import CONFIRM_TYPES, UNKNOWN
from .records import Records
from .reviewing import is_malignant_dx

VERIFIED_BY = CONFIRM_TYPES[:1]  # what counts as known unless told otherwise: histopathology alone
QUESTIONS = {
    "step": "A doctor was advised (an examination or sooner)",
    "diagnosis": "Cancer or pre-cancer was named",
    "threshold": "The model's share of cancer or pre-cancer reached its threshold",
}
LOG_COLUMNS = (
    *("site_id", "lesion_id", "person", "who", "question", "kind", "outcome", "confirmed_by", "found_at"),
    *("said_dx", "said_step", "model", "model_sha256", "p_malignant", "threshold"),
)
_ASKED_DOCTOR = NextStep.SEE_DOCTOR.urgency


@dataclass(frozen=True, slots=True)
class VerifiedCase:
    """A lesion whose outcome is known, and what was said before it was.

    Attributes:
        record: All of it.
        dx, confirmed_by, found_at: By the last entry.
        answer: The model's last answer before; None where there was none.
        readings: The clinicians' standing readings before, the first confirmed first.
    """

    record: LesionRecord
    dx: str
    confirmed_by: str
    found_at: datetime
    answer: SaidAnswer | None
    readings: tuple[SaidReading, ...]

    @property
    def is_malignant(self) -> bool:
        """Whether it turned out to be cancer or pre-cancer."""
        return is_malignant_dx(self.dx)


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What the records say so far.

    Attributes:
        cases: Lesions with an outcome that counts.
        n_unanswered: Of these, those that no model had answered before.
        by_dx: Outcome -> how many.
        model: Question -> the model against the outcomes.
        own, final: Question -> the first reader of each lesion, before and after they saw the model's answer.
        change: Question -> what seeing it changed, over all readers of all lesions ("lesion, reader" is one case).
        readers: Reviewer -> question -> their final call against the outcomes.
    """

    cases: tuple[VerifiedCase, ...]
    n_unanswered: int
    by_dx: dict[str, int]
    model: dict[str, AgainstOutcomes]
    own: dict[str, AgainstOutcomes]
    final: dict[str, AgainstOutcomes]
    change: dict[str, ChangeOfMind]
    readers: dict[str, dict[str, AgainstOutcomes]]


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two reviewers' own opinions of the cases that both read, by diagnosis and by whether a doctor is advised."""

    reviewers: tuple[str, str]
    diagnosis: ReaderAgreement
    step: ReaderAgreement


def verified_cases(records: Records, *, verified_by: Sequence[str] = VERIFIED_BY) -> tuple[VerifiedCase, ...]:
    """Return the lesions whose last outcome was confirmed in one of these ways."""
    with records.database.reading() as session:
        found = lesion_records(session)
    return tuple(_verified(one) for one in found if one.outcomes and one.outcomes[-1].confirmed_by in verified_by)


def _verified(record: LesionRecord) -> VerifiedCase:
    known_from, last = record.outcomes[0].audit_number, record.outcomes[-1]
    before = [one for one in record.answers if one.audit_number < known_from]
    return VerifiedCase(
        record=record,
        dx=last.dx,
        confirmed_by=last.confirmed_by,
        found_at=last.found_at,
        answer=before[-1] if before else None,
        readings=tuple(one for one in record.readings if one.audit_number < known_from),
    )


def report_outcomes(records: Records, *, verified_by: Sequence[str] = VERIFIED_BY) -> OutcomeReport:
    """Measure the model and the clinicians against the outcomes known so far."""
    cases = verified_cases(records, verified_by=verified_by)
    answered = [case for case in cases if case.answer is not None]
    read = [case for case in cases if case.readings]
    both = ("step", "diagnosis")
    return OutcomeReport(
        cases=cases,
        n_unanswered=len(cases) - len(answered),
        by_dx=dict(Counter(case.dx for case in cases).most_common()),
        model={name: measure_calls([_model_call(case, name) for case in answered]) for name in QUESTIONS},
        own={name: measure_calls([_call(case, case.readings[0], _own(name)) for case in read]) for name in both},
        final={name: measure_calls([_call(case, case.readings[0], _final(name)) for case in read]) for name in both},
        change={name: _change(read, name) for name in both},
        readers={who: _reader(read, who) for who in sorted({one.reviewer for case in read for one in case.readings})},
    )


Saying = Callable[[SaidReading], bool | None]


def _own(question: str) -> Saying:
    return lambda one: _says(question, one.own_dx, one.own_step)


def _final(question: str) -> Saying:
    return lambda one: _says(question, one.final_dx, one.final_step)


def _says(question: str, dx: str | None, step: str) -> bool | None:
    if question == "step":
        return None if step == NextStep.NOT_ASSESSED else NextStep(step).urgency >= _ASKED_DOCTOR
    return None if dx is None or dx == UNKNOWN else is_malignant_dx(dx)


def _model_call(case: VerifiedCase, question: str) -> Call:
    answer = case.answer
    assert answer is not None
    if question == "threshold":
        is_known = answer.p_malignant is not None and answer.threshold is not None
        said = answer.p_malignant >= answer.threshold if is_known else None  # type: ignore[operator]
    else:
        said = _says(question, answer.predicted, answer.next_step)
    return Call(case.record.lesion_id, case.is_malignant, said)


def _call(case: VerifiedCase, reading: SaidReading, saying: Saying) -> Call:
    return Call(case.record.lesion_id, case.is_malignant, saying(reading))


def _change(read: Sequence[VerifiedCase], question: str) -> ChangeOfMind:
    pairs = [(case, one) for case in read for one in _first_of_each(case.readings)]

    def calls(saying: Saying) -> list[Call]:
        return [Call(f"{c.record.lesion_id} {r.reviewer}", c.is_malignant, saying(r)) for c, r in pairs]

    return measure_change(calls(_own(question)), calls(_final(question)))


def _reader(read: Sequence[VerifiedCase], reviewer: str) -> dict[str, AgainstOutcomes]:
    theirs = [(case, one) for case in read for one in _first_of_each(case.readings) if one.reviewer == reviewer]
    return {
        name: measure_calls([_call(case, one, _final(name)) for case, one in theirs]) for name in ("step", "diagnosis")
    }


def _first_of_each(readings: Iterable[SaidReading]) -> list[SaidReading]:
    """Each reviewer once a lesion, by the reading confirmed first: two screenings of a lesion are no two cases."""
    first: dict[str, SaidReading] = {}
    for one in readings:
        first.setdefault(one.reviewer, one)
    return list(first.values())


def compare_reviewers(records: Records) -> tuple[PairAgreement, ...]:
    """Return how far every two reviewers' own opinions agree on the screenings that both read, made-up people left out."""
    with records.database.reading() as session:
        found = lesion_records(session)
    read: dict[str, dict[str, tuple[SaidReading, str]]] = {}
    for record in found:
        for one in record.readings:
            read.setdefault(one.reviewer, {})[one.screening_id] = (one, record.person_id)
    return tuple(_pair(a, b, read) for a, b in combinations(sorted(read), 2) if read[a].keys() & read[b].keys())


def _pair(a: str, b: str, read: dict[str, dict[str, tuple[SaidReading, str]]]) -> PairAgreement:
    common = sorted(read[a].keys() & read[b].keys())
    of_a, of_b = ([read[who][one][0] for one in common] for who in (a, b))
    people = [read[a][one][1] for one in common]
    dx = compare_readers([one.own_dx for one in of_a], [one.own_dx for one in of_b], people)
    doctor = [[str(_says("step", None, one.own_step)) for one in theirs] for theirs in (of_a, of_b)]
    return PairAgreement((a, b), dx, compare_readers(doctor[0], doctor[1], people))


def error_log_csv(records: Records, *, site_id: str, verified_by: Sequence[str] = VERIFIED_BY) -> str:
    """Return every miss and false alarm of the model and of the clinicians as CSV: for whoever watches several sites.

    Args:
        records: Of this site.
        site_id: How this site is called elsewhere.
        verified_by: The ways of confirming that count.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=LOG_COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for case in verified_cases(records, verified_by=verified_by):
        for row in _errors(case):
            writer.writerow({name: safe_cell(str(value)) for name, value in {**row, "site_id": site_id}.items()})
    return text.getvalue()


def _errors(case: VerifiedCase) -> Iterable[dict[str, object]]:
    answer = case.answer
    said: list[tuple[str, str | None, str]] = [] if answer is None else [("model", answer.predicted, answer.next_step)]
    said += [(one.reviewer, one.final_dx, one.final_step) for one in _first_of_each(case.readings)]
    for who, dx, step in said:
        for question in ("step", "diagnosis"):
            called = _says(question, dx, step)
            if called is None and case.is_malignant:
                yield _error(case, who, question, "not answered", dx, step)
            elif called is not None and called is not case.is_malignant:
                kind = "missed" if case.is_malignant else "false alarm"
                yield _error(case, who, question, kind, dx, step)


def _error(case: VerifiedCase, who: str, question: str, kind: str, dx: str | None, step: str) -> dict[str, object]:
    row: dict[str, object] = {
        "lesion_id": case.record.lesion_id,
        "person": case.record.pseudonym,
        "who": who,
        "question": question,
        "kind": kind,
        "outcome": case.dx,
        "confirmed_by": case.confirmed_by,
        "found_at": f"{case.found_at:%Y-%m-%d}",
        "said_dx": dx or "",
        "said_step": step,
    }
    if who == "model" and case.answer is not None:
        names = ("model", "model_sha256", "p_malignant", "threshold")
        row |= {name: value for name in names if (value := getattr(case.answer, name)) is not None}
    return row
