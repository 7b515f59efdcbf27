"""The command that measures how often small changes of a photo change its answer, and fits the limit: repeatability."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..domain import ImageType
from .common import EngineOption, ImageTypeOption, app, example, progress
from .evaluation import FoldOption, ImagesOption, LabelsOption, NoMetadataOption, SplitOption, read_labelled_rows


@app.command(
    epilog=example(
        "repeatability dermascan --images ham10000/images --labels ham10000/metadata.csv --split train --fold 0 "
        "--limit 400 --out weights/dermascan.evaluation/repeatability"
    )
)
def repeatability(
    model: Annotated[str, typer.Argument(metavar="NAME", help="Which model; see: models.")],
    images: ImagesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets repeatability.json.")],
    split: SplitOption = "",
    fold: FoldOption = "",
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="About N photos, each diagnosis in its share; 0: all.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
    no_metadata: NoMetadataOption = False,
    engine: EngineOption = "auto",
    image_type: ImageTypeOption = ImageType.DERMOSCOPIC,
) -> None:
    """Change every photo in ten small ways, count how often the answer changes, and fit the limit that makes it unsure."""
    from ..evaluation.repeatability_report import describe_repeatability, run_repeatability
    from ..services import models
    from ..tables import find_photos

    photos = read_labelled_rows(labels, split, fold)
    files = find_photos(images, [photo.image_id for photo in photos])
    predictor = models.load_predictor(model, engine)
    with progress("Changing") as show:
        measured = run_repeatability(
            predictor,
            photos,
            files,
            out=out,
            limit=limit,
            seed=seed,
            split=split,
            fold=fold,
            use_metadata=not no_metadata,
            image_type=image_type,
            on_progress=show,
        )
    for line in describe_repeatability(measured):
        typer.echo(line)
    typer.echo(f"Written to {out}.", err=True)
