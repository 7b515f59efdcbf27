"""A real server on a free port of this machine, with a predictor that needs no weights."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from dermascan_core.api import serving
from dermascan_core.api.application import Built, build_application
from dermascan_core.api.keys import ApiKey, hash_key
from dermascan_core.api.limits import Limits
from dermascan_core.api.logs import start_log
from dermascan_core.services import models
from tests.fakes import FakePredictor, fake_photo, photo_bytes

PHOTO = photo_bytes(fake_photo())
DARK = photo_bytes(fake_photo(lesion=(60, 35, 25)))
KEYS = (ApiKey("clinic", hash_key("clinic-secret")), ApiKey("lab", hash_key("lab-secret")))
AS_CLINIC = {"Authorization": "Bearer clinic-secret"}
AS_LAB = {"Authorization": "Bearer lab-secret"}


@dataclass
class RunningServer:
    """A server of one test.

    Attributes:
        url: Its address.
        client: Sends requests to it.
        built: Its parts.
        log: What it has said.
    """

    url: str
    client: httpx.Client
    built: Built
    log: StringIO = field(default_factory=StringIO)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def log_lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@contextmanager
def running_server(folder: Path, **options: Any) -> Iterator[RunningServer]:
    """Serve ``FakePredictor`` from a thread of this process.

    Args:
        folder: For what lies on disk.
        options: Of ``build_application``; ``limits`` may be a dictionary of changes.
    """
    log = StringIO()
    limits = replace(Limits(requests_per_minute=100_000), **options.pop("limits", {}))
    options = {"load": FakePredictor, "keys": (), "folder": folder, "log": start_log(log)} | options
    built = build_application(limits=limits, **options)
    with serving.open_port("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        server = serving.make_server(built, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            wait_until(lambda: server.started)
            built.context.model.wait(20)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                yield RunningServer(f"http://127.0.0.1:{port}", client, built, log)
        finally:
            server.should_exit = True
            thread.join(30)
    assert not thread.is_alive()


def wait_until(is_so: Callable[[], Any], *, timeout_s: float = 20) -> None:
    """Wait until something is so, and fail where it never is."""
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "It never came to be so."
        time.sleep(0.01)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """A server without keys."""
    monkeypatch.setattr(models, "list_models", lambda: [FakePredictor().manifest])
    with running_server(tmp_path / "api") as running:
        yield running


@pytest.fixture
def server_with_keys(tmp_path: Path) -> Iterator[RunningServer]:
    """A server with two keys."""
    with running_server(tmp_path / "api", keys=KEYS) as running:
        yield running


def form(*photos: bytes, **fields: str) -> dict[str, Any]:
    """Return what httpx sends as a form with photos of one lesion."""
    fields = {"image_type": "dermoscopic"} | fields
    return {"files": [("photos", (f"{n}.jpg", data, "image/jpeg")) for n, data in enumerate(photos)], "data": fields}
