"""Commands that bring public archives, and one's own photos, into the form that training reads: data import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import count, example, make_app, progress
from .data import data_app

import_app = make_app("Bring an archive into the form that training and evaluation read.")
data_app.add_typer(import_app, name="import")


@import_app.command("ham10000", epilog=example("data import ham10000 --source downloads --out ham10000"))
def import_ham10000(
    source: Annotated[Path, typer.Option("--source", metavar="DIR", help="The unpacked public archive.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The data set folder to make, or to go on with.")],
    isic2019_labels: Annotated[
        Path | None,
        typer.Option("--isic2019-labels", metavar="CSV", help="ISIC 2019's ground truth, which parts akiec."),
    ] = None,
) -> None:
    """Make the 200x150 view of HAM10000 with the shipped split; photos already made are kept."""
    from ..datasets.ham10000 import import_ham10000 as make_view

    with progress("Importing") as show:
        summary = make_view(source, out, isic2019_labels=isic2019_labels, on_progress=show)
    typer.echo(
        f"{count(summary.n_photos, 'photo')} in {out}, {summary.n_made} made now; "
        f"{summary.n_outside_split} of the archive are not in the split."
    )
    if summary.missing:
        shown = ", ".join(summary.missing[:5])
        typer.echo(f"Warning: the source lacks {count(len(summary.missing), 'photo')}, such as {shown}.", err=True)
