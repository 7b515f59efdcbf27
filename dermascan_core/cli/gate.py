"""Commands of the gate: gate fits what a model refuses to judge, refusals and adversarial measure what it catches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..domain import ImageType, metadata_from_row
from ..errors import DatasetError
from .common import EngineOption, app, example, progress, stages
from .evaluation import FoldOption, ImagesOption, LabelsOption, SplitOption, read_labelled_rows

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Which model; see: models.")]


@app.command(epilog=example("gate dermascan --data ham10000 --data pad"))
def gate(
    name: NameArgument,
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="DIR", help="What it was trained on, or more of its kind; repeatable."),
    ],
    weights_dir: Annotated[
        Path | None, typer.Option("--weights-dir", metavar="DIR", help="Folder of the model; default: weights/.")
    ] = None,
    engine: EngineOption = "auto",
) -> None:
    """Fit what a model refuses to judge, and write NAME.gate.npz beside its weights."""
    from ..services import models
    from ..training.gate import make_gate

    predictor = models.load_predictor(name, engine, weights_dir=weights_dir, with_gate=False)
    weights = models.weights_file(predictor.manifest, weights_dir)
    with stages() as show:
        fitted = make_gate(predictor, data=data, weights=weights, on_progress=show)
    limits = ", ".join(
        f"{kind} {distance:.2f} and {other:.2f}"
        for kind, distance, other in zip(ImageType, fitted.max_distance, fitted.max_other, strict=True)
    )
    typer.echo(f"Refused above these distances, or shares of another picture: {limits}. Written beside {weights.name}.")


@app.command(
    epilog=example("refusals dermascan --data ham10000 --data uploads --out weights/dermascan.evaluation/refusals")
)
def refusals(
    name: NameArgument,
    data: Annotated[
        list[Path],
        typer.Option(
            "--data", metavar="DIR", help="Real lesions in images/; where metadata.csv names a test split, that."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets refusals.json.")],
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE.md", help="Also write the scorecard as a page.")
    ] = None,
    engine: EngineOption = "auto",
) -> None:
    """Count whom the gate turns away: real lesions, and over 600 pictures that show none."""
    from ..evaluation.files import write_file
    from ..evaluation.refusals import describe_scorecard, run_refusals, scorecard_page
    from ..services import models
    from ..training.gate import FITTED_DAMAGES, FITTED_FAMILIES

    sources = {folder.name: _lesions(folder) for folder in data}
    predictor = models.load_predictor(name, engine)
    with stages() as show:
        found = run_refusals(
            predictor, sources, out=out, fitted_families=(*FITTED_FAMILIES, *FITTED_DAMAGES), on_progress=show
        )
    for line in describe_scorecard(found):
        typer.echo(line)
    if page is not None:
        write_file(page, scorecard_page(found).encode())
    typer.echo(f"Written to {out}.", err=True)


def _lesions(folder: Path) -> tuple[list[Path], ImageType]:
    """Return a data set's photos, those of its test split where it names one, and how most of them were taken."""
    from ..tables import PHOTO_ENDINGS, read_table

    paths = sorted(p for p in (folder / "images").glob("*") if p.suffix.lower().lstrip(".") in PHOTO_ENDINGS)
    if not paths:
        raise DatasetError(
            f"Expected photos in '{folder / 'images'}'. There are none. Name a folder that holds images/."
        )
    table = folder / "metadata.csv"
    rows = read_table(table, what="The table of the photos") if table.is_file() else []
    tested = {row.get("image_id", "") for row in rows if row.get("split") == "test"}
    types = [metadata_from_row(row, problems=[]).image_type for row in rows]
    is_clinical = types.count(ImageType.CLINICAL) * 2 > len(rows)
    chosen = [p for p in paths if p.stem in tested] or paths
    return chosen, ImageType.CLINICAL if rows and is_clinical else ImageType.DERMOSCOPIC


@app.command(
    epilog=example(
        "adversarial dermascan --images ham10000/images --labels ham10000/metadata.csv --split train --fold 0 --out out"
    )
)
def adversarial(
    name: NameArgument,
    images: ImagesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets adversarial.json.")],
    split: SplitOption = "",
    fold: FoldOption = "",
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="About N photos, each diagnosis in its share; 0: all.")
    ] = 60,
    page: Annotated[
        Path | None, typer.Option("--page", metavar="FILE.md", help="Also write the table as a page.")
    ] = None,
) -> None:
    """Change pixels by a few grey levels where it harms most, and count which answers move and what catches it."""
    from ..evaluation.adversarial import adversarial_page, describe_adversarial, run_adversarial
    from ..evaluation.files import write_file
    from ..evaluation.stress import sample_photos
    from ..model.keras_engine import KerasEngine
    from ..services import models
    from ..tables import find_photos

    rows = sample_photos(read_labelled_rows(labels, split, fold), limit=limit, seed=0)
    predictor = models.load_predictor(name)
    network = KerasEngine.load(predictor.manifest, models.weights_file(predictor.manifest))
    with progress("Attacking") as show:
        found = run_adversarial(
            predictor, network, rows, find_photos(images, [row.image_id for row in rows]), out=out, on_progress=show
        )
    for line in describe_adversarial(found):
        typer.echo(line)
    if page is not None:
        write_file(page, adversarial_page(found).encode())
    typer.echo(f"Written to {out}.", err=True)
