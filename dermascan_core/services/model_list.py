"""What ships, in words: one block of lines a model."""

from __future__ import annotations

from pathlib import Path

from ..evaluation.summary import headline
from ..model.manifest import Manifest
from . import models, performance


def describe_model(manifest: Manifest, *, weights_dir: Path | None = None) -> list[str]:
    """Return the lines that ``models`` prints about one model."""
    path = models.weights_file(manifest, weights_dir)
    size = f"{path.stat().st_size / 1e6:.1f} MB" if path.is_file() else "MISSING; run: python -m dermascan_core doctor"
    facts = [
        f"classes: {', '.join(manifest.codes)}",
        f"network: {manifest.backbone}, {manifest.preprocess.input_px} px, {manifest.n_views} views averaged",
        f"metadata: {', '.join(manifest.metadata_fields) or 'none'}",
        f"size: {size}",
        f"sha256: {manifest.sha256}",
        f"licence: {manifest.licence}",
        *measured_lines(manifest, weights_dir=weights_dir),
    ]
    return [f"{manifest.name} (version {manifest.version})", *(f"  {fact}" for fact in facts)]


def measured_lines(manifest: Manifest, *, weights_dir: Path | None = None) -> list[str]:
    """Return one line for each evaluation that ships with a model."""
    found = performance.available_evaluations(manifest.name, weights_dir=weights_dir)
    evaluations = {which: performance.load_evaluation(manifest.name, which, weights_dir=weights_dir) for which in found}
    return [
        f"{which}: {headline(metrics['summary'])} ({metrics['data']['n_predicted']} photos)"
        for which, metrics in evaluations.items()
    ] or ["not evaluated"]
