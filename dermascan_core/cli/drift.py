"""The command that asks whether new photos are of the kind that a model was measured on: drift."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain import ImageType
from ..errors import DatasetError
from .common import EngineOption, ImageTypeOption, ModelOption, app, count, example, progress

if TYPE_CHECKING:
    from ..evaluation.drift import Signal


@app.command(epilog=example("drift photos/this-month --image-type clinical"))
def drift(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Photos, or folders of them.")],
    limit: Annotated[int, typer.Option("--limit", min=1, metavar="N", help="At most N photos, drawn at random.")] = 500,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.json", help="Also write the counts there.")] = None,
    model: ModelOption = "dermascan",
    engine: EngineOption = "auto",
    image_type: ImageTypeOption = ImageType.DERMOSCOPIC,
) -> None:
    """Count how many new photos are refused, unsure, or unlike all that the model learnt from, beside what is usual."""
    import numpy as np

    from ..evaluation.drift import MIN_PHOTOS, has_drifted
    from ..evaluation.files import write_file
    from ..services import batch, models
    from ..services.drift import find_drift, screen_for_drift

    files, _ = batch.find_photo_files(paths)
    if not files:
        raise DatasetError(f"Expected photos in {', '.join(map(str, paths))}. There are none. Check the path.")
    drawn = np.random.default_rng(0).permutation(len(files))[:limit]
    chosen = [files[place] for place in sorted(drawn)]
    predictor = models.load_predictor(model, engine)
    with progress("Looking") as show:
        photos = screen_for_drift(chosen, predictor, image_type=image_type, on_progress=show)
    signals = find_drift(photos, predictor.manifest, image_type=image_type)
    typer.echo(f"{count(len(photos), 'photo')}, beside those that {model} was measured on ({image_type}):")
    for line in _lines(signals):
        typer.echo(line)
    if len(photos) < MIN_PHOTOS:
        typer.echo(f"Expected {MIN_PHOTOS} photos or more to say what is usual. Give more.")
    elif has_drifted(signals):
        typer.echo("These photos are of another kind: the measured figures may not hold for them.")
    else:
        typer.echo("No sign that these photos are of another kind. How many answers are right, only outcomes tell.")
    if out is not None:
        found = {
            "model": model,
            "image_type": str(image_type),
            "n": len(photos),
            "signals": [s.to_dict() for s in signals],
        }
        write_file(out, (json.dumps(found, indent=1) + "\n").encode())


def _lines(signals: Sequence[Signal]) -> list[str]:
    from ..evaluation.drift import SIGNALS

    lines = []
    for signal in signals:
        share, usual = signal.share, signal.usual
        said = (
            "" if share.low is None or share.high is None else f" ({100 * share.low:.0f} to {100 * share.high:.0f} %)"
        )
        beside = "" if usual is None or usual.value is None else f"; usual {100 * usual.value:.0f} %"
        shown = "" if share.value is None else f", {100 * share.value:.0f} %"
        lines.append(f"- {share.n_true} of {share.n}{shown}{said} {SIGNALS[signal.name]}{beside}: {signal.verdict}")
    return lines
