"""The command that writes photos as DICOM files."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..domain import ImageType
from .common import app, count, example, progress

COLUMNS = ("image", "file", "person", "lesion", "reason")


@app.command("export-dicom", epilog=example("export-dicom photos/ --image-type dermoscopic --out dicom"))
def export_dicom(
    place: Annotated[Path, typer.Argument(metavar="PATH", help="A photo, a folder of photos, or a zip file of them.")],
    image_type: Annotated[
        ImageType,
        typer.Option("--image-type", help="How the photos were taken, where table and DICOM files do not say."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the DICOM files go.")],
    metadata: Annotated[
        Path | None, typer.Option("--metadata", metavar="CSV", help="Age, sex, site, patient_id, lesion_id by image.")
    ] = None,
    pseudonym: Annotated[
        str, typer.Option("--pseudonym", metavar="TEXT", help="Of the one person whose photos these are.")
    ] = "",
) -> None:
    """Write photos as DICOM files that name nobody; print which file is whose. Nothing is screened."""
    from ..services.dicom_export import MAX_PHOTOS, export_photos
    from ..services.photo_plans import plan_all
    from ..tables import safe_cell

    planned = plan_all(place, metadata, image_type=image_type, max_photos=MAX_PHOTOS)
    for sentence in planned.problems:
        typer.echo(sentence, err=True)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold what the terminal lacks
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    n_written = n_refused = 0
    with progress("Writing", is_hidden=sys.stdout.isatty()) as show:
        for done in export_photos(planned, out, pseudonym=pseudonym, on_progress=show):
            writer.writerow(
                [safe_cell(cell) for cell in (done.photo, done.file, done.person, done.lesion, done.reason)]
            )
            n_written, n_refused = n_written + bool(done.file), n_refused + bool(done.reason)
    refused = f", {n_refused} refused" if n_refused else ""
    typer.echo(f"{count(n_written, 'DICOM file')} in {out}{refused}. Keep the lines above apart from them.", err=True)
