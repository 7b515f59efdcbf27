"""Measure whom the quality gate refuses: real photos, photos broken on purpose, and pictures that are not skin.

    DERMASCAN_DATA=/path/to/data python -m benchmarks.quality_gate > docs/quality-gate.md

The data folder holds ``ham10000/`` and, where present, ``isic_uda1/``, ``isic2020_patients/``, ``uploads/`` and
``pad_ufes_20/``. Only HAM10000's train split is used. Takes about two minutes on one core.
"""

from __future__ import annotations

import csv
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dermascan_core.imaging.decode import read_photo
from dermascan_core.imaging.quality import FAILURES, WARNINGS, assess_quality
from dermascan_core.imaging.skin import looks_like_skin
from tests.imaging.pictures import SKIN_TONES, non_skin_pictures, skin_photo

Photo = npt.NDArray[np.uint8]

N_HAM_PHOTOS = 800
N_BROKEN_PHOTOS = 200
N_PER_DIAGNOSIS = 300
OTHER_SOURCES = ("isic_uda1", "isic2020_patients", "uploads", "pad_ufes_20")
BREAKAGES: dict[str, Callable[[Photo], Photo]] = {
    "Gaussian blur, sigma 2 px at 150 px": lambda p: cv2.GaussianBlur(p, (0, 0), 2).astype(np.uint8),
    "Gaussian blur, sigma 3 px": lambda p: cv2.GaussianBlur(p, (0, 0), 3).astype(np.uint8),
    "Gaussian blur, sigma 4 px": lambda p: cv2.GaussianBlur(p, (0, 0), 4).astype(np.uint8),
    "Gaussian blur, sigma 6 px": lambda p: cv2.GaussianBlur(p, (0, 0), 6).astype(np.uint8),
    "blur of 4 px, then sensor noise of 2 levels": lambda p: _add_noise(cv2.GaussianBlur(p, (0, 0), 4)),
    "blur of 4 px, then JPEG quality 85": lambda p: _through_jpeg(cv2.GaussianBlur(p, (0, 0), 4)),
    "light x 0.10 (nearly black)": lambda p: (p * 0.10).astype(np.uint8),
    "nearly white": lambda p: (255 - (255 - p) * 0.10).astype(np.uint8),
    "flat (contrast x 0.05)": lambda p: (p * 0.05 + 140).astype(np.uint8),
    "greyscale": lambda p: np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2).astype(np.uint8),
    "inverted colours": lambda p: (255 - p).astype(np.uint8),
}


def main() -> int:
    """Print the page; 1 when the data folder is not named or lacks HAM10000."""
    root = Path(os.environ.get("DERMASCAN_DATA", ""))
    if not (root / "ham10000" / "metadata.csv").is_file():
        print("Expected DERMASCAN_DATA to name the folder that holds ham10000/metadata.csv.", file=sys.stderr)
        return 1
    cv2.setNumThreads(1)
    ham = [read_photo(path) for path in _sample_ham(root / "ham10000")]
    print(PREAMBLE)
    print("## Real photos: refusals should be rare\n")
    _print_table(_real_sources(root, ham))
    print("\nWarnings do not refuse. Their shares in HAM10000's sample:", _warning_shares(ham))
    print("\n## By diagnosis and by skin type: nobody may be turned away more often\n")
    print(f"HAM10000's train split, up to {N_PER_DIAGNOSIS} photos a diagnosis, and PAD-UFES-20 by Fitzpatrick type.\n")
    _print_table(_by_diagnosis(root / "ham10000"))
    print()
    _print_table(_by_skin_type(root / "pad_ufes_20"))
    print(f"\n## {N_BROKEN_PHOTOS} of these HAM10000 photos, broken on purpose: refusals should be the rule\n")
    _print_table((name, [harm(photo) for photo in ham[:N_BROKEN_PHOTOS]]) for name, harm in BREAKAGES.items())
    print("\n## Pictures that are not skin\n")
    _print_table(_group(non_skin_pictures()))
    _print_sample_images()
    print("\n## Generated skin of every tone: none may be refused\n")
    _print_table((f"type {name}", [skin_photo(tone, seed=s) for s in range(5)]) for name, tone in SKIN_TONES.items())
    print(
        f"\n## Time\n\nCPU time on one core, a {_MEGAPIXELS}-megapixel photo, median of 9: {_time_on_upload(ham[0])}."
    )
    return 0


PREAMBLE = """# Quality gate: measured

Written by `DERMASCAN_DATA=... python -m benchmarks.quality_gate`; do not edit by hand. A photo is refused when
`assess_quality` lists a failure; `not_skin` is the share that fails the skin check. HAM10000: a seeded sample of 800
photos of the train split (the test split was not looked at). The thresholds were set on photos of these sources, so
other sources will see somewhat more refusals. Hardly any real photo here is of skin types V or VI: for them there is
only generated skin.
"""
_MEGAPIXELS = 12


