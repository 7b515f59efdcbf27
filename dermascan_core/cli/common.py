"""What the commands share: the application itself, options, plain errors, progress bars."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from ..domain import ImageType
from ..errors import DermaScanError

PROGRAM = "python -m dermascan_core"


class PlainErrors(TyperGroup):
    """Shows a failure that a person can act on as one sentence, and exits with 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DermaScanError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(1) from error


class EachOptionOnce(TyperCommand):
    """Refuses an option that is given twice and counts once: the last value would win unsaid."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        for parameter in dict.fromkeys(given):
            if not isinstance(parameter, TyperOption) or parameter.multiple or parameter.count or parameter.is_flag:
                continue
            if given.count(parameter) > 1:
                ctx.fail(f"Expected {parameter.opts[0]} once. Received it {given.count(parameter)} times.")
        return super().parse_args(ctx, args)


class Commands(typer.Typer):
    """Makes every command one of ``EachOptionOnce``."""

    def command(self, name: str | None = None, **options: Any) -> Any:
        return super().command(name, **{"cls": EachOptionOnce} | options)


def make_app(help: str, **options: Any) -> typer.Typer:
    """Return an application, or a group of commands, in the one style."""
    return Commands(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        **options,
    )


records_app = make_app("People's records: what is kept, for whom, until when.")
db_app = make_app("The database of the records.")
app = make_app("Screens photos of skin lesions. Not a medical device. Not a diagnosis.", cls=PlainErrors)


def example(command: str) -> str:
    """Return the lines below a command's help."""
    return f"\b\nExample:\n  {PROGRAM} {command}"


ModelOption = Annotated[str, typer.Option("--model", metavar="NAME", help="Which model answers; see: models.")]
EngineOption = Annotated[
    str, typer.Option("--engine", metavar="NAME", help="What runs the network: auto, keras, or an exported one.")
]
ImageTypeOption = Annotated[ImageType, typer.Option("--image-type", help="How the photos were taken.")]


@contextmanager
def progress(sentence: str, *, is_hidden: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Give a function of (done, total) that moves a bar with its rate and time left on a terminal, and does nothing when piped."""
    with stages(is_hidden=is_hidden) as show:
        yield lambda done, total: show(sentence, done, total)


@contextmanager
def stages(*, is_hidden: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """The same with a sentence first: each has a bar of its own."""
    if is_hidden or not sys.stderr.isatty():
        yield lambda sentence, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from .rate_column import RateColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def show(sentence: str, done: int, total: int) -> None:
            if sentence not in tasks:
                tasks[sentence] = bar.add_task(sentence, total=total)
            bar.update(tasks[sentence], completed=done, total=total)

        yield show


def count(n: int, noun: str) -> str:
    """Return a number with its noun.

    >>> count(1, "photo"), count(2, "photo")
    ('1 photo', '2 photos')
    """
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
