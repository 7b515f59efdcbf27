"""Keeping a screening: whole or not at all, once, without tags, and only of somebody who agreed."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from dermascan_core.domain import ImageType, NextStep
from dermascan_core.errors import ConsentError, RecordError, StorageError
from dermascan_core.services.audit_trail import verify_trail
from dermascan_core.services.history import lesion_history, person_history
from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.records import Records, add_lesion, give_consent, withdraw_consent
from tests.clinic import CONSENT, NOW, answered, somebody


def test_kept_screening_is_found_again_with_its_photo(records: Records) -> None:
    person, lesion = somebody(records)
    screening, photos = answered()

    kept = keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)

    history = person_history(records, person.pseudonym)
    [found] = history.lesions
    [case] = found.cases
    [photo] = found.photos
    assert case.screening == kept
    assert (kept.model, kept.threshold, kept.status) == ("fake", 0.2, screening.photos[0].status.value)
    assert kept.next_step == screening.next_step.value
    assert kept.p_malignant == pytest.approx(screening.photos[0].prediction.p_malignant)
    assert json.loads(kept.record)["answers"]["changing"] is False
    assert kept.gate_scores["short_side_px"] == 225
    assert (photo.file_name, photo.width_px, photo.height_px) == ("mole.jpg", 300, 225)
    assert records.images.get(photo.image_sha256) == photos[0].data
    assert kept.photos[0].photo_id == photo.id
    assert kept.photos[0].crop["side_px"] == screening.photos[0].crop.side_px


def test_same_screening_kept_twice_is_one_row(records: Records) -> None:
    _, lesion = somebody(records)
    screening, photos = answered()

    first = keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)
    again = keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW + timedelta(hours=1))

    assert again == first
    assert len(lesion_history(records, lesion.id).cases) == 1
    assert [entry.action for entry in entries(records)].count("screening kept") == 1


def test_two_screenings_of_one_photo_share_the_photo(records: Records) -> None:
    _, lesion = somebody(records)
    screening, photos = answered()
    later = replace(screening, screened_at="2027-03-01T10:00:00+00:00")

    first = keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)
    second = keep_screening(records, later, photos, lesion_id=lesion.id, actor="ada", now=NOW, replaces_id=first.id)

    history = lesion_history(records, lesion.id)
    assert [case.screening.id for case in history.cases] == [first.id, second.id]
    assert second.replaces_id == first.id
    assert len(history.photos) == 1


def test_screening_cannot_replace_that_of_another_lesion(records: Records) -> None:
    person, lesion = somebody(records)
    other = add_lesion(records, person.id, actor="ada", now=NOW)
    screening, photos = answered()
    first = keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)

    with pytest.raises(RecordError, match="that this one replaces is not in the records of this lesion"):
        keep_screening(records, screening, photos, lesion_id=other.id, actor="ada", now=NOW, replaces_id=first.id)


def test_nothing_is_kept_after_consent_was_withdrawn(records: Records) -> None:
    person, lesion = somebody(records)
    screening, photos = answered()
    assert withdraw_consent(records, person.id, actor="ada", now=NOW) == 1

    with pytest.raises(ConsentError) as caught:
        keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)

    assert str(caught.value) == (
        f"Nothing may be kept of {person.pseudonym}: their consent was taken back or is past its day. Ask them again."
    )
    assert records.images.is_empty()
    give_consent(records, person.id, CONSENT, actor="ada", now=NOW)
    keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)
    assert len(lesion_history(records, lesion.id).cases) == 1


def test_nothing_is_kept_past_the_day_that_was_agreed(records: Records) -> None:
    _, lesion = somebody(records)
    screening, photos = answered()

    with pytest.raises(ConsentError, match="past its day"):
        keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=CONSENT.keep_until)


def test_nothing_is_kept_of_an_unknown_lesion(records: Records) -> None:
    screening, photos = answered()

    with pytest.raises(RecordError, match="There is no such lesion in the records"):
        keep_screening(records, screening, photos, lesion_id="0" * 32, actor="ada", now=NOW)

    assert records.images.is_empty()


def test_photo_that_could_not_be_decoded_is_kept_by_name_alone(records: Records) -> None:
    _, lesion = somebody(records)
    screening, photos = answered()
    two = replace(screening, photos=(screening.photos[0], screening.photos[0]))

    kept = keep_screening(records, two, (None, *photos), lesion_id=lesion.id, actor="ada", now=NOW)

    assert [photo.position for photo in kept.photos] == [1]
    assert len(json.loads(kept.record)["photos"]) == 2


def test_screening_without_any_photo_is_refused(records: Records) -> None:
    _, lesion = somebody(records)
    screening, _ = answered()

    with pytest.raises(RecordError, match="None of these could be decoded"):
        keep_screening(records, screening, (None,), lesion_id=lesion.id, actor="ada", now=NOW)


def test_image_that_cannot_be_written_leaves_no_row(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    _, lesion = somebody(records)
    screening, photos = answered()

    def full(*args: object, **options: object) -> str:
        raise StorageError("The disk is full.")

    monkeypatch.setattr(type(records.images), "put", full)
    with pytest.raises(StorageError, match="The disk is full"):
        keep_screening(records, screening, photos, lesion_id=lesion.id, actor="ada", now=NOW)

    assert lesion_history(records, lesion.id).cases == ()
    assert lesion_history(records, lesion.id).photos == ()
    assert verify_trail(records).is_intact


def test_history_is_in_the_order_of_keeping_when_the_clock_goes_backwards(records: Records) -> None:
    _, lesion = somebody(records)
    screening, photos = answered()
    times = ("2026-11-26T12:00:00+00:00", "2025-01-01T00:00:00+00:00", "2026-06-01T00:00:00+00:00")

    kept = [
        keep_screening(
            records,
            replace(screening, screened_at=time),
            photos,
            lesion_id=lesion.id,
            actor="ada",
            now=NOW - timedelta(days=hours),
        )
        for hours, time in enumerate(times)
    ]

    assert [case.screening.id for case in lesion_history(records, lesion.id).cases] == [one.id for one in kept]


def entries(records: Records) -> list:
    from dermascan_core.storage import audit

    with records.database.reading() as session:
        return list(audit.entries(session))


def test_photos_of_two_kinds_are_each_kept_as_their_own(records: Records) -> None:
    _, lesion = somebody(records)
    (scope, [scope_photo]), (phone, [phone_photo]) = answered(), answered(90, "phone.jpg")
    calmer = replace(scope.photos[0], next_step=NextStep.ROUTINE_CHECK)
    calmer = replace(calmer, prediction=replace(calmer.prediction, p_malignant=0.9))
    urgent = replace(phone.photos[0], next_step=NextStep.SEE_DOCTOR, image_type=ImageType.CLINICAL, threshold=0.05)
    both = replace(scope, photos=(calmer, urgent), image_type=ImageType.CLINICAL, next_step=NextStep.SEE_DOCTOR)

    kept = keep_screening(records, both, [scope_photo, phone_photo], lesion_id=lesion.id, actor="ada", now=NOW)

    # Shares of two kinds do not compare: the row speaks of the more urgent photo, with that photo's kind and threshold.
    assert (kept.image_type, kept.threshold, kept.next_step) == ("clinical", 0.05, "see_doctor")
    assert kept.p_malignant == pytest.approx(urgent.prediction.p_malignant)
    photos = lesion_history(records, lesion.id).photos
    assert {photo.file_name: photo.image_type for photo in photos} == {
        "mole.jpg": "dermoscopic",
        "phone.jpg": "clinical",
    }
    assert [photo["image_type"] for photo in json.loads(kept.record)["photos"]] == ["dermoscopic", "clinical"]


def test_row_of_two_kinds_as_urgent_speaks_of_the_one_above_its_own_threshold(records: Records) -> None:
    _, lesion = somebody(records)
    (scope, [scope_photo]), (phone, [phone_photo]) = answered(), answered(90, "phone.jpg")
    above = replace(scope.photos[0].prediction, p_malignant=0.05, is_above_threshold=True)
    below = replace(phone.photos[0].prediction, p_malignant=0.09, is_above_threshold=False)
    first = replace(scope.photos[0], prediction=above, next_step=NextStep.SEE_DOCTOR, threshold=0.047)
    second = replace(first, prediction=below, image_type=ImageType.CLINICAL, threshold=0.097, name="phone.jpg")
    both = replace(scope, photos=(first, second), image_type=ImageType.CLINICAL, next_step=NextStep.SEE_DOCTOR)

    kept = keep_screening(records, both, [scope_photo, phone_photo], lesion_id=lesion.id, actor="ada", now=NOW)

    assert (kept.image_type, kept.threshold, kept.p_malignant) == ("dermoscopic", 0.047, 0.05)
