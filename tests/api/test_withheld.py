"""The kill switch over the REST interface."""

from datetime import UTC, datetime

import pytest

from dermascan_core.services.access import LOCAL_USER
from dermascan_core.services.withholding import VARIABLE, Withheld, set_withholding
from tests.api.conftest import PHOTO, form, wait_until
from tests.api.test_predictions import SQUARE, squares

STOPPED = "The model's answers are stopped here, by local on 2026-11-27 09:05 UTC: two melanomas were missed."


@pytest.fixture(autouse=True)
def stopped(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "records"))
    now = datetime(2026, 11, 27, 9, 5, tzinfo=UTC)
    set_withholding(LOCAL_USER, Withheld.ALL, why="two melanomas were missed", now=now)


def test_screening_says_that_answers_are_stopped_and_keeps_the_person_s_own_step(server):
    answer = server.client.post("/v1/screenings", **form(PHOTO, bleeding="yes"))

    record = answer.json()
    assert (answer.status_code, record["next_step"]) == (200, "see_doctor")
    assert record["photos"][0]["reason"]["code"] == "answers_withheld"
    assert record["photos"][0]["reason"]["sentence"].startswith(STOPPED)
    assert record["photos"][0]["prediction"] is None


def test_numbers_for_another_app_are_refused(server):
    answer = server.client.post("/v1/predictions", **squares(SQUARE))

    assert (answer.status_code, answer.json()["code"]) == (503, "answers_withheld")
    assert answer.json()["detail"].startswith(STOPPED)


def test_batch_comes_out_unanswered(server):
    job = server.client.post("/v1/batches", **form(PHOTO)).json()

    wait_until(lambda: server.client.get(f"/v1/batches/{job['id']}").json()["state"] == "done")
    done = server.client.get(f"/v1/batches/{job['id']}").json()
    assert done["statuses"] == {"refused": 1}


def test_readiness_says_so_to_whoever_watches_the_server(server):
    assert server.client.get("/readyz").json()["withheld"] == "all"
