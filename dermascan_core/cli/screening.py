"""Commands that answer for photos: screen, examples."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..domain import ImageType
from ..errors import DatasetError
from .common import PROGRAM, EngineOption, ModelOption, app, count, example, make_app, progress

if TYPE_CHECKING:
    from ..model.predictor import Predictor
    from ..services.batch import BatchItem, BatchSummary
    from ..services.screeners import Screener

_TAKEN_AS_DERMOSCOPIC = (
    "The photos are taken as dermoscopic ones. For photos of a phone or camera add: --image-type clinical"
)

examples_app = make_app("Real example photos.")
app.add_typer(examples_app, name="examples")


@app.command(epilog=example("screen photos/ --metadata people.csv --out answers.csv"))
def screen(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Photos, and folders of photos.")],
    metadata: Annotated[
        Path | None, typer.Option("--metadata", metavar="CSV", help="Age, sex, site ... by image or image_id.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A .csv or .jsonl file; without it, CSV is printed.")
    ] = None,
    model: ModelOption = "dermascan",
    engine: EngineOption = "auto",
    cluster: Annotated[
        str | None,
        typer.Option("--engine-cluster", metavar="ADDRESS", help="Let a Dask cluster answer: its scheduler's address."),
    ] = None,
    image_type: Annotated[
        ImageType | None, typer.Option("--image-type", help="How the photos were taken.  [default: dermoscopic]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep what --out holds already, and go on.")] = False,
    repeatability: Annotated[
        bool, typer.Option("--repeatability", help="Also count how often small changes of a photo change its answer.")
    ] = False,
) -> None:
    """Screen files and folders: one line a photo, in input order, written as it goes."""
    from ..services import batch
    from ..services.row_file import OUT_ENDINGS
    from ..services.withholding import read_withholding

    if out is not None and out.suffix.lower() not in OUT_ENDINGS:
        raise typer.BadParameter(f"Expected a file that ends in .csv or .jsonl. Received '{out}'.", param_hint="--out")
    if resume and out is None:
        raise typer.BadParameter("Expected --out FILE with --resume: there is nothing to go on from.")
    files, n_others = batch.find_photo_files(paths, out=out)
    if not files:
        raise DatasetError(f"Expected photos in {', '.join(map(str, paths))}. There are none. Check the path.")
    table = None if metadata is None else batch.read_metadata_table(metadata)
    if image_type is None:
        typer.echo(_TAKEN_AS_DERMOSCOPIC, err=True)
    if (withholding := read_withholding()).bars_calm:
        typer.echo(withholding.words, err=True)
    # Rows on a terminal are progress enough; a bar would tear them.
    hides_bar = out is None and sys.stdout.isatty()
    with _screener(model, engine, cluster) as screener, progress("Screening", is_hidden=hides_bar) as show:
        print_item = _row_printer(screener.manifest.codes) if out is None else None

        def on_progress(n_done: int, n_photos: int, item: BatchItem) -> None:
            if print_item:
                print_item(item)
            show(n_done, n_photos)

        summary = batch.screen_files(
            files,
            predictor=screener,
            metadata=table,
            image_type=image_type or ImageType.DERMOSCOPIC,
            out=out,
            resume=resume,
            repeat=repeatability,
            on_progress=on_progress,
        )
    _say_batch(summary, n_others)


@contextmanager
def _screener(model: str, engine: str, cluster: str | None) -> Iterator[Predictor | Screener]:
    """Give what answers: this computer's cores, or the cluster at an address."""
    if cluster is None:
        from ..model.litert_engine import n_cores
        from ..services import models

        yield models.load_predictor(model, engine, n_threads=n_cores())
        return
    from ..services.cluster import connect

    with connect(cluster, model=model, engine=engine, say=lambda sentence: typer.echo(sentence, err=True)) as screener:
        yield screener


def _row_printer(codes: Sequence[str]) -> Callable[[BatchItem], None]:
    """Print the header; return what prints the rows."""
    import csv

    from ..reports.export import photo_row, screen_columns

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold what the terminal lacks
    writer = csv.DictWriter(sys.stdout, screen_columns(codes), restval="", lineterminator="\n")
    writer.writeheader()

    def print_item(item: BatchItem) -> None:
        writer.writerow(photo_row(item.screening.photos[0], item.screening))
        sys.stdout.flush()

    return print_item


def _say_batch(summary: BatchSummary, n_others: int) -> None:
    from ..triage.wording import DISCLAIMER

    statuses = ", ".join(f"{n} {status}" for status, n in sorted(summary.statuses.items()))
    resumed = f" ({summary.n_resumed} of them earlier)" if summary.n_resumed else ""
    others = f" {count(n_others, 'other file')} left out." if n_others else ""
    rate = "" if summary.photos_per_s is None else f" {summary.photos_per_s:.1f} photos a second."
    typer.echo(f"{count(summary.n_photos, 'photo')}{resumed}: {statuses}.{others}{rate}", err=True)
    unused = [f"{count(len(summary.unused_rows), 'metadata row')} matched no photo."] if summary.unused_rows else []
    for sentence in (*summary.metadata_errors, *unused, DISCLAIMER):
        typer.echo(sentence, err=True)


@examples_app.command("fetch", epilog=example("examples fetch --out examples --count 6"))
def fetch_examples(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to put them in.")] = Path("examples"),
    n_photos: Annotated[int, typer.Option("--count", min=1, max=50, help="How many photos.")] = 6,
    api_url: Annotated[
        str | None, typer.Option("--api-url", metavar="URL", help="Another address of the archive's interface.")
    ] = None,
) -> None:
    """Download a few public-domain (CC0) dermoscopic photos from the ISIC archive."""
    from ..services import isic_examples

    with progress("Fetching") as show:
        chosen_url = api_url or isic_examples.API_URL
        paths = isic_examples.fetch_examples(out, n_photos=n_photos, api_url=chosen_url, on_progress=show)
    typer.echo(f"{count(len(paths), 'photo')} in {out}, with their licences in metadata.csv.")
    typer.echo(f"Try: {PROGRAM} screen {out} --metadata {out / 'metadata.csv'}", err=True)
