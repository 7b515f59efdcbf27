"""``python -m dermascan_core COMMAND``: says what was asked, calls one service, says what came of it.

Exit 0 when the command did its work (refused photos are work), 1 for a failure, 2 for wrong arguments. Everything
heavy is imported inside the commands, so that ``--help`` is instant.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from .domain import ImageType
from .errors import DatasetError, DermaScanError, TableError

if TYPE_CHECKING:
    from .model.manifest import Manifest
    from .services.batch import BatchItem, BatchSummary

PROGRAM = "python -m dermascan_core"
_TAKEN_AS_DERMOSCOPIC = (
    "The photos are taken as dermoscopic ones. For photos of a phone or camera add: --image-type clinical"
)


class _PlainErrors(TyperGroup):
    """Shows a failure that a person can act on as one sentence, and exits with 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DermaScanError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error


def _app(help: str, **options: Any) -> typer.Typer:
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        **options,
    )


app = _app("Screens photos of skin lesions. Not a medical device. Not a diagnosis.", cls=_PlainErrors)
data_app = _app("Make data sets from public archives.")
import_app = _app("Bring a public archive into the form that training and evaluation read.")
examples_app = _app("Real example photos.")
app.add_typer(data_app, name="data")
data_app.add_typer(import_app, name="import")
app.add_typer(examples_app, name="examples")


