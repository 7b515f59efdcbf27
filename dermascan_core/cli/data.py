"""Commands that make and check data sets: data verify, split, download and sheet; the imports lie beside."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .common import app, count, example, make_app, progress, stages

data_app = make_app("Make and check data sets.")
app.add_typer(data_app, name="data")


class Scheme(StrEnum):
    """How a data set is parted; the same names as ``datasets.split.SCHEMES``."""

    KFOLD = "kfold"
    EIGHTY = "80-10-10"
    SEVENTY = "70-20-10"


FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="The data set: metadata.csv and images/.")]
SchemeOption = Annotated[Scheme, typer.Option("--scheme", help="Folds, or shares of train, validation and test.")]
FoldsOption = Annotated[int, typer.Option("--folds", min=2, help="Of the scheme kfold.")]
TestShareOption = Annotated[
    float, typer.Option("--test-share", min=0.0, max=0.5, help="Of the scheme kfold: share kept for the last look.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the split.")]
NoDuplicatesOption = Annotated[
    bool, typer.Option("--no-duplicates", help="Do not look for photos that occur twice; faster.")
]


@data_app.command("verify", epilog=example("data verify ham10000 --out report.json --fix ham10000-clean"))
def verify(
    folder: FolderArgument,
    out: Annotated[Path | None, typer.Option("--out", metavar="JSON", help="Write the whole report there.")] = None,
    fix: Annotated[
        Path | None, typer.Option("--fix", metavar="DIR", help="Write a cleaned copy there; the source stays as it is.")
    ] = None,
) -> None:
    """Check a data set: broken, missing and doubled photos, contradicting labels, and leaks between its parts.

    Exits with 1 when something would stop a training or flatter its result.
    """
    from ..datasets.clean import write_cleaned
    from ..datasets.verify import describe, verify_dataset
    from ..evaluation.files import write_file

    with stages() as show:
        report = verify_dataset(folder, on_progress=show)
    for line in describe(report):
        typer.echo(line)
    if out is not None:
        write_file(out, report.to_json().encode())
        typer.echo(f"Written to {out}.", err=True)
    if fix is not None:
        with progress("Linking photos") as advance:
            done = write_cleaned(report, fix, on_progress=advance)
        removed = ", ".join(f"{code} {n:,}" for code, n in sorted(done.removed.items())) or "none"
        typer.echo(f"{count(done.n_kept, 'row')} kept in {fix}; taken out (see removed.csv): {removed}.", err=True)
        typer.echo(f"{count(done.n_blanked, 'cell')} that could not be true now unknown.", err=True)
    if not report.is_sound:
        raise typer.Exit(1)


@data_app.command("split", epilog=example("data split mine --scheme kfold --folds 5"))
def split(
    folder: FolderArgument,
    scheme: SchemeOption = Scheme.KFOLD,
    n_folds: FoldsOption = 5,
    test_share: TestShareOption = 0.1,
    seed: SeedOption = 0,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="CSV", help="Write the table there, not over the data set's own.")
    ] = None,
    must_replace: Annotated[bool, typer.Option("--replace", help="Replace a split that is there.")] = False,
    no_duplicates: NoDuplicatesOption = False,
) -> None:
    """Part a data set by class, with all photos of a person, a lesion or a picture in one part."""
    from ..datasets.form import split_dataset
    from ..datasets.split import split_parts

    with stages() as show:
        places = split_dataset(
            folder,
            split_parts(scheme.value, n_folds=n_folds, test_share=test_share),
            out=out,
            seed=seed,
            must_replace=must_replace,
            find_same=not no_duplicates,
            on_progress=show,
        )
    for (part, fold), n in places.items():
        typer.echo(f"{part} {f'fold {fold}' if fold else ''}".strip() + f": {count(n, 'photo')}")
    typer.echo(f"Written to {out or folder / 'metadata.csv'}.", err=True)


@data_app.command("download", epilog=example("data download --out isic --query image_type:dermoscopic --count 50"))
def download(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The data set folder to make, or to go on with.")],
    query: Annotated[str, typer.Option("--query", help="In the ISIC archive's search language.")] = "",
    collections: Annotated[
        list[int] | None, typer.Option("--collection", metavar="N", help="A collection's number; repeat it.")
    ] = None,
    n_photos: Annotated[int, typer.Option("--count", min=1, help="At most so many photos.")] = 100,
    api_url: Annotated[
        str | None, typer.Option("--api-url", metavar="URL", help="Another address of the archive's interface.")
    ] = None,
) -> None:
    """Download photos with diagnoses, licences and attributions from the ISIC archive; needs the internet.

    Stopped and started again, it goes on. Exits with 1 when some photos could not be had.
    """
    from ..datasets.download import download_photos
    from ..datasets.isic_api import API_URL, IsicApi

    with progress("Downloading") as show:
        done = download_photos(
            out,
            query=query,
            collections=",".join(str(number) for number in collections or []),
            n_photos=n_photos,
            api=IsicApi(api_url or API_URL, attempts=5),
            on_progress=show,
        )
    licences = ", ".join(f"{name} {n:,}" for name, n in sorted(done.licences.items()))
    typer.echo(
        f"{count(done.n_photos, 'photo')} in {out}, {done.n_fetched} fetched now. Licences: {licences or 'none'}."
    )
    typer.echo(
        "Licence and attribution of each photo stand in metadata.csv. Next: data split, then data verify.", err=True
    )
    if done.failed:
        shown = "; ".join(list(done.failed.values())[:3])
        typer.echo(f"Error: {count(len(done.failed), 'photo')} could not be had: {shown} Start it again.", err=True)
        raise typer.Exit(1)


@data_app.command(
    "sheet", epilog=example("data sheet ham10000 --out docs/data-sheet.md --chart docs/images/classes.png")
)
def sheet(
    folder: FolderArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.md", help="The page to write.")],
    chart: Annotated[
        Path | None,
        typer.Option("--chart", metavar="FILE.png", help="The chart to write; without it, beside the page."),
    ] = None,
) -> None:
    """Describe a data set: counts by class, part and source, people, sites, sizes, how diagnoses were confirmed."""
    from ..datasets.sheet import write_sheet

    write_sheet(folder, out, chart=chart)
    typer.echo(f"Written to {out}.", err=True)
