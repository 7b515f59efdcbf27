"""Measure how far the features of one lesion differ between two photos of it: the floors of the mole comparison.

    DERMASCAN_DATA=/path/to/data python -m benchmarks.lesion_features > docs/lesion-features.md

The data folder holds ``ham10000/``. Only its train split is used. Takes about ten seconds on one core.
"""

from __future__ import annotations

import csv
import os
import random
import sys
from pathlib import Path

import cv2
import numpy as np

from dermascan_core.imaging.decode import read_photo
from dermascan_core.imaging.lesion_features import FEATURE_NAMES, NOISE_FLOORS, measure_lesion

N_LESIONS = 300
PREAMBLE = """# Lesion features: how far they differ between two photos of one lesion

Written by `DERMASCAN_DATA=... python -m benchmarks.lesion_features`; do not edit by hand. HAM10000's train split: the first
two photos of lesions that have several, a seeded sample. The repeat SD is what a feature differs by between two photos of
the very same lesion (1.4826 times the median absolute difference, over the square root of 2); the spread is the robust SD
over all of these lesions. A feature whose repeat SD comes near its spread says little. `floor` is what *Compare your moles* takes as
the least spread of a person's moles (`NOISE_FLOORS`), so that moles which happen to agree make no other one odd.
"""


def main() -> int:
    """Print the page; 1 when the data folder is not named or lacks HAM10000."""
    folder = Path(os.environ.get("DERMASCAN_DATA", "")) / "ham10000"
    if not (folder / "metadata.csv").is_file():
        print("Expected DERMASCAN_DATA to name the folder that holds ham10000/metadata.csv.", file=sys.stderr)
        return 1
    cv2.setNumThreads(1)
    pairs = np.array([[_features(folder, name) for name in pair] for pair in _pairs(folder)])  # (n, 2, n_features)
    print(PREAMBLE)
    print(f"{len(pairs)} lesions.\n")
    print("| feature | known in both photos | repeat SD | spread | floor |\n|---|---:|---:|---:|---:|")
    for name, first, second in zip(FEATURE_NAMES, pairs[:, 0].T, pairs[:, 1].T, strict=True):
        known = ~np.isnan(first) & ~np.isnan(second)
        repeat = 1.4826 * float(np.median(np.abs(first - second)[known])) / 2**0.5
        spread = 1.4826 * float(np.median(np.abs(first[known] - np.median(first[known]))))
        print(f"| {name} | {known.sum()} | {repeat:.3g} | {spread:.3g} | {NOISE_FLOORS[name]:g} |")
    return 0


def _pairs(folder: Path) -> list[list[str]]:
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    photos: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row["image_id"]):
        photos.setdefault(row["lesion_id"], []).append(row["image_id"])
    several = [names[:2] for _, names in sorted(photos.items()) if len(names) > 1]
    return random.Random(0).sample(several, min(N_LESIONS, len(several)))


def _features(folder: Path, name: str) -> np.ndarray:
    return measure_lesion(read_photo(folder / "images" / f"{name}.jpg")).as_array()


if __name__ == "__main__":
    sys.exit(main())
