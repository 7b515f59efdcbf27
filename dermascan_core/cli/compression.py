"""The command that measures smaller variants of a model: compress."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .common import app, example, stages

COMPRESSION_FILE = "compression.json"


@app.command(
    epilog=example("compress dermascan --data ham10000 --limit 400 --out weights/dermascan.evaluation/compression")
)
def compress(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model; see: models.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The data set it was trained on.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets compression.json.")],
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Also write the page docs/compression.md there.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="About N photos, each diagnosis in its share; 0: all.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
    weights_dir: Annotated[
        Path | None, typer.Option("--weights-dir", metavar="DIR", help="Where the model lies; default: weights/.")
    ] = None,
) -> None:
    """Measure what smaller variants of a model lose, gain and cost, on the photos that validated it.

    Half precision, whole numbers, pruned and clustered kernels. No variant is kept: export makes those that can serve.
    """
    from ..evaluation.compression_page import describe_compression, render_page
    from ..evaluation.files import prepare_folder, write_file
    from ..services.compression import compress_model
    from ..tables import find_photos, read_labels

    rows = read_labels(data / "metadata.csv")
    files = find_photos(data / "images", [row.image_id for row in rows])
    prepare_folder(out)
    with stages() as show:
        measured = compress_model(name, rows, files, limit=limit, seed=seed, weights_dir=weights_dir, on_progress=show)
    write_file(out / COMPRESSION_FILE, (json.dumps(measured, indent=1, allow_nan=False) + "\n").encode())
    for line in describe_compression(measured):
        typer.echo(line)
    if page is not None:
        prepare_folder(page.parent)
        write_file(page, render_page(measured).encode())
    typer.echo(f"Written to {out}.", err=True)
