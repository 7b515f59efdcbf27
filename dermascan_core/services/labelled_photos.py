"""Photos of an evaluation, for the person who has them on this machine: a gallery, and the sheet of sample answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..domain import ImageType, Metadata
from ..errors import PhotoError, TableError, WeightsError
from ..evaluation.agreement import read_predictions
from ..evaluation.evaluate import PREDICTIONS_FILE
from ..evaluation.sample_sheet import KINDS, choose_photos, draw_sample_sheet
from ..imaging.decode import read_photo
from ..imaging.overlay import blend_heat_map
from ..imaging.preprocess import preprocess
from ..model.predictor import Predictor
from ..tables import find_photos
from . import models
from .performance import available_evaluations

__all__ = ["KINDS", "draw_sheet", "find_in_folders", "heat_photos", "small_photos"]
N_ON_SHEET = 24
_HEAT_OPACITY = 0.6


def find_in_folders(root: Path, image_ids: Sequence[str]) -> dict[str, Path]:
    """Return image_id -> file for the photos in a folder, in its ``images``, or in a data set's ``images`` below it.

    Args:
        root: A folder of photos, a data set, or a folder of data sets.
        image_ids: Names of photos.

    Raises:
        TableError: If there is no such folder, or it holds none of the photos.
    """
    if not root.is_dir():
        raise TableError(f"Expected a folder of photos at '{root}'. There is none. Check the path.")
    places = [root, root / "images", *sorted(root.glob("*/images"))]
    found = [find_photos(place, image_ids) for place in places if place.is_dir()]
    best = max(found, key=len)
    if image_ids and not best:
        raise TableError(
            f"Expected the evaluation's photos in '{root}', such as {image_ids[0]}. None is there. "
            "Name the folder that was measured."
        )
    return best


def small_photos(root: Path, image_ids: Sequence[str], *, side_px: int = 320) -> dict[str, npt.NDArray[np.uint8]]:
    """Return image_id -> upright sRGB pixels, at most ``side_px`` on the long side; photos that are not there are left out.

    Raises:
        TableError: As ``find_in_folders``.
    """
    photos = {}
    for image_id, path in find_in_folders(root, image_ids).items():
        try:
            photo = Image.fromarray(read_photo(path))
        except PhotoError:
            continue  # evaluate counted it as unreadable and answered nothing
        photo.thumbnail((side_px, side_px))
        photos[image_id] = np.asarray(photo)
    return photos


def heat_photos(
    root: Path,
    classes: Mapping[str, str],
    predictor: Predictor,
    *,
    image_type: ImageType,
    on_progress: Callable[[int, int], object] = lambda done, total: None,
) -> dict[str, npt.NDArray[np.uint8]]:
    """Return image_id -> the square that the network saw, under its Grad-CAM; photos that are not there are left out.

    The person's answers are not known here, so the map is of the answer to the photo alone.

    Args:
        root: Folder; see ``find_in_folders``.
        classes: image_id -> HAM10000 code whose map is wanted.
        predictor: That explains.
        image_type: How all these photos were taken.
        on_progress: Called with (done, total).

    Raises:
        TableError: As ``find_in_folders``.
    """
    found = find_in_folders(root, list(classes))
    photos = {}
    for done, (image_id, path) in enumerate(found.items(), start=1):
        try:
            square = preprocess(read_photo(path), predictor.manifest.preprocess)
        except PhotoError:
            continue
        output = predictor.predict(square[np.newaxis], [Metadata(image_type=image_type)], explain=True)[0]
        if classes[image_id] in output.heat_maps:
            photos[image_id] = blend_heat_map(square, output.heat_maps[classes[image_id]], opacity=_HEAT_OPACITY)
        on_progress(done, len(found))
    return photos


def draw_sheet(
    name: str, which: str, *, photos: Path, kind: str = "sample", seed: int = 0, weights_dir: Path | None = None
) -> bytes:
    """Return the sheet that ``samples`` draws, as PNG: photos with their diagnosis, the answer and a bar a class.

    Args:
        name: Of the model.
        which: One of its evaluations.
        photos: Folder; see ``find_in_folders``.
        kind: ``sample`` of every class, or confident ``mistakes``.
        seed: Of the draw.
        weights_dir: Folder of the weights; None for the one that ships.

    Raises:
        WeightsError: If the evaluation did not ship.
        TableError: If its predictions cannot be read, or none of its photos is there.
    """
    folder = weights_dir or models.WEIGHTS_DIR
    path = folder / f"{name}.evaluation" / which / PREDICTIONS_FILE
    if which not in available_evaluations(name, weights_dir=weights_dir) or not path.is_file():
        raise WeightsError(
            f"Expected {PREDICTIONS_FILE} of the evaluation '{which}' of '{name}'. There is none. "
            "Make it with: python -m dermascan_core evaluate --help"
        )
    read = read_predictions(path, name=f"{name}, {which}")
    places = choose_photos(read, kind=kind, n_photos=N_ON_SHEET, seed=seed)
    return draw_sample_sheet(read, places, find_in_folders(photos, [read.image_ids[i] for i in places]))
