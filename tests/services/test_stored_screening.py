"""A record read back shows what was shown then; a foreign or altered one is refused in words."""

import json

import numpy as np
import pytest

from dermascan_core.domain import Answers, ImageType, Metadata, Status
from dermascan_core.errors import StorageError
from dermascan_core.reports.export import screening_to_json
from dermascan_core.services.screening import screen_lesion
from dermascan_core.services.stored_screening import read_screening, with_squares
from tests.fakes import FakePredictor, fake_photo, photo_bytes

DARK = photo_bytes(fake_photo(lesion=(45, 25, 20)))


def screened(*photos, **options):
    return screen_lesion(
        [(f"photo {i}.jpg", data) for i, data in enumerate(photos)],
        metadata=Metadata(age_approx=61, sex="female", anatom_site="back"),
        answers=Answers(changing=True, worried=False),
        image_type=ImageType.DERMOSCOPIC,
        predictor=FakePredictor(),
        **options,
    )


def test_record_read_back_writes_the_same_record_again():
    record = screening_to_json(screened(DARK, repeat=True))

    assert screening_to_json(read_screening(record)) == record


def test_heat_maps_are_kept_where_the_record_holds_them():
    record = screening_to_json(screened(DARK, explain=True), with_heat_maps=True)

    back = read_screening(record)

    assert back.photos[0].heat_maps["mel"].shape == (5, 5)
    assert back.photos[0].heat_maps["mel"][2, 2] == 1
    assert screening_to_json(back, with_heat_maps=True) == record


def test_refused_photo_stays_refused():
    record = screening_to_json(screened(b"no photo", DARK))

    back = read_screening(record)

    assert [photo.status for photo in back.photos] == [Status.REFUSED, Status.ANSWERED]
    assert back.photos[0].prediction is None
    assert back.photos[0].reason.code == "unreadable"


def test_each_photo_keeps_how_it_was_taken():
    record = screening_to_json(screened(DARK, DARK, image_types=[ImageType.CLINICAL, None]))

    back = read_screening(record)

    assert [photo.image_type for photo in back.photos] == [ImageType.CLINICAL, ImageType.DERMOSCOPIC]
    assert screening_to_json(back) == record


def test_record_from_before_photos_named_their_kind_is_read_as_all_of_the_lesion_s():
    record = json.loads(screening_to_json(screened(DARK, DARK)))
    for photo in record["photos"]:
        del photo["image_type"], photo["threshold"]
    del record["fusion"]

    back = read_screening(json.dumps(record))

    assert [(photo.image_type, photo.threshold) for photo in back.photos] == [(ImageType.DERMOSCOPIC, 0.2)] * 2
    assert not back.is_mixed


def test_squares_are_cut_again_pixel_for_pixel():
    before = screened(DARK)

    back = with_squares(read_screening(screening_to_json(before)), [DARK], FakePredictor().manifest)

    assert np.array_equal(back.photos[0].square, before.photos[0].square)


def test_a_photo_that_can_no_longer_be_read_leaves_the_answer_standing():
    back = with_squares(read_screening(screening_to_json(screened(DARK))), [b"torn"], FakePredictor().manifest)

    assert back.photos[0].square is None
    assert back.photos[0].prediction is not None


def test_a_field_of_another_version_is_no_failure():
    record = json.loads(screening_to_json(screened(DARK)))
    record["metadata"]["eye_colour"] = "green"
    del record["answers"]["worried"]

    back = read_screening(json.dumps(record))

    assert back.metadata.age_approx == 61
    assert back.answers.worried is None


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"photos": 3}', '{"photos": [{"name": "a"}]}', "\x00", "{" * 50],
    ids=repr,
)
def test_what_is_no_record_is_refused_in_words(text):
    with pytest.raises(StorageError, match="A kept record cannot be read"):
        read_screening(text)


@pytest.mark.parametrize("field", ["photos", "next_step", "model", "calm_rate", "image_type", "answers"])
def test_record_without_a_field_is_refused_in_words(field):
    record = json.loads(screening_to_json(screened(DARK)))
    del record[field]

    with pytest.raises(StorageError, match="A kept record cannot be read"):
        read_screening(json.dumps(record))
