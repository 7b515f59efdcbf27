"""A lesion sent in the shape of STOW-RS."""

import json

import pytest

from dermascan_core.api.records import StudyRecord
from tests.api.conftest import DARK, PHOTO

TYPE = 'multipart/related; type="application/dicom"; boundary=x'
ABOUT = (b"application/json", b'{"image_type": "dermoscopic", "age": 61}')


def study(*parts):
    body = (
        b"".join(b"--x\r\nContent-Type: " + kind + b"\r\n\r\n" + data + b"\r\n" for kind, data in parts) + b"--x--\r\n"
    )
    return {"content": body, "headers": {"Content-Type": TYPE}}


def test_pictures_of_one_lesion_are_screened_together(server):
    answer = server.client.post("/v1/studies", **study(ABOUT, (b"image/jpeg", PHOTO), (b"image/jpeg", DARK)))

    assert answer.status_code == 200
    record = answer.json()["screening"]
    assert [photo["name"] for photo in record["photos"]] == ["photo-1", "photo-2"]
    assert record["metadata"]["age_approx"] == 61
    assert answer.json()["00081198"] == []
    assert StudyRecord.model_validate(answer.json()).failed == []


def test_dicom_beside_a_picture_comes_back_as_failed(server):
    answer = server.client.post("/v1/studies", **study(ABOUT, (b"application/dicom", b"DICM"), (b"image/jpeg", PHOTO)))

    assert answer.status_code == 202
    assert answer.json()["00081198"] == [
        {
            "part": 2,
            "content_type": "application/dicom",
            "00081197": {"vr": "US", "Value": [290]},
            "sentence": "DICOM is not decoded here yet. Send the picture as a part of image/jpeg or image/png.",
        }
    ]


def test_dicom_alone_is_refused_with_the_list_of_what_failed(server):
    answer = server.client.post("/v1/studies", **study(ABOUT, (b"application/dicom", b"DICM")))

    assert (answer.status_code, answer.json()["code"]) == (409, "no_part_usable")
    assert [one["part"] for one in answer.json()["00081198"]] == [2]


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([ABOUT], 422, "no_photo"),
        ([(b"image/jpeg", PHOTO)], 422, "image_type_missing"),
        (
            [(b"application/json", json.dumps({"a": "x" * 70_000}).encode()), (b"image/jpeg", PHOTO)],
            413,
            "part_too_large",
        ),
        ([ABOUT] + [(b"image/jpeg", b"x")] * 9, 413, "too_many_parts"),
    ],
)
def test_study_that_cannot_be_is_refused(server, parts, status, code):
    answer = server.client.post("/v1/studies", **study(*parts))

    assert (answer.status_code, answer.json()["code"]) == (status, code)
