"""Commands about what is installed: models, doctor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import DatasetError
from .common import EngineOption, ModelOption, app, count, example

if TYPE_CHECKING:
    from ..model.manifest import Manifest


@app.command(name="models", epilog=example("models --presets"))
def list_models(
    presets: Annotated[bool, typer.Option("--presets", help="The training recipes instead.")] = False,
) -> None:
    """List what ships: name, classes, size, measured results, sha256; or the training recipes."""
    from ..services import models
    from ..services.model_list import describe_model

    manifests = models.list_models()
    if presets:
        _say_presets(manifests)
        return
    if not manifests:
        raise DatasetError(f"Expected models in '{models.WEIGHTS_DIR}'. There are none. Restore the folder weights/.")
    for manifest in manifests:
        for line in describe_model(manifest):
            typer.echo(line)


def _say_presets(manifests: Sequence[Manifest]) -> None:
    from ..services.model_list import measured_lines
    from ..training.presets import PRESETS

    for name, preset in PRESETS.items():
        typer.echo(
            f"{name}: {preset.backbone}, {preset.input_px} px, {preset.warmup_epochs} + {preset.epochs} epochs, "
            f"batch {preset.batch_size}, learning rate {preset.learning_rate:g}"
        )
        released = [m for m in manifests if m.training.get("recipe", {}).get("backbone") == preset.backbone]
        for manifest in released if preset.pretrained != "none" else []:
            for line in measured_lines(manifest):
                typer.echo(f"  as {manifest.name}, {line}")
        if not released or preset.pretrained == "none":
            typer.echo("  no measured release")


@app.command(epilog=example("doctor"))
def doctor(model: ModelOption = "dermascan", engine: EngineOption = "auto") -> None:
    """Check the installation: Python, packages, weights, disk, engine; say what to do."""
    from ..services.doctor import check_installation
    from ..services.models import load_predictor

    n_wrong = 0
    for check in check_installation(model=model, engine=engine, load=load_predictor):
        typer.echo(f"{'ok   ' if check.is_well else 'WRONG'}  {check.name}: {check.found}")
        if not check.is_well:
            n_wrong += 1
            typer.echo(f"       {check.advice}")
    if n_wrong:
        typer.echo(f"{count(n_wrong, 'thing')} to mend; see above.", err=True)
        raise typer.Exit(1)
    typer.echo("Everything works.", err=True)
