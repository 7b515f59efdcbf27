"""Measure how well the skin tone read from a photo agrees with the skin type that people were given.

    DERMASCAN_DATA=/path/to/data python -m benchmarks.skin_tone > docs/skin-tone.md

The data folder holds ``pad_ufes_20/`` (Fitzpatrick types), and for the doubt ``isic2020_patients/`` and ``ham10000/``
(train split alone). Takes about half a minute on one core.
"""

from __future__ import annotations

import csv
import os
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from scipy.stats import spearmanr

from dermascan_core.errors import PhotoError
from dermascan_core.imaging.decode import read_photo
from dermascan_core.imaging.skin_tone import BANDS, LIGHT_SD_DEGREES, SkinTone, estimate_skin_tone

N_RESAMPLES = 1000
N_PEOPLE_PHOTOS = 8  # of one person, so that nobody counts for much more than another
N_HAM_LESIONS = 60
TYPES = ("1", "2", "3", "4", "5", "6")
PREAMBLE = """# Skin tone read from a photo: how weak it is

Written by `DERMASCAN_DATA=... python -m benchmarks.skin_tone`; do not edit by hand. The individual typology angle (ITA) is
arctan((L* - 50) / b*) of the skin around the lesion, in six bands from very light to dark
(`dermascan_core/imaging/skin_tone.py`). A higher angle is lighter skin; a higher Fitzpatrick type is darker skin, so a good
estimate would have a rank correlation near -1.
"""
LIMITS = """
## What follows

- The estimate is of a photo's colours under an unknown lamp. A correlation near 0 means that these colours do not tell a
  person's Fitzpatrick type (which is about burning and tanning, not colour) at all; most of these people are of types II and
  III, so there is little to tell apart besides the light.
- The photos with a known type are phone photos of one region of Brazil. For dermoscopy, whose lamp is cold and whose plate
  presses the blood away, no archive here says the type at all: nothing can be compared.
- Many dermoscopic photos have no estimate at all (last column): their light is so cold that the angle means nothing.
- Types V and VI have {n_dark} photos here. Nothing can be said of brown and black skin, neither of this estimate nor of the
  network.
- So it never changes a score, a class or a next step. It groups the test photos (`ita_band` in
  [evaluation.md](evaluation.md)) and warns where a photo looks like few that were tested. The person's own answer comes first.
"""


def main() -> int:
    """Print the page; 1 when the data folder is not named or lacks PAD-UFES-20."""
    root = Path(os.environ.get("DERMASCAN_DATA", ""))
    if not (root / "pad_ufes_20" / "metadata.csv").is_file():
        print("Expected DERMASCAN_DATA to name the folder that holds pad_ufes_20/metadata.csv.", file=sys.stderr)
        return 1
    cv2.setNumThreads(1)
    print(PREAMBLE)
    labelled = _labelled_phone_photos(root / "pad_ufes_20")
    _print_agreement(labelled)
    _print_doubt(root)
    print(LIMITS.format(n_dark=sum(skin_type in ("5", "6") for skin_type, _, _ in labelled)))
    return 0


def _labelled_phone_photos(folder: Path) -> list[tuple[str, str, SkinTone | None]]:
    """(Fitzpatrick type, patient, estimate) of the photos whose type is known."""
    rows = [row for row in _rows(folder) if row["fitspatrick"]]
    return [
        (f"{float(row['fitspatrick']):.0f}", row["patient_id"], _tone(folder, Path(row["img_id"]).stem)) for row in rows
    ]


