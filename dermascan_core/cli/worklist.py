"""Commands about lists in the records: worklist add, list, run, export."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from ..domain import ImageType
from ..errors import OutputError, RecordError
from .common import PROGRAM, EngineOption, ImageTypeOption, ModelOption, app, count, example, make_app, progress

worklist_app = make_app("Lists of many photos in the records.")
app.add_typer(worklist_app, name="worklist")

_NEEDS_GROUND = "Nothing is stored without a ground. Read the statement, and add --agree: "


@worklist_app.command(
    "add", epilog=example("worklist add photos/ --metadata people.csv --keep-until 2027-12-31 --agree")
)
def add(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of photos, or a zip file of them.")],
    keep_until: Annotated[
        datetime, typer.Option("--keep-until", metavar="DAY", formats=["%Y-%m-%d"], help="Deleted after this day.")
    ],
    metadata: Annotated[
        Path | None, typer.Option("--metadata", metavar="CSV", help="Age, sex, site, patient_id, lesion_id by image.")
    ] = None,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="What to call the list.")] = "",
    model: ModelOption = "dermascan",
    image_type: ImageTypeOption = ImageType.DERMOSCOPIC,
    share: Annotated[
        float, typer.Option("--to-read", metavar="PERCENT", min=0, max=100, help="Of the calm ones, drawn to be read.")
    ] = 5.0,
    agree: Annotated[bool, typer.Option("--agree", help="The statement about the people's consent is true.")] = False,
) -> None:
    """Keep photos as a list in the records. The app works it off, or: worklist run."""
    from ..services import stored_batches
    from ..services.photo_plans import plan_all
    from ..services.records import CLINIC_BASIS, CONSENT_TEXTS, LOCAL, ConsentGiven, open_existing_records

    if not agree:
        raise RecordError(f"{_NEEDS_GROUND}{CONSENT_TEXTS[CLINIC_BASIS]}")
    records = open_existing_records()
    planned = plan_all(folder, metadata, image_type=image_type, max_photos=stored_batches.MAX_STORED_PHOTOS)
    for sentence in planned.problems:
        typer.echo(sentence, err=True)
    order = stored_batches.BatchOrder(
        name=name or folder.name,
        consent=ConsentGiven(keep_until=datetime.combine(keep_until, time(23, 59), UTC), text_version=CLINIC_BASIS),
        model=model,
        image_type=image_type,
        share_to_read=share / 100,
    )
    with progress("Sealing") as show:
        batch_id = stored_batches.add_batch(
            records, planned.plans, planned.photos, order=order, actor=LOCAL, now=datetime.now(UTC), on_progress=show
        )
    typer.echo(f"{batch_id[:8]}  {count(len(planned.photos), 'photo')} of {count(len(planned.plans), 'lesion')}.")


@worklist_app.command("list", epilog=example("worklist list"))
def list_lists() -> None:
    """Print every list: its number, name, how far it is, whose it is."""
    from ..services.records import open_existing_records
    from ..services.stored_batches import list_batches

    for batch in list_batches(open_existing_records()):
        n_done = batch.n_photos - batch.n_open
        typer.echo(
            f"{batch.id[:8]}  {batch.state}  {n_done} of {batch.n_photos}  {batch.owner}  {_one_line(batch.name)}"
        )


def _one_line(text: str) -> str:
    from ..tables import safe_cell

    return safe_cell(text)


@worklist_app.command("run", epilog=example("worklist run"))
def run(engine: EngineOption = "auto") -> None:
    """Work off every list that waits, and end. Can be stopped at any time and started again."""
    from ..services import models
    from ..services.list_commands import work_off
    from ..services.queueing import WorkQueue
    from ..services.records import open_existing_records
    from ..services.worklist_runner import WorklistRunner

    records = open_existing_records()
    runner = WorklistRunner(
        records, lambda name: models.load_predictor(name, engine, n_threads=1), WorkQueue(n_workers=models.n_cores())
    )
    with progress("Screening") as show:
        work_off(records, runner, on_progress=show)


@worklist_app.command("export", epilog=example("worklist export 3f2a91bc --out list.csv"))
def export(
    which: Annotated[str, typer.Argument(metavar="LIST", help="Its number, or how it begins; see: worklist list.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A .csv or .jsonl file.")],
) -> None:
    """Write a list in reading order, with the model's answers."""
    from ..services.models import load_model_manifest
    from ..services.records import open_existing_records
    from ..services.stored_batches import list_batches
    from ..services.stored_worklist import stored_list, stored_records
    from ..services.worklist import to_csv, to_jsonl, worklist_records

    if out.suffix.lower() not in (".csv", ".jsonl"):
        raise typer.BadParameter(f"Expected a file that ends in .csv or .jsonl. Received '{out}'.", param_hint="--out")
    records = open_existing_records()
    found = [batch for batch in list_batches(records) if which and batch.id.startswith(which)]
    if len(found) != 1:
        raise RecordError(
            f"Expected the number of one list. '{which}' begins {len(found)} of them. See: {PROGRAM} worklist list"
        )
    ranked = stored_list(records, found[0].id).ranked
    manifest = load_model_manifest(found[0].model)
    lines = worklist_records(ranked, stored_records(records, ranked, found[0], manifest))
    text = to_csv(lines, manifest.codes) if out.suffix.lower() == ".csv" else to_jsonl(lines)
    try:
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OutputError(f"The list cannot be written to '{out}': {error.strerror}. Choose another place.") from error
    typer.echo(f"Wrote '{out}': {count(len(lines), 'photo')} of {count(len(ranked), 'lesion')}.")
