"""Makes smaller variants of a model in a temporary folder, asks each about the photos that validated it, and times them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..domain import ImageType, Metadata
from ..errors import DatasetError
from ..evaluation.compression import measure_loss
from ..evaluation.evaluate import PreparedPhoto, judge_output, prepare_pixels, read_labelled
from ..evaluation.results import PhotoResult
from ..evaluation.stress import sample_photos
from ..model.checkpoint import load_weights
from ..model.compression import cluster_kernel, prune_kernel
from ..model.export import N_CALIBRATION, export_network
from ..model.keras_engine import KerasEngine
from ..model.litert_engine import LiteRTEngine
from ..model.litert_file import change_kernels, operators, zipped_bytes
from ..model.manifest import Manifest
from ..model.predictor import EnginePredictor, Predictor
from ..tables import LabelledPhoto
from .engine_export import calibration_of
from .models import WEIGHTS_DIR, gate_of, load_model_manifest, weights_file

REFERENCE = "float32"
PRUNED_SHARES = (0.3, 0.5, 0.7)
CLUSTERED_VALUES = (256, 64, 16)
LARGE_KERNEL = 32  # weights a channel; smaller kernels hold 3 % of MobileNetV2's weights
MORE_CALIBRATION = 4 * N_CALIBRATION
_N_ROUNDS = 10  # of the clock
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class _Variant:
    """A file, its place in the list, and what was done to it in words."""

    name: str
    what: str
    path: Path


@dataclass(frozen=True, slots=True)
class _Photo:
    row: LabelledPhoto
    prepared: PreparedPhoto
    told: Metadata


def compress_model(
    name: str,
    rows: Sequence[LabelledPhoto],
    files: Mapping[str, Path],
    *,
    limit: int = 0,
    seed: int = 0,
    weights_dir: Path | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Measure every variant on the fold that validated the model; nothing is written beside the weights.

    Args:
        name: Of the model.
        rows: Labels of its data set, with splits and folds; ``test`` is not looked at.
        files: image_id -> photo.
        limit: About how many photos to ask about; 0: all of the fold.
        seed: Of that draw.
        weights_dir: Folder of the weights; None for the one that ships.
        on_progress: Called with (what, done, total).

    Returns:
        ``model``, ``data`` and ``rows``: a variant a row, the float32 one first, each with its sizes, speed, quality, loss and
        agreement; see ``evaluation.compression.measure_loss``.

    Raises:
        DatasetError: If the manifest names no fold that validated it, or the data set has none of its photos.
        EngineError: See ``model.export``.
    """
    folder = weights_dir or WEIGHTS_DIR
    manifest = load_model_manifest(name, folder)
    validating, training = _split(rows, manifest)
    photos = _prepare(sample_photos(validating, limit=limit, seed=seed), files, manifest)
    weights = weights_file(manifest, folder)
    model = load_weights(manifest, weights)
    heads = KerasEngine(model).heads
    gate = gate_of(manifest, weights)
    measured: list[dict[str, Any]] = []
    predictors: list[Predictor] = []
    reference: list[PhotoResult] = []
    with tempfile.TemporaryDirectory() as temporary:
        for variant in _variants(model, manifest, training, files, Path(temporary), on_progress):
            engine = LiteRTEngine(variant.path, manifest, heads, variant.name)
            predictor = EnginePredictor(manifest, engine, gate=gate)
            results = _ask(predictor, photos, on_progress)
            reference = reference or results
            data = variant.path.read_bytes()
            sizes = {"size_bytes": len(data), "zipped_bytes": zipped_bytes(data)}
            named = {"name": variant.name, "what": variant.what, "operators": operators(variant.path)}
            measured.append(named | sizes | measure_loss(reference, results))
            predictors.append(predictor)
        on_progress("Timing", 0, 1)
        times = _speed(predictors, photos[0])
    return {
        "model": {"name": manifest.name, "version": manifest.version, "sha256": manifest.sha256},
        "data": {
            "of": f"fold {manifest.data['validation_fold']}, which validated the model",
            "n_photos": len(photos),
            "n_malignant": sum(photo.row.is_malignant for photo in photos),
            "n_in_fold": len(validating),
            "n_calibration": N_CALIBRATION,
            "large_kernel": LARGE_KERNEL,
            "n_views": manifest.n_views,
        },
        "rows": [row | {"ms_a_photo": times[row["name"]]} for row in measured],
    }


def _split(
    rows: Sequence[LabelledPhoto], manifest: Manifest
) -> tuple[Sequence[LabelledPhoto], Sequence[LabelledPhoto]]:
    """Return the photos of the fold that validated, and those that a quantiser may look at: what the network learnt from."""
    fold = manifest.data.get("validation_fold")
    if fold is None:
        raise DatasetError(
            f"Expected a model that one fold validated. '{manifest.name}' names none in its manifest: every photo that is "
            "no test photo was learnt from. Measure one of its members."
        )
    learnt = [row for row in rows if row.split == "train"]
    validating = [row for row in learnt if row.fold == str(fold)]
    if not validating:
        raise DatasetError(f"Expected photos of the split 'train' and fold '{fold}' in the labels table. It has none.")
    return validating, [row for row in learnt if row.fold != str(fold)]


