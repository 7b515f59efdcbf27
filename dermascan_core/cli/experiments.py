"""Commands that compare recipes: lr-find, ablate, frozen-unit, experiments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import TrainingError
from .common import app, count, example, stages
from .quiet_start import hide_start_up_lines
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
    for name, reason in outcome.skipped.items():
        typer.echo(f"Left out {name}: {reason}")
    if outcome.failed:
        reasons = " ".join(f"{name}: {reason}" for name, reason in outcome.failed.items())
        raise TrainingError(f"{count(len(outcome.failed), 'row')} failed. {reasons}")


@app.command(epilog=example("frozen-unit --data ham10000 --out runs/unit --pretrained imagenet --test"))
def frozen_unit(
    data: DataOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder: network, course and result.json.")],
    backbone: Annotated[str, typer.Option("--backbone", metavar="NAME", help="The frozen network.")] = "inception_v3",
    pretrained: Annotated[
        str, typer.Option("--pretrained", metavar="FILE", help="Its weights; default: Keras downloads ImageNet's.")
    ] = "imagenet",
    input_px: Annotated[int, typer.Option("--input-px", min=75, max=600, help="Side of its square.")] = 224,
    fold: Annotated[int, typer.Option("--fold", metavar="K", help="The fold that chooses the epoch.")] = 0,
    with_test: Annotated[
        bool, typer.Option("--test", help="Measure the test split too: for the last look at a finished network.")
    ] = False,
) -> None:
    """Train one sigmoid unit on a frozen network: melanoma against nevus and keratosis, as system 003 of the ledger did."""
    hide_start_up_lines()
    from ..model.backbones import BACKBONES
    from ..training.frozen_unit import UnitRecipe, train_unit

    if backbone not in BACKBONES:
        raise typer.BadParameter(
            f"Expected one of {', '.join(BACKBONES)}. Received '{backbone}'.", param_hint="--backbone"
        )
    recipe = UnitRecipe(backbone, pretrained, input_px)
    with stages() as show:
        result = train_unit(recipe, data=data, out=out, fold=fold, with_test=with_test, on_progress=show)
    typer.echo(
        f"{result['n_trained_parameters']:,} of {result['n_parameters']:,} parameters trained on "
        f"{result['n_train']:,} photos; best epoch {result['best_epoch']} of {result['epochs_run']}."
    )
    for part in ("validation", "test"):
        if result[part]:
            values = {
                name.removeprefix("melanoma_vs_nv_bkl_"): v["value"] for name, v in result[part]["values"].items()
            }
            typer.echo(
                f"{part}: " + ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in values.items())
            )
    typer.echo(f"Written to {out}.")


@app.command(epilog=example("experiments runs/ablation --markdown docs/ablations.md"))
def experiments(
    places: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Runs, folders of runs, or folders of records.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The table as CSV; default: printed.")
    ] = None,
    markdown: Annotated[Path | None, typer.Option("--markdown", metavar="FILE", help="The table as Markdown.")] = None,
    plots: Annotated[
        Path | None, typer.Option("--plots", metavar="DIR", help="Gets scores.png, learning-curve.png, epochs.png.")
    ] = None,
) -> None:
    """Compare training runs: what was changed, how well each validated, and in which fields they differ."""
    from ..evaluation.experiments import (
        differing_fields,
        experiment_rows,
        markdown_page,
        read_experiments,
        rows_as_csv,
    )
    from ..evaluation.files import prepare_folder, write_file

    found = read_experiments(places)
    table = experiment_rows(found)
    if out is not None:
        write_file(out, rows_as_csv(table).encode())
    if markdown is not None:
        write_file(markdown, markdown_page(found).encode())
    if out is None and markdown is None:
        typer.echo(rows_as_csv(table), nl=False)
    if plots is not None:
        from ..evaluation.experiment_plots import draw_experiment_plots

        drawn = draw_experiment_plots(found)
        prepare_folder(plots)
        for name, data in drawn.items():
            write_file(plots / name, data)
        typer.echo(f"Drawn in {plots}: {', '.join(drawn) or 'nothing, for no run has a score'}.", err=True)
    typer.echo(
        f"{count(len(found), 'run')}; they differ in: {', '.join(differing_fields(found)) or 'nothing'}.", err=True
    )
