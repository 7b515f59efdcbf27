"""Commands about records: records list, export, delete, expire, tidy; db upgrade."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from .common import app, count, db_app, example, records_app

app.add_typer(records_app, name="records")
app.add_typer(db_app, name="db")

PersonArgument = Annotated[
    str, typer.Argument(metavar="PERSON", help="A pseudonym such as P-7K3F-23; see: records list.")
]
YesOption = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]


@db_app.command("upgrade", epilog=example("db upgrade"))
def upgrade() -> None:
    """Bring the tables of the records up to this program's version; keeps what is in them."""
    from ..services.records import upgrade_records

    before, after = upgrade_records()
    if before == after:
        typer.echo(f"The records have version {after} already.")
    else:
        typer.echo(f"The records now have version {after} (before: {before or 'none, they are new'}).")


@records_app.command("list", epilog=example("records list --search 7K3"))
def list_people(
    search: Annotated[str, typer.Option("--search", metavar="TEXT", help="A part of the pseudonym.")] = "",
) -> None:
    """Print everybody in the records: pseudonym, when they were added, until when they agreed."""
    from ..services.overview import each_person
    from ..services.records import open_existing_records

    for line in each_person(open_existing_records(), search=search, now=_now()):
        until = "no consent" if line.keep_until is None else f"until {line.keep_until:%Y-%m-%d}"
        demo = "  (made up)" if line.person.is_demo else ""
        typer.echo(f"{line.person.pseudonym}  added {line.person.created_at:%Y-%m-%d}  {until}{demo}")


@records_app.command("export", epilog=example("records export P-7K3F-23 --out their-data.zip"))
def export(
    person: PersonArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="A new zip file.")],
) -> None:
    """Write everything about one person as a zip: JSON, photos, and who did what with it."""
    from ..services.own_data import export_person_to_file
    from ..services.records import LOCAL, open_existing_records

    n_photos = export_person_to_file(open_existing_records(), person, out, actor=LOCAL, now=_now())
    typer.echo(f"Wrote '{out}': everything about {person}, with {count(n_photos, 'photo')}.")


@records_app.command("delete", epilog=example("records delete P-7K3F-23"))
def delete(person: PersonArgument, yes: YesOption = False) -> None:
    """Delete everything about one person. It cannot be undone; older backups are not reached."""
    from ..services.forgetting import delete_person
    from ..services.records import LOCAL, find_person, open_existing_records

    records = open_existing_records()
    found = find_person(records, person)
    if not yes:
        typer.confirm(f"Delete everything about {found.pseudonym} for good?", abort=True)
    deleted = delete_person(records, found.id, actor=LOCAL, now=_now())
    typer.echo(
        f"Deleted {found.pseudonym}: {count(deleted.n_lesions, 'lesion')}, {count(deleted.n_photos, 'photo')}, "
        f"{count(deleted.n_screenings, 'screening')}. Backups made before still hold them."
    )


@records_app.command("expire", epilog=example("records expire"))
def expire(yes: YesOption = False) -> None:
    """Delete everybody whose consent was taken back or is past its day. It cannot be undone."""
    from ..services.forgetting import delete_expired, list_expired
    from ..services.records import LOCAL, open_existing_records

    records, now = open_existing_records(), _now()
    expired = list_expired(records, now=now)
    if not expired:
        typer.echo(f"Nobody's consent has ended by {now:%Y-%m-%d}.")
        return
    for person in expired:
        typer.echo(person.pseudonym)
    if not yes:
        people = "this person" if len(expired) == 1 else f"these {len(expired):,} people"
        typer.confirm(f"Delete everything about {people} for good? Today is {now:%Y-%m-%d}.", abort=True)
    deleted = delete_expired(records, actor=LOCAL, now=now)
    n_people = "1 person" if len(deleted) == 1 else f"{len(deleted):,} people"
    typer.echo(f"Deleted {n_people} with {count(sum(one.n_photos for one in deleted), 'photo')}.")


@records_app.command("tidy", epilog=example("records tidy"))
def tidy() -> None:
    """Remove image files that nothing names (a kill can leave such), and say which ones are missing."""
    from ..services.forgetting import tidy as tidy_records
    from ..services.records import open_existing_records

    tidied = tidy_records(open_existing_records(), now=_now())
    removed = f"{count(tidied.swept.n_photos, 'photo')} that nothing named, {tidied.swept.n_partial} half-written"
    typer.echo(f"Removed {removed}: {tidied.swept.size_bytes / 1e6:.1f} MB.")
    for sha256 in tidied.missing:
        typer.echo(f"Missing: the photo {sha256}. Restore it from a backup: db restore --help", err=True)
    if tidied.missing:
        raise typer.Exit(1)


def _now() -> datetime:
    return datetime.now(UTC)
