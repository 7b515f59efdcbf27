"""The kill switch from the command line: answers show, withhold, give, check."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .common import app, example, make_app

if TYPE_CHECKING:
    from ..services.withholding import Withheld

answers_app = make_app("The kill switch: whether the model's answers are given here.")
app.add_typer(answers_app, name="answers")

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="A reason, for whoever meets the switch later.")]
_GIVEN = "All answers are given."


@answers_app.command("show", epilog=example("answers show"))
def show() -> None:
    """Say what is withheld, by whom, since when and why."""
    from ..services.withholding import read_withholding

    typer.echo(read_withholding().words or _GIVEN)


@answers_app.command("withhold", epilog=example("answers withhold calm --why 'two melanomas were missed in May'"))
def withhold(
    what: Annotated[
        Literal["calm", "all"],
        typer.Argument(metavar="calm|all", help="calm: nothing calmer than a routine check. all: no answer."),
    ],
    why: Why,
) -> None:
    """Withhold calm answers, or all, in this installation, from the next photo on."""
    from ..services.withholding import Withheld

    _turn(Withheld(what), why)


@answers_app.command("give", epilog=example("answers give --why 'the camera was changed back, 60 new biopsies agree'"))
def give(why: Why) -> None:
    """Give all answers again."""
    from ..services.withholding import Withheld

    _turn(Withheld.NONE, why)


def _turn(withheld: Withheld, why: str) -> None:
    from ..services.access import LOCAL_USER
    from ..services.withholding import read_withholding, set_withholding

    turned = set_withholding(LOCAL_USER, withheld, why=why, now=datetime.now(UTC))
    typer.echo(turned.words)
    in_force = read_withholding()
    if in_force.withheld is not withheld:
        typer.echo(f"But still: {in_force.words}", err=True)


@answers_app.command("check", epilog=example("answers check"))
def check() -> None:
    """Set the model beside the biopsies in the records; where it got worse, withhold calm answers. For a nightly job."""
    from ..services.decay_alarm import withhold_on_decay
    from ..services.records import open_existing_records
    from ..services.withholding import read_withholding

    turned = withhold_on_decay(open_existing_records(), now=datetime.now(UTC))
    typer.echo(turned.words if turned is not None else read_withholding().words or _GIVEN)
