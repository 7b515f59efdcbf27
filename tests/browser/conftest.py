"""A real server, started once, and a real browser for each file; skipped loudly where there is no Chromium."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from dermascan_core.imaging.examples import example_png
from dermascan_core.services import models

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Nothing but the page under test may use the network or the GPU.
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_TIMEOUT_S = 60
# The first page of a cold server imports much, and tests share their machine.
expect.set_options(timeout=45_000)
# The page's own sockets, so that a test can cut them as a phone does with a tab in the background.
_REMEMBER_SOCKETS = """
window.cutSockets = [];
window.WebSocket = class extends window.WebSocket {
  constructor(...args) { super(...args); window.cutSockets.push(this); }
};
"""


def find_chromium() -> str | None:
    """The system's Chromium; None where none is installed."""
    return next((found for name in CHROMIUM_NAMES if (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A headless Chromium of one file.

    While it is there, Playwright's event loop runs in this process, and nothing else can run one: tests of other files
    that need a loop must find it gone.
    """
    path = find_chromium()
    if path is None:
        pytest.skip(f"BROWSER NOT TESTED: none of {', '.join(CHROMIUM_NAMES)} is installed (Debian: chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_ARGS)
        yield browser
        browser.close()
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


@pytest.fixture(scope="session")
def has_weights() -> bool:
    """Whether the shipped model answers; ``FakePredictor`` does where no weights ship."""
    return (models.WEIGHTS_DIR / f"{models.DEFAULT_MODEL}.json").is_file()


@pytest.fixture(scope="session")
def address(has_weights: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app, served on a free port of this machine."""
    with serve_app(tmp_path_factory.mktemp("server") / "log.txt", has_weights=has_weights) as served_at:
        yield served_at


@contextmanager
def serve_app(
    log: Path,
    *,
    has_weights: bool,
    shares: Sequence[float] | None = None,
    environment: Mapping[str, str] | None = None,
    port: int = 0,
    more: Sequence[str] = (),
) -> Iterator[str]:
    """Serve the app from a process of its own, with the shipped model or ``FakePredictor``; yields the address.

    Args:
        log: Gets what the server says.
        has_weights: Whether the shipped model answers.
        shares: What ``FakePredictor`` answers to every photo.
        environment: Set besides; without ``DERMASCAN_RECORDS``, records lie beside the log.
        port: To listen at; a free one where it is 0.
        more: Further options of ``streamlit run``.
    """
    port = port or free_port()
    given = {"DERMASCAN_RECORDS": str(log.parent / "records"), **(environment or {})}
    start = ["-m", "streamlit", "run", "streamlit_app.py"] if has_weights else ["tests/browser/serve_fake.py"]
    options = ["--server.port", str(port), "--server.address", "127.0.0.1", "--server.headless", "true", *more]
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, *start, *options],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2", "FAKE_SHARES": json.dumps(shares)} | given,
        )
        try:
            wait_for_server(f"http://127.0.0.1:{port}/_stcore/health", server, log)
            yield f"http://localhost:{port}/"
        finally:
            server.terminate()
            server.wait(timeout=20)


def free_port() -> int:
    """A port of this machine that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_server(health: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(health, timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    pytest.fail(f"The app did not start within {START_TIMEOUT_S} s. Its log:\n{log.read_text(errors='replace')}")


@pytest.fixture
def phone(chromium: Browser) -> Iterator[Page]:
    """A page of 360 x 780 px with touch, whose web sockets a test can cut."""
    context = chromium.new_context(viewport={"width": 360, "height": 780}, has_touch=True, device_scale_factor=2)
    context.add_init_script(_REMEMBER_SOCKETS)
    page = context.new_page()
    page.set_default_timeout(45_000)
    yield page
    context.close()


@pytest.fixture(scope="session")
def photo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real upload where there is one, else a generated photo."""
    uploads = Path(os.environ.get("DERMASCAN_DATA", "")) / "uploads" / "images"
    found = sorted(path for path in uploads.glob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if os.environ.get("DERMASCAN_DATA") and found:
        return found[0]
    # A bundled example: the shipped model's gate knows a plain disc for what it is.
    path = tmp_path_factory.mktemp("photo") / "generated.png"
    path.write_bytes(example_png("irregular-dark"))
    return path
