"""What every request passes: key, host, rate, size, pace; what the log and the counts say of it; and raw, hostile bytes."""

from __future__ import annotations

import io
import json
import logging
import socket
import threading
import time

import httpx
import pytest

from dermascan_core.api.logs import start_log
from tests.api.conftest import AS_CLINIC, AS_LAB, PHOTO, form, running_server, wait_until
from tests.fakes import FakePredictor


def raw(server, *chunks, pause_s=0.0, timeout_s=20.0):
    """Send bytes as they are and return all that comes back; empty where the connection is cut."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=timeout_s) as connection:
        try:
            for chunk in chunks:
                connection.sendall(chunk)
                time.sleep(pause_s)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what it said before is still there
        answer = b""
        try:
            while received := connection.recv(65536):
                answer += received
        except ConnectionResetError:
            pass
    return answer


def head(path="/v1/screenings", method="POST", **headers):
    headers = {"Host": "localhost", "Connection": "close"} | {k.replace("_", "-"): v for k, v in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode()


def problem_in(answer):
    return json.loads(answer.partition(b"\r\n\r\n")[2])


# === Keys and hosts ===


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic clinic-secret"}])
def test_request_without_a_valid_key_is_refused(server_with_keys, headers):
    answer = server_with_keys.client.post("/v1/screenings", headers=headers, **form(PHOTO))

    assert (answer.status_code, answer.json()["code"]) == (401, "no_valid_key")
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert server_with_keys.built.context.queue.state.n_done == 0


def test_health_needs_no_key_and_counts_do(server_with_keys):
    client = server_with_keys.client

    assert [client.get(path).status_code for path in ("/healthz", "/readyz", "/openapi.json")] == [200, 200, 200]
    assert [client.get(path).status_code for path in ("/metrics", "/v1/models", "/v1/batches/x", "/nowhere")] == [
        401
    ] * 4
    assert client.get("/metrics", headers=AS_CLINIC).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "127.0.0.1.evil.example:80"])
def test_server_without_keys_answers_no_other_name(server, host):
    answer = server.client.get("/v1/models", headers={"Host": host})

    assert (answer.status_code, answer.json()["code"]) == (421, "other_host")


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000", "LOCALHOST"])
def test_server_without_keys_answers_its_own_names(server, host):
    assert server.client.get("/healthz", headers={"Host": host}).status_code == 200


# === Rate ===


def test_one_key_s_requests_are_bounded_and_another_s_are_not_touched(server_with_keys, monkeypatch):
    limiter = server_with_keys.built.asgi._limiter
    monkeypatch.setattr(limiter, "_per_minute", 2)
    client = server_with_keys.client

    answers = [client.get("/v1/models", headers=AS_CLINIC) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2].headers["Retry-After"]) <= 30
    assert answers[2].json()["retry_after_s"] == int(answers[2].headers["Retry-After"])
    assert client.get("/v1/models", headers=AS_LAB).status_code == 200
    assert client.get("/healthz").status_code == 200


# === Sizes ===


def test_ten_gigabytes_are_refused_before_they_come(server):
    started = time.monotonic()

    answer = raw(server, head(Content_Length=str(10 * 2**30), Content_Type="multipart/form-data; boundary=x"))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert problem_in(answer)["detail"] == "Expected a request of at most 128 MB. It is larger. Send less at once."
    assert time.monotonic() - started < 5


def test_body_without_a_length_is_cut_at_the_limit(tmp_path):
    def endless():
        yield b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\n'
        while True:
            yield bytes(65536)

    with running_server(tmp_path, limits={"body_bytes": 2**20, "photo_bytes": 2**30, "header_timeout_s": 1}) as server:
        answer = server.client.post(
            "/v1/screenings", content=endless(), headers={"Content-Type": "multipart/form-data; boundary=x"}
        )

    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_photo_over_thirty_megabytes_is_refused_whatever_its_neighbours(tmp_path):
    with running_server(tmp_path, limits={"photo_bytes": 2**20}) as server:
        answer = server.client.post("/v1/screenings", **form(PHOTO, bytes(2**20 + 1)))

        assert (answer.status_code, answer.json()["code"]) == (413, "part_too_large")
        assert answer.json()["detail"] == "Expected at most 1 MB in one photo or field. One is larger."
        assert server.client.post("/v1/screenings", **form(PHOTO, bytes(2**20))).status_code == 200


def test_more_photos_than_may_be_and_huge_field_counts_are_refused(server):
    photos = server.client.post("/v1/screenings", **form(*[PHOTO] * 9))
    fields = server.client.post("/v1/screenings", **form(PHOTO, **{f"f{number}": "x" for number in range(5000)}))
    large = server.client.post("/v1/screenings", **form(PHOTO, age="1" * 100_000))

    assert [(a.status_code, a.json()["code"]) for a in (photos, fields)] == [(413, "too_many_parts")] * 2
    assert (large.status_code, large.json()["code"]) == (413, "part_too_large")


def test_all_uploads_together_are_bounded_and_room_comes_back(tmp_path):
    with running_server(tmp_path, limits={"all_bodies_bytes": 100_000}) as server:
        full = server.client.post("/v1/screenings", **form(bytes(200_000)))

        assert (full.status_code, full.json()["code"], full.headers["Retry-After"]) == (503, "too_many_uploads", "5")
        assert server.client.post("/v1/screenings", **form(PHOTO)).status_code == 200
        assert server.built.asgi._n_bytes_held == 0


def test_headers_larger_than_may_be_end_the_connection(server):
    whole = raw(
        server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX: " + b"a" * 40_000 + b"\r\n\r\n"
    )
    endless = raw(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000)

    assert whole.startswith(b"HTTP/1.1 431 ")
    assert endless == b"" or endless.startswith(b"HTTP/1.1 400 ")


def test_encoded_body_is_refused(server):
    answer = server.client.post("/v1/screenings", content=b"x", headers={"Content-Encoding": "gzip"})

    assert (answer.status_code, answer.json()["code"]) == (415, "encoded_body")


# === Pace ===


@pytest.fixture
def impatient(tmp_path):
    limits = {"header_timeout_s": 0.4, "body_gap_s": 0.4, "body_grace_s": 0.8, "body_bytes_per_s": 10_000}
    with running_server(tmp_path, limits=limits) as server:
        yield server


def test_client_that_never_ends_its_headers_is_cut_off(impatient):
    started = time.monotonic()

    answer = raw(impatient, *[b"GET /healthz HTTP/1.1\r\n", *[b"X-A: b\r\n"] * 50], pause_s=0.1)

    assert answer == b""
    assert time.monotonic() - started < 5.5
    assert impatient.client.get("/healthz").status_code == 200


def test_client_that_says_nothing_is_cut_off(impatient):
    assert raw(impatient) == b""


def test_second_request_of_a_connection_must_come_as_quickly(impatient):
    keep = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"

    answer = raw(impatient, keep, b"GET /hea", pause_s=0.2)

    assert answer.count(b"HTTP/1.1 200") == 1


def test_body_that_pauses_is_given_up(impatient):
    answer = raw(impatient, head(Content_Length="1000", Content_Type="multipart/form-data; boundary=x"), b"--x")

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert problem_in(answer)["code"] == "body_too_slow"


def test_body_that_drips_is_given_up_though_it_never_pauses(impatient):
    drips = [b"5\r\n--xyz\r\n"] * 30

    answer = raw(
        impatient,
        head(Transfer_Encoding="chunked", Content_Type="multipart/form-data; boundary=x"),
        *drips,
        pause_s=0.1,
    )

    assert answer.startswith(b"HTTP/1.1 4")


def test_client_that_leaves_in_mid_upload_harms_nobody(server):
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(head(Content_Length="1000000", Content_Type="multipart/form-data; boundary=x"))
        connection.sendall(b'--x\r\nContent-Disposition: form-data; name="photos"; filename="a"\r\n\r\nabc')

    wait_until(lambda: any(line.get("status") == 499 for line in server.log_lines()))
    assert server.built.asgi._n_bytes_held == 0
    assert server.client.post("/v1/screenings", **form(PHOTO)).status_code == 200


# === The queue ===


class DoorPredictor(FakePredictor):
    """Answers once the door is open; its first answer is the warming up."""

    def __init__(self):
        super().__init__()
        self.door = threading.Event()

    def predict(self, *arguments, **options):
        assert self.n_calls == 0 or self.door.wait(20)
        return super().predict(*arguments, **options)


@pytest.fixture
def busy(tmp_path):
    """A server with one photo at the model and room for one more."""
    with running_server(tmp_path, load=DoorPredictor, max_waiting=1) as server:
        first = threading.Thread(target=server.client.post, args=("/v1/screenings",), kwargs=form(PHOTO))
        first.start()
        wait_until(lambda: server.built.context.queue.state.n_running == 1)
        yield server
        server.built.context.model.get().door.set()
        first.join(20)


def test_full_queue_refuses_before_the_body_is_read_and_says_when_to_come_again(busy):
    second = threading.Thread(target=busy.client.post, args=("/v1/screenings",), kwargs=form(PHOTO))
    second.start()
    wait_until(lambda: busy.built.context.queue.state.n_waiting == 1)

    answer = busy.client.post("/v1/screenings", **form(PHOTO))

    assert (answer.status_code, answer.json()["code"]) == (503, "queue_full")
    assert answer.headers["Retry-After"] == "4"
    assert answer.json()["detail"] == (
        "Busy: 1 wait already, and no more may. There will be room in about 4 s. Send it again then."
    )
    busy.built.context.model.get().door.set()
    second.join(20)


def test_client_that_leaves_before_its_turn_is_dropped_and_counted(busy):
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{busy.url}/v1/screenings", timeout=0.5, **form(PHOTO))

    wait_until(lambda: busy.built.context.queue.state.n_dropped == 1)
    wait_until(lambda: [line["problem"] for line in busy.log_lines()] == ["client_left"])
    assert busy.built.context.queue.state.n_waiting == 0
    assert b"dermascan_queue_dropped_total 1.0" in busy.client.get("/metrics").content


# === What is told ===


def test_log_and_answer_share_an_id_and_the_log_holds_nothing_of_the_person(server):
    sent = form(PHOTO, localization="scalp", worried="yes", explain="perhaps")
    sent["files"] = [("photos", ("mrs-smith.jpg", PHOTO, "image/jpeg"))]

    answer = server.client.post("/v1/screenings", **sent)

    wait_until(server.log_lines)  # the line is written once the answer is out
    (line,) = server.log_lines()
    assert line["request_id"] == answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert (line["key"], line["path"], line["status"], line["problem"]) == (
        "anybody",
        "/v1/screenings",
        422,
        "field_impossible",
    )
    assert not any(word in server.log.getvalue() for word in ("smith", "scalp", "worried", "perhaps", "127.0.0.1"))


def test_log_names_the_key_and_the_counts(server_with_keys):
    server_with_keys.client.post("/v1/screenings", headers=AS_LAB, **form(PHOTO, PHOTO)).raise_for_status()

    wait_until(server_with_keys.log_lines)
    (line,) = server_with_keys.log_lines()
    assert (line["key"], line["n_photos"]) == ("lab", 2)
    assert "lab-secret" not in server_with_keys.log.getvalue()


def test_error_nobody_foresaw_shows_an_id_and_neither_answer_nor_log_quotes_it(tmp_path):
    class Stumbling(FakePredictor):
        def predict(self, *arguments, **options):
            if self.n_calls:
                raise ZeroDivisionError("mrs-smith")
            return super().predict(*arguments, **options)

    with running_server(tmp_path, load=Stumbling) as server:
        answer = server.client.post("/v1/screenings", **form(PHOTO))

    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert "Traceback" not in answer.text
    assert "ZeroDivisionError" in server.log.getvalue()
    assert "mrs-smith" not in server.log.getvalue() + answer.text
    assert any(line.get("request_id") == answer.json()["request_id"] for line in server.log_lines())


def test_log_takes_over_a_library_that_was_set_up_before():
    library, before, log = logging.getLogger("uvicorn.error"), io.StringIO(), io.StringIO()
    library.handlers, library.propagate = [logging.StreamHandler(before)], False
    library.setLevel(logging.INFO)

    start_log(log)
    library.info("started")
    try:
        raise ZeroDivisionError("mrs-smith")
    except ZeroDivisionError:
        library.exception("stumbled")

    assert before.getvalue() == ""
    (line,) = [json.loads(line) for line in log.getvalue().splitlines()]
    assert (line["event"], line["error"]) == ("stumbled", "ZeroDivisionError")
    assert "mrs-smith" not in log.getvalue()


def test_counts_hold_refusals_by_code_and_no_label_that_a_client_chooses(server):
    server.client.post("/v1/screenings", **form(PHOTO, b"broken")).raise_for_status()
    server.client.request("BREW", "/v1/screenings/../../" + "x" * 50)

    text = server.client.get("/metrics").text

    assert 'dermascan_refused_photos_total{code="unreadable"} 1.0' in text
    assert 'dermascan_photos_total{status="answered"} 1.0' in text
    assert 'dermascan_requests_total{method="POST",path="/v1/screenings",status="200"} 1.0' in text
    assert "BREW" not in text
    assert "xxxx" not in text


def test_nothing_of_a_person_is_kept_on_the_way(server):
    answer = server.client.post("/v1/screenings", **form(PHOTO))

    assert answer.headers["Cache-Control"] == "no-store"
    assert "server" not in answer.headers


def test_duration_is_never_negative_when_the_clock_goes_back(tmp_path, monkeypatch):
    with running_server(tmp_path) as server:
        times = iter(range(1000, 0, -10))
        monkeypatch.setattr(server.built.asgi, "_clock", lambda: next(times))

        assert server.client.get("/healthz").status_code == 200
        assert server.client.get("/metrics").status_code == 200

    assert all(line["duration_ms"] >= 0 for line in server.log_lines())
