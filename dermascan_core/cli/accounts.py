"""The commands for who may log in: accounts add, list, passwd, role, disable, enable, link.

Whoever may run them may read the database anyway, so nobody is asked to log in; passwords are asked for, never arguments.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import AccessError
from ..services.access import LOCAL_USER, Role, make_access, open_access
from .common import app, example, make_app

if TYPE_CHECKING:
    from ..services.logins import Access, Account

accounts_app = make_app("Who may log in, and as what.")
app.add_typer(accounts_app, name="accounts")

Name = Annotated[str, typer.Argument(metavar="NAME", help="Login name: letters, digits and . _ @ -")]
RoleOption = Annotated[Role, typer.Option("--role", help="clinician or admin.")]
OneTime = Annotated[
    bool, typer.Option("--one-time", help="Make a password for one use and show it, instead of asking for one.")
]


@accounts_app.command(epilog=example("accounts add anna.berg --role admin"))
def add(
    name: Name,
    role: RoleOption = Role.CLINICIAN,
    one_time: OneTime = False,
    subject: Annotated[
        str | None,
        typer.Option("--subject", metavar="'ISSUER SUBJECT'", help="Who it is at an OIDC provider; no password then."),
    ] = None,
) -> None:
    """Add an account; the first one, an administrator's, ends the time without logins."""
    access = make_access()
    if subject is not None:
        access.add_by_provider(LOCAL_USER, name, role, subject=subject, now=_now())
        made = None
    else:
        made = access.add(LOCAL_USER, name, role, password=None if one_time else _ask(), now=_now())
    _say_password(made)
    typer.echo(f"Added {name} ({role}). Records need a login from now on, on this machine too.", err=True)


@accounts_app.command("list", epilog=example("accounts list"))
def list_accounts() -> None:
    """List every account: name, role, how it logs in, since when, and whether it is disabled."""
    access = open_access()
    found = [] if access is None else access.accounts(LOCAL_USER)
    for account in found:
        typer.echo(
            f"{account.login}\t{account.role}\t{_way_of(account)}\t{account.created_at:%Y-%m-%d}\t{_state(account)}"
        )
    if not found:
        typer.echo("Nobody has an account. Add the first one with: accounts add NAME --role admin", err=True)


@accounts_app.command(epilog=example("accounts passwd ben"))
def passwd(name: Name, one_time: OneTime = False) -> None:
    """Set a password; all sessions of the account end, and its failed tries are forgotten."""
    made = _opened().reset_password(LOCAL_USER, name, password=None if one_time else _ask(), now=_now())
    _say_password(made)
    typer.echo(f"{name} has a new password.", err=True)


@accounts_app.command(epilog=example("accounts role ben --role admin"))
def role(name: Name, role: RoleOption) -> None:
    """Change what somebody may do, from their next click on."""
    _opened().set_role(LOCAL_USER, name, role, now=_now())
    typer.echo(f"{name} is now: {role}.", err=True)


@accounts_app.command(epilog=example("accounts disable ben"))
def disable(name: Name) -> None:
    """Shut somebody out at once; the account stays, so that its name in records stays one person's."""
    _opened().set_disabled(LOCAL_USER, name, is_disabled=True, now=_now())
    typer.echo(f"{name} cannot log in any more.", err=True)


@accounts_app.command(epilog=example("accounts enable ben"))
def enable(name: Name) -> None:
    """Let somebody log in again."""
    _opened().set_disabled(LOCAL_USER, name, is_disabled=False, now=_now())
    typer.echo(f"{name} can log in again.", err=True)


@accounts_app.command(epilog=example("accounts link ben --subject 'https://login.example.org 248289761001'"))
def link(
    name: Name,
    subject: Annotated[
        str,
        typer.Option("--subject", metavar="'ISSUER SUBJECT'", help="Who it is at an OIDC provider; '' cuts the link."),
    ],
) -> None:
    """Say which account of an OIDC provider lets somebody in."""
    _opened().link_provider(LOCAL_USER, name, subject=subject or None, now=_now())
    typer.echo(f"{name} is {'linked' if subject else 'no longer linked'}.", err=True)


def _opened() -> Access:
    access = open_access()
    if access is None:
        raise AccessError("Nobody has an account. Add the first one with: python -m dermascan_core accounts add --help")
    return access


def _ask() -> str:
    asked: str = typer.prompt("Password, 12 signs or more", hide_input=True, confirmation_prompt="Once more", err=True)
    return asked


def _say_password(made: str | None) -> None:
    if made is not None:
        typer.echo(made)
        typer.echo(
            "This password is shown only now. It is for one login within 7 days, which asks for another.", err=True
        )


def _way_of(account: Account) -> str:
    if account.password_hash is None:
        return "provider"
    way = "password" if account.one_time_until is None else "one-time password"
    return f"{way} or provider" if account.subject else way


def _state(account: Account) -> str:
    return "may log in" if account.is_enabled else "disabled"


def _now() -> datetime:
    return datetime.now(UTC)
