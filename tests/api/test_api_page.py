"""docs/api.md holds what the server does: its curl lines are run, its limits and statuses compared."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from dermascan_core.api.limits import MB, Limits
from dermascan_core.api.problems import TITLES
from tests.api.conftest import KEYS, PHOTO, running_server

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
CURLS = re.findall(r"```\n(curl .+?)```", TEXT, re.DOTALL)


@pytest.mark.parametrize("line", CURLS, ids=["screenings", "batches"])
def test_curl_line_of_the_page_is_answered(line, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("CURL LINES NOT TESTED: curl is not installed.")
    for name in ("mole.jpg", "a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(PHOTO)
    (tmp_path / "people.csv").write_text("image,age\na,61\n")
    with running_server(tmp_path / "api", keys=KEYS) as server:
        told = line.replace("http://127.0.0.1:8000", server.url).replace("$DERMASCAN_API_KEY", "clinic-secret")
        done = subprocess.run(
            shlex.split(told.replace("\\\n", " ")), cwd=tmp_path, capture_output=True, text=True, check=False
        )

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"next_step"' in done.stdout or "HTTP/1.1 202" in done.stdout


def test_page_names_every_status():
    rows = " ".join(re.findall(r"^\| ([\d, ]+) \|", TEXT, re.MULTILINE))

    assert set(re.findall(r"\d{3}", rows)) == {str(status) for status in TITLES} - {"499"} | {"200", "202", "204"}


def test_page_names_the_limits_that_hold():
    limits = Limits()

    for words in (
        f"{limits.photo_bytes // MB} MB, 50 megapixels",
        f"{limits.photos} photos; {limits.body_bytes // MB} MB a request",
        f"{limits.all_bodies_bytes // MB} MB",
        f"{limits.batch_photos:,} photos, {limits.batch_bytes // MB // 1024} GB; {limits.batch_jobs} open batches a key",
        f"{limits.requests_per_minute} a minute",
        f"{limits.header_bytes // 1024} kB within {limits.header_timeout_s:.0f} s",
        f"no pause over {limits.body_gap_s:.0f} s; after {limits.body_grace_s:.0f} s at least {limits.body_bytes_per_s // 1024} kB",
    ):
        assert words in TEXT
