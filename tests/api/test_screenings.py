"""One lesion over HTTP: the record that the app writes, and what is refused before a photo is looked at."""

import json

import pytest

from dermascan_core.api.records import ScreeningRecord
from dermascan_core.domain import Answers, ImageType, Metadata
from dermascan_core.reports.export import screening_to_json
from dermascan_core.services.screening import screen_lesion
from dermascan_core.triage.wording import DISCLAIMER
from tests.api.conftest import DARK, PHOTO, form
from tests.fakes import FakePredictor


def without_times(record):
    photos = [photo | {"elapsed_ms": 0} for photo in record["photos"]]
    return record | {"screened_at": "", "photos": photos}


def test_answer_is_the_record_that_the_app_writes(server):
    expected = screen_lesion(
        [("0.jpg", PHOTO), ("1.jpg", DARK)],
        metadata=Metadata(age_approx=61, sex="female", anatom_site="back"),
        answers=Answers(changing=True, worried=False),
        image_type=ImageType.DERMOSCOPIC,
        predictor=FakePredictor(),
    )

    answer = server.client.post(
        "/v1/screenings",
        **form(PHOTO, DARK, age="61", sex="female", localization="back", changing="yes", worried="no"),
    )

    assert answer.status_code == 200
    assert without_times(answer.json()) == without_times(json.loads(screening_to_json(expected)))
    assert answer.json()["next_step"] == "urgent_2_weeks"
    assert answer.json()["disclaimer"] == DISCLAIMER
    assert (answer.json()["model"], answer.json()["engine"], len(answer.json()["model_sha256"])) == ("fake", "fake", 64)


def test_fields_may_come_as_one_json_part(server):
    as_json = {"metadata": json.dumps({"age_approx": 61, "sex": None}), "answers": json.dumps({"changing": True})}

    answer = server.client.post("/v1/screenings", **form(PHOTO, **as_json)).json()

    assert answer["metadata"]["age_approx"] == 61
    assert answer["metadata"]["sex"] is None
    assert answer["answers"]["changing"] is True


def test_refused_photo_is_an_answer_and_says_what_to_do(server):
    answer = server.client.post("/v1/screenings", **form(b"not a photo"))

    (photo,) = answer.json()["photos"]
    assert answer.status_code == 200
    assert (photo["status"], photo["prediction"]) == ("refused", None)
    assert photo["reason"]["code"] == "unreadable"
    assert answer.json()["next_step"] == "not_assessed"


def test_heat_maps_and_a_second_look_come_where_asked_for(server):
    answer = server.client.post("/v1/screenings", **form(PHOTO, explain="true", repeat="true")).json()

    (photo,) = answer["photos"]
    assert photo["heat_maps"]["mel"][2][2] == 1
    assert photo["repeatability"]["n_changed"] == 0
    assert "heat_maps" not in server.client.post("/v1/screenings", **form(PHOTO)).json()["photos"][0]


@pytest.mark.parametrize("fields", [{}, {"explain": "true", "repeat": "yes"}])
@pytest.mark.parametrize("photo", [PHOTO, b"broken"])
def test_every_field_of_the_record_is_described(server, photo, fields):
    answer = server.client.post("/v1/screenings", **form(photo, **fields))

    assert ScreeningRecord.model_validate(answer.json()).schema_version == "1.0"


@pytest.mark.parametrize(
    ("fields", "code", "sentence"),
    [
        ({"age": "300"}, "field_impossible", "Expected age in years between 0 and 120, or empty for unknown."),
        ({"changing": "maybe"}, "field_impossible", "Expected yes or no for changing, or empty for unknown."),
        ({"agee": "61"}, "field_unknown", "Expected fields that /openapi.json names. Received besides: 'agee'."),
        ({"image_type": "x-ray"}, "image_type_missing", "Expected image_type=dermoscopic (through a dermatoscope) or"),
        ({"explain": "perhaps"}, "field_impossible", "Expected explain to be true or false. It is something else."),
        (
            {"n_refused_before": "-1"},
            "field_impossible",
            "Expected n_refused_before to be a whole number from 0 to 1000.",
        ),
        ({"age": "61", "metadata": '{"age": 62}'}, "field_twice", "Expected each field once. Received twice: 'age'."),
        ({"metadata": "[1]"}, "field_not_json", "Expected the part 'metadata' to be one flat JSON object."),
        (
            {"metadata": '{"age": {"a": 1}}'},
            "field_not_json",
            "Expected the part 'metadata' to be one flat JSON object.",
        ),
        ({"metadata": "{" * 60_000}, "field_not_json", "Expected a JSON object in the part 'metadata'. It is not."),
        ({"answers": "no"}, "field_not_json", "Expected a JSON object in the part 'answers'. It is not."),
    ],
)
def test_field_that_cannot_be_is_named_and_nothing_is_screened(server, fields, code, sentence):
    answer = server.client.post("/v1/screenings", **form(PHOTO, **fields))

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert answer.json()["detail"].startswith(sentence)
    assert server.built.context.queue.state.n_done == 0


def test_form_without_a_photo_is_told_what_is_missing(server):
    answer = server.client.post("/v1/screenings", files={"age": (None, "61")})

    assert answer.status_code == 422
    assert answer.json()["detail"] == "Expected one photo or more in the field 'photos'. There is none."


def test_photo_in_a_field_of_another_name_is_told_which_name_is_expected(server):
    files = {"photo": ("mole.jpg", bytes(70_000), "image/jpeg")}

    answer = server.client.post("/v1/screenings", files=files, data={"image_type": "dermoscopic"})

    assert answer.status_code == 422
    assert answer.json()["detail"] == "Expected photos in 'photos'. One came in another field."


def test_two_refusals_before_ask_for_a_doctor_instead_of_a_third_photo(server):
    answer = server.client.post("/v1/screenings", **form(b"broken", n_refused_before="1")).json()

    assert answer["next_step"] == "see_doctor"


def test_file_name_stays_text_whatever_it_holds(server):
    name = "../../etc/passwd\r\nX: <script>"

    answer = server.client.post(
        "/v1/screenings", files=[("photos", (name, PHOTO, "image/jpeg"))], data={"image_type": "clinical"}
    )

    assert answer.status_code == 200
    assert answer.json()["photos"][0]["name"].startswith("../../etc/passwd")
    assert "\n" not in answer.json()["photos"][0]["name"]
