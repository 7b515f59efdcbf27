"""How a reading goes: the own opinion fixed at its second answer, one window at a time, versions instead of changes."""

from datetime import timedelta

import pytest

from dermascan_core.errors import RecordError
from dermascan_core.services.history import lesion_history
from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.reviewing import (
    AGREE,
    OVERRIDE,
    REFER,
    Reading,
    confirm,
    find_reading,
    keep_draft,
    n_versions,
    reviews_of,
    standing,
    withdraw,
)
from tests.clinic import NOW, answered, somebody

SAID = Reading("bkl", "watch", NOW.isoformat())


@pytest.fixture
def kept(records):
    _, lesion = somebody(records)
    screening, photos = answered()
    return keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)


def history(records, kept):
    return lesion_history(records, kept.lesion_id)


def test_second_answer_fixes_both_and_their_time():
    first = Reading().say(now=NOW, step="watch")
    both = first.say(now=NOW + timedelta(seconds=3), dx="nv")

    assert not first.is_model_shown
    assert both.is_model_shown
    assert both.own_at == "2026-11-26T12:00:03+00:00"


def test_own_opinion_cannot_be_changed_after_the_answer_was_shown():
    with pytest.raises(RecordError, match="Your own opinion was fixed when the model's answer was shown"):
        SAID.say(now=NOW, dx="mel")


def test_nothing_is_confirmed_without_an_own_opinion(records, kept):
    with pytest.raises(RecordError, match="Expected your own diagnosis and next step first"):
        confirm(records, history(records, kept), kept, Reading("mel"), AGREE, reviewer="ada", now=NOW)


def test_refer_is_at_least_a_doctors_visit(records, kept):
    done = confirm(records, history(records, kept), kept, SAID, REFER, reviewer="ada", now=NOW)

    assert done.review.final_dx == "bkl"
    assert done.review.final_step in ("see_doctor", "urgent_2_weeks", "emergency")


def test_same_key_twice_is_one_reading(records, kept):
    shown = history(records, kept)

    for _ in range(2):
        confirm(records, shown, kept, SAID, AGREE, reviewer="ada", now=NOW)

    assert len(reviews_of(history(records, kept), kept.id)) == 1


def test_window_that_is_behind_saves_nothing(records, kept):
    shown = history(records, kept)
    confirm(records, shown, kept, SAID, AGREE, reviewer="ada", now=NOW)

    with pytest.raises(RecordError, match="in another window meanwhile"):
        confirm(records, shown, kept, SAID, REFER, reviewer="ada", now=NOW)


def test_two_readers_are_both_kept_and_the_second_learns_of_the_first(records, kept):
    first = confirm(records, history(records, kept), kept, SAID, AGREE, reviewer="ada", now=NOW)
    second = confirm(records, history(records, kept), kept, SAID, REFER, reviewer="ben", now=NOW)

    assert first.others == ()
    assert [one.reviewer for one in second.others] == ["ada"]
    assert {one.reviewer for one in standing(reviews_of(history(records, kept), kept.id))} == {"ada", "ben"}


def test_taking_back_erases_nothing_and_brings_the_draft_back(records, kept):
    said = Reading("bkl", "watch", NOW.isoformat(), "bkl", "routine_check", "waxy")
    confirm(records, history(records, kept), kept, said, OVERRIDE, reviewer="ada", now=NOW)

    withdraw(records, history(records, kept), kept.id, reviewer="ada", now=NOW)

    found = reviews_of(history(records, kept), kept.id)
    assert [one.decision for one in found] == ["override", "withdrawn"]
    assert standing(found) == ()
    assert n_versions(found, "ada") == 2
    assert find_reading(records, kept.id, reviewer="ada") == said


def test_there_is_nothing_to_take_back_of_somebody_else_s(records, kept):
    confirm(records, history(records, kept), kept, SAID, AGREE, reviewer="ada", now=NOW)

    with pytest.raises(RecordError, match="There is no reading of yours to take back"):
        withdraw(records, history(records, kept), kept.id, reviewer="ben", now=NOW)


def test_clock_that_goes_backwards_keeps_the_order_of_versions(records, kept):
    confirm(records, history(records, kept), kept, SAID, AGREE, reviewer="ada", now=NOW)
    withdraw(records, history(records, kept), kept.id, reviewer="ada", now=NOW - timedelta(days=400))
    confirm(records, history(records, kept), kept, SAID, REFER, reviewer="ada", now=NOW - timedelta(days=800))

    found = reviews_of(history(records, kept), kept.id)

    assert [(one.version, one.decision) for one in found] == [(1, "agree"), (2, "withdrawn"), (3, "refer")]
    assert [one.decision for one in standing(found)] == ["refer"]


def test_drafts_of_two_reviewers_do_not_meet(records, kept):
    keep_draft(records, kept.id, SAID, reviewer="ada", now=NOW)

    assert find_reading(records, kept.id, reviewer="ben") == Reading()
    assert find_reading(records, kept.id, reviewer="ada") == SAID
