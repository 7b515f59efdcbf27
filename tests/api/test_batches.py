"""Batches over HTTP: begun, looked at, read, removed, one key's alone, and finished after a kill -9."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from dermascan_core.reports.export import screen_columns
from tests.api.conftest import AS_CLINIC, AS_LAB, DARK, PHOTO, running_server, wait_until
from tests.fakes import CODES, FakePredictor

ROOT = Path(__file__).parents[2]


def batch(*photos, names=None, table=None, **fields):
    names = names or [f"{number}.jpg" for number in range(len(photos))]
    files = [("photos", (name, data, "image/jpeg")) for name, data in zip(names, photos, strict=True)]
    files += [] if table is None else [("metadata", ("people.csv", table, "text/csv"))]
    return {"files": files, "data": {"image_type": "dermoscopic"} | fields}


def finished(client, answer, **options):
    where = answer.headers["Location"]
    wait_until(lambda: client.get(where, **options).json()["state"] in ("done", "failed"))
    return client.get(where, **options).json()


def test_batch_is_accepted_looked_at_and_read(server):
    answer = server.client.post("/v1/batches", **batch(PHOTO, b"broken", DARK, table=b"image,age\n2,80\n"))

    assert answer.status_code == 202
    assert re.fullmatch(r"/v1/batches/[A-Za-z0-9_-]{32}", answer.headers["Location"])
    job = finished(server.client, answer)
    assert (job["state"], job["n_done"], job["eta_s"]) == ("done", 3, 0.0)
    assert job["statuses"] == {"answered": 2, "refused": 1}
    lines = server.client.get(job["results"])
    assert lines.headers["content-type"] == "application/x-ndjson"
    records = [json.loads(line) for line in lines.text.splitlines()]
    assert [record["image"] for record in records] == ["0.jpg", "1.jpg", "2.jpg"]
    assert records[2]["p_mel"] > records[0]["p_mel"]


def test_csv_has_the_columns_of_the_command_line(server):
    answer = server.client.post("/v1/batches", **batch(PHOTO, b"broken", names=["=cmd.jpg", "b.jpg"]))
    job = finished(server.client, answer)

    rows = list(csv.DictReader(server.client.get(job["results"], params={"format": "csv"}).text.splitlines()))

    assert tuple(rows[0]) == screen_columns(CODES)
    assert [row["image"] for row in rows] == ["'=cmd.jpg", "b.jpg"]
    assert rows[1]["p_mel"] == ""


def test_batch_of_another_key_is_as_good_as_none(server_with_keys):
    client = server_with_keys.client
    answer = client.post("/v1/batches", headers=AS_CLINIC, **batch(PHOTO))
    where = answer.headers["Location"]

    for method, path in (("GET", where), ("GET", f"{where}/results"), ("DELETE", where)):
        other = client.request(method, path, headers=AS_LAB)
        assert (other.status_code, other.json()["code"]) == (404, "no_such_batch")

    assert finished(client, answer, headers=AS_CLINIC)["state"] == "done"


def test_removed_batch_leaves_nothing_behind(server, tmp_path):
    answer = server.client.post("/v1/batches", **batch(PHOTO))
    where = answer.headers["Location"]
    finished(server.client, answer)

    assert server.client.delete(where).status_code == 204

    assert server.client.get(where).status_code == 404
    assert server.client.delete(where).status_code == 404
    assert [path.name for path in (tmp_path / "api" / "batches").iterdir()] == [".lock"]


def test_results_of_a_batch_that_is_not_done_say_when_to_come_again(tmp_path):
    door = threading.Event()

    class Waiting(FakePredictor):
        def predict(self, squares, *arguments, **options):
            assert self.n_calls == 0 or door.wait(20)  # the first call is the warming up
            return super().predict(squares, *arguments, **options)

    with running_server(tmp_path, load=Waiting) as server:
        answer = server.client.post("/v1/batches", **batch(PHOTO))
        early = server.client.get(f"{answer.headers['Location']}/results")
        door.set()
        finished(server.client, answer)

    assert (early.status_code, early.json()["code"], early.headers["Retry-After"]) == (409, "batch_not_done", "5")
    assert re.fullmatch(
        r"Expected a batch that is done\. It is (waiting|running): 0 of 1 photos\.", early.json()["detail"]
    )


def test_same_files_twice_are_two_batches_with_the_same_lines(server):
    answers = [server.client.post("/v1/batches", **batch(PHOTO, DARK)) for _ in range(2)]
    first, second = (finished(server.client, answer) for answer in answers)

    assert first["id"] != second["id"]
    lines = [
        [json.loads(line) | {"elapsed_ms": 0} for line in server.client.get(job["results"]).text.splitlines()]
        for job in (first, second)
    ]
    assert lines[0] == lines[1]


def test_two_photos_of_one_name_are_both_answered(server):
    answer = server.client.post("/v1/batches", **batch(PHOTO, DARK, names=["a.jpg", "a.jpg"]))

    assert finished(server.client, answer)["statuses"] == {"answered": 2}


@pytest.mark.parametrize(
    "name", ["../../escape.jpg", "/etc/passwd", "..\\x.jpg", "job.json", "photo-000000", "a" * 1500, ""]
)
def test_no_name_of_a_client_becomes_a_path(server, tmp_path, name):
    answer = server.client.post("/v1/batches", **batch(PHOTO, names=[name]))
    job = finished(server.client, answer)

    assert job["state"] == "done"
    folder = tmp_path / "api" / "batches" / job["id"]
    assert sorted(path.name for path in folder.iterdir()) == ["job.json", "photo-000000", "results.jsonl"]
    assert {path.name for path in tmp_path.iterdir()} == {"api"}


def test_name_that_no_header_can_hold_is_refused(server):
    answer = server.client.post("/v1/batches", **batch(PHOTO, names=["a" * 5000]))

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_multipart")


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (batch(PHOTO, table=b"no,columns\n1,2\n"), "table_unusable"),
        (batch(PHOTO, image_type=""), "image_type_missing"),
        (batch(PHOTO, colour="red"), "field_unknown"),
        ({"files": {"image_type": (None, "clinical")}}, "no_photo"),
    ],
)
def test_batch_that_cannot_be_is_refused_at_once_and_leaves_nothing(server, tmp_path, sent, code):
    answer = server.client.post("/v1/batches", **sent)

    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert [path.name for path in (tmp_path / "api" / "batches").iterdir()] == [".lock"]


def test_more_photos_than_may_be_are_refused_and_leave_nothing(tmp_path):
    with running_server(tmp_path, limits={"batch_photos": 2}) as server:
        answer = server.client.post("/v1/batches", **batch(*[PHOTO] * 5))

    assert (answer.status_code, answer.json()["code"]) == (413, "too_many_parts")
    assert [path.name for path in (tmp_path / "batches").iterdir()] == [".lock"]


def test_more_open_batches_than_may_be_are_refused_before_their_photos_are_read(tmp_path):
    with running_server(tmp_path, limits={"batch_jobs": 0}) as server:
        answer = server.client.post("/v1/batches", **batch(PHOTO))

    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "queue_full", "60")


@contextmanager
def process(folder, **environment):
    """The command itself; yields the process and its address."""
    server = subprocess.Popen(
        [sys.executable, "tests/api/serve_fake.py", "--port", "0", "--data", str(folder)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "", "FAKE_PAUSE_S": "0"} | environment,
    )
    try:
        address = re.search(r"http://[\d.:]+", server.stderr.readline())[0]
        wait_until(lambda: is_ready(address))
        yield server, address
    finally:
        server.kill()
        server.communicate(timeout=20)


def is_ready(address):
    try:
        return httpx.get(f"{address}/readyz", timeout=5).is_success
    except httpx.TransportError:
        return False


def test_killed_server_goes_on_with_the_batch_and_no_line_is_lost_or_doubled(tmp_path):
    with process(tmp_path, FAKE_PAUSE_S="0.15") as (server, address):
        where = httpx.post(f"{address}/v1/batches", **batch(*[PHOTO] * 12)).headers["Location"]
        wait_until(lambda: httpx.get(address + where).json()["n_done"] >= 3)
        server.send_signal(signal.SIGKILL)
        server.wait(20)
    (folder,) = (path for path in (tmp_path / "batches").iterdir() if path.is_dir())
    before = (folder / "results.jsonl").read_bytes()
    assert 3 <= before.count(b"\n") < 12

    with process(tmp_path) as (_, address):
        wait_until(lambda: httpx.get(address + where).json()["state"] == "done")
        lines = httpx.get(f"{address}{where}/results").content

    assert lines.startswith(before[: before.rfind(b"\n") + 1])
    assert [json.loads(line)["image"] for line in lines.splitlines()] == [f"{number}.jpg" for number in range(12)]


def test_person_who_waits_for_one_answer_goes_before_a_batch(tmp_path):
    class Slow(FakePredictor):
        def predict(self, *arguments, **options):
            time.sleep(0.1)
            return super().predict(*arguments, **options)

    with running_server(tmp_path, load=Slow) as server:
        answer = server.client.post("/v1/batches", **batch(*[PHOTO] * 20))
        server.client.post(
            "/v1/screenings", files=[("photos", ("a.jpg", PHOTO))], data={"image_type": "dermoscopic"}
        ).raise_for_status()
        job = server.client.get(answer.headers["Location"]).json()

    assert job["state"] == "running"
    assert job["n_done"] < 20
