"""What one user of the REST interface does, for ``benchmarks.api_load``: sends a photo, waits where told to, thinks, again.

Run by Locust; the ports, the photo and where the counts go come by environment variables.
"""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path

import gevent
from locust import FastHttpUser, between, events, task

PORTS = [int(port) for port in os.environ["API_LOAD_PORTS"].split(",")]
PHOTO = Path(os.environ["API_LOAD_PHOTO"])
OUT = Path(os.environ["API_LOAD_OUT"])
THINK_S = float(os.environ["API_LOAD_THINK_S"])
PATIENCE_S = 120.0  # a user who was told to come again does so for that long

BOUNDARY = "a-photo-and-two-fields"


def _body() -> bytes:
    """The form, written once: a thousand users on one machine have no time to write it each."""
    fields = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("image_type", "dermoscopic"), ("age", "50"))
    )
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="photos"; filename="{PHOTO.name}"\r\n'
    return (
        fields.encode()
        + head.encode()
        + b"Content-Type: image/jpeg\r\n\r\n"
        + PHOTO.read_bytes()
        + f"\r\n--{BOUNDARY}--\r\n".encode()
    )


BODY = _body()
_COUNTS: dict[str, int] = {"answered": 0, "told_to_wait": 0, "given_up": 0, "lost": 0}
_WAITED_S: list[float] = []
_LOST: dict[str, int] = {}


class Sender(FastHttpUser):
    """Sends one photo of one lesion."""

    host = f"http://127.0.0.1:{PORTS[0]}"
    wait_time = between(0.5 * THINK_S, 1.5 * THINK_S)
    connection_timeout = 60.0
    network_timeout = 60.0

    def on_start(self) -> None:
        """People do not come in step."""
        self.address = f"http://127.0.0.1:{random.choice(PORTS)}/v1/screenings"
        gevent.sleep(random.uniform(0, THINK_S))

    @task
    def screen(self) -> None:
        """Ask until there is an answer, as long as the server says when to come again."""
        started = time.monotonic()
        while True:
            with self.client.post(
                self.address,
                data=BODY,
                headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
                name="screen",
                catch_response=True,
            ) as response:
                status, retry_after = response.status_code, (response.headers or {}).get("Retry-After")
                is_told = status in (429, 503) and retry_after is not None
                if status == 200 or is_told:
                    response.success()
            if status == 200:
                _COUNTS["answered"] += 1
                _WAITED_S.append(time.monotonic() - started)
                return
            if not is_told:
                _COUNTS["lost"] += 1
                kind = f"{status} {getattr(response, 'error', '')}"[:80]
                _LOST[kind] = _LOST.get(kind, 0) + 1
                return
            _COUNTS["told_to_wait"] += 1
            if time.monotonic() - started > PATIENCE_S:
                _COUNTS["given_up"] += 1
                return
            gevent.sleep(float(retry_after or 1) * random.uniform(1.0, 1.5))


@events.quitting.add_listener
def write_counts(**_: object) -> None:
    """Leave what was counted for whoever started this."""
    OUT.write_text(json.dumps({"counts": _COUNTS, "waited_s": _WAITED_S, "lost": _LOST}), encoding="utf-8")
