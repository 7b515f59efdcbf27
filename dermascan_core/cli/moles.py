"""The command that measures the comparison of one person's moles: ugly-duckling."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..domain import ImageType
from .common import EngineOption, ImageTypeOption, ModelOption, app, example, progress


@app.command(
    name="ugly-duckling",
    epilog=example("ugly-duckling --images isic2020/images --labels isic2020/metadata.csv --out out"),
)
def ugly_duckling(
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="Folder of the photos.")],
    labels: Annotated[
        Path, typer.Option("--labels", metavar="CSV", help="image_id, patient_id and diagnosis, one photo a lesion.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets ugly-duckling.json and lesions.csv.")],
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE", help="Also write the page docs/ugly-duckling.md there.")
    ] = None,
    no_metadata: Annotated[
        bool, typer.Option("--no-metadata", help="Do not tell the model age, sex and site.")
    ] = False,
    views: Annotated[
        int, typer.Option("--views", min=0, max=8, metavar="N", help="Average N views of a photo; 0: the model's own.")
    ] = 0,
    model: ModelOption = "dermascan",
    engine: EngineOption = "auto",
    image_type: ImageTypeOption = ImageType.DERMOSCOPIC,
) -> None:
    """Rank each person's lesions by how odd they are, and say where the melanomas stand."""
    from ..evaluation.files import prepare_folder, write_file
    from ..evaluation.ugly_duckling import run_ugly_duckling
    from ..evaluation.ugly_duckling_page import describe_ugly_duckling, render_page
    from ..model.predictor import EnginePredictor
    from ..services import models
    from ..tables import find_photos, read_labels

    problems: list[str] = []
    photos = read_labels(labels, problems=problems)
    for problem in problems:
        typer.echo(f"Warning: {problem}", err=True)
    files = find_photos(images, [photo.image_id for photo in photos])
    predictor = models.load_predictor(model, engine)
    if views and isinstance(predictor, EnginePredictor):
        predictor = predictor.with_views(views)
    with progress("Comparing") as show:
        measured = run_ugly_duckling(
            predictor,
            photos,
            files,
            out=out,
            use_metadata=not no_metadata,
            image_type=image_type,
            on_progress=show,
        )
    for line in describe_ugly_duckling(measured):
        typer.echo(line)
    if page is not None:
        prepare_folder(page.parent)
        write_file(page, render_page(measured).encode())
    typer.echo(f"Written to {out}.", err=True)
