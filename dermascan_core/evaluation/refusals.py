"""The refusal scorecard: whom the gate turns away among real lesions, and whom among pictures that show none.

Every picture goes the way of an upload: quality, skin, the network, its gate. Half of the drawn families and every photo of a
library were never seen by what fitted the gate (``training.gate``); the two are told apart.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from .. import __version__
from ..domain import ImageType, Metadata, Reason
from ..model.predictor import Predictor
from .evaluate import prepare_pixels, read_labelled
from .files import prepare_folder, write_file
from .intervals import exact_interval
from .non_lesions import generated_pictures, library_photos, spoilt_photos

SCHEMA = 1
REFUSALS_FILE = "refusals.json"
N_EACH_FAMILY, N_SPOILT, N_CROPS = 20, 25, 8
_MIN_SIDE_PX = 100
_SEED = 7  # other pictures than those that fitted the gate
Photo = npt.NDArray[np.uint8]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one picture.

    Attributes:
        group: Source or family.
        is_lesion: Whether it is a photo of a skin lesion.
        was_fitted: Whether pictures of its family fitted the gate.
        refusal: Why no class would be shown; None where one would.
    """

    group: str
    is_lesion: bool
    was_fitted: bool
    refusal: Reason | None


def judge_picture(predictor: Predictor, pixels: Photo, image_type: ImageType) -> Reason | None:
    """Return why a screening would show no class for a picture; None where it would."""
    one = prepare_pixels(pixels, predictor.manifest.preprocess)
    if one.refusal is not None or one.square is None:
        return one.refusal
    output = predictor.predict(one.square[np.newaxis], [Metadata(image_type=image_type)])[0]
    return None if output.gate is None else output.gate.refusal


