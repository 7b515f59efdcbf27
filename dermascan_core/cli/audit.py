"""The command about the audit trail: audit verify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import app, count, example, make_app

audit_app = make_app("The audit trail of the records: who did what, when.")
app.add_typer(audit_app, name="audit")


@audit_app.callback()
def _group() -> None:
    """Keep 'verify' a command of its own: typer would make a group's only command the group."""


@audit_app.command("verify", epilog=example("audit verify --anchor /media/stick/dermascan.anchor"))
def verify(
    anchor: Annotated[
        Path | None,
        typer.Option(
            "--anchor",
            metavar="FILE",
            help="Compare with the newest entry that this file holds, then write the newest into it. Keep it elsewhere.",
        ),
    ] = None,
) -> None:
    """Walk the whole audit trail; exit with 1 where an entry was changed, removed, inserted or moved."""
    from ..services.audit_trail import verify_trail
    from ..services.records import open_existing_records

    report = verify_trail(open_existing_records(), anchor_file=anchor)
    for problem in report.problems:
        typer.echo(problem)
    if report.n_problems > len(report.problems):
        typer.echo(f"... and {count(report.n_problems - len(report.problems), 'other problem')}.")
    if not report.is_intact:
        typer.echo(
            f"Error: the audit trail was tampered with: {count(report.n_problems, 'problem')}. Keep a copy of the database as it "
            "is now, and compare it with a backup.",
            err=True,
        )
        raise typer.Exit(1)
    typer.echo(_intact_words(report.n_entries, has_anchor=report.anchor is not None))
    if anchor is not None and report.newest is not None:
        typer.echo(f"Entry {report.newest.number} is now the anchor in '{anchor}'.", err=True)


def _intact_words(n_entries: int, *, has_anchor: bool) -> str:
    end = "as the anchor knew it" if has_anchor else "a cut-off end would not be seen without --anchor"
    entries = "1 entry" if n_entries == 1 else f"{n_entries:,} entries"
    return f"The audit trail is intact: {entries}, chained without a gap; {end}."
