"""Commands that make models: train, release."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from .common import app, example, stages


@app.command(epilog=example("train mobilenet_v2 --data ham10000 --out runs/first --set epochs=12"))
def train(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help="A recipe; see: models --presets.")],
    data: Annotated[
        list[Path], typer.Option("--data", metavar="DIR", help="A data set: metadata.csv and images/; repeatable.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The run's folder.")],
    fold: Annotated[int, typer.Option("--fold", metavar="K", help="The fold that validates.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last whole epoch.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one field of the recipe; repeatable.")
    ] = None,
) -> None:
    """Train one recipe. Refuses a data set that leaks between its splits; resumes after a kill."""
    from ..training.presets import PRESETS, override

    if preset not in PRESETS:
        raise typer.BadParameter(f"Expected one of {', '.join(PRESETS)}. Received '{preset}'.", param_hint="PRESET")
    try:
        recipe = override(PRESETS[preset], settings or [])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error
    from ..training import fit

    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("dermascan_core").setLevel(logging.INFO)
    with stages() as show:
        result = fit.train(recipe, data=data, out=out, fold=fold, resume=resume, on_progress=show)
    measures = ", ".join(f"{name} {value:.4f}" for name, value in result.best.items())
    typer.echo(f"Best epoch {result.best_epoch}: {measures}. Written to {result.out}.")


@app.command(epilog=example("release runs/first --data ham10000 --name dermascan"))
def release(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished training run.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the model.")],
    data: Annotated[list[Path], typer.Option("--data", metavar="DIR", help="The data set that it was trained on.")],
    weights_dir: Annotated[
        Path | None, typer.Option("--weights-dir", metavar="DIR", help="Where it goes; default: weights/.")
    ] = None,
    card: Annotated[Path | None, typer.Option("--card", metavar="FILE", help="Also write the model card.")] = None,
    external: Annotated[list[Path] | None, typer.Option(help="Another archive to measure too; repeatable.")] = None,
    no_evaluation: Annotated[
        bool, typer.Option("--no-evaluation", help="Leave the test split alone: the run is not final.")
    ] = False,
) -> None:
    """Turn a run into weights/NAME.keras and its manifest: calibrated, with a threshold and sets, and measured."""
    from ..services.models import WEIGHTS_DIR

    if not name or Path(name).name != name or name.startswith("."):
        raise typer.BadParameter(f"Expected a plain name. Received '{name}'.", param_hint="--name")
    if card is not None and no_evaluation:
        raise typer.BadParameter("Expected --card without --no-evaluation: the card shows what was measured.")
    from ..training.publish import publish_release
    from ..training.release import make_release

    to = weights_dir or WEIGHTS_DIR
    with stages() as show:
        manifest = make_release(run, data=data, name=name, weights_dir=to, on_progress=show)
        if not no_evaluation:
            manifest = publish_release(name, data=data, weights_dir=to, card=card, external=external, on_progress=show)
    typer.echo(f"{manifest.name}: threshold {manifest.threshold:.4f} ({manifest.threshold_rule}).")
    typer.echo(f"sha256 {manifest.sha256}")
    _say_measures(manifest.metrics)


def _say_measures(evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    from ..evaluation.summary import summary_lines

    for which, metrics in evaluations.items():
        typer.echo(f"On {which}:")
        for line in summary_lines(metrics["summary"]):
            typer.echo(f"  {line}")
