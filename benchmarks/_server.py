"""A server of ours in a process of its own: a port for it, whether it answers, and how much memory it takes."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

START_TIMEOUT_S = 60


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_well(health: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until an address answers; end the benchmark where the server ends first, or takes too long."""
    ends = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < ends:
        if server.poll() is not None:
            raise SystemExit(f"The server ended with {server.returncode} while it started.")
        try:
            with urllib.request.urlopen(health, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"The server did not answer at {health} within {START_TIMEOUT_S} s.")


def resident_mb(pid: int) -> float:
    """Memory of a process that lies in RAM, in MB (Linux)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("This system does not say how much memory a process takes.")
