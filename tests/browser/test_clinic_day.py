"""A clinic's day in real browsers: photos in, ranked, read by two clinicians, a time-out, a restart, a biopsy; nothing is lost."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import update

from dermascan_core.services.history import list_screenings, person_history
from dermascan_core.services.outcome_statistics import report_outcomes
from dermascan_core.services.records import Records, list_people, open_records
from dermascan_core.storage.places import read_places
from dermascan_core.storage.schema import Login
from tests.browser.conftest import ROOT, serve_app
from tests.browser.test_app_in_browser import can_scroll_sideways, wait_until_still
from tests.browser.test_login_in_browser import WALL
from tests.fakes import fake_photo, photo_bytes
from tests.staff import PASSWORD, new_database, staffed

pytestmark = pytest.mark.browser

NewBrowser = Callable[[], BrowserContext]
REASON = "Looks like <b>a seborrhoeic keratosis</b>: waxy, stuck on."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "records").mkdir(mode=0o700)
    staffed(new_database(tmp_path / "records"))
    return tmp_path


@pytest.fixture
def new_browser(chromium: Browser) -> Iterator[NewBrowser]:
    made: list[BrowserContext] = []

    def make() -> BrowserContext:
        context = chromium.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(90_000)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


def photo_files(folder: Path, n_photos: int) -> list[Path]:
    """Photos of as many people, from pale to dark, named so that the list knows whose they are."""
    (folder / "photos").mkdir()
    paths = []
    for number in range(n_photos):
        shade = 30 + (140 * number) // n_photos
        picture = fake_photo(
            width=320, height=240, lesion=(shade + 20, shade, shade // 2), radius_share=0.2 + 0.001 * number
        )
        paths.append(folder / "photos" / f"P{number:03d}_L1_1.jpg")
        paths[-1].write_bytes(photo_bytes(picture))
    return paths


def records_in(folder: Path) -> Records:
    return open_records(read_places({"DERMASCAN_RECORDS": str(folder / "records")}))


def log_in(tab: Page, name: str) -> None:
    expect(tab.get_by_text(WALL)).to_be_visible()
    tab.locator('input[aria-label="Name"]').fill(name)
    tab.locator('input[aria-label="Password"]').fill(PASSWORD)
    tab.get_by_role("button", name="Log in", exact=True).click()


def open_at(context: BrowserContext, address: str, page: str) -> Page:
    tab = context.new_page()
    tab.goto(address + page)
    wait_until_still(tab)
    return tab


def add_photos(tab: Page, photos: list[Path]) -> None:
    """The list of the day goes into the records."""
    tab.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(photos)
    tab.get_by_text("A dermatoscope", exact=False).first.click()
    tab.get_by_label("Name of the list").fill("Monday")
    tab.locator('[data-testid="stForm"] [data-testid="stCheckbox"] label').click()
    tab.get_by_role("button", name="Keep these photos and screen them").click()


def press(tab: Page, key: str, then: str) -> None:
    """Press a key and wait for words that it brings."""
    wait_until_still(tab)
    tab.keyboard.press(key)
    expect(tab.get_by_text(then).first).to_be_visible()
    wait_until_still(tab)


def give_own_opinion(tab: Page, *, dx: str = "5", step: str = "2") -> None:
    press(tab, dx, "What should happen next?")
    press(tab, step, "Your decision")


def read_by_keys(tab: Page) -> None:
    give_own_opinion(tab)
    press(tab, "a", "Kept beside the model's answer.")


def let_logins_time_out(folder: Path) -> None:
    database = records_in(folder).database
    with database.transaction() as session:
        past = datetime.now(UTC) - timedelta(minutes=15, seconds=1)
        session.execute(update(Login).values(seen_at=past).where(Login.ended_at.is_(None)))


def command(folder: Path, *arguments: str, records: str = "records") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"DERMASCAN_RECORDS": str(folder / records)}
    asked = [sys.executable, "-m", "dermascan_core", *arguments]
    return subprocess.run(asked, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def wait_until_screened(tab: Page, folder: Path, n_photos: int) -> None:
    records = records_in(folder)
    for _ in range(240):
        if list_screenings(records).n_screenings == n_photos:
            return
        tab.wait_for_timeout(1_000)
    pytest.fail(f"Only {list_screenings(records).n_screenings} of {n_photos} photos were screened.")


def spend_the_day(folder: Path, new_browser: NewBrowser, *, n_photos: int, n_read: int) -> None:
    """The day itself, up to the evening's restart."""
    with serve_app(folder / "log.txt", has_weights=False) as address:
        ben = open_at(new_browser(), address, "review")
        log_in(ben, "ben")
        expect(ben.get_by_text("Nothing to read here.")).to_be_visible()
        ben.goto(address + "triage?voice=clinician")
        wait_until_still(ben)
        add_photos(ben, photo_files(folder, n_photos))
        wait_until_screened(ben, folder, n_photos)

        ben.goto(address + "review")
        expect(
            ben.get_by_role("button", name="Begin with the first of")
        ).to_be_visible()  # a key before it goes nowhere
        press(ben, "n", "What do you take it for?")
        for _ in range(n_read):
            read_by_keys(ben)
            press(ben, "n", "What do you take it for?")
        give_own_opinion(ben, dx="3", step="4")
        press(ben, "o", "What holds instead, and why")
        ben.get_by_label("Why (kept beside the model's answer)").fill(REASON)
        ben.get_by_label("Why (kept beside the model's answer)").blur()
        wait_until_still(ben)

        let_logins_time_out(folder)
        expect(ben.get_by_text("You were logged out", exact=False)).to_be_visible(timeout=90_000)
        log_in(ben, "ben")
        expect(ben.get_by_label("Why (kept beside the model's answer)")).to_have_value(REASON)
        ben.get_by_role("button", name="Confirm the override").click()
        expect(ben.get_by_text("Kept beside the model's answer.")).to_be_visible()
        assert ben.locator("b", has_text="a seborrhoeic keratosis").count() == 0

        anna = open_at(new_browser(), address, "review")
        log_in(anna, "anna")
        expect(anna.get_by_text("Begin with the first of", exact=False)).to_be_visible()
        press(anna, "n", "What do you take it for?")
        read_by_keys(anna)
        expect(anna.get_by_text("ben has read this case too.", exact=False)).to_be_visible()
        enter_biopsy(anna)


