"""Keeps screenings one after another until it is killed; prints the id of each one that was confirmed to it.

Run as ``python -m tests.services.slow_keeper FOLDER LESION START``.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from dermascan_core.services.keeping import keep_screening
from dermascan_core.services.readings import AGREE, confirm_review
from dermascan_core.services.records import open_records
from dermascan_core.storage.kept import NewReview
from dermascan_core.storage.places import read_places
from tests.clinic import answered


def main(folder: Path, lesion_id: str, start: int) -> None:
    url = os.environ.get("DERMASCAN_DATABASE_URL", "")
    records = open_records(read_places({"DERMASCAN_RECORDS": str(folder), "DERMASCAN_DATABASE_URL": url}))
    screening, photos = answered()
    now = datetime.now(UTC)
    print("ready", flush=True)
    for number in range(start, start + 1_000_000):
        # Another file each time: bytes after a JPEG's end are no part of the picture.
        another = (replace(photos[0], data=photos[0].data + str(number).encode()),)
        one = replace(screening, model=f"fake {number}")
        kept = keep_screening(records, one, another, lesion_id=lesion_id, actor="ada", now=now)
        print("kept", kept.id, flush=True)
        review = NewReview(kept.id, "ada", "nv", "watch", now, AGREE, "nv", "watch", None)
        confirm_review(records, review, now=now)
        print("read", kept.id, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