def _prepare(rows: Sequence[LabelledPhoto], files: Mapping[str, Path], manifest: Manifest) -> list[_Photo]:
    photos = []
    for row in rows:
        pixels = read_labelled(files.get(row.image_id))
        if isinstance(pixels, np.ndarray):
            photos.append(_Photo(row, prepare_pixels(pixels, manifest.preprocess), row.metadata))
    if not photos:
        raise DatasetError(f"Expected photos for {len(rows)} rows of the labels table. None can be read. Check --data.")
    return photos


def _ask(predictor: Predictor, photos: Sequence[_Photo], on_progress: Progress) -> list[PhotoResult]:
    results = []
    for number, photo in enumerate(photos, start=1):
        assert photo.prepared.square is not None  # it was read
        output = predictor.predict(photo.prepared.square[np.newaxis], [photo.told])[0]
        taken = photo.row.image_type or ImageType.DERMOSCOPIC
        results.append(judge_output(photo.row, photo.prepared, photo.told, output, taken))
        on_progress(f"Asking {predictor.engine}", number, len(photos))
    return results


def _speed(predictors: Sequence[Predictor], photo: _Photo) -> dict[str, float]:
    """Median time to answer one square with all its views, the variants taking turns."""
    assert photo.prepared.square is not None
    square = photo.prepared.square[np.newaxis]
    times: dict[str, list[float]] = {predictor.engine: [] for predictor in predictors}
    for _ in range(_N_ROUNDS):
        for predictor in predictors:
            started = time.perf_counter()
            predictor.predict(square, [photo.told])
            times[predictor.engine].append(time.perf_counter() - started)
    return {name: round(1000 * float(np.median(several)), 2) for name, several in times.items()}


def _variants(
    model: Any,
    manifest: Manifest,
    training: Sequence[LabelledPhoto],
    files: Mapping[str, Path],
    folder: Path,
    on_progress: Progress,
) -> Iterator[_Variant]:
    """Yield the variants, the one they are compared with first. Each is made when it is asked for."""

    def write(name: str, what: str, precision: str, **options: Any) -> _Variant:
        on_progress("Writing", 0, 1)
        own = folder / name.replace(" ", "-").replace(",", "")
        own.mkdir()
        paths = export_network(model, own / "network.keras", format="litert", precision=precision, **options)
        return _Variant(name, what, paths[0])

    whole = write(REFERENCE, "what the app answers with", "float32")
    yield whole
    yield write("float16", "weights stored in half the space, widened when loaded", "float16")
    some = calibration_of(training, files, manifest)
    more = calibration_of(training, files, manifest, n=MORE_CALIBRATION)
    plain = "8-bit weights and layers, each tap rounded to the nearest"
    yield write("int8, nearest", plain, "int8", calibration=some, keep_sums=False)
    yield write(
        "int8, nearest, 4x",
        f"the same, ranges from {MORE_CALIBRATION} photos",
        "int8",
        calibration=more,
        keep_sums=False,
    )
    yield write("int8", "8-bit, depthwise kernels rounded so that their sums stay", "int8", calibration=some)
    yield write("integer", "the same with whole numbers in and out, no layer in float", "integer", calibration=some)
    network = whole.path.read_bytes()
    for name, what, change in _kernel_changes():
        path = folder / f"{name.replace(' ', '-').replace(',', '')}.tflite"
        path.write_bytes(change_kernels(network, change))
        yield _Variant(name, what, path)


def _kernel_changes() -> Iterator[tuple[str, str, Callable[[Any], Any]]]:
    every = f"the smallest {PRUNED_SHARES[0]:.0%} of every kernel are zero"
    yield f"pruned {PRUNED_SHARES[0]:.0%}, every", every, partial(prune_kernel, share=PRUNED_SHARES[0])
    for share in PRUNED_SHARES:
        what = f"the smallest {share:.0%} of every large kernel are zero"
        yield f"pruned {share:.0%}", what, _of_large(partial(prune_kernel, share=share))
    every = f"every kernel has {CLUSTERED_VALUES[0]} values at most, times a factor a channel"
    yield f"{CLUSTERED_VALUES[0]} values, every", every, partial(cluster_kernel, n_values=CLUSTERED_VALUES[0])
    for n_values in CLUSTERED_VALUES:
        what = f"every large kernel has {n_values} values at most, times a factor a channel"
        yield f"{n_values} values", what, _of_large(partial(cluster_kernel, n_values=n_values))


def _of_large(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Leave kernels with few weights a channel alone: of nine depthwise taps none is spare."""
    return lambda kernel: change(kernel) if kernel.shape[1] >= LARGE_KERNEL else kernel
