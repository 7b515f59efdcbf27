"""A person's browser as far as the server can tell: speaks Streamlit's own protocol over its own websocket."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect

from benchmarks._server import free_port, wait_until_well

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = "example_even-mole"  # the key of a button on the page Screening: one click shows the whole way
ANSWERED = "weights "  # stands in the last line of every answer


@dataclass(slots=True)
class Visitor:
    """One session of one browser tab."""

    connection: ClientConnection
    timeout_s: float
    widget_ids: dict[str, str] = field(default_factory=dict)
    n_bytes: int = 0

    @classmethod
    def arrive(cls, port: int, *, timeout_s: float = 120.0) -> Visitor:
        """Open the page; returns when it has been drawn."""
        url = f"ws://127.0.0.1:{port}/_stcore/stream"
        visitor = cls(connect(url, max_size=None, open_timeout=timeout_s, close_timeout=1), timeout_s)
        visitor.run()
        return visitor

    def click(self, key: str) -> str:
        """Press the button of a key; returns all text that the page then shows."""
        return self.run(pressed=self.widget_ids[key])

    def run(self, pressed: str | None = None) -> str:
        """Have the script run and wait for its end."""
        message = BackMsg()
        message.rerun_script.query_string = ""
        if pressed is not None:
            state = message.rerun_script.widget_states.widgets.add()
            state.id, state.trigger_value = pressed, True
        self.connection.send(message.SerializeToString())
        return " ".join(self._until_finished())

    def _until_finished(self) -> Iterator[str]:
        ends = time.monotonic() + self.timeout_s
        while True:
            data = self.connection.recv(timeout=max(ends - time.monotonic(), 0.001))
            self.n_bytes += len(data)
            message = ForwardMsg()
            message.ParseFromString(data if isinstance(data, bytes) else data.encode())
            kind = message.WhichOneof("type")
            if kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return
            if kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                what = element.WhichOneof("type")
                if what == "button":
                    # An id is "$$ID-<hash>-<key>".
                    self.widget_ids[element.button.id.split("-", 2)[-1]] = element.button.id
                if what == "markdown":
                    yield element.markdown.body
                if what == "exception":
                    yield f"EXCEPTION {element.exception.message}"

    def leave(self) -> None:
        """Close the tab."""
        self.connection.close()


@contextmanager
def app_server(**environment: str) -> Iterator[tuple[int, int]]:
    """Start the app on a free port; yield (port, process id)."""
    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py"]
    options = {"STREAMLIT_SERVER_PORT": str(port), "STREAMLIT_SERVER_HEADLESS": "true"}
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **options, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_well(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(30)
