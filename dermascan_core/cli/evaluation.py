"""Commands that measure answers: evaluate, stress, errors, samples, decision-curve, comparison, guidelines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..domain import ImageType
from ..errors import TableError
from .common import EngineOption, ImageTypeOption, ModelOption, app, example, progress

if TYPE_CHECKING:
    from ..tables import LabelledPhoto

ImagesOption = Annotated[Path, typer.Option("--images", metavar="DIR", help="Folder of the photos.")]
LabelsOption = Annotated[Path, typer.Option("--labels", metavar="CSV", help="image_id and dx (or target 0/1).")]
SplitOption = Annotated[str, typer.Option("--split", metavar="NAME", help="Only rows of this split.")]
FoldOption = Annotated[str, typer.Option("--fold", metavar="K", help="Only rows of this fold.")]
NoMetadataOption = Annotated[bool, typer.Option("--no-metadata", help="Do not tell the model age, sex and site.")]


@app.command(epilog=example("evaluate --images ham10000/images --labels ham10000/metadata.csv --split test --out out"))
def evaluate(
    images: ImagesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets predictions.csv, metrics.json and plots.")],
    split: SplitOption = "",
    no_metadata: NoMetadataOption = False,
    model: ModelOption = "dermascan",
    engine: EngineOption = "auto",
    image_type: ImageTypeOption = ImageType.DERMOSCOPIC,
) -> None:
    """Predict every labelled photo and measure the answers, with 95 % intervals."""
    from ..evaluation.evaluate import evaluate_photos
    from ..evaluation.summary import describe_evaluation, evaluation_warnings
    from ..services import models
    from ..tables import find_photos

    photos = read_labelled_rows(labels, split)
    files = find_photos(images, [p.image_id for p in photos])
    predictor = models.load_predictor(model, engine)
    with progress("Evaluating") as show:
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


@app.command(
    epilog=example("stress --images ham10000/images --labels ham10000/metadata.csv --split test --limit 300 --out out")
)
def stress(
    images: ImagesOption,
    labels: LabelsOption,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets stress.json and plots.")],
    split: SplitOption = "",
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="About N photos, each diagnosis in its share; 0: all.")
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw and the damages.")] = 0,
    no_metadata: NoMetadataOption = False,
    model: ModelOption = "dermascan",
    engine: EngineOption = "auto",
    image_type: ImageTypeOption = ImageType.DERMOSCOPIC,
) -> None:
    """Damage every photo (blur, light, JPEG, angle, ink, hairs ...) and measure what is kept of the answers."""
    from ..evaluation.stress_report import describe_stress, run_stress
    from ..services import models
    from ..tables import find_photos

    photos = read_labelled_rows(labels, split)
    files = find_photos(images, [p.image_id for p in photos])
    predictor = models.load_predictor(model, engine)
    with progress("Stressing") as show:
        measured = run_stress(
            predictor,
            photos,
            files,
            out=out,
            limit=limit,
            seed=seed,
            split=split,
            use_metadata=not no_metadata,
            image_type=image_type,
            on_progress=show,
        )
    for line in describe_stress(measured):
        typer.echo(line)
    typer.echo(f"Written to {out}.", err=True)


@app.command(epilog=example("errors out/first/predictions.csv out/second/predictions.csv --out out/errors"))
def errors(
    predictions: Annotated[
        list[Path], typer.Argument(metavar="CSV...", help="predictions.csv of one model or more, of the same photos.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets errors.json and a confusion matrix a model.")],
) -> None:
    """Say where models go wrong: which agree, which agree wrong, and their most confident mistakes."""
    from ..evaluation.agreement import compare_predictions, describe_agreement, read_predictions
    from ..evaluation.files import prepare_folder, write_file
    from ..evaluation.plots import draw_confusion

    prepare_folder(out)
    compared = compare_predictions([read_predictions(path) for path in predictions])
    _write_json(out / "errors.json", compared)
    for number, one in enumerate(compared["models"], start=1):
        write_file(out / f"confusion-{number}.png", draw_confusion(one["confusion"]))
    for line in describe_agreement(compared):
        typer.echo(line)
    typer.echo(f"Written to {out}.", err=True)


@app.command(epilog=example("samples out/predictions.csv --images ham10000/images --which mistakes --out mistakes.png"))
def samples(
    predictions: Annotated[Path, typer.Argument(metavar="CSV", help="predictions.csv that evaluate wrote.")],
    images: ImagesOption,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .png file. The photos keep their licence.")],
    which: Annotated[
        str, typer.Option("--which", metavar="KIND", help="'sample' of every class, or confident 'mistakes'.")
    ] = "sample",
    n_photos: Annotated[int, typer.Option("--count", min=1, max=200, help="How many photos.")] = 24,
    seed: Annotated[int, typer.Option("--seed", help="Of the draw.")] = 0,
) -> None:
    """Draw a sheet of photos with their diagnosis, the answer, and a bar for each class."""
    from ..evaluation.agreement import read_predictions
    from ..evaluation.files import prepare_folder, write_file
    from ..evaluation.sample_sheet import KINDS, choose_photos, draw_sample_sheet
    from ..tables import find_photos

    if which not in KINDS:
        raise typer.BadParameter(f"Expected one of {', '.join(KINDS)}. Received '{which}'.", param_hint="--which")
    if out.suffix.lower() != ".png":
        raise typer.BadParameter(f"Expected a file that ends in .png. Received '{out}'.", param_hint="--out")
    read = read_predictions(predictions)
    places = choose_photos(read, kind=which, n_photos=n_photos, seed=seed)
    sheet = draw_sample_sheet(read, places, find_photos(images, [read.image_ids[i] for i in places]))
    prepare_folder(out.parent)
    write_file(out, sheet)
    typer.echo(f"Written to {out}: {len(places)} photos. They keep their licence: share the sheet only as it allows.")


@app.command(
    name="decision-curve",
    epilog=example("decision-curve --predictions out/predictions.csv --prevalence 0.03 --harm-ratio 20"),
)
def decision_curve(
    predictions: Annotated[Path, typer.Option("--predictions", metavar="CSV", help="That evaluate wrote.")],
    prevalence: Annotated[
        float, typer.Option("--prevalence", metavar="P", help="Share of cancer or pre-cancer in the clinic, 0 to 1.")
    ],
    harm_ratio: Annotated[
        float, typer.Option("--harm-ratio", metavar="H", help="Unneeded referrals that weigh as one missed cancer.")
    ],
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0,
            max=1,
            metavar="P",
            help="The model's own line; else that of metrics.json beside the CSV.",
        ),
    ] = None,
) -> None:
    """Say what referring by the model does in a clinic: net benefit, referrals, misses, with 95 % intervals."""
    from ..evaluation.decision_curve import compare_policies, describe_decisions
    from ..evaluation.referrals import line_beside, read_referrals

    referrals = read_referrals(predictions)
    line = line_beside(predictions) if threshold is None else threshold
    try:
        policies = compare_policies(referrals, prevalence=prevalence, harm_ratio=harm_ratio, threshold=line)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    for sentence in describe_decisions(policies, referrals, prevalence=prevalence, harm_ratio=harm_ratio):
        typer.echo(sentence)


@app.command(epilog=example("comparison --out docs/comparison.md"))
def comparison(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A .md file; without it, the page is printed.")
    ] = None,
) -> None:
    """Set the measured models beside the published systems, and say what may be compared."""
    from ..evaluation.comparison import render_comparison
    from ..services.performance import load_comparison

    _give_page(render_comparison(load_comparison()), out)


@app.command(epilog=example("guidelines --out docs/reporting-guidelines.md"))
def guidelines(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A .md file; without it, the page is printed.")
    ] = None,
) -> None:
    """Say which items of CLEAR Derm, GMLP, TRIPOD+AI and DECIDE-AI are met, and by which files."""
    from ..evaluation.guidelines import load_guidelines, render_guidelines

    _give_page(render_guidelines(load_guidelines()), out)


def _give_page(page: str, out: Path | None) -> None:
    from ..evaluation.files import prepare_folder, write_file

    if out is None:
        typer.echo(page, nl=False)
        return
    prepare_folder(out.parent)
    write_file(out, page.encode())
    typer.echo(f"Written to {out}.", err=True)


def read_labelled_rows(labels: Path, split: str, fold: str = "") -> list[LabelledPhoto]:
    """Read the labels, say what is wrong with single rows, and keep those of the split and of the fold."""
    from ..tables import read_labels

    problems: list[str] = []
    photos = read_labels(labels, problems=problems)
    for problem in problems:
        typer.echo(f"Warning: {problem}", err=True)
    for column, wanted in (("split", split), ("fold", fold)):
        if not wanted:
            continue
        found = sorted({getattr(p, column) for p in photos} - {""})
        photos = [p for p in photos if getattr(p, column) == wanted]
        if not photos:
            raise TableError(
                f"Expected rows of the {column} '{wanted}' in '{labels.name}'. It has: "
                f"{', '.join(found) or f'no {column}'}. Correct --{column}, or leave it out."
            )
    return photos


def _write_json(path: Path, data: dict[str, Any]) -> None:
    from ..evaluation.files import write_file

    write_file(path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())