def _print_agreement(labelled: Sequence[tuple[str, str, SkinTone | None]]) -> None:
    known = [(int(skin_type), patient, tone) for skin_type, patient, tone in labelled if tone is not None]
    types = np.array([skin_type for skin_type, _, _ in known])
    angles = np.array([tone.ita_degrees for _, _, tone in known])
    low, high = _interval(types, angles, [patient for _, patient, _ in known])
    correlation = spearmanr(types, angles).statistic
    print("## Against the Fitzpatrick type, PAD-UFES-20's phone photos\n")
    print(
        f"{len(labelled)} photos with a known type, {len(known)} with an estimate. Spearman's rank correlation of type and angle: "
        f"**{correlation:.2f}** ({low:.2f} to {high:.2f}, 95 %, people resampled).\n"
    )
    print("| Fitzpatrick type | photos | median ITA | " + " | ".join(BANDS) + " |")
    print("|---|---:|---:|" + "---:|" * len(BANDS))
    for skin_type in TYPES:
        tones = [tone for t, _, tone in known if str(t) == skin_type]
        counts = Counter(tone.band for tone in tones)
        median = f"{np.median([tone.ita_degrees for tone in tones]):.0f}" if tones else "-"
        print(f"| {skin_type} | {len(tones)} | {median} | " + " | ".join(str(counts[band]) for band in BANDS) + " |")
    print("\nRows: the type in the archive. Columns: the band that the photo's colours give.\n")


def _interval(types: np.ndarray, angles: np.ndarray, people: Sequence[str]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    names, member = np.unique(people, return_inverse=True)
    places = [np.flatnonzero(member == i) for i in range(len(names))]
    drawn = []
    for _ in range(N_RESAMPLES):
        chosen = np.concatenate([places[i] for i in rng.integers(0, len(names), len(names))])
        drawn.append(spearmanr(types[chosen], angles[chosen]).statistic)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def _print_doubt(root: Path) -> None:
    print("## How far the light alone moves it\n")
    print("| photos | groups | photos in them | SD within a group | estimates missing |\n|---|---:|---:|---:|---:|")
    if (root / "isic2020_patients" / "metadata.csv").is_file():
        folder = root / "isic2020_patients"
        people = _groups(_rows(folder), "patient_id", "image_id", n_of_each=N_PEOPLE_PHOTOS)
        _print_spread("one person, several moles and places (ISIC 2020, dermoscopy)", folder, people)
    if (root / "ham10000" / "metadata.csv").is_file():
        folder = root / "ham10000"
        rows = [row for row in _rows(folder) if row["split"] == "train"]
        lesions = _groups(rows, "lesion_id", "image_id", n_of_each=2)
        chosen = random.Random(0).sample(lesions, min(N_HAM_LESIONS, len(lesions)))
        _print_spread("one lesion, two photos (HAM10000, dermoscopy)", folder, chosen)
    people = _groups(_rows(root / "pad_ufes_20"), "patient_id", "img_id", n_of_each=N_PEOPLE_PHOTOS)
    _print_spread("one person, several lesions (PAD-UFES-20, phone)", root / "pad_ufes_20", people)
    print(
        f"\nThe app takes {LIGHT_SD_DEGREES:g} degrees for the light, adds the spread around the lesion, and names every band "
        "within one standard deviation.\n"
    )


def _groups(rows: Iterable[dict[str, str]], group: str, name: str, *, n_of_each: int) -> list[list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row[name]):
        found[row[group]].append(Path(row[name]).stem)
    several = [names for _, names in sorted(found.items()) if len(names) > 1]
    return [random.Random(0).sample(names, min(n_of_each, len(names))) for names in several]


def _print_spread(words: str, folder: Path, groups: Sequence[Sequence[str]]) -> None:
    estimates = [[_tone(folder, name) for name in names] for names in groups]
    n_missing = sum(tone is None for tones in estimates for tone in tones)
    angles = [[tone.ita_degrees for tone in tones if tone is not None] for tones in estimates]
    angles = [one for one in angles if len(one) > 1]
    squares = sum(float(((np.array(one) - np.mean(one)) ** 2).sum()) for one in angles)
    freedom = sum(len(one) - 1 for one in angles)
    n_photos = sum(map(len, angles))
    print(f"| {words} | {len(angles)} | {n_photos} | {(squares / freedom) ** 0.5:.1f} degrees | {n_missing} |")


def _tone(folder: Path, name: str) -> SkinTone | None:
    path = next((folder / "images").glob(f"{name}.*"), None)
    try:
        return None if path is None else estimate_skin_tone(read_photo(path))
    except PhotoError:
        return None


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    sys.exit(main())
