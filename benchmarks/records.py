"""How long records take: keeping a case, a person's history, a list of many, walking the audit trail, deleting.

    python -m benchmarks.records [--cases 1000] [--out docs/records-speed.md]

In SQLite, in a temporary folder of the disk that TMPDIR names; each confirmed write waits for the disk.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dermascan_core.services.audit_trail import verify_trail
from dermascan_core.services.forgetting import delete_person
from dermascan_core.services.history import list_screenings, person_history
from dermascan_core.services.keeping import NewPhoto, keep_screening
from dermascan_core.services.readings import AGREE, confirm_review
from dermascan_core.services.records import ConsentGiven, Records, add_lesion, add_person, open_records
from dermascan_core.storage import audit
from dermascan_core.storage.kept import NewReview
from dermascan_core.storage.places import read_places
from tests.clinic import answered

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
N_REPEATS = 20
N_LESIONS = 10
N_OF_ONE = 100
N_ENTRIES = 20_000


def median_ms(task: Callable[[int], object], n_repeats: int = N_REPEATS) -> float:
    """Return the median time of a task, told the number of the repeat."""
    times = []
    for number in range(n_repeats):
        started = time.perf_counter()
        task(number)
        times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def new_photo_of(number: int) -> tuple[NewPhoto, ...]:
    """A photo that differs from all others by bytes behind its end."""
    photo = answered()[1][0]
    return (replace(photo, data=photo.data + str(number).encode()),)


def add_somebody(records: Records) -> tuple[str, list[str]]:
    """Add a person; returns their id and those of their lesions."""
    consent = ConsentGiven(NOW + timedelta(days=365))
    person = add_person(records, consent, actor="ada", now=NOW)
    return person.id, [add_lesion(records, person.id, actor="ada", now=NOW).id for _ in range(N_LESIONS)]


def keep(records: Records, lesion_id: str, number: int) -> str:
    """Keep a case with a photo of its own; returns its id."""
    screening = replace(answered()[0], model=f"fake {number}")
    kept = keep_screening(records, screening, new_photo_of(number), lesion_id=lesion_id, actor="ada", now=NOW)
    return kept.id


def read(records: Records, screening_id: str) -> None:
    """Confirm a reading."""
    review = NewReview(screening_id, "ada", "nv", "watch", NOW, AGREE, "nv", "watch", None)
    confirm_review(records, review, now=NOW)


def fill_trail(records: Records) -> int:
    """Add entries until there are enough; returns how many there are."""
    with records.database.transaction() as session:
        newest = audit.newest(session)
        for _ in range(N_ENTRIES - (newest.number if newest else 0)):
            audit.record(session, actor="ada", action="records seen", subject="person", now=NOW)
        session.expunge_all()
    return N_ENTRIES


def measure(folder: Path, n_cases: int) -> list[str]:
    """Return the lines of the table."""
    records = open_records(read_places({"DERMASCAN_RECORDS": str(folder)}))
    person, lesions = add_somebody(records)
    ids = [keep(records, lesions[number % N_LESIONS], number) for number in range(N_OF_ONE)]
    rows = [("read one person's history of 100 cases", median_ms(lambda _: person_history(records, person)))]
    rows.append(("confirm a reading", median_ms(lambda number: read(records, ids[number]))))
    _, others = add_somebody(records)
    for number in range(N_OF_ONE, n_cases - N_REPEATS):
        keep(records, others[number % N_LESIONS], number)
    rows.insert(
        0,
        (
            f"keep a case with one photo, {n_cases:,} kept before",
            median_ms(lambda number: keep(records, others[0], n_cases + number)),
        ),
    )
    rows.append((f"first 50 of a list of {n_cases:,} cases, by urgency", median_ms(lambda _: list_screenings(records))))
    entries = fill_trail(records)
    rows.append((f"walk an audit trail of {entries:,} entries", median_ms(lambda _: verify_trail(records), 3)))
    rows.append(
        (
            "delete a person with 100 cases and photos",
            median_ms(lambda _: delete_person(records, person, actor="ada", now=NOW), 1),
        )
    )
    size_mb = sum(path.stat().st_size for path in folder.glob("records.db*")) / 1e6
    records.close()
    return [
        "| work | median |",
        "| --- | --- |",
        *(f"| {name} | {ms / 1000:.1f} s |" if ms >= 1000 else f"| {name} | {ms:.0f} ms |" for name, ms in rows),
        f"| size of the database then, without photos | {size_mb:.0f} MB |",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), arguments.cases)
    text = "\n".join(
        [
            "# How long records take",
            "",
            f"Written by `python -m benchmarks.records`; SQLite, {os.cpu_count()} cores, {platform.machine()}, "
            f"Python {platform.python_version()}; {os.getloadavg()[0]:.0f} programs wanted the processor at the end. A case "
            "waits for the disk: its photo, its thumbnail and its rows are each brought there for good.",
            "",
            *table,
        ]
    )
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
