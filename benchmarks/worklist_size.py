"""How long a list of the records takes, and how much of it a browser is sent: 50 photos beside 5,000.

    python -m benchmarks.worklist_size [--out docs/worklist-size.md] [--sizes 50 5000]

Needs a Chromium. Lists are made with the program's own functions, their answers written straight into a database of a
folder that is thrown away: what is measured is looking through them, not answering them.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect, sync_playwright
from sqlalchemy import select

from benchmarks._streamlit_client import app_server
from benchmarks.page_weight import CHROMIUM_NAMES, Traffic
from dermascan_core.domain import ImageType, NextStep
from dermascan_core.services.arrivals import Arrival
from dermascan_core.services.keeping import new_photo
from dermascan_core.services.models import DEFAULT_MODEL
from dermascan_core.services.photo_grid import LesionPlan, group_by_lesion, prefill_grid, read_grid
from dermascan_core.services.records import CLINIC_BASIS, ConsentGiven, Records, open_records
from dermascan_core.services.stored_batches import BatchOrder, add_batch
from dermascan_core.services.stored_worklist import change_mark, stored_list
from dermascan_core.storage.places import read_places
from dermascan_core.storage.schema import Batch, BatchItem, Screening, new_id
from tests.fakes import fake_photo, photo_bytes

NOW = datetime.now(UTC)
N_PICTURES = 40  # different photos; the list repeats them under other names
STEPS = (NextStep.ROUTINE_CHECK,) * 6 + (NextStep.SEE_DOCTOR,) * 2 + (NextStep.URGENT_2_WEEKS, NextStep.NOT_ASSESSED)
TIMEOUT_MS = 300_000


def plans_of(n_photos: int) -> tuple[list[LesionPlan], list[Arrival]]:
    """Return lesions and photos; one in three names a person."""
    rng = np.random.default_rng(1)
    pictures = [
        photo_bytes(fake_photo(lesion=tuple(rng.integers(40, 160, 3)), radius_share=float(rng.uniform(0.15, 0.3))))
        for _ in range(min(N_PICTURES, n_photos))
    ]
    names = [f"P{n}_L1.jpg" if n % 3 == 0 else f"photo {n}.jpg" for n in range(n_photos)]
    arrivals = [Arrival(name, lambda n=n: pictures[n % len(pictures)]) for n, name in enumerate(names)]
    grid = prefill_grid(names, table=None, told=[None] * n_photos)
    cells = [{name: getattr(row, name) for name in row.__slots__} for row in grid.rows]
    return group_by_lesion(read_grid(cells, grid, image_type=ImageType.DERMOSCOPIC)[0])[0], arrivals


def fill(records: Records, n_photos: int) -> tuple[str, float]:
    """Add a list of the size and write answers for it; returns its id and the seconds that adding took."""
    plans, arrivals = plans_of(n_photos)
    order = BatchOrder(
        name="Measured",
        consent=ConsentGiven(keep_until=NOW + timedelta(days=30), text_version=CLINIC_BASIS),
        model=DEFAULT_MODEL,
        image_type=ImageType.DERMOSCOPIC,
        share_to_read=0.05,
    )
    started = time.perf_counter()
    batch_id = add_batch(records, plans, arrivals, order=order, actor="local", now=NOW)
    added_s = time.perf_counter() - started
    for arrival in arrivals[:N_PICTURES]:
        photo = new_photo(arrival.name, arrival.read())
        records.images.put(photo.data, thumbnail=photo.thumbnail)
    with records.database.transaction() as session:
        record = records.vault.seal(json.dumps({"photos": []}))
        items = session.scalars(select(BatchItem).where(BatchItem.batch_id == batch_id)).all()
        answers = [_answer(new_id(), item.lesion_id, number, record) for number, item in enumerate(items)]
        session.add_all(answers)
        session.flush()
        for item, answer in zip(items, answers, strict=True):
            item.screening_id, item.state = answer.id, "done"
        session.flush()
        batch = session.get(Batch, batch_id)
        assert batch is not None, "it was added above"
        batch.state = "done"
    return batch_id, added_s


def _answer(screening_id: str, lesion_id: str, number: int, record: bytes) -> Screening:
    step = STEPS[number % len(STEPS)]
    is_refused = step is NextStep.NOT_ASSESSED
    return Screening(
        id=screening_id,
        lesion_id=lesion_id,
        replaces_id=None,
        screened_at=NOW,
        model=DEFAULT_MODEL,
        model_sha256="0" * 64,
        engine="none",
        app_version="0",
        threshold=0.2,
        gate_scores={},
        image_type="dermoscopic",
        status="refused" if is_refused else "answered",
        next_step=step.value,
        predicted=None if is_refused else "nv",
        p_malignant=None if is_refused else (number * 37 % 1000) / 1000,
        record=record,
        audit_number=1,
    )


def seconds(work: Callable[[], object], *, n_times: int = 5) -> float:
    """Return the median time of some work, in seconds."""
    taken = []
    for _ in range(n_times):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def look_through(page: Page, traffic: Traffic, address: str, n_photos: int) -> list[str]:
    """Open the list in a browser and go through it; returns a line for each thing done."""
    lines = []

    def do(what: str, act: Callable[[], object], shown: str) -> None:
        started = time.perf_counter()
        act()
        expect(page.get_by_text(shown, exact=True)).to_be_visible(timeout=TIMEOUT_MS)
        taken_s = time.perf_counter() - started
        page.wait_for_timeout(1500)  # pictures that come after the words
        _, _, socket_mb = traffic.take()
        lines.append(f"| {what} | {n_photos:,} | {taken_s:.1f} | {socket_mb:.2f} |")

    last = min(50, n_photos)
    do("the list, in a new session", lambda: page.goto(address), f"1 to {last} of {n_photos:,}")
    box = page.get_by_label("Search file, person or lesion")
    do("search", lambda: (box.fill("photo 1."), box.press("Enter")), "1 to 1 of 1")
    do("all again", lambda: (box.fill(""), box.press("Enter")), f"1 to {last} of {n_photos:,}")
    do("gallery", lambda: page.get_by_text("Gallery").click(), f"1 to {min(24, n_photos)} of {n_photos:,}")
    do(
        "next page",
        lambda: page.get_by_role("button", name="Page 2", exact=True).last.click(),
        f"25 to {min(48, n_photos)} of {n_photos:,}",
    )
    return lines


def measure(n_photos: int) -> tuple[str, list[str]]:
    """Return the line of what the program needs, and the lines of what the browser sees."""
    chromium = next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if chromium is None:
        raise SystemExit(f"Expected one of {', '.join(CHROMIUM_NAMES)}. None is installed.")
    with tempfile.TemporaryDirectory() as folder:
        records = open_records(read_places({"DERMASCAN_RECORDS": folder}))
        batch_id, added_s = fill(records, n_photos)
        read_s = seconds(lambda: stored_list(records, batch_id))
        mark_s = seconds(lambda: change_mark(records, batch_id))
        records.close()
        size_mb = sum(path.stat().st_size for path in Path(folder).rglob("*.db*")) / 1e6
        with app_server(DERMASCAN_RECORDS=folder) as (port, _), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
            traffic = Traffic(page)
            traffic.listen()
            # A server's first page imports everything: the list is measured on a warm one, as all but the first meet it.
            page.goto(f"http://localhost:{port}/about")
            page.get_by_text("Not a medical device").first.wait_for(timeout=TIMEOUT_MS)
            page.wait_for_timeout(5000)
            traffic.take()
            lines = look_through(page, traffic, f"http://localhost:{port}/triage?voice=clinician", n_photos)
            browser.close()
    core = f"| {n_photos:,} | {added_s:.1f} | {read_s:.2f} | {mark_s * 1000:.0f} | {size_mb:.1f} |"
    return core, lines


def main() -> None:
    """Print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 5000])
    options = parser.parse_args()
    found = [measure(size) for size in options.sizes]
    core = "\n".join(line for line, _ in found)
    browser = "\n".join(line for _, lines in found for line in lines)
    page = f"""# A list of 50 photos beside one of 5,000

Written by `python -m benchmarks.worklist_size`: Chromium of 1280 x 900 points, one machine for server and browser,
{platform.machine()}. How a list is looked through: [worklist.md](worklist.md).

| photos | added, s | list read and ranked, s | asked whether it changed, ms | database, MB |
| --- | --- | --- | --- | --- |
{core}

| what | photos on the list | until it is shown, s | MB over the socket |
| --- | --- | --- | --- |
{browser}
"""
    print(page)
    if options.out:
        options.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
