"""Exports a model for another engine, opens the file again, and writes down how far its answers are Keras' own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import Metadata
from ..evaluation.engine_agreement import measure_agreement
from ..evaluation.evaluate import PreparedPhoto, judge_output, predict_photos, prepare_pixels, read_labelled
from ..evaluation.report import build_metrics
from ..evaluation.results import PhotoResult
from ..imaging.examples import EXAMPLES, make_example
from ..imaging.small_changes import changed_squares
from ..model.checkpoint import load_weights
from ..model.export import N_CALIBRATION, Calibration, export_network
from ..model.exported_engines import engine_name, open_engine
from ..model.head_file import heads_file, save_heads
from ..model.keras_engine import KerasEngine
from ..model.litert_file import operators
from ..model.manifest import Manifest, file_sha256, save_manifest
from ..model.metadata_branch import MetadataEncoder
from ..model.onnx_engine import OnnxEngine
from ..model.predictor import Engine, EnginePredictor, Predictor
from ..tables import LabelledPhoto
from .models import WEIGHTS_DIR, gate_of, load_model_manifest, weights_file
from .phone_files import phone_files

_SUMMARY = ("macro_auc", "malignant_auc", "balanced_accuracy")
_SPEED_ROUNDS = 12
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Photos to compare two engines with, and photos to calibrate a quantiser with: never the same ones."""

    photos: Sequence[LabelledPhoto]
    files: Mapping[str, Path]
    calibration: Sequence[LabelledPhoto] = ()
    split: str = ""


def export_engine(
    name: str,
    *,
    format: str,
    precision: str = "float32",
    labelled: LabelledSet | None = None,
    weights_dir: Path | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Export a model, compare it with Keras, and record both in the manifest.

    Args:
        name: Of the model.
        format, precision: See ``model.export``.
        labelled: Photos to compare with; generated pictures where there are none.
        weights_dir: Folder of the weights; None for the one that ships.
        on_progress: Called with (what, done, total).

    Returns:
        The engine's record, as it stands in the manifest.

    Raises:
        EngineError: See ``model.export`` and ``exported_engines.open_engine``.
        WeightsError: If the model's own files do not agree.
    """
    folder = weights_dir or WEIGHTS_DIR
    manifest = load_model_manifest(name, folder)
    weights = weights_file(manifest, folder)
    model = load_weights(manifest, weights)
    reference = KerasEngine(model)
    calibration = None if labelled is None else calibration_of(labelled.calibration, labelled.files, manifest)
    on_progress("Writing", 0, 1)
    paths = export_network(
        model, weights, format=format, precision=precision, calibration=calibration, packed=phone_files(manifest)
    )
    save_heads(heads_file(weights), reference.heads, sha256=manifest.sha256)
    own = engine_name(format, precision)
    record: dict[str, Any] = {
        "format": format,
        "precision": precision,
        "files": {path.name: file_sha256(path) for path in paths},
        "size_bytes": sum(path.stat().st_size for path in paths),
    }
    if format == "litert":
        record["operators"] = operators(paths[0])
    engine = open_engine(replace(manifest, engines={own: record}), weights, own)
    if isinstance(engine, OnnxEngine):
        record["provider"] = engine.provider  # of this machine: another may have a GPU
    record |= _compare(manifest, weights, reference, engine, labelled, on_progress)
    # The manifest is read again: measuring takes minutes, and others may have written to it since.
    latest = load_model_manifest(name, folder)
    save_manifest(replace(latest, engines={**latest.engines, own: record}), folder / f"{name}.json")
    return record


def _compare(
    manifest: Manifest,
    weights: Path,
    reference: Engine,
    engine: Engine,
    labelled: LabelledSet | None,
    on_progress: Progress,
) -> dict[str, Any]:
    gate = gate_of(manifest, weights)
    predictors = [EnginePredictor(manifest, one, gate=gate) for one in (reference, engine)]
    if labelled is None:
        results = [_ask_generated(predictor) for predictor in predictors]
        of = "generated pictures"
    else:
        results = [
            predict_photos(
                predictor,
                labelled.photos,
                labelled.files,
                on_progress=lambda done, total, name=predictor.engine: on_progress(f"Asking {name}", done, total),  # type: ignore[misc]
            )
            for predictor in predictors
        ]
        of = labelled.split or "labelled photos"
    record: dict[str, Any] = {"agreement": {"of": of, **measure_agreement(*results)}}
    if labelled is not None:
        record["quality"] = {
            predictor.engine: _quality(found, manifest, predictor.engine)
            for predictor, found in zip(predictors, results, strict=True)
        }
    return record | {"ms_a_photo": _speed(predictors)}


def _quality(results: Sequence[PhotoResult], manifest: Manifest, engine: str) -> dict[str, float]:
    summary = build_metrics(results, manifest, engine=engine, use_metadata=True)["summary"]
    return {name: summary[name]["value"] for name in _SUMMARY}


def _speed(predictors: Sequence[Predictor]) -> dict[str, float]:
    """Median time to answer one square with all its views, the engines taking turns."""
    square = generated_squares(predictors[0].manifest)[:1]
    times: dict[str, list[float]] = {predictor.engine: [] for predictor in predictors}
    for _ in range(_SPEED_ROUNDS):
        for predictor in predictors:
            started = time.perf_counter()
            predictor.predict(square, [Metadata()])
            times[predictor.engine].append(time.perf_counter() - started)
    return {name: round(1000 * float(np.median(several)), 2) for name, several in times.items()}


def generated_squares(manifest: Manifest) -> npt.NDArray[np.uint8]:
    """Return squares of the bundled examples and small changes of them."""
    from ..imaging.crop import find_crop

    pictures = [make_example(example.key) for example in EXAMPLES]
    return np.concatenate([changed_squares(rgb, find_crop(rgb), manifest.preprocess) for rgb in pictures])


def _ask_generated(predictor: Predictor) -> list[PhotoResult]:
    squares = generated_squares(predictor.manifest)
    told = [Metadata(age_approx=float(20 + 10 * (number % 7))) for number in range(len(squares))]
    outputs = predictor.predict(squares, told)
    return [
        judge_output(
            LabelledPhoto(f"generated-{number}", "", False),
            PreparedPhoto(square, None),
            row,
            output,
            EXAMPLES[0].image_type,
        )
        for number, (square, row, output) in enumerate(zip(squares, told, outputs, strict=True))
    ]


def calibration_of(
    photos: Sequence[LabelledPhoto], files: Mapping[str, Path], manifest: Manifest, *, n: int = N_CALIBRATION
) -> Calibration | None:
    """Prepare an even draw of photos as the network sees them; None where none can be read.

    Args:
        photos: To draw from.
        files: image_id -> file.
        manifest: Of the model.
        n: At most so many.
    """
    squares, told = [], []
    for row in photos[:: max(1, len(photos) // n)][:n]:
        pixels = read_labelled(files.get(row.image_id))
        if isinstance(pixels, np.ndarray):
            square = prepare_pixels(pixels, manifest.preprocess).square
            if square is not None:
                squares.append(square.astype(np.float32))
                told.append(row.metadata)
    if not squares:
        return None
    return np.stack(squares), MetadataEncoder(manifest.metadata_fields).encode(told).astype(np.float32)
