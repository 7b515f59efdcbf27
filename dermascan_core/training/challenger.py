"""Trains a challenger from a shipped network and sets it beside that one on photos that were named beforehand.

Nothing is replaced here: a challenger that is better goes to the weights folder under a name of its own, and somebody decides.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import DatasetError, OutputError
from ..evaluation.challenger import RULE, Verdict, frozen_sha256, judge_challenger
from ..evaluation.evaluate import predict_photos
from ..evaluation.files import prepare_folder, write_file
from ..model.manifest import Manifest, file_sha256
from ..model.predictor import Predictor
from ..tables import LabelledPhoto, find_photos, photos_by_lesion, photos_by_patient, read_labels
from .data import Dataset, load_dataset
from .fit import train
from .presets import Preset
from .release import make_release

VERDICT_FILE = "verdict.json"
_MAX_LISTED = 5
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FrozenSet:
    """Photos that were set aside to judge by, and that nothing may learn from.

    Attributes:
        photos: Labelled.
        files: image_id -> file.
        sha256: Its name; see ``evaluation.challenger.frozen_sha256``.
    """

    photos: tuple[LabelledPhoto, ...]
    files: dict[str, Path]
    sha256: str


def read_frozen(folder: Path, *, expected_sha256: str = "") -> FrozenSet:
    """Read a frozen set.

    Args:
        folder: A data set: ``metadata.csv`` and ``images/``.
        expected_sha256: Its name, as it was written down beforehand; empty to learn it.

    Raises:
        DatasetError: If it is another set than the one that was named.
        TableError: If its table cannot be read.
    """
    photos = tuple(read_labels(folder / "metadata.csv"))
    files = find_photos(folder / "images", [photo.image_id for photo in photos])
    found = frozen_sha256(photos, files)
    if expected_sha256 and found != expected_sha256:
        raise DatasetError(
            f"Expected the frozen set {expected_sha256} in '{folder}'. Received {found}: a photo, a diagnosis or a name was "
            "changed, added or taken out since. Judge by the set that was named before the training, or name this one "
            "and train anew."
        )
    return FrozenSet(photos, files, found)


def train_challenger(
    preset: Preset,
    *,
    data: Sequence[Path],
    frozen: FrozenSet,
    name: str,
    out: Path,
    fold: int = 0,
    resume: bool = False,
    on_progress: Progress = lambda what, done, total: None,
) -> Manifest:
    """Train on verified cases and write the challenger into ``out / "weights"``.

    Raises:
        DatasetError: If a photo, a lesion or a person of the frozen set would be learnt from, or the data leak.
    """
    refuse_overlap(load_dataset(list(data)), frozen)
    train(preset, data=data, out=out / "run", fold=fold, resume=resume, base="challenger", on_progress=on_progress)
    (out / "weights").mkdir(exist_ok=True)
    return make_release(out / "run", data=data, name=name, weights_dir=out / "weights", on_progress=on_progress)


def refuse_overlap(dataset: Dataset, frozen: FrozenSet) -> None:
    """Refuse data that hold anything of the frozen set: by name, by lesion or person, or by the very picture.

    Raises:
        DatasetError: Names some of the photos.
    """
    ids = {photo.image_id.lower() for photo in frozen.photos}
    together = [*frozen.photos, *dataset.photos]
    held = set(frozen.photos)
    owned = {
        photo
        for photos in (*photos_by_patient(together).values(), *photos_by_lesion(together).values())
        if held.intersection(photos)
        for photo in photos
    }
    pictures = {file_sha256(path) for path in frozen.files.values()}
    common = [
        photo.image_id
        for photo in dataset.photos
        if photo.image_id.lower() in ids or photo in owned or file_sha256(dataset.files[photo.image_id]) in pictures
    ]
    if common:
        raise DatasetError(
            f"Expected no photo of the frozen set, nor of its lesions and people, in the data to learn from. {len(common)} "
            f"are there, such as {', '.join(common[:_MAX_LISTED])}. Take them out: otherwise memory would be measured, not skill."
        )


def compare_on_frozen(
    shipped: Predictor,
    challenger: Predictor,
    frozen: FrozenSet,
    *,
    out: Path,
    on_progress: Progress = lambda what, done, total: None,
) -> Verdict:
    """Ask both models about the frozen photos, judge by the rule, and write ``verdict.json``."""
    prepare_folder(out)
    answers = [
        predict_photos(model, frozen.photos, frozen.files, on_progress=partial(on_progress, label))
        for label, model in (("Asking the shipped model", shipped), ("Asking the challenger", challenger))
    ]
    verdict = judge_challenger(*answers)
    record = _record(shipped.manifest, challenger.manifest, frozen, verdict)
    write_file(out / VERDICT_FILE, (json.dumps(record, indent=1, allow_nan=False) + "\n").encode())
    return verdict


def _record(shipped: Manifest, challenger: Manifest, frozen: FrozenSet, verdict: Verdict) -> dict[str, Any]:
    models = {"shipped": shipped, "challenger": challenger}
    return {
        "rule": RULE,
        "is_better": verdict.is_better,
        "reasons": list(verdict.reasons),
        "frozen_sha256": frozen.sha256,
        "n_frozen": len(frozen.photos),
        **{which: {"name": m.name, "version": m.version, "sha256": m.sha256} for which, m in models.items()},
        "measured": dict(verdict.measured),
    }


def promote(challenger: Manifest, *, out: Path, weights_dir: Path) -> None:
    """Put a challenger that was found better beside the shipped weights; nothing there is replaced.

    Raises:
        OutputError: If a model of that name is there already, or the folder cannot be written.
    """
    names = [f"{challenger.name}.keras", f"{challenger.name}.json"]  # the manifest last: it makes the model exist
    if taken := [name for name in names if (weights_dir / name).exists()]:
        raise OutputError(
            f"Expected a new name for the challenger. '{taken[0]}' is in '{weights_dir}' already, and no weights are ever "
            "overwritten. Choose another --name."
        )
    try:
        for name in names:
            partial = weights_dir / f".{name}.partial"
            shutil.copyfile(out / "weights" / name, partial)
            os.replace(partial, weights_dir / name)
    except OSError as error:
        raise OutputError(f"Expected to write into '{weights_dir}'. The disk said: {error.strerror}.") from error


def starting_from(preset: Preset, release: Path) -> Preset:
    """Return the recipe, starting from a released model."""
    return replace(preset, pretrained=str(release))
