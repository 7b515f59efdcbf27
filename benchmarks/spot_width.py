"""Measure how far the outline that the scale aid measures is off: its longest width against that of a drawn outline.

    DERMASCAN_DATA=/path/to/data python -m benchmarks.spot_width > docs/spot-width.md

The data folder holds ``ham10000/`` with ``masks/``. Only its train split is used; lesions that reach the photo's border have
no width and are left out. Takes under a minute on one core.
"""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dermascan_core.imaging.decode import read_photo
from dermascan_core.imaging.scale import longest_width
from dermascan_core.imaging.segment import segment_lesion

N_PHOTOS = 600
SIZES_PX = ((0, 70), (70, 100), (100, 400))


def main() -> None:
    """Print the table as Markdown."""
    folder = os.environ.get("DERMASCAN_DATA")
    if not folder or not (Path(folder) / "ham10000" / "masks").is_dir():
        print("Set DERMASCAN_DATA to a folder that holds ham10000/ with its masks/.", file=sys.stderr)
        return
    drawn, found = _measure_widths(Path(folder) / "ham10000")
    print("# How far the measured width of a spot is off\n")
    print(
        "Written by `DERMASCAN_DATA=... python -m benchmarks.spot_width`; do not edit by hand. The longest width by the "
        f"program's outline over that by the archive's, {len(drawn)} lesions of HAM10000's train split that do not reach "
        "the border, in photos of 200 x 150 px. Coin, view and marking come on top.\n"
    )
    print("| width by the archive's outline | lesions | 10th percentile | median | 90th percentile |")
    print("| --- | --- | --- | --- | --- |")
    rows = [(f"{low} to {high} px", (drawn >= low) & (drawn < high)) for low, high in SIZES_PX]
    for name, chosen in [*rows, ("all", np.ones(len(drawn), bool))]:
        shares = np.percentile(found[chosen] / drawn[chosen], [10, 50, 90])
        print(f"| {name} | {int(chosen.sum())} | " + " | ".join(f"{share:.2f}" for share in shares) + " |")


def _measure_widths(folder: Path) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        names = sorted(row["image_id"] for row in csv.DictReader(file) if row["split"] == "train")
    widths = []
    for name in np.random.default_rng(0).choice(names, min(N_PHOTOS, len(names)), replace=False):
        mask = _read_mask(folder / "masks", str(name))
        found = segment_lesion(read_photo(folder / "images" / f"{name}.jpg"))
        if mask is None or found is None or _reaches_border(mask) or _reaches_border(found):
            continue
        widths.append((longest_width(mask)[0], longest_width(found)[0]))
    drawn, measured = np.array(widths, np.float64).T
    return drawn, measured


def _read_mask(folder: Path, name: str) -> npt.NDArray[np.bool_] | None:
    path = next(iter(sorted(folder.glob(f"{name}*.png"))), None)
    grey = None if path is None else cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    return None if grey is None or not (grey > 127).any() else np.asarray(grey > 127)


def _reaches_border(mask: npt.NDArray[np.bool_]) -> bool:
    return bool(mask[[0, -1]].any() or mask[:, [0, -1]].any())


if __name__ == "__main__":
    main()
