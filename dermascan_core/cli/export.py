"""The command that writes a model for another engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import app, example, stages

if TYPE_CHECKING:
    from ..services.engine_export import LabelledSet


@app.command(epilog=example("export dermascan --format litert --data ham10000"))
def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model; see: models.")] = "dermascan",
    format: Annotated[str, typer.Option("--format", metavar="FORMAT", help="litert, onnx or openvino.")] = "litert",
    precision: Annotated[
        str, typer.Option("--precision", metavar="P", help="float32; with litert also float16, int8, integer.")
    ] = "float32",
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="A data set; its photos compare the engine with Keras.")
    ] = None,
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="Of the data set, to compare on.")] = "test",
    limit: Annotated[int, typer.Option("--limit", min=0, metavar="N", help="About N of its photos; 0: all.")] = 0,
    weights_dir: Annotated[
        Path | None, typer.Option("--weights-dir", metavar="DIR", help="Where the model lies; default: weights/.")
    ] = None,
) -> None:
    """Write a model for another engine, compare its answers with Keras', record both in the manifest.

    Without --data the two are compared on generated pictures.
    """
    from ..services.engine_export import export_engine

    labelled = None if data is None else _read(data, split, limit)
    with stages() as show:
        record = export_engine(
            name, format=format, precision=precision, labelled=labelled, weights_dir=weights_dir, on_progress=show
        )
    for line in describe_record(record):
        typer.echo(line)


def _read(data: Path, split: str, limit: int) -> LabelledSet:
    from ..evaluation.stress import sample_photos
    from ..services.engine_export import LabelledSet
    from ..tables import find_photos, read_labels

    rows = read_labels(data / "metadata.csv")
    chosen = [row for row in rows if row.split == split]
    compared = sample_photos(chosen, limit=limit, seed=0) if limit else chosen
    calibration = [row for row in rows if row.split == "train"]
    return LabelledSet(compared, find_photos(data / "images", [row.image_id for row in rows]), calibration, split)


def describe_record(record: dict[str, Any]) -> list[str]:
    """Return what an export says of itself."""
    agreement = record["agreement"]
    quality = [
        f"  {engine}: " + ", ".join(f"{name.replace('_', ' ')} {value:.4f}" for name, value in measures.items())
        for engine, measures in record.get("quality", {}).items()
    ]
    speed = ", ".join(f"{engine} {ms:g} ms" for engine, ms in record["ms_a_photo"].items())
    return [
        f"{', '.join(record['files'])}: {record['size_bytes'] / 1e6:.1f} MB",
        f"  compared on {agreement['n_photos']} photos ({agreement['of']}): largest difference of a probability "
        f"{agreement['max_probability_difference']:.2g}; of these photos {agreement['n_first_class_differing']} show "
        f"another class first, {agreement['n_sets_differing']} have another set, "
        f"{agreement['n_next_steps_differing']} another next step",
        *quality,
        f"  one photo with all views, taking turns: {speed}"
        + (f" (onnx on {record['provider']})" if "provider" in record else ""),
        *_operator_lines(record),
    ]


def _operator_lines(record: dict[str, Any]) -> list[str]:
    """Say what a chip must know; the rest of an engine's users have no need of it."""
    if record["precision"] != "integer":
        return []
    from ..model.litert_file import EDGE_TPU_OPERATORS

    found = record["operators"]
    listed = ", ".join(f"{name} {n}" + ("" if name in EDGE_TPU_OPERATORS else " (*)") for name, n in found.items())
    return [
        f"  operators: {listed}",
        "  (*) not on the list of what an Edge TPU's compiler accepts; it and all that follows it would run on the processor"
        if set(found) - EDGE_TPU_OPERATORS
        else "  all are on the list of what an Edge TPU's compiler accepts, under its conditions; no Edge TPU was tried",
    ]
