"""A contact sheet: photos with their diagnosis, the class shown first, and a bar a class. For the person who has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..errors import DatasetError
from ..taxonomy import HAM_CODES
from .agreement import ReadPredictions
from .evaluate import read_labelled
from .plots import COLOURS, FAINT, INK, WHITE, png_bytes, write_text

KINDS = ("sample", "mistakes")
N_COLUMNS = 4
_PHOTO_PX, _BAR_PX, _TILE_PX = (200, 150), 13, (216, 300)
_RIGHT, _WRONG = COLOURS[2], COLOURS[5]


def choose_photos(predictions: ReadPredictions, *, kind: str, n_photos: int, seed: int = 0) -> list[int]:
    """Return places in the predictions: a draw that goes round the classes, or the most confident mistakes.

    Args:
        predictions: Of one model.
        kind: ``sample`` or ``mistakes``.
        n_photos: How many at most.
        seed: Of the draw.
    """
    if kind == "mistakes":
        wrong = np.flatnonzero(predictions.y_pred != predictions.y_true)
        shown = predictions.y_prob[wrong, predictions.y_pred[wrong]]
        return [int(i) for i in wrong[np.argsort(-shown, kind="stable")][:n_photos]]
    rng = np.random.default_rng(seed)
    by_class = [rng.permutation(np.flatnonzero(predictions.y_true == k)).tolist() for k in range(len(HAM_CODES))]
    chosen: list[int] = []
    while len(chosen) < n_photos and any(by_class):
        chosen += [own.pop() for own in by_class if own]
    return chosen[:n_photos]


def draw_sample_sheet(predictions: ReadPredictions, places: list[int], files: Mapping[str, Path]) -> bytes:
    """Return the sheet as PNG; a photo that is not there stays grey.

    Args:
        predictions: Of one model.
        places: Which of them, in order.
        files: image_id -> file.

    Raises:
        DatasetError: If there is nothing to show, or none of the photos is there.
    """
    if not places:
        raise DatasetError("Expected photos to draw. None of the answers is of this kind.")
    if not any(predictions.image_ids[i] in files for i in places):
        raise DatasetError(
            f"Expected photos for {len(places)} of the predictions. None of them was found. Check --images."
        )
    n_rows = -(-len(places) // N_COLUMNS)
    sheet = Image.new("RGB", (N_COLUMNS * _TILE_PX[0], 44 + n_rows * _TILE_PX[1]), WHITE)
    draw = ImageDraw.Draw(sheet)
    write_text(draw, (sheet.width / 2, 22), f"{predictions.name}: diagnosis, class shown first, share of each class")
    for number, place in enumerate(places):
        corner = (number % N_COLUMNS * _TILE_PX[0] + 8, 44 + number // N_COLUMNS * _TILE_PX[1])
        _draw_tile(sheet, draw, corner, predictions, place, files.get(predictions.image_ids[place]))
    return png_bytes(sheet)


def _draw_tile(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    predictions: ReadPredictions,
    place: int,
    path: Path | None,
) -> None:
    left, top = corner
    draw.rectangle([left, top, left + _PHOTO_PX[0], top + _PHOTO_PX[1]], fill=FAINT)
    pixels = read_labelled(path)
    if isinstance(pixels, np.ndarray):
        photo = Image.fromarray(pixels)
        photo.thumbnail(_PHOTO_PX)
        sheet.paste(photo, (left + (_PHOTO_PX[0] - photo.width) // 2, top + (_PHOTO_PX[1] - photo.height) // 2))
    true, said = int(predictions.y_true[place]), int(predictions.y_pred[place])
    top += _PHOTO_PX[1] + 12
    write_text(draw, (left, top), predictions.image_ids[place], size_px=12, anchor="lm")
    words = f"is {HAM_CODES[true]}, shown {HAM_CODES[said]}"
    write_text(draw, (left, top + 16), words, size_px=14, anchor="lm", ink=_RIGHT if true == said else _WRONG)
    for k, code in enumerate(HAM_CODES):
        y, share = top + 30 + k * _BAR_PX, float(predictions.y_prob[place, k])
        write_text(draw, (left + 40, y + 5), code, size_px=11, anchor="rm")
        colour = _RIGHT if k == true else _WRONG if k == said else COLOURS[1]
        draw.rectangle([left + 46, y, left + 46 + round(110 * share), y + _BAR_PX - 4], fill=colour)
        write_text(draw, (left + 52 + round(110 * share), y + 5), f"{share:.0%}", size_px=11, anchor="lm", ink=INK)
