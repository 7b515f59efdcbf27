"""Many people at once in the real app: sessions over websockets that open the page, ask for an answer, leave, come again.

    python -m benchmarks.app_load [--visitors 1 10 50 100] [--seconds 60] [--think 10] [--out docs/app-load.md]

Each visitor opens a new session, thinks, presses the button of an example (a full answer with heat maps and ten small
changes), thinks, leaves, and comes again. An answer counts when the page that names the weights has been drawn.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from websockets.exceptions import WebSocketException

from benchmarks._server import resident_mb
from benchmarks._streamlit_client import ANSWERED, EXAMPLE, Visitor, app_server

PATIENCE_S = 60.0  # after which a visitor gives up: counted as an error


@dataclass(slots=True)
class Crowd:
    """What a number of visitors met with."""

    n_visitors: int
    seconds: float
    opened_s: list[float] = field(default_factory=list)
    answered_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    peak_mb: float = 0.0


def send_crowd(port: int, pid: int, *, n_visitors: int, seconds: float, think_s: float) -> Crowd:
    """Let visitors come and go for a while; returns what they met with."""
    crowd, ends = Crowd(n_visitors, seconds), time.monotonic() + seconds
    threads = [
        threading.Thread(target=_visit_again_and_again, args=(crowd, port, ends, think_s, random.Random(number)))
        for number in range(n_visitors)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        crowd.peak_mb = max(crowd.peak_mb, resident_mb(pid))
        time.sleep(0.5)
    return crowd


def _visit_again_and_again(crowd: Crowd, port: int, ends: float, think_s: float, chance: random.Random) -> None:
    time.sleep(chance.uniform(0, think_s))  # people do not come in step
    while time.monotonic() < ends:
        try:
            started = time.monotonic()
            visitor = Visitor.arrive(port, timeout_s=PATIENCE_S)
            crowd.opened_s.append(time.monotonic() - started)
            time.sleep(chance.uniform(0.5, 1.5) * think_s)
            started = time.monotonic()
            text = visitor.click(EXAMPLE)
            if ANSWERED in text:
                crowd.answered_s.append(time.monotonic() - started)
            else:
                crowd.errors.append("no answer on the page")
            time.sleep(chance.uniform(0.5, 1.5) * think_s)
            visitor.leave()
        except (OSError, TimeoutError, WebSocketException, KeyError) as error:
            crowd.errors.append(type(error).__name__)


def table(crowds: list[Crowd], idle_mb: float, think_s: float) -> str:
    """Return the page."""
    lines = "\n".join(_line(crowd) for crowd in crowds)
    return f"""# Many people in the app at once

Written by `python -m benchmarks.app_load`; {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}.
The visitors run on the same machine and take their share of it. Each opens a session, asks for a full answer, leaves and comes
again, with about {think_s:g} s of thought between any two. Before the first visitor the app took {idle_mb:.0f} MB.

| visitors at once | answers a second | errors | opening, s: p50 / p95 / p99 | answer, s: p50 / p95 / p99 | memory, MB |
| --- | --- | --- | --- | --- | --- |
{lines}

An error is a session that was refused or cut, or an answer that took more than {PATIENCE_S:.0f} s.
"""


def _line(crowd: Crowd) -> str:
    n_tried = len(crowd.answered_s) + len(crowd.errors)
    share = 100 * len(crowd.errors) / max(n_tried, 1)
    kinds = f" ({', '.join(sorted(set(crowd.errors)))})" if crowd.errors else ""
    return (
        f"| {crowd.n_visitors} | {len(crowd.answered_s) / crowd.seconds:.2f} | {len(crowd.errors)} of {n_tried}, {share:.1f} %{kinds} "
        f"| {_percentiles(crowd.opened_s)} | {_percentiles(crowd.answered_s)} | {crowd.peak_mb:.0f} |"
    )


def _percentiles(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    return " / ".join(f"{value:.2f}" for value in np.percentile(seconds, [50, 95, 99]))


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--visitors", type=int, nargs="+", default=[1, 10, 50, 100])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--think", type=float, default=10.0, help="seconds between two things that a visitor does")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()
    with app_server() as (port, pid):
        first = Visitor.arrive(port)
        first.click(EXAMPLE)  # the model is loaded once, for all
        first.leave()
        idle_mb = resident_mb(pid)
        crowds = []
        for n_visitors in options.visitors:
            crowds.append(send_crowd(port, pid, n_visitors=n_visitors, seconds=options.seconds, think_s=options.think))
            print(_line(crowds[-1]), flush=True)
    page = table(crowds, idle_mb, options.think)
    print(page)
    if options.out:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
