"""The command ``serve``: its address, its port, its keys."""

import asyncio
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from typer.testing import CliRunner
from uvicorn.server import ServerState

from dermascan_core import cli
from dermascan_core.api import serving
from dermascan_core.api.application import Built
from dermascan_core.api.keys import find_key, read_keys
from dermascan_core.api.limits import Limits
from dermascan_core.services import models
from tests.api.conftest import PHOTO, form
from tests.api.test_batches import ROOT, process
from tests.fakes import FakePredictor, fake_manifest


@pytest.fixture(autouse=True)
def _fake_model(monkeypatch, tmp_path):
    monkeypatch.delenv("DERMASCAN_API_KEYS", raising=False)
    monkeypatch.setattr(models, "load_predictor", lambda name, engine, **_: FakePredictor())
    monkeypatch.setattr(models, "load_model_manifest", lambda name, weights_dir=None: fake_manifest())


def run(*arguments):
    return CliRunner().invoke(cli.app, ["serve", *map(str, arguments)])


def test_new_key_is_shown_once_and_stored_as_a_hash(tmp_path):
    result = run("--new-key", "clinic", "--data", tmp_path)

    key = result.stdout.strip()
    assert result.exit_code == 0
    assert find_key(read_keys(tmp_path / "api-keys.txt"), key).name == "clinic"
    assert "It is shown only now; its hash alone was stored." in result.stderr


def test_port_that_is_taken_is_one_sentence(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        result = run("--port", port, "--data", tmp_path)

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Expected port {port} of 127.0.0.1 to be free. Another program listens there. "
        "Stop it, or choose another port with --port.\n"
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
def test_without_a_key_no_other_machine_is_let_in(tmp_path, host):
    result = run("--host", host, "--data", tmp_path)

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Without any API key the server listens at 127.0.0.1 alone. Received --host {host}. "
        "Make a key first: python -m dermascan_core serve --new-key NAME\n"
    )


def test_address_of_another_machine_is_one_sentence(tmp_path):
    run("--new-key", "clinic", "--data", tmp_path)

    result = run("--host", "192.0.2.1", "--data", tmp_path)

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The server cannot listen at 192.0.2.1, port 8000: ")


def test_server_does_not_ask_a_server(tmp_path, monkeypatch):
    monkeypatch.setenv("DERMASCAN_API_URL", "http://127.0.0.1:8000")

    result = run("--data", tmp_path)

    assert result.exit_code == 1
    assert result.stderr.startswith(
        "Error: Expected DERMASCAN_API_URL to be unset where the server runs. Received 'http"
    )


def test_unknown_model_is_told_before_the_port_is_opened(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "dermascan_core", "serve", "--model", "nowhere", "--data", str(tmp_path), "--port", "0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "Received 'nowhere'." in done.stderr


def test_server_says_that_it_is_open_to_this_machine_alone_and_stops_when_told(tmp_path):
    with process(tmp_path) as (server, address):
        said = server.stderr.readline()
        assert httpx.post(f"{address}/v1/screenings", **form(PHOTO)).status_code == 200
        server.send_signal(signal.SIGTERM)

        assert server.wait(20) in (0, -signal.SIGTERM)

    assert said == "There are no API keys, so only this machine may ask. Make one with: serve --new-key NAME\n"


def test_two_servers_never_work_in_one_folder(tmp_path):
    with process(tmp_path):
        result = run("--port", 0, "--data", tmp_path)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: Expected the folder '{tmp_path / 'batches'}' for this server alone.")


def test_thousands_may_wait_for_their_turn_where_the_system_allows_that_many_files(monkeypatch):
    import resource

    raised = []
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: raised.append(limits))

    monkeypatch.setattr(resource, "getrlimit", lambda what: (1024, 1_048_576))
    assert serving.allow_connections(4096) == 4096
    assert raised == [(4352, 1_048_576)]

    monkeypatch.setattr(resource, "getrlimit", lambda what: (1024, 1024))
    assert serving.allow_connections(4096) == 768


QUESTION = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


async def idle_connection():
    """Return a client's socket that was answered once, and the server's end of it."""
    loop = asyncio.get_running_loop()
    config = serving.make_server(Built(answer, None, None), Limits()).config
    config.load()
    protocol = config.http_protocol_class(config=config, server_state=ServerState(), app_state={}, _loop=loop)
    ours, client = socket.socketpair()
    client.setblocking(False)
    await loop.connect_accepted_socket(lambda: protocol, ours)
    await loop.sock_sendall(client, QUESTION)
    assert (await loop.sock_recv(client, 4096)).startswith(b"HTTP/1.1 200")
    return client, protocol


def test_request_that_comes_as_an_idle_connection_is_to_be_closed_is_answered():
    async def ask_at_the_last_moment():
        client, protocol = await idle_connection()
        client.sendall(QUESTION)  # it lies there unread, as nothing was awaited since
        protocol.timeout_keep_alive_handler()
        said = await asyncio.get_running_loop().sock_recv(client, 4096)
        protocol.transport.abort()
        client.close()
        return said

    assert asyncio.run(ask_at_the_last_moment()).startswith(b"HTTP/1.1 200")


def test_client_sees_at_once_that_its_idle_connection_is_closed():
    async def look_at_once():
        client, protocol = await idle_connection()
        protocol.timeout_keep_alive_handler()
        with client:
            return client.recv(1)  # would block, and raise, where nothing was said

    assert asyncio.run(look_at_once()) == b""


def test_idle_connection_whose_client_is_gone_is_closed():
    async def leave():
        client, protocol = await idle_connection()
        client.close()
        protocol.timeout_keep_alive_handler()
        return protocol.transport.is_closing()

    assert asyncio.run(leave())