def run_refusals(
    predictor: Predictor,
    lesions: Mapping[str, tuple[Sequence[Path], ImageType]],
    *,
    out: Path,
    fitted_families: Sequence[str],
    on_progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Judge real photos and other pictures, and write ``refusals.json``.

    Args:
        predictor: The model with its gate.
        lesions: Name of a source -> its photos, and how they were taken. The first source's photos are spoilt too.
        out: Gets the file.
        fitted_families: Families and damages that fitted the gate.
        on_progress: Called with (what, done, total).

    Returns:
        What was written; its form is in docs/evaluation.md.
    """
    prepare_folder(out)
    judged = []
    for name, (paths, image_type) in lesions.items():
        for done, path in enumerate(paths, start=1):
            pixels = read_labelled(path)
            refusal = pixels if isinstance(pixels, Reason) else judge_picture(predictor, pixels, image_type)
            judged.append(Judged(name, True, False, refusal))
            on_progress(name, done, len(paths))
    first, _ = next(iter(lesions.values()))
    pixels_of = (read_labelled(path) for path in first[:: max(1, len(first) // N_SPOILT)][:N_SPOILT])
    readable = (one for one in pixels_of if isinstance(one, np.ndarray))
    everyday = list(everyday_photos())
    for kind, pictures in (
        ("drawn pictures", generated_pictures(N_EACH_FAMILY, seed=_SEED)),
        ("spoilt lesions", spoilt_photos(readable, seed=_SEED)),
        ("everyday photos", library_photos(iter(everyday), n_crops=N_CROPS, seed=_SEED)),
    ):
        for done, (family, picture) in enumerate(pictures, start=1):
            refusal = judge_picture(predictor, picture, ImageType.DERMOSCOPIC)
            group = "everyday photos" if kind == "everyday photos" else family
            judged.append(Judged(group, False, family in fitted_families, refusal))
            on_progress(kind, done, done)
    found = build_scorecard(judged, predictor, libraries=sorted({name.partition(":")[0] for name, _ in everyday}))
    write_file(out / REFUSALS_FILE, (json.dumps(found, indent=1) + "\n").encode())
    return found


def build_scorecard(judged: Sequence[Judged], predictor: Predictor, *, libraries: Sequence[str] = ()) -> dict[str, Any]:
    """Return ``refusals.json``: a row a group, and pictures without a lesion together, fitted families and new ones apart."""
    groups = list(dict.fromkeys(j.group for j in judged))
    others = [j for j in judged if not j.is_lesion]
    manifest = predictor.manifest
    return {
        "schema": SCHEMA,
        "model": {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": manifest.sha256,
            "app_version": __version__,
        },
        "libraries": list(libraries),
        "lesions": [_row(g, [j for j in judged if j.group == g]) for g in groups if _is_lesion_group(judged, g)],
        "others": [_row(g, [j for j in others if j.group == g]) for g in groups if not _is_lesion_group(judged, g)],
        "all_others": _row("all", others),
        "new_others": _row("families that fitted nothing", [j for j in others if not j.was_fitted]),
    }


def _is_lesion_group(judged: Sequence[Judged], group: str) -> bool:
    return any(j.is_lesion for j in judged if j.group == group)


def _row(name: str, judged: Sequence[Judged]) -> dict[str, Any]:
    refused = [j.refusal.code for j in judged if j.refusal is not None]
    low, high = exact_interval(len(refused), len(judged)) if judged else (None, None)
    return {
        "name": name,
        "n": len(judged),
        "n_refused": len(refused),
        "share": len(refused) / len(judged) if judged else None,
        "low": low,
        "high": high,
        "was_fitted": any(j.was_fitted for j in judged),
        "reasons": dict(Counter(refused).most_common()),
    }


def everyday_photos() -> Iterator[tuple[str, Photo]]:
    """Yield (library:name, photo) of the pictures that scikit-image and scikit-learn ship, where they are installed.

    Only their files are read; neither library is loaded.
    """
    for library, module, folder in (
        ("scikit-image", "skimage", "data"),
        ("scikit-learn", "sklearn", "datasets/images"),
    ):
        found = find_spec(module)
        for place in (found.submodule_search_locations or []) if found else []:
            for path in sorted((Path(place) / folder).glob("*")):
                if path.suffix in (".png", ".jpg"):
                    with Image.open(path) as picture:
                        rgb = np.asarray(picture.convert("RGB"))
                    if min(rgb.shape[:2]) >= _MIN_SIDE_PX:
                        yield f"{library}:{path.stem}", rgb


def describe_scorecard(found: Mapping[str, Any]) -> list[str]:
    """Return the scorecard as a table in Markdown, for a terminal and for docs/refusals.md."""
    lines = ["| pictures | n | refused | 95 % interval | reasons |", "|---|---:|---:|---|---|"]
    rows = [*found["lesions"], *found["others"], found["all_others"], found["new_others"]]
    for row in rows:
        if not row["n"]:
            continue
        reasons = ", ".join(f"{code} {n}" for code, n in row["reasons"].items())
        interval = f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %"
        lines.append(f"| {row['name']} | {row['n']} | {100 * row['share']:.1f} % | {interval} | {reasons} |")
    return lines


def scorecard_page(found: Mapping[str, Any]) -> str:
    """Return docs/refusals.md."""
    model = found["model"]
    libraries = " and ".join(found["libraries"]) or "no library (none is installed)"
    return "\n".join(
        [
            "# Refusal scorecard",
            "",
            "Written by `python -m dermascan_core refusals --help`; do not edit by hand. "
            f"Model {model['name']} {model['version']}, weights {model['sha256'][:12]}.",
            "",
            "Every picture goes the way of an upload: quality, skin, and the gate on the network's own features. Real lesions "
            "should hardly ever be refused, pictures that show none nearly always. Everyday photos and crops of them come from "
            f"{libraries}; the rest is drawn by code. The gate was fitted on other drawings of half of the families; "
            "*families that fitted nothing* counts the other half and every photo.",
            "",
            *describe_scorecard(found),
            "",
            "Not measured: skin diseases outside the classes, which the gate was not made to find; pictures made to fool it.",
            "",
        ]
    )
