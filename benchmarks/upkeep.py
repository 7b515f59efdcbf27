"""How long keeping records safe takes: storing a photo, a backup, restoring it, changing the key.

    python -m benchmarks.upkeep [--photos 500] [--photo-kb 300] [--out docs/upkeep-speed.md]

In SQLite, in a temporary folder of the disk that TMPDIR names. Photos are random bytes: nothing here decodes them. Beside
the wall clock stands the processor time of this process, which a busy machine stretches less.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from dermascan_core.storage.backup import back_up
from dermascan_core.storage.opening import Storage, open_storage
from dermascan_core.storage.places import read_places
from dermascan_core.storage.restore import restore
from dermascan_core.storage.rotation import rotate_key
from dermascan_core.storage.schema import Lesion, Person, Photo, Screening

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
RECORD_CHARACTERS = 20_000  # a whole answer as JSON
THUMBNAIL_BYTES = 8_000


def measured(task: Callable[[], object]) -> tuple[float, float]:
    """Return seconds on the wall clock and of the processor."""
    started, cpu = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - started, time.process_time() - cpu


def fill(storage: Storage, n_photos: int, photo_bytes: int) -> None:
    """Keep photos of one person, each with an answer."""
    with storage.database.transaction() as session:
        person = Person(pseudonym="P-1", created_at=NOW, created_by="local")
        session.add(person)
        session.flush()
        lesion = Lesion(person_id=person.id, created_at=NOW)
        session.add(lesion)
        session.flush()
        lesion_id = lesion.id
    for _ in range(n_photos):
        sha256 = storage.images.put(os.urandom(photo_bytes), thumbnail=os.urandom(THUMBNAIL_BYTES))
        size = {"image_type": "clinical", "width_px": 1, "height_px": 1, "added_at": NOW}
        with storage.database.transaction() as session:
            session.add(Photo(lesion_id=lesion_id, image_sha256=sha256, **size))
            session.add(screening_of(storage, lesion_id))


def screening_of(storage: Storage, lesion_id: str) -> Screening:
    return Screening(
        lesion_id=lesion_id,
        screened_at=NOW,
        model="m",
        model_sha256="0" * 64,
        engine="e",
        app_version="0",
        gate_scores={},
        image_type="clinical",
        status="answered",
        next_step="watch",
        record=storage.vault.seal("x" * RECORD_CHARACTERS),
        audit_number=1,
    )


def measure(folder: Path, n_photos: int, photo_bytes: int) -> list[str]:
    """Return the lines of the table."""
    storage = open_storage(read_places({"DERMASCAN_RECORDS": str(folder / "records")}))
    there = read_places({"DERMASCAN_RECORDS": str(folder / "there")})
    path = folder / "a.backup"
    rows = [(f"store {n_photos:,} photos with answers", measured(lambda: fill(storage, n_photos, photo_bytes)))]
    rows.append(("back up", measured(lambda: back_up(storage, path, now=NOW))))
    there.folder.mkdir()
    shutil.copyfile(storage.places.key_file, there.key_file)
    again = {"actor": "local", "now": NOW}
    rows.append(("restore elsewhere", measured(lambda: restore(there, path, replace=False, **again))))
    rows.append(("restore over what is there", measured(lambda: restore(there, path, replace=True, **again))))
    rows.append(("seal everything with a new key", measured(lambda: rotate_key(storage))))
    storage.close()
    return [
        "| work | wall clock | processor |",
        "| --- | --- | --- |",
        *(f"| {name} | {wall:.1f} s | {cpu:.1f} s |" for name, (wall, cpu) in rows),
        "",
        f"The backup of {n_photos * photo_bytes / 1e6:.0f} MB of photos has {path.stat().st_size / 1e6:.0f} MB.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--photo-kb", type=int, default=300)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = measure(Path(folder), arguments.photos, arguments.photo_kb * 1000)
    text = "\n".join(
        [
            "# How long backups and new keys take",
            "",
            f"Written by `python -m benchmarks.upkeep --photos {arguments.photos} --photo-kb {arguments.photo_kb}`; SQLite, "
            f"{os.cpu_count()} cores shared with other work, {platform.machine()}, Python {platform.python_version()}.",
            "",
            *table,
        ]
    )
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
