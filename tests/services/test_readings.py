"""What clinicians write: kept for good, in versions, each their own."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from dermascan_core.errors import ConsentError, RecordError
from dermascan_core.services.audit_trail import verify_trail
from dermascan_core.services.history import lesion_history, list_screenings, next_unread
from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.readings import (
    CONFIRM_TYPES,
    add_comment,
    add_outcome,
    confirm_review,
    find_draft,
    save_draft,
    two_readings,
)
from dermascan_core.services.records import Records, withdraw_consent
from dermascan_core.storage.kept import KeptScreening, NewReview
from tests.attacks import SQL_INJECTIONS
from tests.clinic import NOW, answered, somebody


@pytest.fixture
def screening(records: Records) -> KeptScreening:
    _, lesion = somebody(records)
    answer, photos = answered()
    return keep_screening(records, answer, photos, lesion_id=lesion.id, actor="ada", now=NOW)


def reading(screening: KeptScreening, **changes: object) -> NewReview:
    usual = NewReview(
        screening_id=screening.id,
        reviewer="ada",
        own_dx="mel",
        own_step="urgent_2_weeks",
        own_at=NOW,
        decision="override",
        final_dx="mel",
        final_step="urgent_2_weeks",
        reason="Blue veil at the rim.",
    )
    return replace(usual, **changes)


def test_confirmed_review_stands_beside_the_model_s_answer(records: Records, screening: KeptScreening) -> None:
    save_draft(records, screening.id, {"own_dx": "mel"}, reviewer="ada", now=NOW)

    kept = confirm_review(records, reading(screening), now=NOW + timedelta(minutes=3))

    [case] = lesion_history(records, screening.lesion_id).cases
    assert case.reviews == (kept,)
    assert case.screening == screening
    assert (kept.version, kept.reason, kept.own_at) == (1, "Blue veil at the rim.", NOW)
    assert case.drafts == ()
    assert find_draft(records, screening.id, reviewer="ada") is None


def test_second_thought_is_a_new_version_and_the_first_stays(records: Records, screening: KeptScreening) -> None:
    confirm_review(records, reading(screening), now=NOW)
    confirm_review(records, reading(screening, final_dx="nv", final_step="watch"), now=NOW - timedelta(days=1))

    [case] = lesion_history(records, screening.lesion_id).cases

    assert [(one.version, one.final_dx) for one in case.reviews] == [(1, "mel"), (2, "nv")]
    assert [one.version for one in case.newest_reviews] == [2]


def test_review_confirmed_twice_alike_is_one_version(records: Records, screening: KeptScreening) -> None:
    first = confirm_review(records, reading(screening), now=NOW)

    assert confirm_review(records, reading(screening), now=NOW + timedelta(seconds=1)) == first
    [case] = lesion_history(records, screening.lesion_id).cases
    assert len(case.reviews) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"own_dx": "cancer"}, "Expected a diagnosis: one of akiec,"),
        ({"final_step": "none"}, "Expected a next step: one of emergency,"),
        ({"decision": "maybe"}, "Expected a decision: one of agree, override, refer, withdrawn. Received 'maybe'."),
        ({"reason": " "}, "Expected a reason for another answer than the model's. Received none."),
        ({"reason": "x" * 4001}, "Expected a reason of at most 4,000 characters. Received 4,001."),
        ({"screening_id": "0" * 32}, "There is no such screening in the records."),
    ],
)
def test_review_that_cannot_be_kept_says_why(
    records: Records, screening: KeptScreening, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(RecordError, match=message):
        confirm_review(records, reading(screening, **changes), now=NOW)

    assert list_screenings(records).screenings[0].n_reviews == 0


def test_two_clinicians_that_confirm_at_once_both_have_their_reading(
    records: Records, screening: KeptScreening
) -> None:
    start = threading.Barrier(2)

    def confirm(reviewer: str) -> None:
        start.wait()
        for dx in ("mel", "nv", "bcc", "df", "vasc"):
            confirm_review(records, reading(screening, reviewer=reviewer, final_dx=dx), now=NOW)

    threads = [threading.Thread(target=confirm, args=(name,)) for name in ("ada", "bob")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [case] = lesion_history(records, screening.lesion_id).cases
    versions = {name: [r.version for r in case.reviews if r.reviewer == name] for name in ("ada", "bob")}
    assert versions == {"ada": [1, 2, 3, 4, 5], "bob": [1, 2, 3, 4, 5]}
    assert verify_trail(records).is_intact


def test_one_clinician_in_two_tabs_loses_neither_reading(records: Records, screening: KeptScreening) -> None:
    start = threading.Barrier(2)

    def confirm(dx: str) -> None:
        start.wait()
        confirm_review(records, reading(screening, final_dx=dx), now=NOW)

    threads = [threading.Thread(target=confirm, args=(dx,)) for dx in ("mel", "nv")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    [case] = lesion_history(records, screening.lesion_id).cases
    assert [one.version for one in case.reviews] == [1, 2]
    assert {one.final_dx for one in case.reviews} == {"mel", "nv"}


def test_pairs_of_readers_are_of_first_opinions(records: Records, screening: KeptScreening) -> None:
    confirm_review(records, reading(screening, reviewer="bob", own_dx="nv", own_step="watch"), now=NOW)
    confirm_review(records, reading(screening, reviewer="ada"), now=NOW)
    confirm_review(records, reading(screening, reviewer="bob", own_dx="mel"), now=NOW)

    [pair] = two_readings(records)

    assert (pair.reviewers, pair.dxs) == (("ada", "bob"), ("mel", "nv"))
    assert pair.steps == ("urgent_2_weeks", "watch")


def test_draft_is_found_again_by_its_reviewer_alone(records: Records, screening: KeptScreening) -> None:
    save_draft(records, screening.id, {"own_dx": "nv"}, reviewer="ada", now=NOW)
    save_draft(records, screening.id, {"own_dx": "mel", "note": "ä"}, reviewer="ada", now=NOW + timedelta(minutes=1))

    draft = find_draft(records, screening.id, reviewer="ada")

    assert draft is not None
    assert (draft.content, draft.saved_at) == ({"own_dx": "mel", "note": "ä"}, NOW + timedelta(minutes=1))
    assert find_draft(records, screening.id, reviewer="bob") is None


def test_last_outcome_counts_and_the_first_stays_when_the_clock_goes_backwards(
    records: Records, screening: KeptScreening
) -> None:
    for hours, dx in ((0, "nv"), (-5, "mel")):
        add_outcome(
            records,
            screening.lesion_id,
            dx=dx,
            confirmed_by="histopathology",
            found_at=NOW,
            actor="ada",
            now=NOW + timedelta(hours=hours),
            note_text="Breslow 0.4 mm",
        )

    history = lesion_history(records, screening.lesion_id)

    assert [one.dx for one in history.outcomes] == ["nv", "mel"]
    assert history.outcome.dx == "mel"
    assert history.outcome.note == "Breslow 0.4 mm"


@pytest.mark.parametrize("confirmed_by", CONFIRM_TYPES)
def test_outcome_is_confirmed_in_the_archive_s_words(
    records: Records, screening: KeptScreening, confirmed_by: str
) -> None:
    add_outcome(records, screening.lesion_id, dx="scc", confirmed_by=confirmed_by, found_at=NOW, actor="ada", now=NOW)

    assert lesion_history(records, screening.lesion_id).outcome.confirmed_by == confirmed_by


def test_nothing_is_written_about_somebody_who_took_consent_back(records: Records, screening: KeptScreening) -> None:
    from dermascan_core.services.history import list_screenings

    withdraw_consent(records, list_screenings(records).screenings[0].person_id, actor="ada", now=NOW)

    with pytest.raises(ConsentError):
        confirm_review(records, reading(screening), now=NOW)
    with pytest.raises(ConsentError):
        add_comment(records, screening.lesion_id, "x", author="ada", now=NOW)
    with pytest.raises(ConsentError):
        save_draft(records, screening.id, {}, reviewer="ada", now=NOW)


@pytest.mark.parametrize("typed", ["", "\0", "\ud800", "0" * 31, "0" * 32, "A" * 32, "../" * 9])
def test_id_out_of_an_address_finds_nothing_where_it_is_none(records: Records, typed: str) -> None:
    with pytest.raises(RecordError, match="There is no such lesion"):
        lesion_history(records, typed)
    with pytest.raises(RecordError, match="There is no such screening"):
        save_draft(records, typed, {}, reviewer="ada", now=NOW)

    assert find_draft(records, typed, reviewer="ada") is None


def test_what_attackers_write_is_kept_as_written(records: Records, screening: KeptScreening) -> None:
    lesion_id = screening.lesion_id
    for typed in SQL_INJECTIONS:
        confirm_review(records, reading(screening, reason=typed, reviewer=typed), now=NOW)
        add_comment(records, lesion_id, typed, author=typed, now=NOW)
        save_draft(records, screening.id, {typed: typed}, reviewer=typed, now=NOW)
        with pytest.raises(RecordError):
            add_outcome(records, lesion_id, dx=typed, confirmed_by=typed, found_at=NOW, actor="ada", now=NOW)
        with pytest.raises(RecordError):
            lesion_history(records, typed)

    history = lesion_history(records, lesion_id)
    [case] = history.cases
    assert [(one.reviewer, one.reason) for one in case.reviews] == [(typed, typed.strip()) for typed in SQL_INJECTIONS]
    assert [(one.author, one.text) for one in history.comments] == [(typed, typed.strip()) for typed in SQL_INJECTIONS]
    for typed in SQL_INJECTIONS:
        assert find_draft(records, screening.id, reviewer=typed).content == {typed: typed}
        assert list_screenings(records, search=typed).n_screenings == 0
        assert list_screenings(records, not_read_by=typed).n_screenings == 0
    assert list_screenings(records, not_read_by="ada").n_screenings == 1
    assert verify_trail(records).is_intact


def test_list_is_in_reading_order(records: Records) -> None:
    _, lesion = somebody(records)
    answer, photos = answered()
    steps = ("watch", "see_doctor", "not_assessed", "urgent_2_weeks", "routine_check", "emergency")
    for number, step in enumerate(steps):
        one = replace(
            answer, next_step=type(answer.next_step)(step), screened_at=f"2026-01-0{number + 1}T00:00:00+00:00"
        )
        keep_screening(records, one, photos, lesion_id=lesion.id, actor="ada", now=NOW)

    listed = list_screenings(records)

    assert [one.next_step for one in listed.screenings] == [
        *("emergency", "urgent_2_weeks", "not_assessed", "see_doctor", "routine_check", "watch"),
    ]
    assert [one.next_step for one in list_screenings(records, offset=2, limit=2).screenings] == [
        "not_assessed",
        "see_doctor",
    ]
    assert listed.n_screenings == 6


def test_next_unread_follows_the_list_from_any_place_and_begins_again(records: Records) -> None:
    _, lesion = somebody(records)
    answer, photos = answered()
    steps = ("watch", "see_doctor", "watch", "emergency")
    kept = [
        keep_screening(
            records,
            replace(answer, next_step=type(answer.next_step)(step), screened_at=f"2026-01-0{day}T00:00:00+00:00"),
            photos,
            lesion_id=lesion.id,
            actor="ada",
            now=NOW,
        )
        for day, step in enumerate(steps, start=1)
    ]
    order = [kept[3], kept[1], kept[0], kept[2]]

    def following(one: KeptScreening) -> str | None:
        return next_unread(records, one, reviewer="ada", is_demo=False)

    assert [following(one) for one in order] == [one.id for one in (*order[1:], order[0])]
    confirm_review(records, reading(order[1]), now=NOW)
    assert [following(one) for one in order] == [order[2].id, order[2].id, order[3].id, order[0].id]
    assert next_unread(records, order[0], reviewer="ada", is_demo=True) is None
    for one in order[2:]:
        confirm_review(records, reading(one), now=NOW)
    assert following(order[0]) is None
    assert following(order[1]) == order[0].id


def test_list_leaves_out_what_was_answered_anew_and_what_one_has_read(
    records: Records, screening: KeptScreening
) -> None:
    answer, photos = answered()
    later = replace(answer, screened_at="2027-01-01T00:00:00+00:00")
    anew = keep_screening(
        records, later, photos, lesion_id=screening.lesion_id, actor="ada", now=NOW, replaces_id=screening.id
    )

    assert [one.screening_id for one in list_screenings(records).screenings] == [anew.id]
    confirm_review(records, reading(anew), now=NOW)
    assert list_screenings(records, not_read_by="ada").n_screenings == 0
    assert list_screenings(records, not_read_by="bob").n_screenings == 1