def main() -> None:
    """Run the command line. A failure nobody foresaw goes to the log; the user sees its id and no traceback."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.excepthook = _log_unexpected
    typer.main.get_command(app)(prog_name=PROGRAM)


def _example(command: str) -> str:
    return f"\b\nExample:\n  {PROGRAM} {command}"


ModelOption = Annotated[str, typer.Option("--model", metavar="NAME", help="Which model answers; see: models.")]
EngineOption = Annotated[str, typer.Option("--engine", metavar="NAME", help="What runs the network.")]
ImageTypeOption = Annotated[ImageType, typer.Option("--image-type", help="How the photos were taken.")]


@app.command(epilog=_example("screen photos/ --metadata people.csv --out answers.csv"))
def screen(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Photos, and folders of photos.")],
    metadata: Annotated[
        Path | None, typer.Option("--metadata", metavar="CSV", help="Age, sex, site ... by image or image_id.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A .csv or .jsonl file; without it, CSV is printed.")
    ] = None,
    model: ModelOption = "dermascan",
    engine: EngineOption = "keras",
    image_type: Annotated[
        ImageType | None, typer.Option("--image-type", help="How the photos were taken.  [default: dermoscopic]")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Keep what --out holds already, and go on.")] = False,
) -> None:
    """Screen files and folders: one line a photo, in input order, written as it goes."""
    from .services import batch, models
    from .services.row_file import OUT_ENDINGS

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
    predictor = models.load_predictor(model, engine)
    print_item = _row_printer(predictor.manifest.codes) if out is None else None
    # Rows on a terminal are progress enough; a bar would tear them.
    with _progress("Screening", is_hidden=out is None and sys.stdout.isatty()) as show:

        def on_progress(n_done: int, n_photos: int, item: BatchItem) -> None:
            if print_item:
                print_item(item)
            show(n_done, n_photos)

        summary = batch.screen_files(
            files,
            predictor=predictor,
            metadata=table,
            image_type=image_type or ImageType.DERMOSCOPIC,
            out=out,
            resume=resume,
            on_progress=on_progress,
        )
    _say_batch(summary, n_others)


def _row_printer(codes: Sequence[str]) -> Callable[[BatchItem], None]:
    """Print the header; return what prints the rows."""
    import csv

    from .reports.export import photo_row, screen_columns

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name may hold what the terminal lacks
    writer = csv.DictWriter(sys.stdout, screen_columns(codes), restval="", lineterminator="\n")
    writer.writeheader()

    def print_item(item: BatchItem) -> None:
        writer.writerow(photo_row(item.screening.photos[0], item.screening))
        sys.stdout.flush()

    return print_item


def _say_batch(summary: BatchSummary, n_others: int) -> None:
    from .triage.wording import DISCLAIMER

    statuses = ", ".join(f"{n} {status}" for status, n in sorted(summary.statuses.items()))
    resumed = f" ({summary.n_resumed} of them earlier)" if summary.n_resumed else ""
    others = f" {_count(n_others, 'other file')} left out." if n_others else ""
    typer.echo(f"{_count(summary.n_photos, 'photo')}{resumed}: {statuses}.{others}", err=True)
    unused = [f"{_count(len(summary.unused_rows), 'metadata row')} matched no photo."] if summary.unused_rows else []
    for sentence in (*summary.metadata_errors, *unused, DISCLAIMER):
        typer.echo(sentence, err=True)


@app.command(epilog=_example("evaluate --images ham10000/images --labels ham10000/metadata.csv --split test --out out"))
def evaluate(
    images: Annotated[Path, typer.Option("--images", metavar="DIR", help="Folder of the photos.")],
    labels: Annotated[Path, typer.Option("--labels", metavar="CSV", help="image_id and dx (or target 0/1).")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets predictions.csv, metrics.json and plots.")],
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="Only rows of this split.")] = "",
    no_metadata: Annotated[
        bool, typer.Option("--no-metadata", help="Do not tell the model age, sex and site.")
    ] = False,
    model: ModelOption = "dermascan",
    engine: EngineOption = "keras",
    image_type: ImageTypeOption = ImageType.DERMOSCOPIC,
) -> None:
    """Predict every labelled photo and measure the answers, with 95 % intervals."""
    from .evaluation.evaluate import evaluate_photos
    from .evaluation.summary import describe_evaluation, evaluation_warnings
    from .services import models
    from .tables import find_photos, read_labels

    problems: list[str] = []
    photos = read_labels(labels, problems=problems)
    for problem in problems:
        typer.echo(f"Warning: {problem}", err=True)
    if split:
        found = sorted({p.split for p in photos} - {""})
        photos = [p for p in photos if p.split == split]
        if not photos:
            raise TableError(
                f"Expected rows of the split '{split}' in '{labels.name}'. It has: {', '.join(found) or 'no split'}. "
                "Correct --split, or leave it out."
            )
    files = find_photos(images, [p.image_id for p in photos])
    predictor = models.load_predictor(model, engine)
    with _progress("Evaluating") as show:
        done = evaluate_photos(
            predictor,
            photos,
            files,
            out=out,
            use_metadata=not no_metadata,
            split=split,
            image_type=image_type,
            on_progress=show,
        )
    for line in describe_evaluation(done.metrics):
        typer.echo(line)
    for warning in evaluation_warnings(done.metrics):
        typer.echo(f"Warning: {warning}", err=True)
    typer.echo(f"Written to {out}.", err=True)


@app.command(epilog=_example("train mobilenet_v2 --data ham10000 --out runs/first --set epochs=12"))
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
    from .training.presets import PRESETS, override

    if preset not in PRESETS:
        raise typer.BadParameter(f"Expected one of {', '.join(PRESETS)}. Received '{preset}'.", param_hint="PRESET")
    try:
        recipe = override(PRESETS[preset], settings or [])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error
    from .training import fit

    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("dermascan_core").setLevel(logging.INFO)
    with _stages() as show:
        result = fit.train(recipe, data=data, out=out, fold=fold, resume=resume, on_progress=show)
    measures = ", ".join(f"{name} {value:.4f}" for name, value in result.best.items())
    typer.echo(f"Best epoch {result.best_epoch}: {measures}. Written to {result.out}.")


@app.command(epilog=_example("release runs/first --data ham10000 --name dermascan"))
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
    from .services.models import WEIGHTS_DIR

    if not name or Path(name).name != name or name.startswith("."):
        raise typer.BadParameter(f"Expected a plain name. Received '{name}'.", param_hint="--name")
    if card is not None and no_evaluation:
        raise typer.BadParameter("Expected --card without --no-evaluation: the card shows what was measured.")
    from .training.publish import publish_release
    from .training.release import make_release

    to = weights_dir or WEIGHTS_DIR
    with _stages() as show:
        manifest = make_release(run, data=data, name=name, weights_dir=to, on_progress=show)
        if not no_evaluation:
            manifest = publish_release(name, data=data, weights_dir=to, card=card, external=external, on_progress=show)
    typer.echo(f"{manifest.name}: threshold {manifest.threshold:.4f} ({manifest.threshold_rule}).")
    typer.echo(f"sha256 {manifest.sha256}")
    _say_measures(manifest.metrics)


def _say_measures(evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    from .evaluation.summary import summary_lines

    for which, metrics in evaluations.items():
        typer.echo(f"On {which}:")
        for line in summary_lines(metrics["summary"]):
            typer.echo(f"  {line}")


@app.command(name="models", epilog=_example("models --presets"))
def list_models(
    presets: Annotated[bool, typer.Option("--presets", help="The training recipes instead.")] = False,
) -> None:
    """List what ships: name, classes, size, measured results, sha256; or the training recipes."""
    from .services import models
    from .services.model_list import describe_model

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
    from .services.model_list import measured_lines
    from .training.presets import PRESETS

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


@app.command(epilog=_example("doctor"))
def doctor(model: ModelOption = "dermascan", engine: EngineOption = "keras") -> None:
    """Check the installation: Python, packages, weights, disk, engine; say what to do."""
    from .services.doctor import check_installation
    from .services.models import load_predictor

    n_wrong = 0
    for check in check_installation(model=model, engine=engine, load=load_predictor):
        typer.echo(f"{'ok   ' if check.is_well else 'WRONG'}  {check.name}: {check.found}")
        if not check.is_well:
            n_wrong += 1
            typer.echo(f"       {check.advice}")
    if n_wrong:
        typer.echo(f"{_count(n_wrong, 'thing')} to mend; see above.", err=True)
        raise typer.Exit(1)
    typer.echo("Everything works.", err=True)


@import_app.command("ham10000", epilog=_example("data import ham10000 --source downloads --out ham10000"))
def import_ham10000(
    source: Annotated[Path, typer.Option("--source", metavar="DIR", help="The unpacked public archive.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The data set folder to make, or to go on with.")],
    isic2019_labels: Annotated[
        Path | None,
        typer.Option("--isic2019-labels", metavar="CSV", help="ISIC 2019's ground truth, which parts akiec."),
    ] = None,
) -> None:
    """Make the 200x150 view of HAM10000 with the shipped split; photos already made are kept."""
    from .training.import_ham10000 import import_ham10000 as make_view

    with _progress("Importing") as show:
        summary = make_view(source, out, isic2019_labels=isic2019_labels, on_progress=show)
    typer.echo(
        f"{_count(summary.n_photos, 'photo')} in {out}, {summary.n_made} made now; "
        f"{summary.n_outside_split} of the archive are not in the split."
    )
    if summary.missing:
        shown = ", ".join(summary.missing[:5])
        typer.echo(f"Warning: the source lacks {_count(len(summary.missing), 'photo')}, such as {shown}.", err=True)


@examples_app.command("fetch", epilog=_example("examples fetch --out examples --count 6"))
def fetch_examples(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to put them in.")] = Path("examples"),
    count: Annotated[int, typer.Option("--count", min=1, max=50, help="How many photos.")] = 6,
    api_url: Annotated[
        str | None, typer.Option("--api-url", metavar="URL", help="Another address of the archive's interface.")
    ] = None,
) -> None:
    """Download a few public-domain (CC0) dermoscopic photos from the ISIC archive."""
    from .services import isic_examples

    with _progress("Fetching") as show:
        chosen_url = api_url or isic_examples.API_URL
        paths = isic_examples.fetch_examples(out, n_photos=count, api_url=chosen_url, on_progress=show)
    typer.echo(f"{_count(len(paths), 'photo')} in {out}, with their licences in metadata.csv.")
    typer.echo(f"Try: {PROGRAM} screen {out} --metadata {out / 'metadata.csv'}", err=True)


@contextmanager
def _progress(sentence: str, *, is_hidden: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Give a function of (done, total) that moves a bar on a terminal, and does nothing when piped."""
    with _stages(is_hidden=is_hidden) as show:
        yield lambda done, total: show(sentence, done, total)


@contextmanager
def _stages(*, is_hidden: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """The same with a sentence first: each has a bar of its own."""
    if is_hidden or not sys.stderr.isatty():
        yield lambda sentence, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def show(sentence: str, done: int, total: int) -> None:
            if sentence not in tasks:
                tasks[sentence] = bar.add_task(sentence, total=total)
            bar.update(tasks[sentence], completed=done, total=total)

        yield show


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _log_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from .services.failure_log import record_failure

    typer.echo(f"Error: {record_failure(error.with_traceback(trace), what=' '.join(sys.argv[1:]))}", err=True)
