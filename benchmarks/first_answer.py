"""Time from ``git clone`` to the first answer: clone, install, then screen one photo in a fresh process.

    python -m benchmarks.first_answer [--out docs/first-answer.md]

Needs git, make and a connection to the package index; takes one to three minutes and 2.3 GB in a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
import time
from pathlib import Path

from dermascan_core.imaging.examples import EXAMPLES, example_png

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        clone, photo = Path(folder) / "clone", Path(folder) / "photo.png"
        photo.write_bytes(example_png(EXAMPLES[0].key))
        seconds = {
            "`git clone`": _timed(["git", "clone", "-q", str(ROOT), str(clone)], cwd=ROOT),
            "installing (`make run` without the app)": _timed(["make", "-s", ".venv/run.stamp"], cwd=clone),
            "first answer (`screen` in a new process)": _timed(
                [".venv/bin/python", "-m", "dermascan_core", "screen", str(photo)], cwd=clone
            ),
        }
    table = _table(seconds)
    print(table)
    if options.out:
        options.out.write_text(table, encoding="utf-8")


def _timed(command: list[str], *, cwd: Path) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - started


def _table(seconds: dict[str, float]) -> str:
    rows = "\n".join(f"| {what} | {value:.0f} |" for what, value in seconds.items())
    return f"""# From clone to first answer

Written by `python -m benchmarks.first_answer`; {os.cpu_count()} cores, {platform.machine()}, Python
{platform.python_version()}. Installing depends on the connection and on what pip has in its cache.

| step | s |
| --- | --- |
{rows}
| together | {sum(seconds.values()):.0f} |
"""


if __name__ == "__main__":
    main()
