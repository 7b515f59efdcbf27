"""Squares in, numbers out: what is refused before the network is asked. The answers: tests/services/test_remote.py."""

import json

import pytest

from dermascan_core.services.wire import decode_outputs, encode_square
from tests.api.conftest import PHOTO
from tests.fakes import fake_photo

SQUARE = encode_square(fake_photo(width=160, height=160))


def squares(*files, **fields):
    fields = {"metadata": json.dumps([{}] * len(files)), "model_sha256": "0" * 64} | fields
    return {"files": [("squares", ("s.png", data, "image/png")) for data in files], "data": fields}


def test_numbers_come_back_for_each_square(server):
    answer = server.client.post("/v1/predictions", **squares(SQUARE, SQUARE, explain="true", n_views="2"))

    assert answer.status_code == 200
    outputs = decode_outputs(answer.content, n_outputs=2)
    assert outputs[0].prediction.n_views == 8  # this model cannot be told
    assert outputs[1].heat_maps["mel"].shape == (5, 5)


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (squares(PHOTO), 422, "photo_unusable"),
        (squares(SQUARE, metadata="[]"), 422, "count_differs"),
        (squares(SQUARE, metadata="{}"), 422, "metadata_not_json"),
        (squares(SQUARE, metadata='[{"itch": "yes"}]'), 422, "metadata_not_json"),
        (squares(SQUARE, metadata="[" * 60_000), 422, "metadata_not_json"),
        (squares(SQUARE, metadata='[{"age_approx": 300}]'), 422, "metadata_impossible"),
        (squares(SQUARE, model_sha256="1" * 64), 409, "other_weights"),
        (squares(SQUARE, n_views="9"), 422, "views_impossible"),
        (squares(bytes(200_000)), 413, "part_too_large"),
        (squares(*[b"x"] * 65), 413, "too_many_parts"),
        ({"files": {"metadata": (None, "[]"), "model_sha256": (None, "0" * 64)}}, 422, "count_differs"),
    ],
)
def test_request_that_cannot_be_is_refused_and_the_network_is_not_asked(server, sent, status, code):
    answer = server.client.post("/v1/predictions", **sent)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert server.built.context.queue.state.n_done == 0
