"""Commands that compare recipes: lr-find, ablate, experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import TrainingError
from .common import app, count, example, stages
from .training import log_to_terminal, read_recipe

DataOption = Annotated[
    list[Path], typer.Option("--data", metavar="DIR", help="A data set: metadata.csv and images/; repeatable.")
]


@app.command(epilog=example("lr-find mobilenet_v2 --data ham10000 --out runs/rates"))
def lr_find(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help="A recipe; see: models --presets.")],
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where lr-find.csv and lr-find.png go.")],
    fold: Annotated[int, typer.Option("--fold", metavar="K", help="The fold that is left out.")] = 0,
    batches: Annotated[int, typer.Option("--batches", min=10, help="Length of the test.")] = 100,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one field of the recipe; repeatable.")
    ] = None,
) -> None:
    """Raise the learning rate batch by batch, draw the loss against it, and suggest a rate (Smith 2017)."""
    recipe = read_recipe(preset, settings)
    from ..training.lr_finder import find_learning_rate

    with stages() as show:
        found = find_learning_rate(recipe, data=data, out=out, fold=fold, n_batches=batches, on_progress=show)
    typer.echo(f"The loss falls fastest at a learning rate of {found.suggested_rate:.2g}.")
    typer.echo(f"It is lowest at {found.lowest_loss_rate:.2g}: stay below. Plot and table are in {out}.")
    typer.echo(f"Train with it: --set learning_rate={found.suggested_rate:.2g}")


@app.command(epilog=example("ablate --data ham10000 --out runs/ablation --rows base,focal,mixup"))
def ablate(
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A folder a row, and the tables.")],
    rows: Annotated[str | None, typer.Option("--rows", metavar="NAME,...", help="Which rows; default: all.")] = None,
    fold: Annotated[int, typer.Option("--fold", metavar="K", help="The fold that validates.")] = 0,
    pretrained: Annotated[
        str, typer.Option("--pretrained", metavar="FILE", help="Starting weights; default: Keras downloads ImageNet's.")
    ] = "",
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Keep finished rows and go on with half ones.")
    ] = True,
) -> None:
    """Train one small recipe, changed in one place a row, all under the same budget. A row that fails stops no other."""
    from ..training.ablation import run_ablation

    log_to_terminal()
    with stages() as show:
        outcome = run_ablation(
            data=data,
            out=out,
            rows=rows.split(",") if rows else None,
            fold=fold,
            pretrained=pretrained,
            resume=resume,
            on_progress=show,
        )
    typer.echo(f"{count(len(outcome.experiments), 'row')} measured: {out / 'ablation.md'}.")
    if outcome.failed:
        reasons = " ".join(f"{name}: {reason}" for name, reason in outcome.failed.items())
        raise TrainingError(f"{count(len(outcome.failed), 'row')} failed. {reasons}")


@app.command(epilog=example("experiments runs/ablation --markdown docs/ablations.md"))
def experiments(
    places: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Runs, folders of runs, or folders of records.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The table as CSV; default: printed.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="The table as Markdown.")] = None,
) -> None:
    """Compare training runs: what was changed, how well each validated, and in which fields they differ."""
    from ..evaluation.experiments import (
        differing_fields,
        experiment_rows,
        markdown_page,
        read_experiments,
        rows_as_csv,
    )
    from ..evaluation.files import write_file

    found = read_experiments(places)
    table = experiment_rows(found)
    if out is not None:
        write_file(out, rows_as_csv(table).encode())
    if markdown is not None:
        write_file(markdown, markdown_page(found).encode())
    if out is None and markdown is None:
        typer.echo(rows_as_csv(table), nl=False)
    typer.echo(
        f"{count(len(found), 'run')}; they differ in: {', '.join(differing_fields(found)) or 'nothing'}.", err=True
    )
