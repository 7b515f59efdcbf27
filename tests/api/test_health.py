"""Alive, ready, and which models ship."""

import threading

from dermascan_core.api.records import ModelRecord
from dermascan_core.errors import WeightsError
from tests.api.conftest import PHOTO, form, running_server, wait_until
from tests.fakes import FakePredictor


def test_server_lives_before_its_model_is_loaded_and_says_when_to_come_again(tmp_path, monkeypatch):
    door = threading.Event()

    def load():
        assert door.wait(20)
        return FakePredictor()

    monkeypatch.setattr("dermascan_core.api.answering.AnsweringModel.wait", lambda self, timeout_s=None: None)
    with running_server(tmp_path, load=load) as server:
        assert server.client.get("/healthz").json() == {"status": "alive", "app_version": "0.1.0"}
        early = server.client.get("/readyz")
        assert (early.status_code, early.json()["code"], early.headers["Retry-After"]) == (503, "model_loading", "5")
        assert server.client.post("/v1/screenings", **form(PHOTO)).json()["code"] == "model_loading"

        door.set()
        wait_until(lambda: server.client.get("/readyz").status_code == 200)


def test_server_whose_weights_disagree_is_never_ready_and_says_why(tmp_path):
    def load():
        raise WeightsError("Expected the weights 'a' of the manifest. Received 'b'. Restore the folder.")

    with running_server(tmp_path, load=load) as server:
        answer = server.client.get("/readyz")

        assert server.client.get("/healthz").status_code == 200
    assert (answer.status_code, answer.json()["code"]) == (503, "model_unusable")
    assert answer.json()["detail"] == (
        "No model answers here: Expected the weights 'a' of the manifest. Received 'b'. Restore the folder."
    )


def test_models_say_which_one_answers(server):
    (model,) = server.client.get("/v1/models").json()

    assert ModelRecord.model_validate(model).name == "fake"
    assert (model["is_answering"], model["engine"], model["input_px"]) == (True, "fake", 160)
    assert len(model["classes"]) == 8


def test_unknown_path_and_method_are_problems(server):
    path, method = server.client.get("/v1/nothing"), server.client.put("/v1/screenings")

    assert (path.status_code, path.json()["code"]) == (404, "no_such_path")
    assert (method.status_code, method.json()["code"], method.headers["Allow"]) == (405, "no_such_method", "POST")
    assert path.headers["Content-Type"] == "application/problem+json"


def test_no_page_that_would_fetch_scripts_from_elsewhere_is_served(server):
    assert [server.client.get(path).status_code for path in ("/docs", "/redoc")] == [404, 404]
