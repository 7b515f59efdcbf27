"""Small data sets and archives for the tests of the data room: photos that differ, and copies that do not."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image


def picture(seed, *, width=160, height=128):
    """Return a photo (height, width, 3) whose detail is its own: smooth noise at three scales."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.uniform(0, 1, (n, n, 3)), (width, height), interpolation=cv2.INTER_CUBIC) for n in (4, 12, 40)
    ]
    return np.clip(255 * sum(layers) / 3, 0, 255).astype(np.uint8)


def jpeg(rgb, quality=92):
    """Return the bytes of a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write rows as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(k for row in rows for k in row)), restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_photo(path: Path, seed: int, **options: Any) -> Path:
    """Write one picture of its own as JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(jpeg(picture(seed, **options)))
    return path


def write_folder(folder: Path, rows: list[dict[str, Any]], *, pictures: dict[str, Any] | None = None) -> Path:
    """Write metadata.csv and images/; each row's photo is one of its own, or the bytes given for it (None: absent)."""
    write_csv(folder / "metadata.csv", rows)
    (folder / "images").mkdir(exist_ok=True)
    for seed, row in enumerate(rows):
        data = (pictures or {}).get(row["image_id"], jpeg(picture(seed)))
        if data is not None:
            (folder / "images" / f"{row['image_id']}.jpg").write_bytes(data)
    return folder
