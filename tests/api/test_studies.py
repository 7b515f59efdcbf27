"""A lesion sent in the shape of STOW-RS."""

import io
import json

import pytest
from PIL import Image

from dermascan_core.api.records import StudyRecord
from dermascan_core.interop.dicom_codes import PHOTOGRAPHIC
from tests.api.conftest import DARK, PHOTO
from tests.fakes import fake_photo
from tests.interop.dicom_files import dicom_bytes

TYPE = 'multipart/related; type="application/dicom"; boundary=x'
ABOUT = (b"application/json", b'{"image_type": "dermoscopic", "age": 44}')
BARE = b'{"image_type": "dermoscopic"}'


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
    assert record["metadata"]["age_approx"] == 44
    assert answer.json()["00081198"] == []
    assert StudyRecord.model_validate(answer.json()).failed == []


def test_dicom_is_screened_and_its_tags_fill_what_the_request_left_open(server):
    data = dicom_bytes(fake_photo(), BodyPartExamined="BACK")

    answer = server.client.post("/v1/studies", **study(ABOUT, (b"application/dicom", data)))

    assert answer.status_code == 200
    record = StudyRecord.model_validate(answer.json()).screening
    assert [(photo.name, photo.status) for photo in record.photos] == [("photo-1", "answered")]
    told = ("age_approx", "sex", "anatom_site")
    assert {name: record.metadata[name] for name in told} == {"age_approx": 44, "sex": "female", "anatom_site": "back"}


def test_dicom_is_answered_as_its_picture_alone_is(server):
    def shares(*part):
        answer = server.client.post("/v1/studies", **study((b"application/json", BARE), part))
        return answer.json()["screening"]["photos"][0]["prediction"]["probabilities"]

    bare = dict.fromkeys(("PatientSex", "PatientAge", "PatientBirthDate"))
    png = io.BytesIO()
    Image.fromarray(fake_photo()).save(png, "PNG")

    assert shares(b"application/dicom", dicom_bytes(fake_photo(), **bare)) == shares(b"image/png", png.getvalue())


def test_dicom_says_what_took_it_where_the_request_does_not(server):
    data = dicom_bytes(fake_photo(), SOPClassUID=PHOTOGRAPHIC, Modality="XC")

    alone = server.client.post("/v1/studies", **study((b"application/dicom", data)))
    overruled = server.client.post("/v1/studies", **study(ABOUT, (b"application/dicom", data)))
    beside_a_photo = server.client.post("/v1/studies", **study((b"application/dicom", data), (b"image/jpeg", PHOTO)))

    assert alone.json()["screening"]["image_type"] == "clinical"
    assert overruled.json()["screening"]["image_type"] == "dermoscopic"
    assert (beside_a_photo.status_code, beside_a_photo.json()["code"]) == (422, "image_type_missing")


def test_nobody_is_named_in_the_answer_or_the_log(server):
    answer = server.client.post("/v1/studies", **study(ABOUT, (b"application/dicom", dicom_bytes(fake_photo()))))

    assert answer.status_code == 200
    for word in ("Doe", "H-4711", "19650102", "Clinic of the test"):
        assert word not in answer.text
        assert word not in server.log.getvalue()


def test_broken_dicom_beside_a_picture_comes_back_as_failed(server):
    answer = server.client.post("/v1/studies", **study(ABOUT, (b"application/dicom", b"DICM"), (b"image/jpeg", PHOTO)))

    assert answer.status_code == 202
    assert answer.json()["00081198"] == [
        {
            "part": 2,
            "content_type": "application/dicom",
            "00081197": {"vr": "US", "Value": [0xC000]},
            "sentence": "The DICOM file is damaged, incomplete, or compressed in a way that cannot be read here. "
            "Export it again, uncompressed or as JPEG.",
        }
    ]


@pytest.mark.parametrize(
    ("tags", "reason", "words"),
    [
        ({"Rows": 60000, "Columns": 60000}, 0x0110, "Received 60000x60000 px."),
        ({"NumberOfFrames": 2, "Rows": 225}, 0x0110, "Received a DICOM file with 2 frames."),
        ({"PixelData": None}, 0xC000, "This one holds none."),
        ({"syntax": "1.2.840.10008.1.2.1.99", "PixelData": None}, 0xC000, "not compressed as a whole (deflated)."),
    ],
)
def test_hostile_dicom_fails_with_its_reason_and_the_other_photo_goes_on(tags, reason, words, server):
    bomb = dicom_bytes(fake_photo(), **tags)

    answer = server.client.post("/v1/studies", **study(ABOUT, (b"application/dicom", bomb), (b"image/jpeg", PHOTO)))

    (failed,) = answer.json()["00081198"]
    assert (answer.status_code, failed["00081197"]["Value"]) == (202, [reason])
    assert words in failed["sentence"]
    assert [photo["status"] for photo in answer.json()["screening"]["photos"]] == ["answered"]


def test_another_type_of_part_comes_back_as_failed(server):
    answer = server.client.post("/v1/studies", **study(ABOUT, (b"application/pdf", b"%PDF"), (b"image/jpeg", PHOTO)))

    (failed,) = answer.json()["00081198"]
    assert failed["00081197"] == {"vr": "US", "Value": [0x0122]}
    assert failed["sentence"].startswith("Expected a part of application/dicom, image/jpeg, image/png")


def test_broken_dicom_alone_is_refused_with_the_list_of_what_failed(server):
    answer = server.client.post("/v1/studies", **study(ABOUT, (b"application/dicom", b"DICM")))

    assert (answer.status_code, answer.json()["code"]) == (409, "no_part_usable")
    assert answer.json()["detail"].startswith(
        "No part can be screened. The first that failed: The DICOM file is damaged"
    )
    assert [one["part"] for one in answer.json()["00081198"]] == [2]


def test_dicom_files_of_two_patients_are_not_one_lesion(server):
    one, other = dicom_bytes(fake_photo()), dicom_bytes(fake_photo(), PatientID="H-4712")

    answer = server.client.post("/v1/studies", **study(ABOUT, *((b"application/dicom", data) for data in (one, other))))

    assert (answer.status_code, answer.json()["code"]) == (422, "several_lesions")
    assert "H-471" not in answer.text


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
