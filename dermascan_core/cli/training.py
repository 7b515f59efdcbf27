"""Commands that make models: train, cross-validate, join-folds, release, rebuild."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .common import app, count, example, stages
from .quiet_start import hide_start_up_lines

if TYPE_CHECKING:
    from ..training.fit import RunResult
    from ..training.launch import Place
    from ..training.presets import Preset


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
    views: Annotated[
        int, typer.Option("--views", min=1, max=8, help="Measure the best epoch with so many views too, at the end.")
    ] = 1,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", metavar="DIR", help="Prepared photos, to share among runs; default: in --out."),
    ] = None,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The same bits on every run of this machine; slower.")
    ] = False,
    processes: Annotated[
        int, typer.Option("--processes", min=1, metavar="N", help="Train in N processes together, on JAX.")
    ] = 1,
    process: Annotated[
        int | None,
        typer.Option("--process", min=0, metavar="K", help="Start number K of them, from 0; default: all, here."),
    ] = None,
    coordinator: Annotated[
        str, typer.Option("--coordinator", metavar="HOST:PORT", help="Where number 0 is reached; with --process.")
    ] = "",
) -> None:
    """Train one recipe. Refuses a data set that leaks between its splits; resumes after a kill."""
    recipe = read_recipe(preset, settings)
    places = _read_places(processes, process, coordinator)
    if places and deterministic:
        raise typer.BadParameter("Expected --deterministic or --processes. Received both: TensorFlow, and JAX.")
    work = partial(
        _train_at,
        deterministic=deterministic,
        preset=recipe,
        data=data,
        out=out,
        fold=fold,
        resume=resume,
        base=preset,
        cache=cache,
        final_views=views,
    )
    result = _run_at(places, work) if places else work(None)
    if process:
        typer.echo(f"Trained. Process 0 writes what came of it to {result.out} on its computer.")
        return
    measures = ", ".join(f"{name} {value:.4f}" for name, value in result.best.items())
    typer.echo(f"Best epoch {result.best_epoch}: {measures}. Written to {result.out}.")


def _read_places(processes: int, process: int | None, coordinator: str) -> list[Place]:
    """Return the places of the processes to start here; none where one process trains alone."""
    from ..training.launch import Place, local_places

    if process is None and not coordinator:
        return local_places(processes) if processes > 1 else []
    if process is None or not coordinator:
        raise typer.BadParameter("Expected --process and --coordinator together. Received one of them.")
    if processes < 2:
        raise typer.BadParameter("Expected --processes of at least 2. Received 1.")
    if process >= processes:
        raise typer.BadParameter(f"Expected --process below {processes} (--processes). Received {process}.")
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise typer.BadParameter(f"Expected --coordinator as HOST:PORT. Received '{coordinator}'.")
    return [Place(process, processes, coordinator)]


def _run_at(places: list[Place], work: Callable[[Place], Any]) -> Any:
    from ..training.launch import require_jax, run_together

    require_jax()
    return run_together(work, places)


def _train_at(place: Place | None, *, deterministic: bool, **options: Any) -> RunResult:
    """Train in this process: alone, or at its place among others."""
    hide_start_up_lines()
    from ..training import fit, team

    log_to_terminal(is_lead=place is None or place.rank == 0)
    if deterministic:
        fit.use_deterministic_operations()
    own = team.join(place) if place else team.ALONE
    with stages(is_hidden=not own.is_lead) as show:
        return fit.train(**options, team=own, on_progress=show)


def read_recipe(preset: str, settings: list[str] | None) -> Preset:
    """Return a named recipe with settings applied; what is wrong with either ends the command with 2."""
    from ..training.presets import PRESETS, override

    if preset not in PRESETS:
        raise typer.BadParameter(f"Expected one of {', '.join(PRESETS)}. Received '{preset}'.", param_hint="PRESET")
    try:
        return override(PRESETS[preset], settings or [])
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--set") from error


def log_to_terminal(*, is_lead: bool = True) -> None:
    """Let the training's log lines reach standard error; of processes that only help, warnings alone."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("dermascan_core").setLevel(logging.INFO if is_lead else logging.WARNING)