def enter_biopsy(tab: Page) -> None:
    tab.get_by_role("link", name="History, remarks and outcome of this case").click()
    expect(tab.get_by_text("Enter what it turned out to be")).to_be_visible()
    tab.get_by_text("Enter what it turned out to be").click()
    diagnosis = tab.get_by_test_id("stSelectbox").filter(has_text="Diagnosis").locator("input")
    diagnosis.click()
    diagnosis.fill("melanoma")
    tab.keyboard.press("Enter")
    tab.get_by_role("button", name="Keep the outcome").click()
    expect(tab.get_by_text("Kept: melanoma, by histopathology.")).to_be_visible()


def what_is_kept(folder: Path, records: str = "records") -> dict[str, object]:
    """All of the day that counts, read without a browser."""
    opened = open_records(read_places({"DERMASCAN_RECORDS": str(folder / records)}))
    found = [person_history(opened, one.id) for one in list_people(opened, limit=500).people]
    reviews = [r for p in found for lesion in p.lesions for c in lesion.cases for r in c.reviews]
    return {
        "people": len(found),
        "photos": sum(len(lesion.photos) for p in found for lesion in p.lesions),
        "readings": sorted((r.reviewer, r.decision, r.reason or "") for r in reviews),
        "outcomes": sorted(o.dx for p in found for lesion in p.lesions for o in lesion.outcomes),
        "biopsies": len(report_outcomes(opened).cases),
    }


def check_the_evening(folder: Path, new_browser: NewBrowser, *, n_photos: int, n_read: int) -> None:
    before = what_is_kept(folder)
    assert before["people"] == before["photos"] == n_photos
    readings = [("ben", "agree", "")] * n_read + [("anna", "agree", ""), ("ben", "override", REASON)]
    assert before["readings"] == sorted(readings)
    assert before["outcomes"] == ["mel"]
    assert before["biopsies"] == 1

    with serve_app(folder / "log-2.txt", has_weights=False) as address:
        anna = open_at(new_browser(), address, "outcomes")
        log_in(anna, "anna")
        expect(anna.get_by_text("1 lesion with an outcome", exact=False)).to_be_visible()
        assert not can_scroll_sideways(anna)
    assert what_is_kept(folder) == before

    assert command(folder, "audit", "verify").returncode == 0
    _restore_from_backup(folder, before)
    _tamper(folder / "records" / "records.db")
    told = command(folder, "audit", "verify")
    assert told.returncode == 1
    assert "was changed" in told.stdout + told.stderr


def _restore_from_backup(folder: Path, before: dict[str, object]) -> None:
    backup = folder / "evening.backup"
    assert command(folder, "db", "backup", str(backup)).returncode == 0
    (folder / "restored").mkdir(mode=0o700)
    (folder / "restored" / "key").write_bytes((folder / "records" / "key").read_bytes())
    (folder / "restored" / "key").chmod(0o600)
    done = command(folder, "db", "restore", str(backup), records="restored")
    assert done.returncode == 0, done.stderr
    assert what_is_kept(folder, "restored") == before
    assert command(folder, "audit", "verify", records="restored").returncode == 0


def _tamper(database: Path) -> None:
    """What somebody with the file does: the trigger dropped, one entry's actor changed."""
    with sqlite3.connect(database) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE audit SET actor = 'nobody' WHERE action = 'review confirmed' AND actor = 'ben'")


def test_a_short_day(folder: Path, new_browser: NewBrowser) -> None:
    spend_the_day(folder, new_browser, n_photos=4, n_read=1)

    check_the_evening(folder, new_browser, n_photos=4, n_read=1)


@pytest.mark.slow
def test_a_day_of_fifty_photos(folder: Path, new_browser: NewBrowser) -> None:
    spend_the_day(folder, new_browser, n_photos=50, n_read=12)

    check_the_evening(folder, new_browser, n_photos=50, n_read=12)
