"""Model and clinicians against biopsy, counted by hand on a handful of kept lesions."""

import csv
import io
from datetime import timedelta

import pytest

from dermascan_core.services.history import lesion_history
from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.outcome_statistics import compare_reviewers, error_log_csv, report_outcomes
from dermascan_core.services.readings import add_outcome
from dermascan_core.services.records import add_lesion, add_person
from dermascan_core.services.reviewing import AGREE, OVERRIDE, Reading, confirm, withdraw
from tests.clinic import CONSENT, NOW, answered

PATHOLOGY = "histopathology"


def keep(records, *, shade=70, is_demo=False):
    """Keep one screening of a new person; the fake model calls a shade under 70 melanoma."""
    person = add_person(records, CONSENT, actor="ada", now=NOW, is_demo=is_demo)
    lesion = add_lesion(records, person.id, actor="ada", now=NOW)
    screening, photos = answered(shade)
    return keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)


def read(records, kept, own, *, reviewer="ada", final=None, decision=None):
    """Read a case: ``own`` and ``final`` are (diagnosis, step)."""
    reading = Reading(*own, NOW.isoformat(), *(final or (None, None)), reason="because" if final else "")
    done = decision or (OVERRIDE if final else AGREE)
    history = lesion_history(records, kept.lesion_id)
    return confirm(records, history, kept, reading, done, reviewer=reviewer, now=NOW)


def biopsy(records, kept, dx, *, confirmed_by=PATHOLOGY):
    return add_outcome(
        records,
        kept.lesion_id,
        dx=dx,
        confirmed_by=confirmed_by,
        found_at=NOW,
        actor="ada",
        now=NOW + timedelta(days=9),
    )


def test_model_against_biopsy_counts_what_was_missed(records):
    found, missed, alarm = keep(records, shade=70), keep(records, shade=71), keep(records, shade=72)
    biopsy(records, found, "mel")
    biopsy(records, missed, "bcc")
    biopsy(records, alarm, "nv")

    report = report_outcomes(records)

    assert len(report.cases) == 3
    assert report.by_dx == {"mel": 1, "bcc": 1, "nv": 1}
    by_dx = report.model["diagnosis"]
    assert (by_dx.sensitivity.n, by_dx.specificity.n) == (2, 1)
    assert not by_dx.sensitivity.is_enough


def test_only_what_was_said_before_the_outcome_counts(records):
    kept = keep(records)
    biopsy(records, kept, "mel")

    read(records, kept, ("nv", "watch"), final=("nv", "watch"))
    screening, photos = answered(75)
    keep_screening(records, screening, photos, lesion_id=kept.lesion_id, actor="ada", now=NOW)

    report = report_outcomes(records)
    assert report.cases[0].answer.screening_id == kept.id
    assert report.cases[0].readings == ()
    assert report.final["step"].sensitivity.n == 0


def test_a_corrected_outcome_counts_as_it_was_corrected(records):
    kept = keep(records)
    biopsy(records, kept, "nv")
    biopsy(records, kept, "mel")

    report = report_outcomes(records)

    assert report.by_dx == {"mel": 1}
    assert report.model["step"].sensitivity.n == 1


def test_only_the_chosen_ways_of_confirming_count(records):
    biopsy(records, keep(records, shade=70), "nv", confirmed_by="serial imaging showing no change")

    assert report_outcomes(records).cases == ()
    ways = (PATHOLOGY, "serial imaging showing no change")
    assert len(report_outcomes(records, verified_by=ways).cases) == 1


def test_made_up_people_never_count(records):
    kept = keep(records, is_demo=True)
    read(records, kept, ("nv", "watch"))
    read(records, kept, ("mel", "watch"), reviewer="ben")
    biopsy(records, kept, "mel")

    assert report_outcomes(records).cases == ()
    assert compare_reviewers(records) == ()
    assert error_log_csv(records, site_id="x").count("\n") == 1


def test_seeing_the_model_helped_once_and_hurt_once(records):
    helped, hurt = keep(records, shade=70), keep(records, shade=71)
    read(records, helped, ("nv", "watch"), final=("mel", "see_doctor"))
    read(records, hurt, ("mel", "urgent_2_weeks"), final=("nv", "watch"))
    biopsy(records, helped, "mel")
    biopsy(records, hurt, "mel")

    change = report_outcomes(records).change["step"]

    assert (change.n, change.n_changed) == (2, 2)
    assert change.helped == (f"{helped.lesion_id} ada",)
    assert change.hurt == (f"{hurt.lesion_id} ada",)


def test_a_reading_that_was_taken_back_does_not_count(records):
    kept = keep(records)
    read(records, kept, ("mel", "see_doctor"))
    withdraw(records, lesion_history(records, kept.lesion_id), kept.id, reviewer="ada", now=NOW)
    biopsy(records, kept, "mel")

    assert report_outcomes(records).cases[0].readings == ()


def test_cancer_that_no_class_holds_is_cancer(records):
    kept = keep(records)
    read(records, kept, ("unknown", "urgent_2_weeks"), final=("unknown", "urgent_2_weeks"))
    biopsy(records, kept, "other_cancer")

    report = report_outcomes(records)

    assert report.final["step"].sensitivity.n_true == 1
    assert report.final["diagnosis"].n_unanswered == 1
    assert report.final["diagnosis"].unanswered_malignant == (kept.lesion_id,)


def test_two_reviewers_are_compared_by_their_own_opinions(records):
    for shade, second in ((70, "mel"), (71, "nv")):
        kept = keep(records, shade=shade)
        read(records, kept, ("mel", "see_doctor"))
        read(records, kept, (second, "see_doctor"), reviewer="ben")

    [pair] = compare_reviewers(records)

    assert pair.reviewers == ("ada", "ben")
    assert (pair.diagnosis.n, pair.diagnosis.n_same) == (2, 1)
    assert pair.step.n_same == 2
    assert not pair.diagnosis.is_enough


def test_log_of_errors_names_the_site_the_case_and_who_was_wrong(records):
    kept = keep(records)
    read(records, kept, ("nv", "watch"), final=("nv", "watch"))
    biopsy(records, kept, "mel")

    rows = list(csv.DictReader(io.StringIO(error_log_csv(records, site_id="=cmd()|site"))))

    by_who = {(row["who"], row["question"]): row["kind"] for row in rows}
    assert by_who[("ada", "step")] == "missed"
    assert by_who[("ada", "diagnosis")] == "missed"
    assert {row["site_id"] for row in rows} == {"'=cmd()|site"}
    assert {row["lesion_id"] for row in rows} == {kept.lesion_id}


@pytest.mark.parametrize("n", [0, 1])
def test_report_without_anything_known_is_no_failure(records, n):
    for _ in range(n):
        keep(records)

    report = report_outcomes(records)

    assert report.cases == ()
    assert report.model["step"].sensitivity.value is None
    assert report.readers == {}