@app.command(epilog=example("cross-validate mobilenet_v2 --data ham10000 --out runs/cv"))
def cross_validate(
    preset: Annotated[str, typer.Argument(metavar="PRESET", help="A recipe; see: models --presets.")],
    data: Annotated[list[Path], typer.Option("--data", metavar="DIR", help="A data set; repeatable.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets a run a fold, and what all folds measured.")],
    folds: Annotated[list[int] | None, typer.Option("--fold", metavar="K", help="Only this fold; repeatable.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one field of the recipe; repeatable.")
    ] = None,
) -> None:
    """Train on every fold but one, answer for that one, and measure all folds as one. Goes on where it was stopped."""
    from ..training import cross_validate as cv
    from ..training import fold_answers
    from ..training.data import load_dataset

    recipe = read_recipe(preset, settings)
    log_to_terminal()
    dataset = load_dataset(data)
    with stages() as show:
        runs = cv.run_folds(recipe, dataset=dataset, data=data, out=out, folds=folds, on_progress=show)
        if len(list(out.glob(f"fold-*/{fold_answers.FOLD_FILE}"))) < 2:
            typer.echo(f"Trained {', '.join(run.name for run in runs)}. Two folds are needed to measure them as one.")
            return
        finished = fold_answers.read_folds(out)
        metrics = cv.write_pooled(finished, dataset, name=preset, out=out, on_progress=show)
    _say_pooled(metrics, [answers.fold for answers in finished], out)


@app.command(name="join-folds", epilog=example("join-folds runs/cv-a runs/cv-b --data ham10000 --out runs/joined"))
def join_folds(
    recipes: Annotated[list[Path], typer.Argument(metavar="CV...", help="Folders of cross-validate.")],
    data: Annotated[list[Path], typer.Option("--data", metavar="DIR", help="The data set of all of them; repeatable.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets what the ensemble measured.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the ensemble.")] = "ensemble",
) -> None:
    """Measure cross-validated recipes as an ensemble that averages probabilities. Trains nothing."""
    from ..training import cross_validate as cv
    from ..training import fold_answers
    from ..training.data import load_dataset

    dataset = load_dataset(data)
    joined = fold_answers.join_recipes([fold_answers.read_folds(folder) for folder in recipes])
    with stages() as show:
        metrics = cv.write_pooled(joined, dataset, name=name, out=out, on_progress=show)
    _say_pooled(metrics, [answers.fold for answers in joined], out)


def _say_pooled(metrics: Mapping[str, Any], folds: list[int], out: Path) -> None:
    from ..evaluation.summary import summary_lines

    typer.echo(f"Folds {', '.join(map(str, folds))}, each by networks that did not see it:")
    for line in summary_lines(metrics["summary"]):
        typer.echo(f"  {line}")
    typer.echo(f"Written to {out}.", err=True)


@app.command(epilog=example("release runs/first --data ham10000 --name dermascan"))
def release(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folder of a finished run; several make an ensemble.")
    ],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="Of the model.")],
    data: Annotated[list[Path], typer.Option("--data", metavar="DIR", help="The data set that it was trained on.")],
    version: Annotated[str, typer.Option("--version", metavar="VERSION", help="Of the model.")] = "1",
    weights_dir: Annotated[
        Path | None, typer.Option("--weights-dir", metavar="DIR", help="Where it goes; default: weights/.")
    ] = None,
    card: Annotated[Path | None, typer.Option("--card", metavar="FILE", help="Also write the model card.")] = None,
    external: Annotated[list[Path] | None, typer.Option(help="Another archive to measure too; repeatable.")] = None,
    no_evaluation: Annotated[
        bool, typer.Option("--no-evaluation", help="Leave the test split alone: the run is not final.")
    ] = False,
) -> None:
    """Turn runs into weights/NAME.keras and its manifest: calibrated, with a threshold and sets, and measured."""
    from ..services.models import WEIGHTS_DIR

    if not name or Path(name).name != name or name.startswith("."):
        raise typer.BadParameter(f"Expected a plain name. Received '{name}'.", param_hint="--name")
    if card is not None and no_evaluation:
        raise typer.BadParameter("Expected --card without --no-evaluation: the card shows what was measured.")
    from ..training.publish import publish_release
    from ..training.release import make_release

    to = weights_dir or WEIGHTS_DIR
    with stages() as show:
        manifest = make_release(runs, data=data, name=name, weights_dir=to, version=version, on_progress=show)
        if not no_evaluation:
            manifest = publish_release(name, data=data, weights_dir=to, card=card, external=external, on_progress=show)
    typer.echo(f"{manifest.name}: threshold {manifest.threshold:.4f} ({manifest.threshold_rule}).")
    typer.echo(f"sha256 {manifest.sha256}")
    _say_measures(manifest.metrics)


