"""kill -9 at random moments: every confirmed case is there afterwards, and none is half-written."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from dermascan_core.services.audit_trail import verify_trail
from dermascan_core.services.forgetting import tidy
from dermascan_core.services.history import lesion_history
from dermascan_core.services.records import Records, open_records
from dermascan_core.storage.database import Database
from dermascan_core.storage.places import Places, read_places
from tests.clinic import NOW, somebody

ROOT = Path(__file__).resolve().parents[2]
LONGEST_S = 0.4  # a case takes a tenth of that or less: several fall before the kill, and one under it


def start_keeper(folder: Path, lesion_id: str, *, start: int, url: str = "") -> subprocess.Popen[str]:
    """Start the keeper; returns it once it is ready."""
    command = [sys.executable, "-m", "tests.services.slow_keeper", str(folder), lesion_id, str(start)]
    environment = os.environ | {"DERMASCAN_DATABASE_URL": url}
    keeper = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment)
    assert keeper.stdout is not None
    assert keeper.stdout.readline() == "ready\n"
    return keeper


def wait_for_a_reading(keeper: subprocess.Popen[str]) -> list[str]:
    """Wait until a case with its reading is confirmed, however busy the machine is; returns what was said until then."""
    assert keeper.stdout is not None
    lines = [keeper.stdout.readline()]
    while not lines[-1].startswith("read"):
        lines.append(keeper.stdout.readline())
    return lines


def kill(keeper: subprocess.Popen[str], said: Sequence[str] = ()) -> tuple[set[str], set[str]]:
    """Kill the keeper; returns the screenings and the readings that it was told are kept."""
    keeper.send_signal(signal.SIGKILL)
    lines = [*said, *keeper.communicate()[0].splitlines()]
    words = [line.split() for line in lines if len(line.strip()) == len("kept ") + 32]
    kept, read = ({case for word, case in words if word == wanted} for wanted in ("kept", "read"))
    return kept, read


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


def kill_and_check(folder: Path, n_kills: int, *, url: str = "") -> None:
    records = open_records(places_of(folder, url))
    _, lesion = somebody(records)
    draw, kept, read = random.Random(8), set[str](), set[str]()

    for number in range(n_kills):
        keeper = start_keeper(folder, lesion.id, start=number * 1000, url=url)
        said = wait_for_a_reading(keeper) if number % 2 else []
        time.sleep(draw.uniform(0, LONGEST_S))
        more = kill(keeper, said)
        kept, read = kept | more[0], read | more[1]
        n_cases = check_whole(records, lesion.id, kept, read)
        assert len(kept) <= n_cases <= len(kept) + number + 1  # a kill may fall between the commit and the word of it

    assert len(kept) >= n_kills // 2
    records.close()


def places_of(folder: Path, url: str = "") -> Places:
    return read_places({"DERMASCAN_RECORDS": str(folder), "DERMASCAN_DATABASE_URL": url})


def test_ten_kills_lose_no_confirmed_case_and_leave_none_half_written(tmp_path: Path) -> None:
    kill_and_check(tmp_path, 10)


@pytest.mark.slow
def test_a_hundred_kills_lose_no_confirmed_case_and_leave_none_half_written(tmp_path: Path) -> None:
    kill_and_check(tmp_path, 100)


@pytest.mark.slow
def test_a_hundred_kills_lose_no_confirmed_case_in_postgresql(tmp_path: Path, migrated_postgres: str) -> None:
    kill_and_check(tmp_path, 100, url=migrated_postgres)


def test_two_programs_keep_at_once_and_one_is_killed(database: Database, tmp_path: Path) -> None:
    url = database.url.render_as_string(hide_password=False)
    records = open_records(places_of(tmp_path, url))
    _, lesion = somebody(records)
    keepers = [start_keeper(tmp_path, lesion.id, start=number * 1000, url=url) for number in range(2)]

    said = [wait_for_a_reading(keeper) for keeper in keepers]
    time.sleep(LONGEST_S)
    killed = kill(keepers[0], said[0])
    time.sleep(LONGEST_S)
    other = kill(keepers[1], said[1])

    n_cases = check_whole(records, lesion.id, killed[0] | other[0], killed[1] | other[1])
    assert n_cases <= len(killed[0] | other[0]) + 2
    records.close()


def test_what_a_kill_left_of_an_image_is_swept_and_every_case_stays(tmp_path: Path) -> None:
    records = open_records(places_of(tmp_path))
    _, lesion = somebody(records)
    keeper = start_keeper(tmp_path, lesion.id, start=0)
    time.sleep(LONGEST_S)
    kept, read = kill(keeper)

    tidied = tidy(records, now=NOW + timedelta(days=4000))

    assert tidied.swept.n_photos <= 1
    assert tidied.missing == ()
    assert check_whole(records, lesion.id, kept, read) >= len(kept)
    records.close()
