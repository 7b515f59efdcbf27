"""Measures a release on the ``test`` split and writes down what it found: evaluations, manifest, model card."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..domain import ImageType
from ..errors import WeightsError
from ..evaluation.evaluate import METRICS_FILE, evaluate_photos
from ..model.keras_engine import KerasEngine
from ..model.manifest import Manifest, load_manifest, save_manifest
from ..model.predictor import EnginePredictor
from ..tables import find_photos, read_labels
from ..trust.gate import gate_file, read_gate
from .case_index import build_cases
from .data import load_dataset
from .gate import make_gate
from .model_card import render_model_card

# Name -> (whether photos of a phone, whether told age, sex and site). Never pooled over both types.
EVALUATIONS = {
    "test": (False, True),
    "test-no-metadata": (False, False),
    "test-phone": (True, True),
    "test-phone-no-metadata": (True, False),
}
# What the manifest repeats of an evaluation; the whole of it ships beside the weights.
_KEPT = ("data", "intervals", "summary", "sets", "abstention", "calmest_steps")
_CURVES = ("roc", "precision_recall")


def publish_release(
    name: str,
    *,
    data: Path | Sequence[Path],
    weights_dir: Path,
    card: Path | None = None,
    external: Sequence[Path] | None = None,
    repeated: Sequence[str] = (),
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Manifest:
    """Evaluate a released model with and without metadata, and write the figures where people read them.

    Writes ``<name>.evaluation/test`` and ``test-no-metadata`` in the weights folder (photos of phones apart, where the
    data set has some), the same figures into the manifest, the model card, the gate where the weights have none of their
    own yet, and the index of similar labelled photos.

    Args:
        name: Of the model in ``weights_dir``.
        data: The data set whose ``test`` split is looked at.
        weights_dir: Where the weights lie.
        card: Where the model card goes; None writes none.
        external: Folders (images/ and metadata.csv) of other archives, measured whole, each under its folder's name.
        repeated: Evaluations whose files lie there already, and whose figures the manifest repeats too.
        on_progress: Called with (what, done, total).

    Returns:
        The manifest with its metrics.
    """
    path = weights_dir / f"{name}.json"
    manifest = load_manifest(path)
    predictor = _with_gate(manifest, weights_dir / f"{name}.keras", data=data, on_progress=on_progress)
    dataset = load_dataset(data)
    # Rows without a photo are evaluated too: ``evaluate`` counts them as missing instead of passing them over.
    photos = [*dataset.part(split="test"), *(p for p in dataset.missing if p.split == "test")]
    tasks = []
    for evaluation, (is_phone, told) in EVALUATIONS.items():
        own = [p for p in photos if (p.metadata.image_type is ImageType.CLINICAL) is is_phone]
        if own:
            tasks.append((evaluation, own, dataset.files, told, "test"))
    for folder in external or ():
        rows = read_labels(folder / "metadata.csv")
        tasks.append((folder.name, rows, find_photos(folder / "images", [p.image_id for p in rows]), True, ""))
    metrics: dict[str, Mapping[str, Any]] = {}
    for evaluation, rows, files, use_metadata, split in tasks:
        written = evaluate_photos(
            predictor,
            rows,
            files,
            out=weights_dir / f"{name}.evaluation" / evaluation,
            use_metadata=use_metadata,
            split=split,
            on_progress=partial(on_progress, evaluation),
        )
        metrics[evaluation] = _without_curves(written.metrics)
    for evaluation in repeated:
        path_of_metrics = weights_dir / f"{name}.evaluation" / evaluation / METRICS_FILE
        metrics[evaluation] = _without_curves(json.loads(path_of_metrics.read_text(encoding="utf-8")))
    manifest = replace(manifest, metrics=metrics)
    save_manifest(manifest, path)
    if card is not None:
        card.parent.mkdir(parents=True, exist_ok=True)
        card.write_text(render_model_card(manifest), encoding="utf-8")
    # Last, so that nothing of the above is lost where it fails.
    has_test = bool(dataset.part(split="test"))
    build_cases(predictor, dataset, weights_dir=weights_dir, measure_test=has_test, on_progress=on_progress)
    return manifest


def _with_gate(
    manifest: Manifest,
    weights: Path,
    *,
    data: Path | Sequence[Path],
    on_progress: Callable[[str, int, int], None],
) -> EnginePredictor:
    """Return the model with its gate: the one that lies beside these weights, or one that is fitted now."""
    engine = KerasEngine.load(manifest, weights)
    try:
        gate = read_gate(gate_file(weights), sha256=manifest.sha256)
    except WeightsError:  # of the weights that these replace
        gate = None
    if gate is None:
        gate = make_gate(EnginePredictor(manifest, engine), data=data, weights=weights, on_progress=on_progress)
    return EnginePredictor(manifest, engine, gate=gate)


def _without_curves(metrics: Mapping[str, Any]) -> dict[str, Any]:
    return {part: metrics[part] for part in _KEPT if part in metrics} | {
        "classes": {
            code: {name: value for name, value in found.items() if name not in _CURVES}
            for code, found in metrics["classes"].items()
        }
    }