@app.command(epilog=example("publish dermascan --data ham10000 --external isic_uda1 --card docs/model-card.md"))
def publish(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A released model; see: models.")],
    data: Annotated[
        list[Path], typer.Option("--data", metavar="DIR", help="The data set that it was trained on; repeatable.")
    ],
    weights_dir: Annotated[
        Path | None, typer.Option("--weights-dir", metavar="DIR", help="Where the model lies; default: weights/.")
    ] = None,
    card: Annotated[Path | None, typer.Option("--card", metavar="FILE", help="Also write the model card.")] = None,
    external: Annotated[list[Path] | None, typer.Option(help="Another archive to measure too; repeatable.")] = None,
) -> None:
    """Measure a released model again and write all that ships beside it: gate, evaluations, similar photos, model card."""
    from ..services.models import WEIGHTS_DIR, load_model_manifest
    from ..training.publish import publish_release

    to = weights_dir or WEIGHTS_DIR
    load_model_manifest(name, to)
    with stages() as show:
        manifest = publish_release(name, data=data, weights_dir=to, card=card, external=external, on_progress=show)
    _say_measures(manifest.metrics)


def _say_measures(evaluations: Mapping[str, Mapping[str, Any]]) -> None:
    from ..evaluation.summary import summary_lines

    for which, metrics in evaluations.items():
        typer.echo(f"On {which}:")
        for line in summary_lines(metrics["summary"]):
            typer.echo(f"  {line}")


@app.command(
    epilog=example("rebuild dermascan --data ham10000 --runs runs --pretrained mobilenet_v2=mobilenet_v2.weights.h5")
)
def rebuild(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A release that ships; see: models.")],
    data: Annotated[list[Path], typer.Option("--data", metavar="DIR", help="A data set; repeatable.")],
    runs: Annotated[Path, typer.Option("--runs", metavar="DIR", help="Keeps a run for each recipe and fold.")],
    pretrained: Annotated[
        list[str] | None,
        typer.Option(
            "--pretrained", metavar="BACKBONE=FILE", help="Local starting weights; repeatable. Without: downloaded."
        ),
    ] = None,
    folds: Annotated[
        list[int] | None,
        typer.Option("--fold", metavar="K", help="Train only this fold and stop before the release; repeatable."),
    ] = None,
    is_of_one_fold: Annotated[
        bool, typer.Option("--release", help="Make the release of the one fold that --fold names; hours, not days.")
    ] = False,
    answers: Annotated[
        Path | None,
        typer.Option(
            "--answers",
            metavar="DIR",
            help="Also copy each fold's answers there: small, and enough for join-folds elsewhere.",
        ),
    ] = None,
    weights_dir: Annotated[
        Path | None, typer.Option("--weights-dir", metavar="DIR", help="Where it goes; default: weights/.")
    ] = None,
    card: Annotated[Path | None, typer.Option("--card", metavar="FILE", help="Also write the model card.")] = None,
    external: Annotated[list[Path] | None, typer.Option(help="Another archive to measure too; repeatable.")] = None,
) -> None:
    """Make a release again from photos: train its recipes on every fold, join, calibrate, measure. Days on a laptop.

    Goes on where it was stopped; releases that share recipes share their runs.
    """
    from ..services.models import WEIGHTS_DIR
    from ..training import rebuild as making
    from ..training.releases import RELEASES

    if name not in RELEASES:
        raise typer.BadParameter(f"Expected one of {', '.join(RELEASES)}. Received '{name}'.", param_hint="NAME")
    starts = dict(one.split("=", 1) for one in pretrained or [] if "=" in one)
    if len(starts) < len(pretrained or []):
        raise typer.BadParameter("Expected BACKBONE=FILE.", param_hint="--pretrained")
    if is_of_one_fold and len(folds or []) != 1:
        raise typer.BadParameter(f"Expected one --fold. Received {len(folds or [])}.", param_hint="--release")
    log_to_terminal()
    with stages() as show:
        manifest = making.rebuild(
            name,
            RELEASES[name],
            data=data,
            runs=runs,
            weights_dir=weights_dir or WEIGHTS_DIR,
            pretrained=starts,
            folds=folds,
            is_of_one_fold=is_of_one_fold,
            card=card,
            external=external,
            on_progress=show,
        )
    if answers is not None:
        n_kept = len(making.keep_answers(runs, answers))
        typer.echo(f"The answers of {count(n_kept, 'fold')} in {answers}.", err=True)
    if manifest is None:
        of_one = " With --release it is made of this fold alone." if len(folds or []) == 1 else ""
        trained = ", ".join(map(str, folds or []))
        typer.echo(f"Folds {trained} are trained. Without --fold the release is made.{of_one}")
        return
    typer.echo(f"sha256 {manifest.sha256}")
    _say_measures(manifest.metrics)
