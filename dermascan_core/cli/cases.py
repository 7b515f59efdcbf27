"""Commands about similar labelled photos: cases build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import EngineOption, app, example, make_app, stages

cases_app = make_app("Make the index of labelled photos that a result is compared with.")
app.add_typer(cases_app, name="cases")


@cases_app.command("build", epilog=example("cases build dermascan --data ham10000 --test"))
def build(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A released model; see: models.")],
    data: Annotated[
        list[Path], typer.Option("--data", metavar="DIR", help="The data set that it was trained on; repeatable.")
    ],
    weights_dir: Annotated[
        Path | None, typer.Option("--weights-dir", metavar="DIR", help="Where the model lies; default: weights/.")
    ] = None,
    measure_test: Annotated[
        bool,
        typer.Option("--test", help="Measure on the test split; without it, on the fold that validated the model."),
    ] = False,
    engine: EngineOption = "auto",
) -> None:
    """Write NAME.cases.npz beside the weights: each training photo's name, diagnosis and place; and measure it."""
    from ..evaluation.retrieval import describe_retrieval
    from ..services import models
    from ..training.case_index import build_cases
    from ..training.data import load_dataset

    folder = weights_dir or models.WEIGHTS_DIR
    predictor = models.load_predictor(name, engine, weights_dir=folder)
    dataset = load_dataset(data)
    with stages() as show:
        index, record = build_cases(predictor, dataset, weights_dir=folder, measure_test=measure_test, on_progress=show)
    if not record["is_the_models_split"]:
        typer.echo(
            "Warning: the model was trained with another split than this data set's, so it may have learnt from some of "
            "the photos that are looked up here. Then the figures are too good.",
            err=True,
        )
    about = record["index"]
    typer.echo(
        f"{name}: {len(index):,} photos of {about['n_lesions']:,} lesions, {about['n_dimensions']} dimensions, "
        f"{index.k} neighbours, {about['size_bytes'] / 1e6:.1f} MB."
    )
    for kind, measured in record["types"].items():
        typer.echo(f"On {measured['n']:,} {kind} photos ({record['measured_on']}):")
        for line in describe_retrieval(measured):
            typer.echo(f"  {line}")