def _sample_ham(folder: Path) -> list[Path]:
    names = sorted(row["image_id"] for row in _rows(folder) if row["split"] == "train")
    return [folder / "images" / f"{name}.jpg" for name in random.Random(0).sample(names, N_HAM_PHOTOS)]


def _by_diagnosis(folder: Path) -> Iterator[tuple[str, Iterable[Photo]]]:
    names: dict[str, list[str]] = {}
    for row in _rows(folder):
        if row["split"] == "train":
            names.setdefault(row["dx"], []).append(row["image_id"])
    for dx in sorted(names):
        chosen = random.Random(0).sample(sorted(names[dx]), min(N_PER_DIAGNOSIS, len(names[dx])))
        yield dx, (read_photo(folder / "images" / f"{name}.jpg") for name in chosen)


def _by_skin_type(folder: Path) -> Iterator[tuple[str, Iterable[Photo]]]:
    if not (folder / "metadata.csv").is_file():
        return
    paths: dict[str, list[Path]] = {}
    for row in _rows(folder):
        skin_type = f"type {float(row['fitspatrick']):.0f}" if row["fitspatrick"] else "type unknown"
        paths.setdefault(skin_type, []).extend((folder / "images").glob(f"{Path(row['img_id']).stem}.*"))
    for skin_type in sorted(paths):
        yield skin_type, (read_photo(path) for path in paths[skin_type])


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _real_sources(root: Path, ham: list[Photo]) -> Iterator[tuple[str, Iterable[Photo]]]:
    yield "ham10000, train", ham
    for source in OTHER_SOURCES:
        files = sorted(p for p in (root / source / "images").glob("*") if not p.name.startswith("."))
        if files:
            yield source, (read_photo(path) for path in files)


def _print_table(groups: Iterable[tuple[str, Iterable[Photo]]]) -> None:
    print("| pictures | n | refused | not_skin | refusals by code |\n|---|---:|---:|---:|---|")
    for name, photos in groups:
        codes = [tuple(reason.code for reason in assess_quality(photo).failures) for photo in photos]
        counts = Counter(code for found in codes for code in found)
        refused, n = sum(1 for found in codes if found), len(codes)
        by_code = ", ".join(f"{code} {counts[code]}" for code in FAILURES if counts[code])
        print(f"| {name} | {n} | {100 * refused / n:.1f} % | {100 * counts['not_skin'] / n:.1f} % | {by_code} |")


def _print_sample_images() -> None:
    # scikit-learn is a training dependency; the page can be made without it.
    try:
        from sklearn.datasets import load_sample_images
    except ImportError:
        print("\nscikit-learn's sample pictures: not measured, it is not installed.")
        return
    scores = [
        f"{Path(n).name} {looks_like_skin(p):.2f}" for n, p in zip(*_sample_images(load_sample_images()), strict=True)
    ]
    print(f"\nSkin score of scikit-learn's sample pictures (refused under 0.50): {', '.join(scores)}.")


def _sample_images(bunch: object) -> tuple[list[str], list[Photo]]:
    return list(bunch.filenames), list(bunch.images)  # type: ignore[attr-defined]


def _warning_shares(photos: list[Photo]) -> str:
    counts = Counter(reason.code for photo in photos for reason in assess_quality(photo).warnings)
    return ", ".join(f"{code} {100 * counts[code] / len(photos):.1f} %" for code in WARNINGS) + "."


def _group(named: Iterable[tuple[str, Photo]]) -> Iterator[tuple[str, list[Photo]]]:
    groups: dict[str, list[Photo]] = {}
    for name, photo in named:
        groups.setdefault(name, []).append(photo)
    yield from groups.items()


def _add_noise(photo: npt.NDArray[np.generic]) -> Photo:
    noisy = photo + np.random.default_rng(0).normal(0, 2, photo.shape)
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def _through_jpeg(photo: npt.NDArray[np.generic]) -> Photo:
    _, encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _time_on_upload(photo: Photo) -> str:
    upload = np.asarray(cv2.resize(photo, (4000, 3000), interpolation=cv2.INTER_CUBIC), np.uint8)
    checks: dict[str, Callable[[Photo], object]] = {
        "looks_like_skin": looks_like_skin,
        "assess_quality": assess_quality,
    }
    return ", ".join(f"`{name}` {_median_ms(check, upload):.0f} ms" for name, check in checks.items())


def _median_ms(check: Callable[[Photo], object], photo: Photo) -> float:
    times = []
    for _ in range(9):
        start = time.process_time()  # one thread: other programs on the machine do not count
        check(photo)
        times.append((time.process_time() - start) * 1000)
    return float(np.median(times))


if __name__ == "__main__":
    sys.exit(main())
