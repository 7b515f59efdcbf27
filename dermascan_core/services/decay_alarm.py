"""The decay alarm: where biopsies show that the model misses more than in its test, calm answers are withheld by a rule."""

from __future__ import annotations

from datetime import datetime, timedelta

from . import drift, models
from .outcome_statistics import OutcomeReport, report_outcomes
from .records import Records
from .withholding import Withheld, Withholding, read_switch, turn_switch

ALARM = "decay alarm"  # who acts, in the audit trail
CONFIRMED_BY = ("histopathology",)
QUIET_FOR = timedelta(days=92)  # after a person gave answers again: until the next look at the figures is due


def withhold_on_decay(
    records: Records, *, now: datetime, report: OutcomeReport | None = None, model: str = models.DEFAULT_MODEL
) -> Withholding | None:
    """Withhold calm answers where the model's sensitivity among biopsied lesions is worse than in its test.

    It acts where nothing is withheld, and not within 92 days after somebody turned the switch off with a reason: that was a
    person's decision about these very figures.

    Args:
        records: Whose outcomes.
        now: The time.
        report: Of the biopsied lesions alone, where it is at hand; else it is made.
        model: Which model's test.

    Returns:
        What is withheld since now; None where nothing was changed.

    Raises:
        StorageError: The switch or the audit trail cannot be written.
    """
    if not _may_turn(records, now):
        return None
    measured = (report or report_outcomes(records, verified_by=CONFIRMED_BY)).model["threshold"]
    stands, tested = drift.find_decay(measured, model).get("sensitivity", ("", 0.0))
    if stands != "worse" or not _may_turn(records, now):  # measuring takes a while, and a person may have turned it
        return None
    share = measured.sensitivity
    why = (
        f"the model's threshold found {share.n_true} of {share.n} biopsied cancers and pre-cancers; "
        f"in its test it found {100 * tested:.0f} %"
    )
    return turn_switch(Withheld.CALM, by=ALARM, why=why, now=now, places=records.places, database=records.database)


def _may_turn(records: Records, now: datetime) -> bool:
    switch = read_switch(records.places)
    is_quiet = switch.at is not None and timedelta(0) <= now - switch.at < QUIET_FOR
    return not (switch.bars_calm or is_quiet)
