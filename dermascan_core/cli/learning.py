"""Commands about learning from verified cases: records training-set and errors, data fingerprint, challenger."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from .common import app, count, example, records_app, stages
from .data import data_app
from .training import log_to_terminal, read_recipe

ConfirmedByOption = Annotated[
    list[str] | None,
    typer.Option("--confirmed-by", metavar="WORDS", help="A way of confirming that counts; default: histopathology."),
]


@records_app.command("training-set", epilog=example("records training-set --out verified --site-id clinic-a"))
def training_set(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="A new folder: the data set.")],
    site_id: Annotated[str, typer.Option("--site-id", metavar="NAME", help="How this clinic is called.")] = "",
    confirmed_by: ConfirmedByOption = None,
    hold_out: Annotated[
        float,
        typer.Option(
            "--hold-out", min=0.0, max=0.5, help="Share of people for DIR-frozen, to judge by and never learn from."
        ),
    ] = 0.0,
) -> None:
    """Write the verified cases of people who agreed to training as a data set, parted by person; names are hashes."""
    from ..services.records import LOCAL, open_existing_records
    from ..services.training_set import export_training_set

    with stages() as show:
        done = export_training_set(
            open_existing_records(),
            out,
            actor=LOCAL,
            now=datetime.now(UTC),
            site_id=site_id,
            verified_by=_ways(confirmed_by),
            hold_out=hold_out,
            on_progress=show,
        )
    people = "person" if done.n_people == 1 else "people"
    typer.echo(
        f"{count(done.n_photos, 'photo')} of {count(done.n_lesions, 'lesion')} of {done.n_people} {people} in '{out}'."
    )
    if done.n_held_out:
        typer.echo(f"Of these, {count(done.n_held_out, 'photo')} in '{out}-frozen': name it now with data fingerprint.")
    left_out = {
        "without consent to training": done.n_without_consent,
        "of a finding that no class holds": done.n_without_class,
    }
    for why, n in left_out.items():
        if n:
            typer.echo(f"Left out: {count(n, 'verified lesion')} {why}.", err=True)


@records_app.command("errors", epilog=example("records errors --out errors.csv --site-id clinic-a"))
def errors(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The CSV file to write.")],
    site_id: Annotated[str, typer.Option("--site-id", metavar="NAME", help="How this clinic is called.")] = "",
    confirmed_by: ConfirmedByOption = None,
) -> None:
    """Write every miss and false alarm of the model and the clinicians against verified outcomes as CSV."""
    from ..evaluation.files import write_file
    from ..services.outcome_statistics import error_log_csv
    from ..services.records import open_existing_records

    text = error_log_csv(open_existing_records(), site_id=site_id, verified_by=_ways(confirmed_by))
    write_file(out, text.encode())
    typer.echo(f"{count(text.count(chr(10)) - 1, 'line')} in '{out}'.")


def _ways(confirmed_by: list[str] | None) -> tuple[str, ...]:
    from ..services.outcome_statistics import VERIFIED_BY
    from ..services.readings import CONFIRM_TYPES

    if unknown := [way for way in confirmed_by or [] if way not in CONFIRM_TYPES]:
        raise typer.BadParameter(
            f"Expected one of: {'; '.join(CONFIRM_TYPES)}. Received '{unknown[0]}'.", param_hint="--confirmed-by"
        )
    return tuple(confirmed_by or VERIFIED_BY)


@data_app.command("fingerprint", epilog=example("data fingerprint frozen"))
def fingerprint(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A data set: metadata.csv and images/.")],
) -> None:
    """Print the SHA-256 that names a set: its photos' bytes, diagnoses, lesions and people.

    Write it down before a challenger is trained, then judge the challenger by that very set.
    """
    from ..training.challenger import read_frozen

    frozen = read_frozen(folder)
    malignant = sum(photo.is_malignant for photo in frozen.photos)
    typer.echo(f"{frozen.sha256}")
    typer.echo(f"{count(len(frozen.photos), 'photo')}, {malignant} of cancer or pre-cancer.", err=True)


@app.command(
    epilog=example(
        "challenger ours-1 --data verified --data ham10000 --frozen frozen --frozen-sha256 3f2a... --out runs/ours-1"
    )
)
def challenger(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the challenger: a name that no model has yet.")],
    data: Annotated[
        list[Path],
        typer.Option("--data", metavar="DIR", help="Verified cases, and what else to learn from; repeatable."),
    ],
    frozen: Annotated[
        Path, typer.Option("--frozen", metavar="DIR", help="The set to judge by; nothing learns from it.")
    ],
    frozen_sha256: Annotated[
        str, typer.Option("--frozen-sha256", metavar="HEX", help="Its name from data fingerprint, taken beforehand.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Gets the run, the weights and verdict.json.")],
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="The model to start from and to beat.")
    ] = "dermascan",
    preset: Annotated[str, typer.Option("--preset", metavar="NAME", help="The recipe.")] = "challenger",
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one field of the recipe; repeatable.")
    ] = None,
    fold: Annotated[int, typer.Option("--fold", metavar="K", help="The fold that validates.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on after the last whole epoch.")] = False,
    must_promote: Annotated[
        bool, typer.Option("--promote", help="Where it is better by the rule, put it beside the shipped weights.")
    ] = False,
    weights_dir: Annotated[
        Path | None, typer.Option("--weights-dir", metavar="DIR", help="Where the models lie; default: weights/.")
    ] = None,
) -> None:
    """Train a challenger from a shipped model on verified cases, and judge it on a set that was named beforehand.

    Nothing is ever replaced: a challenger that is better by the rule, and only that, may be put beside the shipped weights.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise typer.BadParameter(f"Expected a plain name. Received '{name}'.", param_hint="NAME")
    recipe = read_recipe(preset, settings)
    from ..services import models
    from ..training import challenger as making

    folder = weights_dir or models.WEIGHTS_DIR
    log_to_terminal()
    named = making.read_frozen(frozen, expected_sha256=frozen_sha256)
    start = models.weights_file(models.load_model_manifest(model, folder), folder)
    with stages() as show:
        manifest = making.train_challenger(
            making.starting_from(recipe, start),
            data=data,
            frozen=named,
            name=name,
            out=out,
            fold=fold,
            resume=resume,
            on_progress=show,
        )
        shipped = models.load_predictor(model, "keras", weights_dir=folder)
        other = models.load_predictor(name, "keras", weights_dir=out / "weights")
        verdict = making.compare_on_frozen(shipped, other, named, out=out, on_progress=show)
    for reason in verdict.reasons:
        typer.echo(reason)
    if verdict.is_better and must_promote:
        making.promote(manifest, out=out, weights_dir=folder)
        typer.echo(
            f"Better by the rule: '{name}' lies beside the shipped weights. '{model}' still answers unless asked."
        )
    elif verdict.is_better:
        typer.echo("Better by the rule. Put it beside the shipped weights with --promote --resume.")
    else:
        typer.echo(f"Not better by the rule: '{model}' stays, and nothing was put beside it.")
