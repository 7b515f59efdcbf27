"""How much the app sends to a browser, and what the browser keeps: the first page, and a whole answer.

    python -m benchmarks.page_weight [--out docs/page-weight.md]

Needs a Chromium. Bytes are counted by the browser itself, on the wire, with an empty cache and again with a full one.
"""

from __future__ import annotations

import argparse
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from benchmarks._streamlit_client import EXAMPLE, app_server

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 3, "is_mobile": True, "has_touch": True}
ANSWER_TIMEOUT_MS = 120_000
EXAMPLE_BUTTON = f".st-key-{EXAMPLE} button"


@dataclass
class Traffic:
    """Bytes by kind, as they came over the wire, and pictures with their size in pixels."""

    page: Page
    n_requests: int = 0
    n_bytes: int = 0
    socket_bytes: int = 0

    def listen(self) -> None:
        """Count what comes from now on."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._count)
        session.on("Network.webSocketFrameReceived", self._count_frame)

    def _count(self, event: dict[str, Any]) -> None:
        self.n_requests += 1
        self.n_bytes += int(event["encodedDataLength"])

    def _count_frame(self, event: dict[str, Any]) -> None:
        payload = event["response"]["payloadData"]
        is_binary = event["response"]["opcode"] == 2
        self.socket_bytes += len(payload) * 3 // 4 if is_binary else len(payload)  # binary frames come in base64

    def take(self) -> tuple[int, float, float]:
        """Return requests, MB over http, MB over the socket since the last time."""
        found = self.n_requests, self.n_bytes / 1e6, self.socket_bytes / 1e6
        self.n_requests = self.n_bytes = self.socket_bytes = 0
        return found


def measure() -> list[str]:
    """Return the lines of the table."""
    found = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found is None:
        raise SystemExit(f"Expected one of {', '.join(CHROMIUM_NAMES)}. None is installed.")
    lines = []
    with app_server() as (port, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(**PHONE)
        page = context.new_page()
        traffic = Traffic(page)
        traffic.listen()
        for what in ("the first page, for the first time", "the first page again"):
            page.goto(f"http://127.0.0.1:{port}/")
            page.locator(EXAMPLE_BUTTON).first.wait_for(timeout=ANSWER_TIMEOUT_MS)
            page.wait_for_timeout(3000)
            lines.append(_line(what, traffic.take(), page))
        page.locator(EXAMPLE_BUTTON).first.click()
        page.get_by_text("What this cannot tell you").first.wait_for(timeout=ANSWER_TIMEOUT_MS)
        page.wait_for_timeout(3000)
        lines.append(_line("a whole answer with its pictures and charts", traffic.take(), page))
        browser.close()
    return lines


def _line(what: str, taken: tuple[int, float, float], page: Page) -> str:
    n_requests, http_mb, socket_mb = taken
    heap_mb = page.evaluate("performance.memory ? performance.memory.usedJSHeapSize / 1e6 : 0")
    pictures: list[list[int]] = page.evaluate(
        "Array.from(document.images).map(i => [i.naturalWidth, i.naturalHeight]).filter(s => s[0])"
    )
    largest = max(pictures, key=lambda size: size[0] * size[1], default=[0, 0])
    decoded_mb = sum(4 * width * height for width, height in pictures) / 1e6
    return (
        f"| {what} | {n_requests} | {http_mb:.2f} | {socket_mb:.2f} | {len(pictures)} | {largest[0]} x {largest[1]} "
        f"| {decoded_mb:.1f} | {heap_mb:.0f} |"
    )


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    rows = "\n".join(measure())
    page = f"""# What a phone has to load

Written by `python -m benchmarks.page_weight`: Chromium as a phone of 390 x 844 points, {platform.machine()}. Decoded pictures
take four bytes a pixel; the heap is what JavaScript keeps.

| what | requests | MB over http | MB over the socket | pictures | largest, px | MB of pictures, decoded | MB of heap |
| --- | --- | --- | --- | --- | --- | --- | --- |
{rows}
"""
    print(page)
    if options.out:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
