"""Predicts every labelled photo and writes ``predictions.csv``, ``metrics.json`` and plots."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import Answers, ImageType, Metadata, Reason, Status
from ..errors import DatasetError, PhotoError
from ..imaging.crop import find_crop
from ..imaging.decode import read_photo
from ..imaging.preprocess import PreprocessConfig, preprocess
from ..imaging.quality import assess_quality
from ..imaging.segment import look_for_lesion
from ..imaging.skin_tone import NO_BAND, estimate_skin_tone
from ..model.predictor import PhotoOutput, Predictor
from ..tables import LabelledPhoto
from ..triage.policy import calmest, decide_next_step, untested_reason
from .files import prepare_folder, write_file
from .plots import draw_plots
from .report import build_metrics
from .results import PhotoResult, predictions_csv

PREDICTIONS_FILE = "predictions.csv"
METRICS_FILE = "metrics.json"
_BATCH_SIZE = 16  # two batches of decoded photos are in memory at once: 12-megapixel ones take 36 MB each
_N_READERS = 2


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluation wrote: its folder, one result a labelled photo, and the contents of ``metrics.json``."""

    out: Path
    results: tuple[PhotoResult, ...]
    metrics: Mapping[str, Any]


def evaluate_photos(
    predictor: Predictor,
    photos: Sequence[LabelledPhoto],
    files: Mapping[str, Path],
    *,
    out: Path,
    use_metadata: bool = True,
    split: str = "",
    image_type: ImageType = ImageType.DERMOSCOPIC,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Predict labelled photos and write what was measured; only our own files in ``out`` are replaced.

    Photos that a screening would refuse are predicted too, and marked. A photo that is missing or cannot be decoded
    becomes a row with empty probabilities; the others go on.

    Args:
        predictor: The model.
        photos: Labelled photos; where several rows name one photo, the first counts.
        files: image_id -> file; a photo without one is missing.
        out: Folder; made if need be.
        use_metadata: Whether to tell the model age, sex and site.
        split: Name of the split, for the record.
        image_type: How the photos were taken, where the labels table does not say; a clinical one is never calm.
        on_progress: Called with (done, total) after each batch.

    Raises:
        DatasetError: If there are no photos, or none could be read.
        OutputError: If ``out`` cannot be written; found before the first prediction.
    """
    if not photos:
        raise DatasetError("Expected at least one labelled photo. Received none. Check the labels table and --split.")
    prepare_folder(out)
    n_rows = len(photos)
    photos = each_once(photos)
    results = predict_photos(
        predictor, photos, files, use_metadata=use_metadata, image_type=image_type, on_progress=on_progress
    )
    if not any(result.prediction for result in results):
        raise DatasetError(
            f"Expected photos for the {len(photos)} rows of the labels table. None of them could be read "
            f"(the first: {results[0].refusal}). Check --images."
        )
    metrics = build_metrics(
        results,
        predictor.manifest,
        engine=predictor.engine,
        use_metadata=use_metadata,
        split=split,
        n_duplicates=n_rows - len(photos),
    )
    write_file(out / PREDICTIONS_FILE, predictions_csv(results, predictor.manifest.codes).encode())
    write_file(out / METRICS_FILE, (json.dumps(metrics, indent=1, allow_nan=False) + "\n").encode())
    for name, png in draw_plots(metrics).items():
        write_file(out / name, png)
    return Evaluation(out, tuple(results), metrics)


def each_once(photos: Sequence[LabelledPhoto]) -> list[LabelledPhoto]:
    """Return the photos without those that an earlier row names."""
    first: dict[str, LabelledPhoto] = {}
    for photo in photos:
        first.setdefault(photo.image_id.lower(), photo)
    return list(first.values())


def predict_photos(
    predictor: Predictor,
    photos: Sequence[LabelledPhoto],
    files: Mapping[str, Path],
    *,
    use_metadata: bool = True,
    image_type: ImageType = ImageType.DERMOSCOPIC,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[PhotoResult]:
    """Return one result a labelled photo, in order; see ``evaluate_photos``."""
    config = predictor.manifest.preprocess
    batches = [photos[i : i + _BATCH_SIZE] for i in range(0, len(photos), _BATCH_SIZE)]
    results: list[PhotoResult] = []
    with ThreadPoolExecutor(_N_READERS) as pool:

        def start(batch: Sequence[LabelledPhoto]) -> list[Any]:
            return [pool.submit(_prepare, files.get(p.image_id), config) for p in batch]

        coming = start(batches[0]) if batches else []
        for number, batch in enumerate(batches):
            prepared = [future.result() for future in coming]
            # The next photos are read while the network answers for these.
            coming = start(batches[number + 1]) if number + 1 < len(batches) else []
            results += _predict_batch(predictor, batch, prepared, use_metadata=use_metadata, image_type=image_type)
            on_progress(len(results), len(photos))
    return results


@dataclass(frozen=True, slots=True)
class PreparedPhoto:
    """A photo's square, or None with the reason; why a screening would refuse it; and how light its skin looks."""

    square: npt.NDArray[np.uint8] | None
    refusal: Reason | None
    ita_band: str = ""


def read_labelled(path: Path | None) -> npt.NDArray[np.uint8] | Reason:
    """Return the pixels of a labelled photo, or why there are none."""
    if path is None:
        return Reason("missing", "Expected a photo of this name in the folder. There is none.")
    try:
        return read_photo(path)
    except PhotoError as error:
        return Reason(error.code, str(error))


def prepare_pixels(rgb: npt.NDArray[np.uint8], config: PreprocessConfig) -> PreparedPhoto:
    """Find the lesion, judge the quality and cut the square, as a screening does."""
    sight = look_for_lesion(rgb)
    crop = find_crop(rgb, sight=sight)
    failures = assess_quality(rgb, crop, sight=sight).failures
    return PreparedPhoto(preprocess(rgb, config, crop=crop), failures[0] if failures else None)


def _prepare(path: Path | None, config: PreprocessConfig) -> PreparedPhoto:
    pixels = read_labelled(path)
    if isinstance(pixels, Reason):
        return PreparedPhoto(None, pixels)
    tone = estimate_skin_tone(pixels)
    return replace(prepare_pixels(pixels, config), ita_band=NO_BAND if tone is None else tone.band)


def _predict_batch(
    predictor: Predictor,
    photos: Sequence[LabelledPhoto],
    prepared: Sequence[PreparedPhoto],
    *,
    use_metadata: bool,
    image_type: ImageType,
) -> list[PhotoResult]:
    types = [photo.image_type or image_type for photo in photos]
    told = [
        replace(p.metadata if use_metadata else Metadata(), image_type=taken)
        for p, taken in zip(photos, types, strict=True)
    ]
    readable = [(one.square, row) for one, row in zip(prepared, told, strict=True) if one.square is not None]
    outputs: list[PhotoOutput] = []
    if readable:
        outputs = predictor.predict(np.stack([square for square, _ in readable]), [row for _, row in readable])
    waiting = iter(outputs)
    return [
        judge_output(photo, one, row, None if one.square is None else next(waiting), taken)
        for photo, one, row, taken in zip(photos, prepared, told, types, strict=True)
    ]


def judge_output(
    photo: LabelledPhoto, one: PreparedPhoto, metadata: Metadata, output: PhotoOutput | None, image_type: ImageType
) -> PhotoResult:
    """Return what a screening without answers to the questions makes of the model's output for a photo.

    Args:
        photo: Its row of the labels table.
        one: What was prepared of it.
        metadata: What the model was told.
        output: Of the model; None where there is no square.
        image_type: How the photo was taken.
    """
    unlike = output.gate.refusal if output is not None and output.gate is not None else None
    refusal = one.refusal or untested_reason(Answers(), metadata, image_type) or unlike
    status = Status.ANSWERED
    if refusal is not None or output is None:
        status = Status.REFUSED
    elif output.prediction.is_unsure:
        status = Status.UNSURE
    shown = output if status is not Status.REFUSED else None
    steps = [
        decide_next_step(
            answers=answers,
            metadata=known,
            image_type=image_type,
            status=status,
            prediction=shown.prediction if shown else None,
            prediction_without_metadata=shown.prediction_without_metadata if shown else None,
        )[0]
        for answers, known in ((Answers(), metadata), calmest(metadata))
    ]
    prediction = output.prediction if output else None
    return PhotoResult(photo, prediction, status, refusal, steps[0], image_type, one.ita_band, steps[1])
