"""Photos by the day they were first seen, and which answers may stand beside each other."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dermascan_core.domain import ImageType, NextStep
from dermascan_core.services.history import lesion_history
from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.lesion_dates import (
    LeftOut,
    comparable_answers,
    dated_photos,
    is_read,
    left_out_answers,
    n_days,
    read_cases,
    standing_step,
)
from dermascan_core.services.reviewing import AGREE, Reading, confirm, withdraw
from tests.clinic import NOW, answered, somebody

MARCH, JUNE = datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 6, 1, 9, tzinfo=UTC)


@pytest.fixture
def lesion_id(records):
    return somebody(records)[1].id


def keep(records, lesion_id, at, *, shade=70, replaces_id=None, **changes):
    screening, photos = answered(shade)
    changed = replace(screening, screened_at=at.isoformat(), **changes)
    return keep_screening(records, changed, photos, lesion_id=lesion_id, actor="ada", now=NOW, replaces_id=replaces_id)


def test_photos_stand_by_the_day_they_were_first_screened_whatever_was_kept_first(records, lesion_id):
    keep(records, lesion_id, JUNE, shade=70)
    keep(records, lesion_id, MARCH, shade=90)
    keep(records, lesion_id, MARCH + timedelta(hours=2), shade=110)

    photos = dated_photos(lesion_history(records, lesion_id))

    assert [(f"{one.day}", one.number, one.n_of_day) for one in photos] == [
        ("2026-03-01", 1, 2),
        ("2026-03-01", 2, 2),
        ("2026-06-01", 1, 1),
    ]
    assert n_days(photos) == 2


def test_photo_answered_anew_later_is_no_later_photo(records, lesion_id):
    first = keep(records, lesion_id, MARCH)
    keep(records, lesion_id, JUNE, replaces_id=first.id)

    [photo] = dated_photos(lesion_history(records, lesion_id))

    assert photo.seen_at == MARCH
    assert [case.screening.screened_at for case in photo.cases] == [MARCH, JUNE]
    assert n_days((photo,)) == 1


def test_case_is_read_by_whoever_confirmed_and_no_longer_after_they_took_it_back(records, lesion_id):
    kept = keep(records, lesion_id, MARCH)
    reading = Reading("nv", "watch", NOW.isoformat())
    confirm(records, lesion_history(records, lesion_id), kept, reading, AGREE, reviewer="ada", now=NOW)

    history = lesion_history(records, lesion_id)
    assert is_read(history.cases[0], "ada")
    assert read_cases(history, "ben") == ()

    withdraw(records, history, kept.id, reviewer="ada", now=NOW)
    assert read_cases(lesion_history(records, lesion_id), "ada") == ()


def test_a_calmer_answer_later_never_lowers_the_step(records, lesion_id):
    keep(records, lesion_id, MARCH, shade=70, next_step=NextStep.URGENT_2_WEEKS)
    keep(records, lesion_id, JUNE, shade=90, next_step=NextStep.WATCH)

    assert standing_step(lesion_history(records, lesion_id).cases) is NextStep.URGENT_2_WEEKS
    assert standing_step(()) is None


def test_only_answers_of_one_scale_stand_beside_each_other(records, lesion_id):
    keep(records, lesion_id, MARCH, shade=70)
    keep(records, lesion_id, MARCH + timedelta(days=9), shade=80, model_sha256="1" * 64)
    keep(records, lesion_id, MARCH + timedelta(days=10), shade=90, image_type=ImageType.CLINICAL)
    keep(records, lesion_id, JUNE, shade=110)
    history = lesion_history(records, lesion_id)

    shown = comparable_answers(dated_photos(history), history.cases)

    assert [at for at, _ in shown] == [MARCH, JUNE]
    assert {case.screening.image_type for _, case in shown} == {"dermoscopic"}
    assert comparable_answers(dated_photos(history), ()) == ()
    assert left_out_answers(dated_photos(history), history.cases) == LeftOut("clinical", 1, 1)
    assert left_out_answers(dated_photos(history), history.cases[:1]) == LeftOut("", 0, 0)
    assert left_out_answers(dated_photos(history), ()) == LeftOut("", 0, 0)


def test_answer_given_anew_stands_at_its_photos_day_in_the_place_of_the_one_before(records, lesion_id):
    first = keep(records, lesion_id, MARCH, shade=70)
    anew = keep(records, lesion_id, JUNE + timedelta(days=30), shade=70, replaces_id=first.id)
    last = keep(records, lesion_id, JUNE, shade=90)
    history = lesion_history(records, lesion_id)

    shown = comparable_answers(dated_photos(history), history.cases)

    assert [(at, case.screening.id) for at, case in shown] == [(MARCH, anew.id), (JUNE, last.id)]
