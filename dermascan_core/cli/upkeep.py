"""Commands that keep records safe: db backup and restore; records rotate-key and new-key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .common import count, db_app, example, records_app, stages

if TYPE_CHECKING:
    from ..storage.restore import Restored


@db_app.command("backup", epilog=example("db backup /media/stick/2026-03-01.backup"))
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file; one that is there is never replaced.")],
) -> None:
    """Write all records into one sealed file, while the app goes on. The key is not in it: keep a copy of that elsewhere."""
    from ..services.records import LOCAL
    from ..services.upkeep import make_backup

    with stages() as show:
        done = make_backup(file, actor=LOCAL, now=datetime.now(UTC), on_progress=show)
    people = _people(done.about.n_rows["people"])
    typer.echo(f"Wrote '{file}': {people}, {count(done.about.n_photos, 'photo')}, {done.size_bytes / 1e6:.1f} MB.")
    typer.echo(
        "The key is not in it. Keep a copy of the key elsewhere: without it nobody can read this backup.", err=True
    )
    if done.about.missing or done.about.audit_problems:
        _warn(len(done.about.missing), done.about.audit_problems)
        raise typer.Exit(1)


def _warn(n_missing: int, n_problems: int) -> None:
    if n_missing:
        typer.echo(f"{count(n_missing, 'photo')} could not be backed up: the file is gone. See: records tidy", err=True)
    if n_problems:
        typer.echo(f"The audit trail does not fit in {count(n_problems, 'place')}. See: audit verify", err=True)


@db_app.command("restore", epilog=example("db restore /media/stick/2026-03-01.backup --replace"))
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What db backup wrote.")],
    replace: Annotated[bool, typer.Option("--replace", help="Give up the records that are here now.")] = False,
) -> None:
    """Bring back a backup, into SQLite or PostgreSQL. Everything is checked first; a kill leaves the old or the new."""
    from ..services.records import LOCAL
    from ..services.upkeep import bring_back

    with stages() as show:
        done = bring_back(file, replace=replace, actor=LOCAL, now=datetime.now(UTC), on_progress=show)
    typer.echo(
        f"Restored the records of {done.about.made_at}: {count(done.n_photos, 'photo')}. Everybody is logged out."
    )
    _say_what_differs(done)


def _say_what_differs(done: Restored) -> None:
    if done.n_deleted_again:
        typer.echo(f"Left out, because deleted since: {_people(done.n_deleted_again)}.")
    if done.n_withdrawn_again:
        typer.echo(f"Taken back since, and again: {count(done.n_withdrawn_again, 'consent')}.")
    if done.kept_aside is not None:
        typer.echo(f"The damaged database lies in '{done.kept_aside}'. Remove it when you no longer need it.")
    if done.about.missing:
        typer.echo(f"{count(len(done.about.missing), 'photo')} were gone when the backup was made.", err=True)
    if done.about.audit_problems:
        typer.echo("The audit trail did not fit when the backup was made. See: audit verify", err=True)


@records_app.command("rotate-key", epilog=example("records rotate-key --keep-old-key /media/stick/old-key"))
def rotate_key(
    keep_old_key: Annotated[
        Path | None,
        typer.Option("--keep-old-key", metavar="FILE", help="Write the old key there: only it opens older backups."),
    ] = None,
) -> None:
    """Seal everything with a new key, while the app goes on. Run it again where it was cut off."""
    from ..services.records import LOCAL
    from ..services.upkeep import change_key

    with stages() as show:
        done = change_key(actor=LOCAL, now=datetime.now(UTC), keep_old=keep_old_key, on_progress=show)
    typer.echo(f"Sealed with key {done.newest}: {count(done.n_rows, 'value')}, {count(done.n_photos, 'photo')}.")
    for problem in done.problems:
        typer.echo(problem, err=True)
    if done.problems:
        typer.echo(
            "No key was dropped: the above could not be opened. Mend or delete it, then run this again.", err=True
        )
        raise typer.Exit(1)
    gone = ", ".join(done.dropped)
    typer.echo(
        f"No longer needed for what is here: {gone}. Older backups need it. Make a backup now, and copy the new key."
    )


@records_app.command("new-key", epilog=example("records new-key"))
def new_key() -> None:
    """Print a new key, for DERMASCAN_KEY. It changes nothing; never use it for records that have a key already."""
    from ..services.upkeep import make_key

    typer.echo(make_key())


def _people(n: int) -> str:
    return "1 person" if n == 1 else f"{n:,} people"
