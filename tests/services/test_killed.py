"""kill -9 at random moments: every confirmed case is there afterwards, and none is half-written."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dermascan_core.services.audit_trail import verify_trail
from dermascan_core.services.forgetting import tidy
from dermascan_core.services.history import lesion_history
from dermascan_core.services.records import Records, open_records
from dermascan_core.storage.places import read_places
from tests.clinic import NOW, somebody

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 0.4  # a case takes a tenth of that or less: several fall before the kill, and one under it


def keep_until_killed(folder: Path, lesion_id: str, *, start: int, after_s: float) -> tuple[set[str], set[str]]:
    """Start the keeper, kill it so long after it is ready; returns the screenings and readings that it was told are kept."""
    command = [sys.executable, "-m", "tests.services.slow_keeper", str(folder), lesion_id, str(start)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == "ready\n"
        time.sleep(after_s)
        keeper.send_signal(signal.SIGKILL)
        words = [line.split() for line in keeper.stdout.read().splitlines() if line.count(" ") == 1 and len(line) == 37]
    return tuple({case for word, case in words if word == wanted} for wanted in ("kept", "read"))


def check_whole(records: Records, lesion_id: str, kept: set[str], read: set[str]) -> int:
    """Look at every case as a person would; returns how many there are."""
    history = lesion_history(records, lesion_id)
    photos = {photo.id: photo for photo in history.photos}
    assert kept <= {case.screening.id for case in history.cases}
    assert read <= {case.screening.id for case in history.cases if case.reviews}
    for case in history.cases:
        assert json.loads(case.screening.record)["photos"][0]["name"] == "mole.jpg"
        [photo] = case.screening.photos
        assert records.images.get(photos[photo.photo_id].image_sha256)
        assert records.images.thumbnail(photos[photo.photo_id].image_sha256)
    assert verify_trail(records).is_intact
    return len(history.cases)


def kill_and_check(tmp_path: Path, n_kills: int) -> None:
    records = open_records(read_places({"DERMASCAN_RECORDS": str(tmp_path)}))
    _, lesion = somebody(records)
    draw, kept, read = random.Random(8), set[str](), set[str]()

    for number in range(n_kills):
        more = keep_until_killed(tmp_path, lesion.id, start=number * 1000, after_s=draw.uniform(0, LONGEST_S))
        kept, read = kept | more[0], read | more[1]
        n_cases = check_whole(records, lesion.id, kept, read)
        assert len(kept) <= n_cases <= len(kept) + number + 1  # a kill may fall between the commit and the word of it

    assert len(kept) > n_kills / 2
    records.close()


def test_ten_kills_lose_no_confirmed_case_and_leave_none_half_written(tmp_path: Path) -> None:
    kill_and_check(tmp_path, 10)


@pytest.mark.slow
def test_a_hundred_kills_lose_no_confirmed_case_and_leave_none_half_written(tmp_path: Path) -> None:
    kill_and_check(tmp_path, 100)


def test_what_a_kill_left_of_an_image_is_swept_and_every_case_stays(tmp_path: Path) -> None:
    from datetime import timedelta

    records = open_records(read_places({"DERMASCAN_RECORDS": str(tmp_path)}))
    _, lesion = somebody(records)
    kept, read = keep_until_killed(tmp_path, lesion.id, start=0, after_s=LONGEST_S)

    tidied = tidy(records, now=NOW + timedelta(days=4000))

    assert tidied.swept.n_photos <= 1
    assert tidied.missing == ()
    assert check_whole(records, lesion.id, kept, read) >= len(kept)
    records.close()
